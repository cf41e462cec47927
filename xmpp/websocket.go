package xmpp

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"trivium/identity"
)

// subprotocol is the name of XMPP among those of WebSocket (RFC 7395 section 3.1).
const subprotocol = "xmpp"

// maxUserAgent bounds what the list of sessions keeps of a browser's name for itself.
const maxUserAgent = 512

// WebSocket serves XMPP over WebSocket (RFC 7395) to HTTP/1.1 requests. Who mounts it sees to it
// that Request.RemoteAddr is the client's address, and Request.TLS is not nil where the client
// speaks https, be it to a trusted proxy. The handler returns at once; the connection is the
// server's from then on, and ends with Shutdown.
func (s *Server) WebSocket() http.Handler { return http.HandlerFunc(s.upgrade) }

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	switch {
	case !hasToken(r.Header.Values("Upgrade"), "websocket"):
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		http.Error(w, "This address is for chat programs that speak XMPP over WebSocket. There is nothing to see for a browser.", http.StatusUpgradeRequired)
		return
	case !hasToken(r.Header.Values("Sec-WebSocket-Protocol"), subprotocol):
		// RFC 7395 section 3.1: without the subprotocol there is no XMPP.
		http.Error(w, "The request does not offer the WebSocket subprotocol xmpp.", http.StatusBadRequest)
		return
	case !s.mayCome(r):
		http.Error(w, "Pages of that origin may not chat here. The administrator can add it to xmpp.websocket_origins.", http.StatusForbidden)
		return
	}
	t, err := newWS(w, r)
	if err != nil { // the answer has been written
		s.log.Debug("connection refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	c := &client{srv: s, t: t, log: s.log}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	if !s.add(c) {
		c.cancel()
		t.shut()
		t.cut()
		return
	}
	go func() {
		defer s.remove(c)
		defer c.cancel()
		c.overWebSocket(t, r)
	}()
}

// overWebSocket is the connection's goroutine.
func (c *client) overWebSocket(t *ws, r *http.Request) {
	o := identity.Opening{Protocol: identity.ProtocolXMPP, State: identity.StateUnauthed, Holder: c, UserAgent: r.UserAgent()}
	if len(o.UserAgent) > maxUserAgent {
		o.UserAgent = strings.ToValidUTF8(o.UserAgent[:maxUserAgent], "")
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		o.Remote = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		o.Local = addrPort(local)
	}
	switch {
	case r.TLS != nil && r.TLS.Version != 0:
		o.TLS = tls.VersionName(r.TLS.Version)
	case r.TLS != nil: // a proxy's, which does not say more
		o.TLS = "TLS"
	}
	t.from = o.Remote
	ses, err := c.srv.registry.Open(c.ctx, o)
	if err != nil {
		a, _ := answerTo(err)
		c.log.Debug("connection refused", "remote", r.RemoteAddr, "error", err)
		hello, last := t.open(rand.Text(), c.srv.domain, ""), streamError(a.cond, a.text)
		if t.write([]item{{b: hello}, {b: last}, {b: t.closing()}}, linger) == nil {
			t.shut()
			t.drain(time.Now().Add(linger))
		}
		t.cut()
		return
	}
	c.ses, t.ses = ses, ses
	c.run()
}

// mayCome judges the page that a browser opens the connection for. XMPP sends no cookies, so a
// page of another site can do nothing here that any program could not do, except from the
// browser's address; programs that are no browsers send no Origin.
func (s *Server) mayCome(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	for _, o := range s.config.WebSocketOrigins {
		if o == "*" || strings.EqualFold(o, origin) {
			return true
		}
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false // "null" among them
	}
	domain, err := identity.ParseDomain(u.Hostname())
	return err == nil && s.domains[domain] || strings.EqualFold(u.Host, r.Host)
}

// hasToken looks for a word in a list of words with commas (RFC 9110 section 5.6.1).
func hasToken(values []string, want string) bool {
	for _, v := range values {
		for word := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(word), want) {
				return true
			}
		}
	}
	return false
}

// newWS answers the handshake of RFC 6455 section 4. After an error the request has been answered.
func newWS(w http.ResponseWriter, r *http.Request) (*ws, error) {
	h := &hijacking{ResponseWriter: w}
	// The origin has been judged. Packing is off: it keeps some 64 KiB for each connection.
	lib, err := websocket.Accept(h, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol},
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return nil, err
	}
	lib.SetReadLimit(-1) // message has its own, which leaves room for last words
	t := &ws{lib: lib, wire: h.wire, https: r.TLS != nil, header: true}
	t.begin()
	return t, nil
}

// hijacking puts a wire between the library and the connection.
type hijacking struct {
	http.ResponseWriter
	wire *wire
}

// Buffers of a connection that is idle for most of its life.
const (
	readBuffer    = 1 << 10
	controlBuffer = 256 // more than a control frame needs, so that one leaves in one piece
)

func (h *hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if t, ok := raw.(*net.TCPConn); ok {
		_ = t.SetKeepAliveConfig(keepAlive)
	}
	h.wire = &wire{deadlines: deadlines{raw: raw}, Conn: conn, early: bytes.Clone(early)}
	return h.wire, bufio.NewReadWriter(bufio.NewReaderSize(h.wire, readBuffer), bufio.NewWriterSize(h.wire, controlBuffer)), nil
}
