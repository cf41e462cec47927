package xmpp

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"mellium.im/xmpp/jid"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// The namespaces of the negotiation.
const (
	nsTLS         = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL        = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsSASL2       = "urn:xmpp:sasl:2"
	nsSASLBinding = "urn:xmpp:sasl-cb:0"
	nsBind        = "urn:ietf:params:xml:ns:xmpp-bind"
	nsSession     = "urn:ietf:params:xml:ns:xmpp-session"
)

// What a stranger may send: all in all, and as one element.
const (
	strangerTotal   = 64 << 10
	strangerElement = 16 << 10
)

// negotiation is the life of a connection before a resource is bound. step is one stream of it:
// header, features, and elements until the stream begins anew.
type negotiation struct {
	c        *client
	srv      *Server
	t        transport
	clear    *tcp      // where STARTTLS may still come, else nil
	deadline time.Time // for all of it; nothing renews it
	secure   bool
	authed   bool
	failures int // of log-ins

	bindings []channelBinding  // of the TLS connection
	cert     *x509.Certificate // of the client
	offered  []string          // mechanisms, in the stream as it stands
	version  string            // of the features (XEP-0509)
	agent    UserAgent
	evidence evidence // that the log-in hangs on; nil: on the account alone
	fixed    string   // the one resource that there may be; "": any
	guest    string   // the name of an anonymous client
	peer     jid.JID  // who the client says it is; nobody has proved it

	hello  []byte // our open tag while it has not been sent
	domain string // what the client wants to talk to
	lang   string
	creds  identity.Credentials
	s      *Stream // the result
}

// negotiate returns the bound stream, or nil for a connection that got no further.
func (c *client) negotiate() *Stream {
	n := &negotiation{c: c, srv: c.srv, t: c.t, deadline: time.Now().Add(c.srv.limits.LoginTimeout)}
	n.t.deadline(n.deadline)
	n.t.limits(strangerElement, strangerTotal)
	if n.secure = n.t.secured(); n.secure {
		n.bindings, n.cert = channelBindings(n.t), n.clientCertificate()
	}
	if t, ok := n.t.(*tcp); ok && !n.secure && n.srv.tls != nil {
		n.clear = t
		if t.direct {
			if err := n.startTLS(); err != nil {
				c.log.Debug("connection lost before the log-in", slog.Any("", c.ses), "error", err)
				return nil
			}
		}
	}
	n.hello = n.t.open(rand.Text(), n.srv.domain, "")
	for n.s == nil {
		if err := n.step(); err != nil {
			c.fail(err, n.hello)
			return nil
		}
	}
	return n.s
}

// step is one stream of the negotiation; nil means that it begins anew, or that s is there.
func (n *negotiation) step() error {
	if n.hello == nil {
		n.hello = n.t.open(rand.Text(), n.srv.domain, "")
	}
	fr, err := n.t.next()
	if err != nil {
		return err
	}
	if err := n.header(fr.el); err != nil {
		return err
	}
	hello := n.hello
	n.hello = nil
	if err := n.write(hello, n.features()); err != nil {
		return err
	}
	for {
		fr, err := n.t.next()
		if err != nil {
			return err
		}
		if fr.kind == frameClose {
			return errClosed
		}
		again, err := n.element(fr.el)
		switch {
		case err != nil || n.s != nil:
			return err
		case again:
			n.t.restart()
			return nil
		}
	}
}

// header checks the client's open tag and makes ours, which has to be sent even before an error
// about that tag (RFC 6120 section 4.9.1.2).
func (n *negotiation) header(el *Element) error {
	to, _ := el.Attr("to")
	domain, err := identity.ParseDomain(to)
	known := err == nil && n.srv.domains[domain]
	from := n.srv.domain
	if known {
		from = domain
	}
	n.peer = jid.JID{}
	stranger := false
	if v, ok := el.Attr("from"); ok && v != "" {
		// RFC 6120 section 4.7.2: who the client says it is, which nobody has proved, goes back
		// to it and nowhere else.
		if j, err := jid.Parse(v); err == nil && j.Localpart() != "" {
			n.peer, stranger = j.Bare(), j.Domainpart() != from
		}
	}
	var peer string
	if !stranger && n.peer.Localpart() != "" {
		peer = n.peer.String()
	}
	n.hello = n.t.open(rand.Text(), from, peer)

	n.lang = ""
	for _, a := range el.attrs {
		if a.Name.Space == nsXML && a.Name.Local == "lang" && isLang(a.Value) {
			n.lang = a.Value
		}
	}
	if err := n.t.opened(el); err != nil {
		return err
	}
	version, _ := el.Attr("version")
	switch {
	case !n.secure && n.clear == nil && n.srv.tlsRequired(): // RFC 7395 section 3.9: no STARTTLS there
		return &fault{xstream.PolicyViolation, "this server is talked to over TLS alone: use wss://"}
	case !atLeastOne(version): // section 4.7.5
		return &fault{xstream.UnsupportedVersion, "version 1.0 is spoken here"}
	case !known:
		return &fault{xstream.HostUnknown, "this server is not that host"}
	case stranger: // XEP-0388 section 2.1, RFC 6120 section 4.9.3.9
		return &fault{xstream.InvalidFrom, "an account of another host has nothing to log in to here"}
	case n.authed && domain != n.domain:
		return &fault{xstream.HostUnknown, "the log-in was for another host"}
	}
	n.domain = domain
	return nil
}

// atLeastOne reports whether a stream version is 1.0 or later.
func atLeastOne(version string) bool {
	major, minor, ok := strings.Cut(version, ".")
	a, err := strconv.ParseUint(major, 10, 32)
	if _, err2 := strconv.ParseUint(minor, 10, 32); err != nil || err2 != nil || !ok {
		return false
	}
	return a >= 1
}

// isLang reports whether s may be a language tag (RFC 5646 section 4.4.1 has 35 as a length that
// suffices); it stands in the list of sessions and in what the client sends to others.
func isLang(s string) bool {
	for _, c := range []byte(s) {
		if c != '-' && !nameRest[c&0x7F] || c >= 0x80 || c == '_' || c == '.' {
			return false
		}
	}
	return len(s) <= 35
}

// features are what the stream offers at this point.
func (n *negotiation) features() []byte {
	b := append(make([]byte, 0, 1024), "<stream:features>"...)
	switch {
	case n.authed:
		b = append(b, "<bind xmlns='"+nsBind+"'/><session xmlns='"+nsSession+"'><optional/></session>"...)
		b = append(b, n.srv.router.features(n.c.ses)...)
	default:
		if n.clear != nil {
			b = append(b, "<starttls xmlns='"+nsTLS+"'>"...)
			if n.srv.tlsRequired() {
				b = append(b, "<required/>"...)
			}
			b = append(b, "</starttls>"...)
		}
		if n.secure {
			b = append(b, n.srv.router.hooks.welcome...)
		}
		b = append(b, limitsFeature(strangerElement, n.srv.limits.LoginTimeout)...)
		if b = n.saslFeatures(b); n.secure {
			b = n.versioned(b)
		}
	}
	return append(b, "</stream:features>"...)
}

// featuresOf are what a stream offers that was bound without a restart. What it has already it does
// not offer: there are clients that would ask for it again.
func (n *negotiation) featuresOf(s *Stream) []byte {
	b := append([]byte("<stream:features>"), n.srv.router.features(s.ses)...)
	if s.counts() {
		b = bytes.Replace(b, []byte(smFeature), nil, 1)
	}
	return append(b, "</stream:features>"...)
}

// counts reports whether acknowledgements are on.
func (s *Stream) counts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sm != nil
}

// element handles one element; again means that a new stream begins.
func (n *negotiation) element(el *Element) (again bool, err error) {
	switch {
	case el.Name.Space == nsTLS && el.Name.Local == "starttls":
		if n.clear == nil || n.authed {
			// RFC 6120 section 5.4.2.2
			if err := n.write([]byte("<failure xmlns='" + nsTLS + "'/>")); err != nil {
				return false, err
			}
			return false, errClosed
		}
		// Section 5.3.3 and 5.4.3.1: what came with it came from anybody. White space, which some
		// clients send although they must not (section 5.3.3), says nothing.
		if !n.clear.empty() {
			return false, &fault{xstream.PolicyViolation, "bytes came between starttls and TLS"}
		}
		if err := n.write([]byte("<proceed xmlns='" + nsTLS + "'/>")); err != nil {
			return false, err
		}
		if err := n.startTLS(); err != nil {
			n.t.cut() // there is no stream left to say anything in
			return false, err
		}
		return true, nil
	case el.Name.Space == nsSASL && el.Name.Local == "auth" && !n.authed:
		return n.authenticate(el)
	case el.Name.Space == nsSASL2 && el.Name.Local == "authenticate" && !n.authed:
		_, err := n.authenticate2(el)
		return false, err
	case el.Name.Space == nsSM:
		_, err := n.managed(el)
		return false, err
	case n.authed && el.Name.Space == nsClient && el.Name.Local == string(KindIQ):
		_, err := n.bind(el)
		return false, err
	}
	st, isStanza, err := newStanza(el)
	if isStanza && err == nil && n.secure && !n.authed {
		if answer := n.stranger(st); answer != nil {
			return false, n.write(answer)
		}
	}
	switch {
	case isStanza: // RFC 6120 section 4.9.3.12
		return false, &fault{xstream.NotAuthorized, "log in and bind a resource first"}
	case el.Name.Space == nsStream && el.Name.Local == "error":
		return false, errClosed
	case el.Name.Space == nsSASL || el.Name.Space == nsSASL2:
		return false, &fault{xstream.PolicyViolation, "that has no place here"}
	}
	return false, &fault{xstream.UnsupportedStanzaType, "that is not understood"}
}

// stranger answers what somebody may ask who has not logged in; nil where that is nothing.
func (n *negotiation) stranger(st *Stanza) []byte {
	answer := n.srv.router.hooks.strangers[st.First()]
	if answer == nil || st.Kind != KindIQ || st.ID == "" || len(st.Children) != 1 || st.Type != "get" && st.Type != "set" {
		return nil
	}
	ctx, cancel := n.context()
	defer cancel()
	return answer(ctx, &Stranger{st, n.c.ses, n.domain})
}

// startTLS shakes hands. What the clear part of the connection has said is forgotten.
func (n *negotiation) startTLS() error {
	within := min(n.srv.limits.TLSTimeout, time.Until(n.deadline))
	if err := n.clear.secure(n.c.ctx, n.srv.tls, within); err != nil {
		return err
	}
	n.clear, n.secure, n.domain, n.lang = nil, true, "", ""
	n.bindings, n.cert = channelBindings(n.t), n.clientCertificate()
	version := tls.VersionName(n.t.tlsState().Version)
	n.c.ses.Update(func(d *identity.Details) { d.TLS = version })
	return nil
}

// write sends what the negotiation has to say, within what is left of its time.
func (n *negotiation) write(parts ...[]byte) error {
	items := make([]item, 0, len(parts))
	for _, p := range parts {
		items = append(items, item{b: p})
	}
	return n.t.write(items, time.Until(n.deadline))
}

// context bounds what identity does for the log-in.
func (n *negotiation) context() (context.Context, context.CancelFunc) {
	return context.WithDeadlineCause(n.c.ctx, n.deadline, errLate)
}

var errLate = errors.New("the time for the log-in is over")
