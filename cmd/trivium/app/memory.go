package app

import (
	"runtime"
	"runtime/debug"
)

// settleMemory gives back what only the start has needed. Pools forget in two collections.
func settleMemory() {
	runtime.GC()
	debug.FreeOSMemory()
}
