package ftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"trivium/internal/listen"
)

// errNoConnection is the failure to get a data connection.
var errNoConnection = errors.New("no data connection")

// door is one prepared data connection: it waits for the client (PASV, EPSV) or dials it (PORT,
// EPRT), once.
type door struct {
	peer  netip.Addr // who may come; zero: anybody, for site to site
	local netip.Addr // from where to dial
	dial  netip.AddrPort
	wait  time.Duration // from the transfer's begin until the connection stands
	proxy *listen.Proxy // that the client came through, and may come through again; nil: it came by itself

	ctx    context.Context // done when the door is cut
	cancel context.CancelFunc

	mu     sync.Mutex // guards what follows
	ln     *passive   // nil: it dials, or the listener has been taken away
	conn   *net.TCPConn
	taken  bool // a connection has come; conn may still be nil (see bare)
	isShut bool // no connection is wanted any more
}

// openDoor waits on a listener.
func openDoor(ctx context.Context, ln *passive, peer netip.Addr, wait time.Duration) *door {
	d := newDoor(ctx, wait)
	d.ln, d.peer = ln, peer
	return d
}

// dialDoor will dial the client.
func dialDoor(ctx context.Context, local netip.Addr, to netip.AddrPort, wait time.Duration) *door {
	d := newDoor(ctx, wait)
	d.local, d.dial = local, to
	return d
}

func newDoor(ctx context.Context, wait time.Duration) *door {
	d := &door{wait: wait}
	d.ctx, d.cancel = context.WithCancel(ctx)
	return d
}

// open waits for the connection. What comes from another address than the control connection's
// is closed and does not count (RFC 2577 section 4 warns of stealing).
func (d *door) open() (*net.TCPConn, error) {
	until := time.Now().Add(d.wait)
	d.mu.Lock()
	ln, isShut := d.ln, d.isShut
	d.mu.Unlock()
	if isShut {
		return nil, errNoConnection
	}
	if ln == nil {
		return d.connect(until)
	}
	if err := ln.SetDeadline(until); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	for {
		c, err := ln.AcceptTCP()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoConnection, err)
		}
		if !d.expected(c) {
			_ = c.Close()
			continue
		}
		return d.take(c)
	}
}

// expected reports whether a connection is the client's: from its address, or through the proxy,
// whose header is read then and names that address.
func (d *door) expected(c *net.TCPConn) bool {
	from := address(c.RemoteAddr()).Addr()
	if d.proxy != nil && d.proxy.Trusted(from) {
		remote, _, err := d.proxy.Header(c)
		if err != nil {
			return false
		}
		if remote != nil {
			from = address(remote).Addr()
		}
	}
	return !d.peer.IsValid() || from == d.peer
}

func (d *door) connect(until time.Time) (*net.TCPConn, error) {
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(d.local, 0)), Deadline: until, KeepAlive: -1}
	dialer.SetMultipathTCP(false)
	c, err := dialer.DialContext(d.ctx, "tcp", d.dial.String())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoConnection, err)
	}
	t, ok := c.(*net.TCPConn)
	if !ok {
		_ = c.Close()
		return nil, errNoConnection
	}
	return d.take(t)
}

// take keeps the connection, unless the door was cut meanwhile.
func (d *door) take(c *net.TCPConn) (*net.TCPConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.isShut {
		_ = c.Close()
		return nil, errNoConnection
	}
	d.conn, d.taken = c, true
	return c, nil
}

// came notes that the connection stands; false where the door was shut meanwhile.
func (d *door) came() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = !d.isShut
	return d.taken
}

// wanted reports whether the door is open still.
func (d *door) wanted() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.isShut
}

// shut takes no connection any more; one that stands stays, for its end may still have
// something to send.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isShut = true
	if d.ln != nil {
		_ = d.ln.Close()
		d.ln = nil
	}
	if !d.taken {
		d.cancel()
	}
}

// spare gives the listener away when the one connection that it was for has come; nil: there is
// none.
func (d *door) spare() *passive {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.taken {
		return nil
	}
	ln := d.ln
	d.ln = nil
	return ln
}

// release lets go of what the door holds beside its connection, which the engine closes.
func (d *door) release() {
	d.shut()
	d.cancel()
}

// cut ends everything at once.
func (d *door) cut() {
	d.release()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		_ = d.conn.SetLinger(0) // what was not sent is not to arrive as if it were complete
		_ = d.conn.Close()
	}
}

// established gives the connection, if it stands; no other can then come any more.
func (d *door) established() *net.TCPConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken && d.ln != nil {
		d.ln.shut()
		d.ln = nil
	}
	return d.conn
}

func (d *door) tcp() *net.TCPConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}
