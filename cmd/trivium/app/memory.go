package app

import (
	"os"
	"runtime"
	"runtime/debug"
)

// heapGrowth is by how much in a hundred the heap may grow between collections, where GOGC says
// nothing. Sessions that idle are most of the heap: at the 100 of the Go runtime 5,000 of them over
// TLS hold 38 KiB each when they have just come, at 75 31.
const heapGrowth = 75

// settleMemory gives back what only the start has needed, and bounds what comes after it. Pools
// forget in two collections.
func settleMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	runtime.GC()
	debug.FreeOSMemory()
	releaseProgram()
}
