//go:build unix

package app

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// usage is the processor time that the process has used, and the memory that it holds, in bytes.
func usage() (cpu time.Duration, memory int64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	// proc_pid_statm(5): the second number is the resident set, in pages.
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := bytes.Fields(b); len(f) > 1 {
			if pages, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				return cpu, pages * int64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats // elsewhere: what Go holds of it
	runtime.ReadMemStats(&m)
	return cpu, int64(m.Sys - m.HeapReleased)
}
