package xmpp

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

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
	t, err := shakeHands(w, r)
	if err != nil { // the answer has been written
		s.log.Debug("connection refused", "remote", r.RemoteAddr, "error", err)
		return
	}
	c := &client{srv: s, t: t, log: s.log}
	c.at = newHolder(c)
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	if !s.add(c) {
		c.cancel()
		t.shut()
		t.cut()
		return
	}
	o := opening(r)
	go func() { // not the request's goroutine, and without the request: both would last as long
		defer s.remove(c)
		defer c.cancel()
		c.overWebSocket(t, o)
	}()
}

// opening is what identity wants to know of a request.
func opening(r *http.Request) identity.Opening {
	o := identity.Opening{Protocol: identity.ProtocolXMPP, State: identity.StateUnauthed, UserAgent: r.UserAgent()}
	if len(o.UserAgent) > maxUserAgent {
		o.UserAgent = o.UserAgent[:maxUserAgent]
	}
	o.UserAgent = strings.Clone(strings.ToValidUTF8(o.UserAgent, "")) // not a part of the whole header
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
	return o
}

// overWebSocket is the connection's goroutine.
func (c *client) overWebSocket(t *ws, o identity.Opening) {
	o.Holder = c.at
	ses, err := c.srv.registry.Open(c.ctx, o)
	if err != nil {
		a, _ := answerTo(err)
		c.log.Debug("connection refused", "remote", o.Remote.String(), "error", err)
		hello, last := t.open(rand.Text(), c.srv.domain, ""), streamError(a.cond, a.text)
		if t.write([]item{{b: hello}, {b: last}, {b: t.closing()}}, linger) == nil {
			t.shut()
			t.drain(time.Now().Add(linger))
		}
		t.cut()
		return
	}
	c.ses = ses
	t.account(ses)
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

// acceptGUID is what the answer to a key is made with (RFC 6455 section 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// shakeHands answers the handshake (RFC 6455 section 4.2) and takes over the connection. No
// extension is agreed on: packing alone would keep some 64 KiB for each connection. After an error
// the request has been answered.
func shakeHands(w http.ResponseWriter, r *http.Request) (*ws, error) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if b, err := base64.StdEncoding.DecodeString(key); err != nil || len(b) != 16 || r.Method != http.MethodGet ||
		r.ProtoMajor != 1 || r.ProtoMinor < 1 || !hasToken(r.Header.Values("Connection"), "upgrade") {
		http.Error(w, "The request is no WebSocket handshake of RFC 6455.", http.StatusBadRequest)
		return nil, errHandshake
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Sec-WebSocket-Version", "13") // section 4.4
		http.Error(w, "Version 13 of WebSocket is spoken here.", http.StatusUpgradeRequired)
		return nil, errHandshake
	}
	sum := sha1.Sum([]byte(key + acceptGUID)) // #nosec: RFC 6455 asks for it, and nothing hangs on it
	h := w.Header()
	h.Set("Upgrade", "websocket")
	h.Set("Connection", "Upgrade")
	h.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	h.Set("Sec-WebSocket-Protocol", subprotocol)
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking over the connection: %w", err)
	}
	if err := rw.Flush(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return newWS(conn, early, r.TLS != nil), nil
}

var errHandshake = errors.New("no WebSocket handshake")
