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

// tick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 wherever Linux runs.
const tick = 10 * time.Millisecond

// processStat is what one line of /proc/PID/stat says.
type processStat struct {
	parent int
	cpu    time.Duration // own, and that of children that have ended and been waited for
}

func readStat(pid int) (processStat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processStat{}, err
	}
	// Behind the name, which may hold anything: state, parent, …, utime (14th field) to cstime.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 15 {
		return processStat{}, errors.New("/proc/PID/stat has another form here")
	}
	var s processStat
	if s.parent, err = strconv.Atoi(fields[1]); err != nil {
		return s, err
	}
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return s, err
		}
		s.cpu += time.Duration(n) * tick
	}
	return s, nil
}

// family is a process and all that descend from it: most peers fork for each session.
func family(pid int) (map[int]processStat, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	stats := map[int]processStat{}
	for _, dir := range all {
		id, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if s, err := readStat(id); err == nil { // else it has ended meanwhile
			stats[id] = s
		}
	}
	found := map[int]processStat{}
	for id, s := range stats {
		for at := id; at > 1; at = stats[at].parent {
			if at == pid {
				found[id] = s
				break
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("process %d has ended", pid)
	}
	return found, nil
}

// cpu is what the server has used so far.
func (t *target) cpu() (time.Duration, error) {
	all, err := family(t.pid)
	var sum time.Duration
	for _, s := range all {
		sum += s.cpu
	}
	return sum, err
}

// kill ends the server with what it has forked.
func (t *target) kill() {
	all, err := family(t.pid)
	if err != nil {
		return
	}
	for pid := range all {
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
	for pid := range all {
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
	const few = 6000
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
