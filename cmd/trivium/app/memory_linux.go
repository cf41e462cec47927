package app

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// releaseProgram gives back the pages of the program's own code and constants that the start has read: the
// kernel keeps them in its page cache, and those that are still needed come back at the next access,
// without a read of the disk. Mappings of which something has been written, as a dynamic linker does, stay
// as they are. A kernel that does not tell is no fault.
func releaseProgram() {
	program, err := os.Executable()
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }() // it was read alone
	lines := bufio.NewScanner(f)
	var at, end uint64
	for lines.Scan() {
		if from, to, is := mapping(lines.Text(), program); is {
			at, end = from, to
			continue
		}
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 3 && fields[0] == "Anonymous:": // of the mapping above
			if end > at && fields[1] == "0" {
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(at), uintptr(end-at), unix.MADV_DONTNEED) // it costs memory where it is refused
			}
			at, end = 0, 0
		case len(fields) > 1 && strings.Contains(fields[0], "-"): // another mapping
			at, end = 0, 0
		}
	}
}

// mapping reads the first line of a mapping (proc_pid_maps(5)); is tells whether it is a private one of the
// program that nobody can write.
func mapping(line, program string) (from, to uint64, is bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[1] != "r-xp" && fields[1] != "r--p" || fields[5] != program {
		return 0, 0, false
	}
	first, last, ok := strings.Cut(fields[0], "-")
	if !ok {
		return 0, 0, false
	}
	from, err := strconv.ParseUint(first, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	to, err = strconv.ParseUint(last, 16, 64)
	return from, to, err == nil
}
