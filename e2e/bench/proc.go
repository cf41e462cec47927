package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// parentOf reads /proc/PID/stat.
func parentOf(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name, which may hold anything: state, parent, …
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 2 {
		return 0, errors.New("/proc/PID/stat has another form here")
	}
	return strconv.Atoi(fields[1])
}

// cpuOf adds up what the threads of a process have run, to the nanosecond. (The times in
// /proc/PID/stat count ticks of 10 ms, too coarse for what is measured here.)
func cpuOf(pid int) (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, t := range threads {
		b, err := os.ReadFile(t)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(b), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n)
	}
	return sum, nil
}

// family is a process and all that descend from it: most peers fork for each session.
func family(pid int) ([]int, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, dir := range all {
		id, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if p, err := parentOf(id); err == nil { // else it has ended meanwhile
			parents[id] = p
		}
	}
	var found []int
	for id := range parents {
		for at := id; at > 1; at = parents[at] {
			if at == pid {
				found = append(found, id)
				break
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("process %d has ended", pid)
	}
	return found, nil
}

// cpu is what the server's processes that live have used so far. Those that have ended are not in it,
// so it is asked before and after what sessions do that stay open.
func (t *target) cpu() (time.Duration, error) {
	all, err := family(t.pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range all {
		n, err := cpuOf(pid)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// kill ends the server with what it has forked.
func (t *target) kill() {
	all, err := family(t.pid)
	if err != nil {
		return
	}
	for _, pid := range all {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

// pss is the server's memory in KiB, with shared pages counted by share.
func (t *target) pss() (float64, error) {
	all, err := family(t.pid)
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, pid := range all {
		n, err := kib(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		sum += n
	}
	return float64(sum), nil
}

// kib reads a line such as "VmRSS:  123 kB" of a file of /proc.
func kib(file, key string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strconv.Atoi(strings.Fields(rest)[0])
		}
	}
	return 0, fmt.Errorf("%s is not in %s", key, file)
}

// settle waits until few connections are in TIME_WAIT: near the number of ports there are, every new
// one costs a search, and who is measured late would pay for it.
func settle() {
	const few = 12000
	for range 70 { // seconds; TIME_WAIT is 60
		b, err := os.ReadFile("/proc/net/sockstat")
		if err != nil {
			return
		}
		_, rest, ok := strings.Cut(string(b), " tw ")
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			return
		}
		if n, err := strconv.Atoi(fields[0]); err != nil || n < few {
			return
		}
		time.Sleep(time.Second)
	}
}
