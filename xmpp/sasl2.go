package xmpp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"mellium.im/xmpp/jid"

	"trivium/identity"
)

// The namespaces of what SASL2 carries along.
const (
	nsBind2 = "urn:xmpp:bind:0"
	nsIAP   = "urn:xmpp:iap:0"
)

// UserAgent is what a client says of itself when it logs in (XEP-0388 section 2.3). Nobody but the
// account's owner and the administrators may see it.
type UserAgent struct {
	ID       string // stable for one installation; "" where the client gave none
	Software string
	Device   string
}

// Bounds of a user agent, in bytes.
const (
	maxAgentID   = 64
	maxAgentText = 100
)

// String is the user agent in one line, for the list of sessions.
func (u UserAgent) String() string {
	switch {
	case u.Device == "":
		return u.Software
	case u.Software == "":
		return u.Device
	}
	return u.Software + " (" + u.Device + ")"
}

// request2 is `<authenticate/>`.
type request2 struct {
	mechanism string
	in        []byte
	sent      bool // there is an initial response
	agent     UserAgent
	token     string   // the mechanism that a token is asked for (XEP-0484); "": none
	fast      *fastUse // it is by a token
	resume    *Element // XEP-0198
	bind      *Element // XEP-0386
	upgrades  []string // tasks (XEP-0480)
	version   string   // of the features that the client goes by (XEP-0509)
}

// inline2 is a kind of child that `<authenticate/>` may have; several are a set.
type inline2 uint

const (
	inResponse inline2 = 1 << iota
	inAgent
	inResume
	inBind
	inVersion
	inToken
	inFAST
	inUpgrade
)

// inlines2 names them.
var inlines2 = map[xml.Name]inline2{
	{Space: nsSASL2, Local: "initial-response"}: inResponse,
	{Space: nsSASL2, Local: "user-agent"}:       inAgent,
	{Space: nsSM, Local: "resume"}:              inResume,
	{Space: nsBind2, Local: "bind"}:             inBind,
	{Space: nsIAP, Local: "config-version"}:     inVersion,
	{Space: nsFAST, Local: "request-token"}:     inToken,
	{Space: nsFAST, Local: "fast"}:              inFAST,
	{Space: nsUpgrade, Local: "upgrade"}:        inUpgrade,
}

// parseRequest2 reads it. What it does not know it passes over (XEP-0388 section 2.3).
func parseRequest2(el *Element) (q request2, err error) {
	malformed := &saslError{cond: saslMalformedRequest}
	q.mechanism, _ = el.Attr("mechanism")
	var seen inline2
	for _, c := range el.Children {
		kind, known := inlines2[c.Name]
		if !known {
			continue
		}
		child, err := el.Child(c)
		if err != nil || seen&kind != 0 {
			return q, malformed
		}
		if kind != inUpgrade { // there may be several tasks
			seen |= kind
		}
		switch kind {
		case inResponse:
			q.sent = true
			q.in, _, err = saslData(child)
		case inAgent:
			q.agent, err = parseUserAgent(child)
		case inResume:
			q.resume = child
		case inBind:
			q.bind = child
		case inVersion:
			q.version, _ = child.Attr("value")
		case inToken:
			q.token, _ = child.Attr("mechanism")
		case inFAST:
			q.fast, err = parseFAST(child)
		case inUpgrade:
			if text, _ := child.Text(); len(q.upgrades) < maxUpgrades {
				q.upgrades = append(q.upgrades, text)
			}
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

// parseUserAgent reads `<user-agent/>`. Its texts are for people: what is too long for a list is cut.
func parseUserAgent(el *Element) (u UserAgent, err error) {
	u.ID, _ = el.Attr("id")
	if len(u.ID) > maxAgentID || u.ID != "" && !printable(u.ID) {
		return u, &saslError{cond: saslMalformedRequest, text: "The id of a user agent is a UUID."}
	}
	for _, c := range el.Children {
		if c.Name.Space != nsSASL2 || c.Name.Local != "software" && c.Name.Local != "device" {
			continue
		}
		child, err := el.Child(c)
		if err != nil {
			return u, &saslError{cond: saslMalformedRequest}
		}
		text, _ := child.Text()
		if text = shortText(text); c.Name.Local == "software" {
			u.Software = text
		} else {
			u.Device = text
		}
	}
	return u, nil
}

// shortText makes one short line of a client's words.
func shortText(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s))
	if len(s) <= maxAgentText {
		return s
	}
	s = s[:maxAgentText]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// inlineFeatures is what a client may ask for in `<authenticate/>` itself.
func (n *negotiation) inlineFeatures(b []byte) []byte {
	b = append(b, "<inline><sm xmlns='"+nsSM+"'/><bind xmlns='"+nsBind2+"'>"...)
	if list := n.inlineBind(); len(list) > 0 {
		b = append(b, "<inline>"...)
		for _, f := range list {
			b = append(AppendAttr(append(b, "<feature"...), "var", f), "/>"...)
		}
		b = append(b, "</inline>"...)
	}
	b = append(b, "</bind>"...)
	return append(n.fastFeature(b), "</inline>"...)
}

// versioned adds the version of the features (XEP-0509 section 2.1): it changes when they do.
func (n *negotiation) versioned(features []byte) []byte {
	sum := sha256.Sum256(features)
	n.version = base64.RawStdEncoding.EncodeToString(sum[:12])
	return append(AppendAttr(append(features, "<config-version xmlns='"+nsIAP+"' scheme='opaque'"...), "value", n.version), "/>"...)
}

// authenticate2 is one exchange of XEP-0388; ready says that a stream has come of it. Where there
// was none to make, the negotiation goes on without a restart.
func (n *negotiation) authenticate2(el *Element) (ready bool, err error) {
	ctx, cancel := n.context()
	defer cancel()
	q, m, err := n.request2(el)
	out, ok, err := n.logIn(ctx, sasl2, m, q.in, q.sent, err)
	if !ok {
		return false, err
	}
	var token []byte
	if out, err = n.tasks(ctx, &q, out); err == nil {
		token, err = n.fastToken(ctx, &q, m)
	}
	if err != nil {
		return false, n.undo(ctx, err)
	}
	n.agent = q.agent
	if s := q.agent.String(); s != "" {
		n.c.ses.Update(func(d *identity.Details) { d.UserAgent = s })
	}
	return n.succeed(ctx, q, out, token)
}

// request2 reads the request and starts its mechanism.
func (n *negotiation) request2(el *Element) (request2, mech, error) {
	q, err := parseRequest2(el)
	switch {
	case !n.secure:
		return q, nil, identity.ErrTLSRequired
	case err != nil:
		return q, nil, err
	case q.version != "" && q.version != n.version:
		// XEP-0509 section 2.2: it is to look at the features and choose again.
		return q, nil, &saslError{cond: saslAborted, free: true, extra: "<config-version-mismatch xmlns='" + nsIAP + "'/>"}
	}
	if q.token != "" && !slices.Contains(n.fastMechanisms(), q.token) {
		q.token = ""
	}
	if q.fast != nil { // XEP-0484 section 4.4: without it the mechanism is none of ours
		if m := n.fastMechanism(&q); m != nil {
			return q, m, nil
		}
	}
	m, err := n.mechanism(q.mechanism)
	return q, m, err
}

// success makes `<success/>` (XEP-0388 section 2.6.1); parts are whole elements.
func (n *negotiation) success(id jid.JID, out []byte, parts ...[]byte) []byte {
	b := append(make([]byte, 0, 512), "<success xmlns='"+nsSASL2+"'>"...)
	if out != nil {
		b = append(b, "<additional-data>"...)
		b = append(base64.StdEncoding.AppendEncode(b, out), "</additional-data>"...)
	}
	b = append(b, "<authorization-identifier>"...)
	b = append(append(b, Escape(id.String())...), "</authorization-identifier>"...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return append(b, "</success>"...)
}

// succeed does what came along with a log-in that has succeeded, and tells the client.
func (n *negotiation) succeed(ctx context.Context, q request2, out, token []byte) (ready bool, err error) {
	bare, err := n.address("")
	if err != nil {
		return false, err
	}
	var failed []byte
	if q.resume != nil {
		ok, no, err := n.resume(q.resume, func(s *Stream, resumed []byte) [][]byte {
			// XEP-0198 section 10.2: no features follow, and binding is passed over.
			return [][]byte{n.success(s.full, out, resumed, token)}
		})
		if ok || err != nil {
			return ok, err
		}
		failed = no
	}
	if q.bind != nil {
		return n.bind2(ctx, q, func(s *Stream, bound []byte) [][]byte {
			// XEP-0388 section 2.6.1: the features follow without a new stream.
			return [][]byte{n.success(s.full, out, failed, bound, token), n.featuresOf(s)}
		})
	}
	return false, n.write(n.success(bare.Bare(), out, failed, token), n.features())
}
