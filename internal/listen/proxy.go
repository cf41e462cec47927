package listen

import (
	"bufio"
	"bytes"
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// Bounds of a PROXY header.
const (
	// proxyWithin bounds the wait for it; the proxy sends it at once.
	proxyWithin = 5 * time.Second
	// proxyMost is how many connections may wait for theirs; for one more, the oldest is ended.
	proxyMost = 1024
	// maxProxyLine is a whole header of version 1 (section 2.1).
	maxProxyLine = 107
	// maxProxyBody is what follows the first 16 bytes of one of version 2: two addresses and some
	// fields that nobody here reads, such as the certificate of a client.
	maxProxyBody = 4096
)

// errNoProxy is a trusted proxy that says nothing of its client.
var errNoProxy = errors.New("a connection from a trusted proxy did not begin with a PROXY header")

// Proxy says whose word about the address of a client is believed.
type Proxy struct {
	// From are the proxies. A connection from one of them has to begin with a PROXY header; what
	// comes from elsewhere is taken as it is, and such a header is no part of its protocol.
	From []netip.Prefix
	// Within bounds the wait for a header; 0 is 5 s.
	Within time.Duration
	// Failed hears of each connection from a proxy that is closed for its header; may be nil.
	Failed func(conn net.Conn, err error)
	// Retry hears of pauses in accepting, as with Serve; may be nil.
	Retry func(err error, pause time.Duration)
}

// Trusted reports whether a is the address of a proxy.
func (p Proxy) Trusted(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p.From, func(t netip.Prefix) bool { return t.Contains(a) })
}

// Proxied is a TCP connection that came through a proxy. Its addresses are those that the proxy
// named; all else is that of the connection itself, so that sendfile and splice go on working.
type Proxied struct {
	*net.TCPConn
	remote, local *net.TCPAddr
}

// RemoteAddr is the client's, as the proxy saw it.
func (p *Proxied) RemoteAddr() net.Addr { return p.remote }

// LocalAddr is the one that the client reached: the proxy's.
func (p *Proxied) LocalAddr() net.Addr { return p.local }

// Arrived is a connection as its road needs it.
type Arrived struct {
	Raw           *net.TCPConn
	Remote, Local netip.AddrPort // of the client, and what it reached
	Proxied       bool           // they are what a proxy said
}

// Arrive takes the parts of a connection that a listener of this package has accepted; false where
// it is none of TCP.
func Arrive(c net.Conn) (Arrived, bool) {
	a := Arrived{Remote: addrPort(c.RemoteAddr()), Local: addrPort(c.LocalAddr())}
	switch c := c.(type) {
	case *net.TCPConn:
		a.Raw = c
	case *Proxied:
		a.Raw, a.Proxied = c.TCPConn, true
	default:
		return a, false
	}
	return a, true
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Header reads the header of a connection from a proxy, and no byte more, within the time that
// Within gives. Nil addresses mean the proxy itself, which looks whether we are there.
func (p Proxy) Header(c *net.TCPConn) (remote, local *net.TCPAddr, err error) {
	within := p.Within
	if within <= 0 {
		within = proxyWithin
	}
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, nil, err
	}
	remote, local, err = readProxy(c)
	if err != nil {
		return nil, nil, err
	}
	if remote != nil && remote.IP.IsLoopback() && !addrPort(c.RemoteAddr()).Addr().IsLoopback() {
		return nil, nil, errors.New("a PROXY header from another host names a client on the loopback interface")
	}
	return remote, local, c.SetReadDeadline(time.Time{})
}

// Listener returns one whose connections from proxies are *Proxied; ln itself where no proxy is
// trusted. No header holds up another connection. Close ends the connections that wait for theirs.
func (p Proxy) Listener(ln net.Listener) net.Listener {
	if len(p.From) == 0 {
		return ln
	}
	return &proxied{Listener: ln, p: p, ready: make(chan net.Conn), done: make(chan struct{}), err: net.ErrClosed}
}

// proxied is the listener of Proxy.
type proxied struct {
	net.Listener
	p     Proxy
	start sync.Once
	ready chan net.Conn
	done  chan struct{} // closed when nothing is accepted any more

	mu      sync.Mutex // guards what follows
	waiting list.List  // of net.Conn, the oldest first
	ended   bool
	err     error // why Accept fails
}

// Accept returns a *net.TCPConn or a *Proxied.
func (l *proxied) Accept() (net.Conn, error) {
	l.start.Do(func() { go l.run() })
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		l.mu.Lock()
		defer l.mu.Unlock()
		return nil, l.err
	}
}

func (l *proxied) run() {
	var retry []func(error, time.Duration)
	if l.p.Retry != nil {
		retry = append(retry, l.p.Retry)
	}
	l.end(Serve(l.Listener, l.take, retry...))
}

// Close stops accepting.
func (l *proxied) Close() error {
	err := l.Listener.Close()
	l.end(nil)
	return err
}

func (l *proxied) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	if err != nil {
		l.err = err
	}
	close(l.done)
	for e := l.waiting.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
}

// take is a connection's goroutine.
func (l *proxied) take(c net.Conn) {
	raw, ok := c.(*net.TCPConn)
	if !ok || !l.p.Trusted(addrPort(c.RemoteAddr()).Addr()) {
		l.give(c)
		return
	}
	e := l.admit(c)
	if e == nil {
		_ = c.Close()
		return
	}
	remote, local, err := l.p.Header(raw)
	l.mu.Lock()
	l.waiting.Remove(e)
	l.mu.Unlock()
	switch {
	case err != nil:
		if l.p.Failed != nil {
			l.p.Failed(c, err)
		}
		_ = c.Close()
	case remote == nil:
		l.give(c)
	default:
		l.give(&Proxied{raw, remote, local})
	}
}

func (l *proxied) give(c net.Conn) {
	select {
	case l.ready <- c:
	case <-l.done:
		_ = c.Close()
	}
}

// admit lists a connection that waits for its header; nil once nothing is accepted any more.
func (l *proxied) admit(c net.Conn) *list.Element {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil
	}
	if l.waiting.Len() >= proxyMost {
		oldest := l.waiting.Front()
		_ = oldest.Value.(net.Conn).Close()
		l.waiting.Remove(oldest) // its own goroutine removes it again, which does nothing
	}
	return l.waiting.PushBack(c)
}

// The beginnings of a header, as the specification of HAProxy has it (doc/proxy-protocol.txt,
// sections 2.1 and 2.2).
const (
	proxyLine   = "PROXY "
	proxyBinary = "\r\n\r\n\x00\r\nQUIT\n"
	proxyFixed  = len(proxyBinary) + 4 // version and command, family, length
)

// readProxy reads one header and not a byte of what follows it. Nil addresses stand for LOCAL and
// UNKNOWN, by which a proxy speaks for itself.
func readProxy(r io.Reader) (remote, local *net.TCPAddr, err error) {
	// No header of either version is shorter than the signature of the second.
	head := make([]byte, len(proxyBinary), proxyFixed+maxProxyBody)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errNoProxy, err)
	}
	switch {
	case string(head) == proxyBinary:
		head, err = readBinary(r, head)
	case string(head[:len(proxyLine)]) == proxyLine:
		head, err = readLine(r, head)
	default:
		err = errNoProxy
	}
	if err != nil {
		return nil, nil, err
	}
	return parseProxy(head)
}

func readBinary(r io.Reader, head []byte) ([]byte, error) {
	head = head[:proxyFixed]
	if _, err := io.ReadFull(r, head[len(proxyBinary):]); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoProxy, err)
	}
	n := int(binary.BigEndian.Uint16(head[proxyFixed-2:]))
	if n > maxProxyBody {
		return nil, fmt.Errorf("a PROXY header of %d bytes is too long", n)
	}
	head = head[:proxyFixed+n]
	if _, err := io.ReadFull(r, head[proxyFixed:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoProxy, err)
	}
	return head, nil
}

// readLine reads to the end of a line, byte by byte: what follows belongs to the client.
func readLine(r io.Reader, head []byte) ([]byte, error) {
	if bytes.IndexByte(head, '\n') >= 0 {
		return nil, errNoProxy
	}
	for len(head) < maxProxyLine {
		head = head[:len(head)+1]
		if _, err := io.ReadFull(r, head[len(head)-1:]); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoProxy, err)
		}
		if head[len(head)-1] == '\n' {
			return head, nil
		}
	}
	return nil, errors.New("a PROXY header is too long")
}

// parseProxy reads a whole header.
func parseProxy(head []byte) (remote, local *net.TCPAddr, err error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(head), len(head)+1))
	if err != nil {
		return nil, nil, err
	}
	if h.Command.IsLocal() {
		return nil, nil, nil
	}
	remote, local, ok := h.TCPAddrs()
	if !ok {
		return nil, nil, errors.New("a PROXY header is not about a TCP connection")
	}
	for _, a := range []*net.TCPAddr{remote, local} {
		ip, ok := netip.AddrFromSlice(a.IP)
		if ip = ip.Unmap(); !ok || ip.IsUnspecified() || ip.IsMulticast() {
			return nil, nil, errors.New("a PROXY header names an address that nobody can have")
		}
		a.IP, a.Zone = net.IP(ip.AsSlice()), ""
	}
	return remote, local, nil
}
