//go:build !unix

package app

import (
	"runtime"
	"time"
)

// usage is the memory that the process holds, in bytes; its processor time is not known here.
func usage() (cpu time.Duration, memory int64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return 0, int64(m.Sys - m.HeapReleased)
}
