package ftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// errNoConnection is the failure to get a data connection.
var errNoConnection = errors.New("no data connection")

// door is one prepared data connection: it waits for the client (PASV, EPSV) or dials it (PORT,
// EPRT), once.
type door struct {
	peer  netip.Addr // who may come
	local netip.Addr // from where to dial
	dial  netip.AddrPort
	wait  time.Duration // from the transfer's begin until the connection stands

	ctx    context.Context // done when the door is cut
	cancel context.CancelFunc

	mu      sync.Mutex // guards what follows
	ln      *net.TCPListener
	conn    *net.TCPConn
	sawEOF  bool // the client's side of conn has ended
	isShut  bool // no connection is wanted any more
	port    uint16
	refused int // connections from elsewhere
}

// plainListen opens a socket without keep-alive probes, which a data connection has no use for
// beside the stall limits, and without Multipath TCP, which has no sendfile.
func plainListen(ctx context.Context, at netip.AddrPort) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	t, ok := ln.(*net.TCPListener)
	if !ok {
		_ = ln.Close()
		return nil, fmt.Errorf("listening on %s gave a %T", at, ln)
	}
	return t, nil
}

// openDoor listens on the address that the control connection came to, at a random port of the
// range. Ports in use are passed over.
func openDoor(ctx context.Context, local, peer netip.Addr, ports portRange, wait time.Duration) (*door, error) {
	d := newDoor(ctx, local, peer, wait)
	n := ports.high - ports.low + 1
	first := rand.IntN(n)
	var err error
	for i := range n {
		port := uint16(ports.low + (first+i)%n)
		d.ln, err = plainListen(ctx, netip.AddrPortFrom(local, port))
		if err == nil {
			d.port = address(d.ln.Addr()).Port()
			return d, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	d.cancel()
	return nil, err
}

// dialDoor will dial the client.
func dialDoor(ctx context.Context, local netip.Addr, to netip.AddrPort, wait time.Duration) *door {
	d := newDoor(ctx, local, to.Addr(), wait)
	d.dial = to
	return d
}

func newDoor(ctx context.Context, local, peer netip.Addr, wait time.Duration) *door {
	d := &door{local: local, peer: peer, wait: wait}
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
		if address(c.RemoteAddr()).Addr() != d.peer {
			_ = c.Close()
			d.mu.Lock()
			d.refused++
			d.mu.Unlock()
			continue
		}
		_ = ln.Close()
		return d.take(c)
	}
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
	d.conn = c
	return c, nil
}

// shut takes no connection any more; one that stands stays, for its end may still have
// something to send.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isShut = true
	if d.ln != nil {
		_ = d.ln.Close() // closed twice at worst
	}
	if d.conn == nil {
		d.cancel()
	}
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

func (d *door) tcp() *net.TCPConn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.conn
}

// ended reports whether the client closed its side on the TCP level.
func (d *door) ended() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sawEOF
}

// noting is a data connection under TLS. It notes the end of the stream, for crypto/tls takes an
// end without close_notify for a proper one where a record ends there, and an upload must not.
type noting struct {
	*net.TCPConn
	door *door
}

func (n noting) Read(p []byte) (int, error) {
	k, err := n.TCPConn.Read(p)
	if errors.Is(err, io.EOF) {
		n.door.mu.Lock()
		n.door.sawEOF = true
		n.door.mu.Unlock()
	}
	return k, err
}

// limitReceiving sets the deadline of a connection on which nothing has come for limit; stop ends
// the watch. It reads the kernel's clock of the last data, so that splice is not touched.
func limitReceiving(c *net.TCPConn, limit time.Duration) (stop func()) {
	var mu sync.Mutex
	done := false
	began := time.Now()
	var timer *time.Timer
	check := func() {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return
		}
		info, ok := askTCP(c)
		if !ok {
			return
		}
		quiet := min(info.quiet, time.Since(began))
		if quiet >= limit {
			_ = c.SetReadDeadline(time.Now())
			return
		}
		timer.Reset(limit - quiet)
	}
	mu.Lock()
	timer = time.AfterFunc(limit, check)
	mu.Unlock()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		timer.Stop()
	}
}
