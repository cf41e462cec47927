package xmpp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// nsFraming is of the elements that open and close a stream over WebSocket (RFC 7395 section 3.3.2).
const nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"

// Proxies close what is silent for a minute; RFC 7395 section 3.8 has WebSocket pings for that. A
// peer of which nothing at all comes for long has gone.
const (
	pingEvery = 50 * time.Second
	pingLimit = 5 * pingEvery
)

// ws is the transport of RFC 7395: each element is a text message of its own.
//
// The library shakes hands, reads, and answers pings and the closing handshake. Messages are
// written here, as a batch of them leaves in one piece, and last words are written after a read
// has failed, when the library would have closed the connection.
type ws struct {
	*wire
	lib    *websocket.Conn
	https  bool // the client speaks https, perhaps to a proxy
	from   netip.AddrPort
	header bool // the next message opens a stream
	max    int  // bytes of a message
	budget int  // bytes that may still be read before the log-in; below 0: no limit
}

// next reads a message and checks that it is one whole element (RFC 7395 section 3.3.3).
func (t *ws) next() (frame, error) {
	for {
		// No deadline in the context: the library would close the connection by it.
		kind, r, err := t.lib.Reader(context.Background())
		if err != nil {
			return frame{}, err
		}
		if kind != websocket.MessageText { // section 3.2
			return frame{}, &fault{xstream.BadFormat, "XMPP goes in text messages"}
		}
		raw, err := t.message(r)
		if err != nil {
			return frame{}, err
		}
		el, err := parseMessage(raw)
		if err != nil {
			return frame{}, err
		}
		switch {
		case el == nil: // white space, as some clients send it to keep a connection open
			continue
		case el.Name.Space == nsFraming && el.Name.Local == "close" && t.header:
			return frame{}, errClosed
		case el.Name.Space == nsFraming && el.Name.Local == "close":
			return frame{kind: frameClose}, nil
		case t.header:
			t.header = false
			return frame{frameHeader, el}, nil
		}
		return frame{frameElement, el}, nil
	}
}

// message reads one within the limits.
func (t *ws) message(r io.Reader) ([]byte, error) {
	pooled := chunks.Get().(*[chunk]byte)
	b, n := pooled[:], 0
	defer func() {
		clear(pooled[:min(n, chunk)]) // it may hold a password
		chunks.Put(pooled)
	}()
	for {
		m, err := r.Read(b[n:min(len(b), t.max+1)])
		if n += m; n > t.max {
			return nil, &fault{xstream.PolicyViolation, "the stanza is too large"}
		}
		if t.budget >= 0 && m > 0 {
			if t.budget -= m; t.budget < 0 {
				t.budget = 0
				return nil, &fault{xstream.PolicyViolation, "too many bytes before the log-in"}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			t.ses.CountIn(int64(n))
			if len(b) > chunk {
				return b[:n], nil
			}
			return bytes.Clone(b[:n]), nil
		case err != nil:
			return nil, err
		case n == len(b):
			grown := make([]byte, min(2*len(b), t.max+1))
			copy(grown, b)
			b = grown
		}
	}
}

// errMessage is a message that is no element, or more than one.
var errMessage = &fault{xstream.NotWellFormed, "a message is one whole element"}

const space = " \t\r\n"

// parseMessage validates a message; nil is one of white space alone.
func parseMessage(raw []byte) (*Element, error) {
	raw = bytes.Trim(raw, space)
	if bytes.HasPrefix(raw, []byte("<?")) { // RFC 7395 section 3.3.3: not recommended, but XML
		head, rest, ok := bytes.Cut(raw, []byte("?>"))
		if !ok {
			return nil, errMessage
		}
		if err := declaration(raw[:len(head)+2]); err != nil {
			return nil, err
		}
		if raw = bytes.TrimLeft(rest, space); len(raw) == 0 {
			return nil, errMessage
		}
	}
	if len(raw) == 0 {
		return nil, nil
	}
	var s scan
	n, err := s.element(raw, false)
	switch {
	case err != nil:
		return nil, err
	case n != len(raw):
		return nil, errMessage
	}
	return parseElement(raw, nil)
}

func (t *ws) opened(el *Element) error {
	switch {
	case el.Name.Local != "open":
		return &fault{xstream.BadFormat, "over WebSocket a stream begins with <open xmlns='" + nsFraming + "'/>"}
	case el.Name.Space != nsFraming:
		return &fault{xstream.InvalidNamespace, "the namespace of <open/> is " + nsFraming}
	}
	return nil
}

func (t *ws) open(id, from, to string) []byte {
	b := []byte("<open xmlns='" + nsFraming + "' version='1.0' xml:lang='en'")
	b = AppendAttr(b, "id", id)
	b = AppendAttr(b, "from", from)
	b = AppendAttr(b, "to", to)
	return append(b, "/>"...)
}

func (t *ws) closing() []byte { return []byte("<close xmlns='" + nsFraming + "'/>") }

func (t *ws) restart() { t.header = true }

func (t *ws) limits(element, beforeLogin int) { t.max, t.budget = element, beforeLogin }

func (t *ws) secured() bool { return t.https }

// tlsState is nil: what a browser's page and the server could bind a log-in to differs as soon as a
// proxy stands between them, and pages cannot see it anyway.
func (t *ws) tlsState() *tls.ConnectionState { return nil }

func (t *ws) remote() netip.AddrPort { return t.from }

// wire is the connection below the library. It lets no frame come between the parts of another,
// and nothing follow a close frame.
type wire struct {
	deadlines
	net.Conn // raw, or TLS over it
	ses      *identity.Session
	early    []byte // what came with the request

	heard atomic.Bool // something came since the last ping
	ping  *time.Timer

	sending sync.Mutex // guards what follows, and the writing side
	closed  bool       // a close frame has been sent
	unheard time.Duration
}

// begin starts the pings.
func (w *wire) begin() {
	w.ping = time.AfterFunc(time.Hour, w.tick)
	w.ping.Reset(pingEvery) // not before the field is set, which tick reads
}

// tick sends a ping where the peer may be asleep, and cuts where it has gone.
func (w *wire) tick() {
	if !w.sending.TryLock() { // a writer that is stuck has its own limit
		w.ping.Reset(pingEvery)
		return
	}
	defer w.sending.Unlock()
	if w.closed {
		return
	}
	if w.unheard += pingEvery; w.heard.Swap(false) {
		w.unheard = 0
	}
	if w.unheard >= pingLimit {
		_ = w.raw.Close()
		return
	}
	if !w.writing(patience) {
		return
	}
	if _, err := w.Conn.Write([]byte{0x80 | opPing, 0}); err == nil { // else the reader finds out
		w.ping.Reset(pingEvery)
	}
}

// The kinds of frames that are written here (RFC 6455 section 11.8).
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
)

// Read is for the library.
func (w *wire) Read(b []byte) (int, error) {
	if len(w.early) > 0 {
		n := copy(b, w.early)
		w.early = w.early[n:]
		return n, nil
	}
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.heard.Store(true)
	}
	return n, err
}

// Write is for the library, which answers pings and a close by it.
func (w *wire) Write(b []byte) (int, error) {
	w.sending.Lock()
	defer w.sending.Unlock()
	if w.closed || !w.writing(patience) {
		return 0, net.ErrClosed
	}
	if len(b) > 0 && b[0]&0x0F == opClose {
		w.closed = true
	}
	return w.Conn.Write(b)
}

// Close is for the library: TLS would wait for a peer that does not read.
func (w *wire) Close() error { return w.raw.Close() }

// write makes a message of each item, and puts as many as fit into one Write.
func (w *wire) write(items []item, within time.Duration) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	buf := batches.Get().(*[batch]byte)
	defer batches.Put(buf)
	b := buf[:0]
	for _, it := range items {
		if len(b)+len(it.b)+frameRoom > batch {
			if err := w.send(b, within); err != nil {
				return err
			}
			b = b[:0]
		}
		at, declare := standalone(it.b)
		b = appendTextFrame(b, len(it.b)+len(declare))
		b = append(append(b, it.b[:at]...), declare...)
		if rest := it.b[at:]; len(b)+len(rest) <= batch {
			b = append(b, rest...)
		} else {
			if err := w.send(b, within); err != nil {
				return err
			}
			if err := w.send(rest, within); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return w.send(b, within)
}

// send is called with sending held.
func (w *wire) send(b []byte, within time.Duration) error {
	if len(b) == 0 {
		return nil
	}
	if w.closed || !w.writing(within) {
		return net.ErrClosed
	}
	n, err := w.Conn.Write(b)
	if w.ses != nil {
		w.ses.CountOut(int64(n))
	}
	return err
}

// frameRoom is what a message needs beside its item: the head of the frame, and declarations.
const frameRoom = 10 + len(declareClient) + len(declareStream)

// appendTextFrame writes the head of an unmasked text message in one frame (RFC 6455 section 5.2).
func appendTextFrame(b []byte, size int) []byte {
	b = append(b, 0x80|opText)
	switch {
	case size < 126:
		return append(b, byte(size))
	case size <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(size))
}

const (
	declareClient = " xmlns='" + nsClient + "'"
	declareStream = " xmlns:stream='" + nsStream + "'"
)

// standalone says what makes an element of a stream one of its own, and where to put it (RFC 7395
// section 3.3.3): over TCP the open tag has declared the usual two namespaces. b is well-formed.
func standalone(b []byte) (at int, declare string) {
	if at = bytes.IndexAny(b, space+"/>"); at < 0 {
		return len(b), ""
	}
	stream := bytes.HasPrefix(b, []byte("<stream:"))
	for i, start := at, at; i < len(b) && b[i] != '>'; i++ {
		switch c := b[i]; {
		case c == '=':
			switch name := bytes.Trim(b[start:i], space); {
			case !stream && string(name) == "xmlns", stream && string(name) == "xmlns:stream":
				return at, ""
			}
		case c == '\'' || c == '"':
			if i++; i < len(b) {
				i += max(bytes.IndexByte(b[i:], c), 0)
			}
			start = i + 1
		}
	}
	if stream {
		return at, declareStream
	}
	return at, declareClient
}

// shut begins the closing handshake of RFC 6455 section 7, and ends our side of the connection.
func (w *wire) shut() {
	w.sending.Lock()
	defer w.sending.Unlock()
	w.ping.Stop()
	if !w.closed && w.writing(linger) {
		w.closed = true
		_, _ = w.Conn.Write(binary.BigEndian.AppendUint16([]byte{0x80 | opClose, 2}, uint16(websocket.StatusNormalClosure)))
	}
	if t, ok := w.Conn.(*tls.Conn); ok {
		_ = t.CloseWrite()
	}
	if t, ok := w.raw.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
}

// drain is as with TCP; the close frame that comes back is among what is thrown away.
func (w *wire) drain(at time.Time) {
	if w.raw.SetReadDeadline(at) == nil {
		_, _ = io.Copy(io.Discard, onlyReader{w.raw})
	}
}

func (w *wire) cut() {
	_ = w.raw.Close()
	w.ping.Stop()
}
