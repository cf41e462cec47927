package xmpp

import (
	"net"
	"sync"
	"time"
)

// deadlines are those of a connection; transport says what deadline and hurry promise.
type deadlines struct {
	on net.Conn // below TLS

	mu      sync.Mutex // guards what follows and, with it, the deadlines
	hurried bool
	until   time.Time // the deadline of writing
}

func (d *deadlines) deadline(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.hurried {
		_ = d.on.SetReadDeadline(at) // a closed connection tells the reader itself
	}
}

func (d *deadlines) hurry(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hurried = true
	_ = d.on.SetReadDeadline(time.Unix(1, 0))
	_ = d.on.SetWriteDeadline(at)
}

// grant gives a write its time, or half of it: the deadline of an earlier write stands while it is as
// far away as that, for to set one costs more than all else that a short write does outside of the
// kernel. False means that the connection is closed.
func (d *deadlines) grant(within time.Duration) bool {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if left := d.until.Sub(now); d.hurried || within/2 <= left && left <= within {
		return true
	}
	d.until = now.Add(within)
	return d.on.SetWriteDeadline(d.until) == nil
}
