package ftp

import (
	"fmt"
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

// live is the transfer as the list of sessions has it.
func (t *transfer) live(n, rate int64) *identity.TransferInfo {
	return &identity.TransferInfo{Verb: t.verb, Path: printable(t.path), Bytes: n, Size: t.size, Rate: rate, StartedAt: t.began.UTC()}
}

// tell says in the list of sessions that n bytes have been moved. A transfer that has ended by
// then says nothing more: only the present one's row is written over.
func (t *transfer) tell(n, rate int64) {
	i := t.live(n, rate)
	t.s.ses.Update(func(d *identity.Details) {
		if d.Transfer != nil {
			d.Transfer = i
		}
	})
}

// StopTransfer breaks off the transfer or the work that runs, and the session goes on (426); false where none
// runs.
func (c *control) StopTransfer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.job != nil && !c.closed {
		c.stop()
		return true
	}
	if c.busy == nil || c.closed {
		return false
	}
	c.busy.halted.Store(true)
	c.busy.abort()
	return true
}

// doing is what a session is at, for people: "RETR /a.iso, 1048576 of 4194304 bytes (25%), 524288 bytes/s".
func doing(i identity.Info) string {
	x := i.Transfer
	if x == nil {
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
