package xmpp

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
	"trivium/internal/listen"
)

// nsFraming is of the elements that open and close a stream over WebSocket (RFC 7395 section 3.3.2).
const nsFraming = "urn:ietf:params:xml:ns:xmpp-framing"

// pingEvery is how often a WebSocket ping is sent (RFC 7395 section 3.8): proxies close what is
// silent for a minute.
const pingEvery = 50 * time.Second

// ws is the transport of RFC 7395: each element is a text message of its own.
type ws struct {
	deadlines
	messages
	conn   net.Conn // raw, or TLS over it
	ses    *identity.Session
	https  bool // the client speaks https, perhaps to a proxy
	header bool // the next message opens a stream
	ping   *time.Timer

	sending sync.Mutex // guards what follows, and the writing side: no frame comes within another
	last    bool       // the last words have been written; a close frame may follow
	closed  bool       // a close frame has been sent; nothing follows it
}

// newWS takes over a connection after the handshake; early is what has been read of it.
func newWS(conn net.Conn, early []byte, https bool) *ws {
	t := &ws{conn: conn, https: https, header: true, deadlines: deadlines{on: conn}}
	if c, ok := conn.(*tls.Conn); ok {
		t.on = c.NetConn()
	}
	if at, ok := listen.Arrive(t.on); ok {
		t.on = at.Raw
		_ = at.Raw.SetKeepAliveConfig(keepAlive)
	}
	t.messages.r, t.messages.control = conn, t.control
	t.messages.put(early)
	t.ping = time.AfterFunc(time.Hour, t.tick)
	t.ping.Reset(pingEvery) // not before the field is set, which tick reads
	return t
}

// next reads a message and checks that it is one whole element (RFC 7395 section 3.3.3).
func (t *ws) next() (frame, error) {
	for {
		raw, err := t.message()
		if err != nil {
			if errors.Is(err, errFrame) {
				t.goodbye(closeProtocol, linger)
			}
			return frame{}, err
		}
		t.ses.CountIn(int64(len(raw)))
		el, err := parseMessage(raw)
		switch {
		case err != nil:
			return frame{}, err
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
	// No open tag surrounds it, so names without a prefix are in no namespace unless it says otherwise.
	return parseElement(raw, []binding{{}})
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

func (t *ws) account(ses *identity.Session) {
	t.sending.Lock() // a ping may be on its way
	defer t.sending.Unlock()
	t.ses = ses
}

// write makes a message of each item, and puts as many as fit into one Write.
func (t *ws) write(items []item, within time.Duration) error {
	t.sending.Lock()
	defer t.sending.Unlock()
	return t.writeLocked(items, within)
}

func (t *ws) conclude(items []item, within time.Duration) error {
	t.sending.Lock()
	defer t.sending.Unlock()
	defer func() { t.last = true }()
	return t.writeLocked(items, within)
}

func (t *ws) writeLocked(items []item, within time.Duration) error {
	if t.last {
		return net.ErrClosed
	}
	buf := batches.Get().(*[batch]byte)
	defer batches.Put(buf)
	b := buf[:0]
	for _, it := range items {
		if len(b)+len(it.b)+frameRoom > batch {
			if err := t.send(b, within); err != nil {
				return err
			}
			b = b[:0]
		}
		at, declare := standalone(it.b)
		b = appendFrameHead(b, opText, len(it.b)+len(declare))
		b = append(append(b, it.b[:at]...), declare...)
		if rest := it.b[at:]; len(b)+len(rest) <= batch {
			b = append(b, rest...)
		} else {
			if err := t.send(b, within); err != nil {
				return err
			}
			if err := t.send(rest, within); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return t.send(b, within)
}

// send is called with sending held.
func (t *ws) send(b []byte, within time.Duration) error {
	if len(b) == 0 {
		return nil
	}
	if t.closed || !t.grant(within) {
		return net.ErrClosed
	}
	n, err := t.conn.Write(b)
	if t.ses != nil {
		t.ses.CountOut(int64(n))
	}
	return err
}

// frameRoom is what a message needs beside its item: the head of the frame, and declarations.
const frameRoom = 10 + len(declareClient) + len(declareStream)

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

// control answers a control frame (RFC 6455 section 5.5); the error ends the reading.
func (t *ws) control(op byte, body []byte) error {
	switch op {
	case opPing:
		t.sending.Lock()
		defer t.sending.Unlock()
		return t.send(append(appendFrameHead(nil, opPong, len(body)), body...), patience)
	case opClose:
		if !closes(body) {
			return errFrame
		}
		t.goodbye(body[:min(len(body), len(closeNormal))], patience) // the peer's own code
		return io.EOF
	}
	return nil
}

// closes reports whether a close frame may have that body (RFC 6455 sections 5.5.1 and 7.4): what is
// sent back has to be valid, too.
func closes(body []byte) bool {
	if len(body) < 2 {
		return len(body) == 0
	}
	switch code := binary.BigEndian.Uint16(body); code {
	case 1005, 1006, 1015: // for programs, never on the wire
		return false
	default:
		return code >= 1000 && code < 5000
	}
}

// goodbye sends the close frame, once.
func (t *ws) goodbye(body []byte, within time.Duration) {
	t.sending.Lock()
	defer t.sending.Unlock()
	t.ping.Stop()
	_ = t.send(append(appendFrameHead(nil, opClose, len(body)), body...), within)
	t.closed = true
}

// tick sends a ping.
func (t *ws) tick() {
	if !t.sending.TryLock() { // somebody writes, which does as well
		t.ping.Reset(pingEvery)
		return
	}
	defer t.sending.Unlock()
	if t.send(appendFrameHead(nil, opPing, 0), patience) == nil { // else the reader finds out
		t.ping.Reset(pingEvery)
	}
}

// shut begins the closing handshake of RFC 6455 section 7, and ends our side of the connection. The
// client's own <close/> is not waited for: nothing that comes before it counts any more.
func (t *ws) shut() {
	t.goodbye(closeNormal, linger)
	if c, ok := t.conn.(*tls.Conn); ok {
		_ = c.CloseWrite()
	}
	if c, ok := t.on.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}

// drain is as with TCP; the close frame that comes back is among what is thrown away.
func (t *ws) drain(at time.Time) {
	t.release()
	if t.on.SetReadDeadline(at) == nil {
		_, _ = io.Copy(io.Discard, onlyReader{t.on})
	}
}

func (t *ws) cut() {
	_ = t.on.Close()
	t.ping.Stop()
}
