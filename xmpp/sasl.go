package xmpp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	xstream "mellium.im/xmpp/stream"

	"trivium/identity"
)

// dialect is one of the two ways in which SASL is spoken over XMPP. They differ in their elements;
// what those carry, the mechanisms and the count of failures are the same.
type dialect uint8

const (
	sasl1 dialect = iota // RFC 6120 section 6
	sasl2                // XEP-0388
)

func (d dialect) ns() string {
	if d == sasl2 {
		return nsSASL2
	}
	return nsSASL
}

// mech is one exchange of a SASL mechanism; all of ours begin with the client. The last step
// returns the credentials, with out as the additional data of the success.
type mech interface {
	step(ctx context.Context, in []byte) (out []byte, done bool, c identity.Credentials, err error)
}

// saslError is a failure that is not identity's.
type saslError struct {
	cond  saslCondition
	text  string
	extra string // one more element for the failure (XEP-0388 section 2.6.2), of SASL2 alone
	free  bool   // it counts as no attempt
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
	names := make([]string, 0, 8)
	if n.cert != nil {
		names = append(names, mechExternal) // RFC 6120 section 6.3.4
	}
	scram := func(plus, plain string) {
		if len(n.bindings) > 0 {
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

// bindingsOffered are the channel bindings that the features name (XEP-0440): those that a
// mechanism of theirs can use.
func (n *negotiation) bindingsOffered() []channelBinding {
	if n.srv.noSCRAM {
		return nil
	}
	return n.bindings
}

// saslFeatures advertise both dialects and the channel bindings (XEP-0440). SASL2 is for TLS alone
// (XEP-0388 section 3).
func (n *negotiation) saslFeatures(b []byte) []byte {
	n.offered = n.mechanisms()
	if len(n.offered) == 0 {
		return b
	}
	list := make([]byte, 0, 256)
	for _, name := range n.offered {
		list = append(append(append(list, "<mechanism>"...), name...), "</mechanism>"...)
	}
	b = append(b, "<mechanisms xmlns='"+nsSASL+"'>"...)
	b = append(append(b, list...), "</mechanisms>"...)
	if n.secure {
		b = append(b, "<authentication xmlns='"+nsSASL2+"'>"...)
		b = append(b, list...)
		b = append(n.upgradeFeature(n.inlineFeatures(b)), "</authentication>"...)
	}
	if offered := n.bindingsOffered(); len(offered) > 0 {
		b = append(b, "<sasl-channel-binding xmlns='"+nsSASLBinding+"'>"...)
		for _, o := range offered {
			b = append(append(append(b, "<channel-binding type='"...), o.name...), "'/>"...)
		}
		b = append(b, "</sasl-channel-binding>"...)
	}
	return b
}

// mechanism starts an exchange of one that the stream offers.
func (n *negotiation) mechanism(name string) (mech, error) {
	if !slices.Contains(n.offered, name) {
		if !n.secure && n.srv.tlsRequired() {
			return nil, identity.ErrTLSRequired
		}
		return nil, &saslError{cond: saslInvalidMechanism, text: "That mechanism is not offered."}
	}
	switch name {
	case mechExternal:
		return &external{n: n, cert: n.cert}, nil
	case mechSHA256, mechSHA256Plus:
		return &scram{n: n, hash: identity.SCRAMSHA256, method: identity.MethodSCRAMSHA256, plus: name == mechSHA256Plus}, nil
	case mechSHA1, mechSHA1Plus:
		return &scram{n: n, hash: identity.SCRAMSHA1, method: identity.MethodSCRAMSHA1, plus: name == mechSHA1Plus}, nil
	case mechPlain:
		return &plain{n}, nil
	case mechBearer:
		return &bearer{n: n}, nil
	default:
		return &anonymous{n}, nil
	}
}

// authenticate is one exchange of RFC 6120 section 6.4; ok is false where it failed and the client
// may try again. The stream is as it was then.
func (n *negotiation) authenticate(el *Element) (ok bool, err error) {
	ctx, cancel := n.context()
	defer cancel()
	name, _ := el.Attr("mechanism")
	in, sent, err := saslData(el)
	m, unknown := n.mechanism(name)
	if unknown != nil {
		err = unknown
	}
	out, ok, err := n.logIn(ctx, sasl1, m, in, sent, err)
	if !ok {
		return false, err
	}
	return true, n.write(saslElement(sasl1, "success", out))
}

// logIn runs an exchange to its end and answers one that failed, so that the client may try again:
// ok is false then, and the stream as it was. before is what is wrong with the request itself.
func (n *negotiation) logIn(ctx context.Context, d dialect, m mech, in []byte, sent bool, before error) (out []byte, ok bool, err error) {
	var c identity.Credentials
	n.evidence, n.fixed = nil, ""
	if err = before; err == nil {
		out, c, err = n.exchange(ctx, d, m, in, sent)
	}
	if err == nil && c.Domain != n.domain {
		// One stream, one host: an account of another one would be bound to the wrong address.
		n.srv.identity.Forget(n.c.ses)
		err = identity.ErrCredentials
	}
	if err != nil {
		return nil, false, n.refuse(ctx, d, err)
	}
	n.c.ses.Update(func(d *identity.Details) { d.State = identity.StateAuthenticated })
	n.creds, n.authed = c, true
	n.t.limits(n.srv.stanzaSize(), -1)
	return out, true, nil
}

// refuse tells errors that end the connection, which come back, from failures, which it answers.
func (n *negotiation) refuse(ctx context.Context, d dialect, err error) error {
	var f *fault
	switch {
	case errors.Is(err, errExchange):
		return errors.Unwrap(err)
	case errors.As(err, &f):
		return err
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	}
	return n.failure(d, err)
}

// errExchange marks the errors of the connection itself.
var errExchange = errors.New("the log-in was interrupted")

type connError struct{ err error }

func (e *connError) Error() string        { return e.err.Error() }
func (e *connError) Unwrap() error        { return e.err }
func (e *connError) Is(target error) bool { return target == errExchange }

// exchange runs a mechanism to its end.
func (n *negotiation) exchange(ctx context.Context, d dialect, m mech, in []byte, sent bool) ([]byte, identity.Credentials, error) {
	var err error
	if !sent { // RFC 4422 section 5.1: an empty challenge asks for the first message
		if in, err = n.challenge(d, nil); err != nil {
			return nil, identity.Credentials{}, err
		}
	}
	for {
		out, done, c, err := m.step(ctx, in)
		if err != nil || done {
			return out, c, err
		}
		if in, err = n.challenge(d, out); err != nil {
			return nil, identity.Credentials{}, err
		}
	}
}

// challenge sends a challenge and waits for the response.
func (n *negotiation) challenge(d dialect, out []byte) ([]byte, error) {
	if err := n.write(saslElement(d, "challenge", out)); err != nil {
		return nil, &connError{err}
	}
	el, err := n.reply(d)
	if err != nil {
		return nil, err
	}
	if el.Name.Local != "response" {
		return nil, &fault{xstream.PolicyViolation, "a response was due"}
	}
	in, _, err := saslData(el)
	return in, err
}

// reply waits for the client's next word in an exchange; abort is an error already. Anything but
// the dialect's own elements ends the stream (XEP-0388 section 2.4).
func (n *negotiation) reply(d dialect) (*Element, error) {
	fr, err := n.t.next()
	switch {
	case err != nil:
		return nil, &connError{err}
	case fr.kind == frameClose:
		return nil, &connError{errClosed}
	case fr.el.Name.Space != d.ns():
		return nil, &fault{xstream.PolicyViolation, "a response was due"}
	case fr.el.Name.Local == "abort":
		return nil, &saslError{cond: saslAborted}
	}
	return fr.el, nil
}

// failure answers a log-in that failed, and ends the stream after too many of them (RFC 6120
// section 6.4.5), whichever dialect they were in.
func (n *negotiation) failure(d dialect, err error) error {
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
	b := make([]byte, 0, 256)
	b = append(append(append(b, "<failure xmlns='"...), d.ns()...), "'><"...)
	b = append(b, cond...)
	if d == sasl2 {
		b = append(b, " xmlns='"+nsSASL+"'"...)
	}
	b = append(b, "/>"...)
	if own != nil && d == sasl2 {
		b = append(b, own.extra...)
	}
	if text != "" {
		b = fmt.Appendf(b, "<text xml:lang='en'>%s</text>", Escape(text))
	}
	if err := n.write(append(b, "</failure>"...)); err != nil {
		return err
	}
	if own != nil && own.free {
		return nil
	}
	if n.failures++; last == nil && n.failures >= n.srv.limits.LoginAttemptsXMPP {
		last = &fault{xstream.PolicyViolation, "too many attempts to log in"}
	}
	if last != nil {
		return last
	}
	return nil
}

// saslElement writes an element with data. In the older dialect no data is no text, and empty data
// is "=" (RFC 6120 section 6.4.2); the newer one knows no such thing (XEP-0388 section 2.2).
func saslElement(d dialect, name string, data []byte) []byte {
	b := make([]byte, 0, 96+base64.StdEncoding.EncodedLen(len(data)))
	b = append(append(append(b, '<'), name...), " xmlns='"...)
	b = append(append(b, d.ns()...), "'>"...)
	if b = base64.StdEncoding.AppendEncode(b, data); data != nil && len(data) == 0 && d == sasl1 {
		b = append(b, '=')
	}
	return append(append(append(b, "</"...), name...), '>')
}

// saslData decodes what an element carries; sent is false where it carries nothing.
func saslData(el *Element) (data []byte, sent bool, err error) {
	text, ok := el.Text()
	switch {
	case !ok:
		return nil, false, &saslError{cond: saslMalformedRequest}
	case text == "":
		return nil, false, nil
	case text == "=":
		return []byte{}, true, nil
	}
	if data, err = unbase64(text); err != nil {
		return nil, false, &saslError{cond: saslIncorrectEncoding}
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
