package xmpp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
	"trivium/internal/listen"
)

// batch is how much goes into one Write, where several elements wait.
const batch = 16 << 10

// keepAlive notices a peer that has gone without a word.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Minute, Interval: 30 * time.Second, Count: 4}

// tcp is the transport of RFC 6120 section 3.
type tcp struct {
	framer
	deadlines
	raw  *net.TCPConn
	at   listen.Arrived
	conn net.Conn          // raw, or TLS over it
	cert *x509.Certificate // of ours, that the handshake gave
	ses  *identity.Session
	// direct says that TLS comes first (XEP-0368).
	direct bool

	sending sync.Mutex // guards what follows, and the writing side: no element comes within another
	closed  bool       // the last words have been written
}

func newTCP(at listen.Arrived) *tcp {
	t := &tcp{deadlines: deadlines{on: at.Raw}, raw: at.Raw, at: at, conn: at.Raw}
	t.framer.r, t.framer.header = (*source)(t), true
	return t
}

// source is the connection's reading side, counted.
type source tcp

func (s *source) Read(b []byte) (int, error) {
	n, err := s.conn.Read(b)
	if n > 0 {
		s.ses.CountIn(int64(n))
	}
	return n, err
}

// secure makes a TLS connection of it (RFC 6120 section 5) within the time. What was read before
// belongs to nobody who could be trusted, so there must be nothing.
func (t *tcp) secure(ctx context.Context, cfg *tls.Config, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	raw := &servedConn{Conn: t.raw, ahead: readAhead(t.raw)}
	conn := tls.Server(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	t.conn, t.cert = conn, raw.leaf
	return nil
}

func (t *tcp) write(items []item, within time.Duration) error {
	t.sending.Lock()
	defer t.sending.Unlock()
	return t.writeLocked(items, within)
}

func (t *tcp) conclude(items []item, within time.Duration) error {
	t.sending.Lock()
	defer t.sending.Unlock()
	defer func() { t.closed = true }()
	return t.writeLocked(items, within)
}

func (t *tcp) writeLocked(items []item, within time.Duration) error {
	if t.closed {
		return net.ErrClosed
	}
	if len(items) == 1 {
		if !t.grant(within) {
			return net.ErrClosed
		}
		return t.send(items[0].b)
	}
	buf := batches.Get().(*[batch]byte)
	defer batches.Put(buf)
	b := buf[:0]
	for i, it := range items {
		if len(b)+len(it.b) <= batch {
			b = append(b, it.b...)
			if i < len(items)-1 {
				continue
			}
			it.b = nil
		}
		for _, part := range [][]byte{b, it.b} {
			if len(part) == 0 {
				continue
			}
			if !t.grant(within) {
				return net.ErrClosed
			}
			if err := t.send(part); err != nil {
				return err
			}
		}
		b = b[:0]
	}
	return nil
}

var batches = sync.Pool{New: func() any { return new([batch]byte) }}

func (t *tcp) send(b []byte) error {
	n, err := t.conn.Write(b)
	t.ses.CountOut(int64(n))
	return err
}

func (t *tcp) open(id, from, to string) []byte {
	b := []byte("<?xml version='1.0'?><stream:stream xmlns='" + nsClient + "' xmlns:stream='" + nsStream + "' version='1.0' xml:lang='en'")
	b = AppendAttr(b, "id", id)
	b = AppendAttr(b, "from", from)
	b = AppendAttr(b, "to", to)
	return append(b, '>')
}

func (t *tcp) opened(el *Element) error {
	ns := ""
	for _, a := range el.attrs {
		if a.Name.Space == "" && a.Name.Local == "xmlns" {
			ns = a.Value
		}
	}
	switch {
	case el.Name.Space != nsStream || ns != nsClient: // RFC 6120 section 4.8.3
		return &fault{xstream.InvalidNamespace, "this port is for clients"}
	case el.Name.Local != "stream":
		return &fault{xstream.BadFormat, "that is no stream"}
	case string(el.raw[1:el.nameEnd]) != "stream:stream": // section 4.8.5
		return &fault{xstream.BadNamespacePrefix, "the prefix of a stream is stream"}
	}
	return nil
}

func (t *tcp) closing() []byte { return []byte("</stream:stream>") }

func (t *tcp) limits(element, beforeLogin int) { t.framer.max, t.framer.budget = element, beforeLogin }

// drain keeps the kernel from answering what the peer still sends with a reset, which would take
// our last words away before the peer has read them.
func (t *tcp) drain(at time.Time) {
	t.release()
	if t.raw.SetReadDeadline(at) == nil {
		_, _ = io.Copy(io.Discard, onlyReader{t.raw})
	}
}

// onlyReader keeps io.Copy to a small buffer instead of what the connection would choose.
type onlyReader struct{ io.Reader }

func (t *tcp) shut() {
	if conn, ok := t.conn.(*tls.Conn); ok {
		_ = conn.CloseWrite() // waits up to 5 s for a peer that does not read; cut ends that
	}
	_ = t.raw.CloseWrite()
}

// cut closes the socket itself: closing TLS may wait for a peer that does not read.
func (t *tcp) cut() { _ = t.raw.Close() }

func (t *tcp) secured() bool {
	_, ok := t.conn.(*tls.Conn)
	return ok
}

func (t *tcp) tlsState() *tls.ConnectionState {
	conn, ok := t.conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := conn.ConnectionState()
	return &state
}

func (t *tcp) served() *x509.Certificate { return t.cert }

func (t *tcp) account(ses *identity.Session) { t.ses = ses }
