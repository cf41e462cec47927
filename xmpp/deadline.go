package xmpp

import (
	"net"
	"sync"
	"time"
)

// deadlines are those of a connection; see transport for what the methods promise.
type deadlines struct {
	raw net.Conn // below TLS

	mu      sync.Mutex // guards hurried and, with it, the deadlines
	hurried bool
}

func (d *deadlines) deadline(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.hurried {
		_ = d.raw.SetReadDeadline(at) // a closed connection tells the reader itself
	}
}

func (d *deadlines) hurry(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hurried = true
	_ = d.raw.SetReadDeadline(time.Unix(1, 0))
	_ = d.raw.SetWriteDeadline(at)
}

// writing bounds the next Write; false means that the connection is closed.
func (d *deadlines) writing(within time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hurried || d.raw.SetWriteDeadline(time.Now().Add(within)) == nil
}
