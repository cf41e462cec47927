package xmpp

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"

	"mellium.im/xmpp/jid"
	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// mech is one exchange of a SASL mechanism; all of ours begin with the client. The last step
// returns the credentials, with out as the additional data of the success.
type mech interface {
	step(ctx context.Context, in []byte) (out []byte, done bool, c identity.Credentials, err error)
}

// saslError is a failure that is not identity's.
type saslError struct {
	cond saslCondition
	text string
}

func (e *saslError) Error() string { return string(e.cond) + ": " + e.text }

// The names of the mechanisms.
const (
	mechSHA256Plus = "SCRAM-SHA-256-PLUS"
	mechSHA256     = "SCRAM-SHA-256"
	mechSHA1Plus   = "SCRAM-SHA-1-PLUS"
	mechSHA1       = "SCRAM-SHA-1"
	mechPlain      = "PLAIN"
	mechBearer     = "OAUTHBEARER"
	mechAnonymous  = "ANONYMOUS"
)

// mechanisms are the names that the stream offers now, the best first.
func (n *negotiation) mechanisms() []string {
	if !n.secure && n.srv.tlsRequired() {
		return nil // RFC 6120 section 13.8.4; no log-in in the clear
	}
	var names []string
	scram := func(plus, plain string) {
		if n.channelBinding() != nil {
			names = append(names, plus)
		}
		names = append(names, plain)
	}
	if !n.srv.noSCRAM {
		scram(mechSHA256Plus, mechSHA256)
		if n.srv.config.SCRAMSHA1 {
			scram(mechSHA1Plus, mechSHA1)
		}
	}
	if n.secure {
		names = append(names, mechPlain, mechBearer)
	}
	if n.srv.anonymous {
		names = append(names, mechAnonymous)
	}
	return names
}

// mechanismsFeature advertises them, and the channel bindings (XEP-0440).
func (n *negotiation) mechanismsFeature() []byte {
	names := n.mechanisms()
	if len(names) == 0 {
		return nil
	}
	b := []byte("<mechanisms xmlns='" + nsSASL + "'>")
	for _, name := range names {
		b = fmt.Appendf(b, "<mechanism>%s</mechanism>", name)
	}
	b = append(b, "</mechanisms>"...)
	if n.channelBinding() != nil {
		b = append(b, "<sasl-channel-binding xmlns='"+nsSASLBinding+"'><channel-binding type='"+bindingExporter+"'/></sasl-channel-binding>"...)
	}
	return b
}

// mechanism starts an exchange; nil where the stream does not offer it.
func (n *negotiation) mechanism(name string) mech {
	offered := false
	for _, o := range n.mechanisms() {
		offered = offered || o == name
	}
	if !offered {
		return nil
	}
	switch name {
	case mechSHA256, mechSHA256Plus:
		return &scram{n: n, hash: identity.SCRAMSHA256, method: identity.MethodSCRAMSHA256, plus: name == mechSHA256Plus}
	case mechSHA1, mechSHA1Plus:
		return &scram{n: n, hash: identity.SCRAMSHA1, method: identity.MethodSCRAMSHA1, plus: name == mechSHA1Plus}
	case mechPlain:
		return &plain{n}
	case mechBearer:
		return &bearer{n: n}
	default:
		return &anonymous{n}
	}
}

// authenticate is one exchange (RFC 6120 section 6.4); ok is false where it failed and the client
// may try again. The stream is as it was then.
func (n *negotiation) authenticate(el *Element) (ok bool, err error) {
	ctx, cancel := n.context()
	defer cancel()
	out, c, err := n.exchange(ctx, el)
	var f *fault
	switch {
	case errors.Is(err, errExchange):
		return false, errors.Unwrap(err)
	case errors.As(err, &f):
		return false, err
	case err != nil && context.Cause(ctx) != nil:
		return false, context.Cause(ctx)
	case err != nil:
		return false, n.failure(err)
	}
	// One stream, one host: an account of another one would be bound to the wrong address.
	if !c.Anonymous() && c.Domain != n.domain {
		n.srv.identity.Forget(n.c.ses)
		return false, n.failure(identity.ErrCredentials)
	}
	n.c.ses.Update(func(d *identity.Details) { d.State = identity.StateAuthenticated })
	n.creds, n.authed = c, true
	n.t.limits(n.srv.stanzaSize(), -1)
	return true, n.write(saslElement("success", out))
}

// errExchange marks the errors of the connection itself.
var errExchange = errors.New("the log-in was interrupted")

type connError struct{ err error }

func (e *connError) Error() string        { return e.err.Error() }
func (e *connError) Unwrap() error        { return e.err }
func (e *connError) Is(target error) bool { return target == errExchange }

// exchange runs a mechanism to its end.
func (n *negotiation) exchange(ctx context.Context, el *Element) ([]byte, identity.Credentials, error) {
	name, _ := el.Attr("mechanism")
	m := n.mechanism(name)
	if m == nil {
		if !n.secure && n.srv.tlsRequired() {
			return nil, identity.Credentials{}, identity.ErrTLSRequired
		}
		return nil, identity.Credentials{}, &saslError{saslInvalidMechanism, "That mechanism is not offered."}
	}
	in, sent, err := saslData(el)
	if err != nil {
		return nil, identity.Credentials{}, err
	}
	if !sent { // RFC 4422 section 5.1: an empty challenge asks for the first message
		if in, err = n.challenge(nil); err != nil {
			return nil, identity.Credentials{}, err
		}
	}
	for {
		out, done, c, err := m.step(ctx, in)
		if err != nil || done {
			return out, c, err
		}
		if in, err = n.challenge(out); err != nil {
			return nil, identity.Credentials{}, err
		}
	}
}

// challenge sends a challenge and waits for the response.
func (n *negotiation) challenge(out []byte) ([]byte, error) {
	if err := n.write(saslElement("challenge", out)); err != nil {
		return nil, &connError{err}
	}
	fr, err := n.t.next()
	switch {
	case err != nil:
		return nil, &connError{err}
	case fr.kind == frameClose:
		return nil, &connError{errClosed}
	case fr.el.Name.Space != nsSASL:
	case fr.el.Name.Local == "abort":
		return nil, &saslError{saslAborted, ""}
	case fr.el.Name.Local == "response":
		in, _, err := saslData(fr.el)
		return in, err
	}
	return nil, &fault{xstream.PolicyViolation, "a response was due"}
}

// failure answers a log-in that failed, and ends the stream after too many of them (RFC 6120
// section 6.4.5).
func (n *negotiation) failure(err error) error {
	cond, text, last := saslNotAuthorized, "", (*fault)(nil)
	var own *saslError
	if errors.As(err, &own) {
		cond, text = own.cond, own.text
	} else {
		a, known := answerTo(err)
		if !known {
			n.c.log.Error("log-in went wrong", slog.Any("", n.c.ses), "error", err)
		}
		cond, text = a.sasl, a.text
		if a.last {
			last = &fault{a.cond, a.text}
		}
	}
	b := fmt.Appendf(nil, "<failure xmlns='%s'><%s/>", nsSASL, cond)
	if text != "" {
		b = fmt.Appendf(b, "<text xml:lang='en'>%s</text>", Escape(text))
	}
	if err := n.write(append(b, "</failure>"...)); err != nil {
		return err
	}
	if n.failures++; last == nil && n.failures >= n.srv.limits.LoginAttemptsXMPP {
		last = &fault{xstream.PolicyViolation, "too many attempts to log in"}
	}
	if last != nil {
		return last
	}
	return nil
}

// saslElement writes an element with data; no data is no text, and empty data is "=" (RFC 6120
// section 6.4.2).
func saslElement(name string, data []byte) []byte {
	text := base64.StdEncoding.EncodeToString(data)
	if data != nil && text == "" {
		text = "="
	}
	return fmt.Appendf(nil, "<%s xmlns='%s'>%s</%s>", name, nsSASL, text, name)
}

// saslData decodes what an element carries; sent is false where it carries nothing.
func saslData(el *Element) (data []byte, sent bool, err error) {
	text, ok := el.Text()
	switch {
	case !ok:
		return nil, false, &saslError{saslMalformedRequest, ""}
	case text == "":
		return nil, false, nil
	case text == "=":
		return []byte{}, true, nil
	}
	if data, err = unbase64(text); err != nil {
		return nil, false, &saslError{saslIncorrectEncoding, ""}
	}
	return data, true, nil
}

// unbase64 decodes what has exactly one spelling; encoding/base64 alone passes over line ends.
func unbase64(s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}

// login is what a mechanism has learnt, for identity. A name of another host is wrong on this
// stream, whoever has it there.
func (n *negotiation) login(m identity.Method, name string, secret identity.Secret) (identity.Login, error) {
	if _, host, ok := strings.Cut(name, "@"); ok {
		if d, err := identity.ParseDomain(host); err != nil || d != n.domain {
			return identity.Login{}, identity.ErrCredentials
		}
	}
	return identity.Login{Method: m, Name: name, Domain: n.domain, Secret: secret}, nil
}

// checkAuthzid refuses to act for anybody but the account itself: the authorization identity is
// absent, or the bare JID of the name that logs in (RFC 6120 section 6.3.8).
func (n *negotiation) checkAuthzid(authzid, name string) error {
	if authzid == "" {
		return nil
	}
	refused := &saslError{saslInvalidAuthzid, "You can log in as yourself only."}
	j, err := jid.Parse(authzid)
	if err != nil || j.Resourcepart() != "" || j.Domainpart() != n.domain {
		return refused
	}
	want, err := identity.ParseUserName(j.Localpart())
	if err != nil {
		return refused
	}
	if name == "" { // a bearer's: the token says whose it is
		return nil
	}
	got, _, err := identity.ParseAddress(name, n.domain)
	if err != nil || got != want {
		return refused
	}
	return nil
}

// plain is RFC 4616.
type plain struct{ n *negotiation }

func (m *plain) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	malformed := &saslError{saslMalformedRequest, ""}
	parts := bytes.Split(in, []byte{0})
	if len(parts) != 3 || !utf8.Valid(in) || len(parts[1]) == 0 || len(parts[2]) == 0 {
		return nil, false, identity.Credentials{}, malformed
	}
	name := string(parts[1])
	if err := m.n.checkAuthzid(string(parts[0]), name); err != nil {
		return nil, false, identity.Credentials{}, err
	}
	l, err := m.n.login(identity.MethodPlain, name, identity.NewSecret(string(parts[2])))
	if err != nil {
		return nil, false, identity.Credentials{}, err
	}
	c, err := m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	return nil, true, c, err
}

// anonymous is RFC 4505; whether it may be is policy, which identity keeps. What the client says
// of itself is of no use and dropped.
type anonymous struct{ n *negotiation }

func (m *anonymous) step(ctx context.Context, _ []byte) ([]byte, bool, identity.Credentials, error) {
	c, err := m.n.srv.identity.LoginAnonymous(ctx, m.n.c.ses, identity.Anonymous{})
	return nil, true, c, err
}

// bearer is OAUTHBEARER (RFC 7628), with our tokens.
type bearer struct {
	n      *negotiation
	failed error
}

func (m *bearer) step(ctx context.Context, in []byte) ([]byte, bool, identity.Credentials, error) {
	if m.failed != nil { // section 3.2.3: the client has taken note of the error
		return nil, false, identity.Credentials{}, m.failed
	}
	c, err := m.login(ctx, in)
	if errors.Is(err, identity.ErrCredentials) {
		m.failed = err
		return []byte(`{"status":"invalid_token"}`), false, c, nil
	}
	return nil, true, c, err
}

func (m *bearer) login(ctx context.Context, in []byte) (identity.Credentials, error) {
	malformed := &saslError{saslMalformedRequest, ""}
	fields := strings.Split(string(in), "\x01")
	if !utf8.Valid(in) || len(fields) < 3 || fields[len(fields)-1] != "" || fields[len(fields)-2] != "" {
		return identity.Credentials{}, malformed
	}
	flag, rest, _ := strings.Cut(fields[0], ",")
	authz, end, ok := strings.Cut(rest, ",")
	if !ok || end != "" || flag != "n" && flag != "y" {
		return identity.Credentials{}, malformed
	}
	name, err := gs2Name(authz)
	if err != nil {
		return identity.Credentials{}, err
	}
	if err := m.n.checkAuthzid(name, ""); err != nil {
		return identity.Credentials{}, err
	}
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		scheme, token, ok := strings.Cut(value, " ")
		if key != "auth" || !ok || !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		l, err := m.n.login(identity.MethodBearer, name, identity.NewSecret(strings.TrimSpace(token)))
		if err != nil {
			return identity.Credentials{}, err
		}
		return m.n.srv.identity.Login(ctx, m.n.c.ses, l)
	}
	return identity.Credentials{}, malformed
}
