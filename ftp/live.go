package ftp

import (
	"fmt"
	"strings"
	"time"

	"trivium/identity"
)

// pace is how fast a transfer goes; its fields belong to the meter's lock.
type pace struct {
	bytes int64
	at    time.Time
	rate  float64 // bytes a second
}

// step notes that n bytes have been moved in all by now, and returns the rate of late: half of it
// is that of the last step.
func (p *pace) step(n int64, now time.Time) int64 {
	const least = 50 * time.Millisecond // of less nothing can be said
	took := now.Sub(p.at)
	if took < least {
		return int64(p.rate)
	}
	last := float64(max(n-p.bytes, 0)) / took.Seconds()
	if p.rate > 0 {
		last = (last + p.rate) / 2
	}
	p.bytes, p.at, p.rate = n, now, last
	return int64(last)
}

// live is the transfer as the list of those that run has it.
func (t *transfer) live() identity.TransferInfo {
	way := identity.DirectionOut
	if t.upload != nil {
		way = identity.DirectionIn
	}
	return identity.TransferInfo{Verb: t.verb, Direction: way, Path: printable(t.path), Size: t.size, StartedAt: t.began.UTC()}
}

// halt breaks off a transfer that an administrator stops, if it runs yet; the session goes on (426).
func (c *control) halt(t *transfer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == t && !c.closed {
		t.halted.Store(true)
		t.abort()
	}
}

// live is the job as the list of transfers has it.
func (j *job) live() identity.TransferInfo {
	verb, path, _ := strings.Cut(j.doing, " ")
	return identity.TransferInfo{Verb: verb, Direction: identity.DirectionHere, Path: path, Size: -1, StartedAt: time.Now().UTC()}
}

// doing is what a session is at, for people: "RETR /a.iso, 1048576 of 4194304 bytes (25%), 524288 bytes/s".
func doing(i identity.Info) string {
	x := i.Transfer
	if x == nil || x.Direction == identity.DirectionHere {
		return i.Doing
	}
	text := fmt.Sprintf("%s %s, %d", x.Verb, x.Path, x.Bytes)
	if x.Size > 0 {
		text += fmt.Sprintf(" of %d bytes (%d%%)", x.Size, percent(x.Bytes, x.Size))
	} else {
		text += " bytes"
	}
	return text + fmt.Sprintf(", %d bytes/s", x.Rate)
}

// percent is at most 100, as an upload may bring more than it has said.
func percent(n, of int64) int64 { return min(int64(float64(n)/float64(of)*100), 100) }
