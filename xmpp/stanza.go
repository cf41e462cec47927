package xmpp

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"
)

// The namespaces that a client's stream is made of.
const (
	nsClient  = "jabber:client"
	nsStream  = "http://etherx.jabber.org/streams"
	nsStreams = "urn:ietf:params:xml:ns:xmpp-streams"
	nsStanzas = "urn:ietf:params:xml:ns:xmpp-stanzas"
	nsXML     = "http://www.w3.org/XML/1998/namespace"
)

// Kind is which of the three stanzas one is.
type Kind string

const (
	KindMessage  Kind = "message"
	KindPresence Kind = "presence"
	KindIQ       Kind = "iq"
)

// Stanza is one whole element as a client sent it. Its bytes are validated and its prefixes are
// its own, so that they mean the same in any other stream of the namespace jabber:client.
type Stanza struct {
	Kind Kind
	To   jid.JID // zero where absent
	From jid.JID // the full JID of the session, whatever the client wrote

	ID, Type string
	Lang     string // of the stanza, else of the stream it came from (RFC 6120 section 8.1.5)

	known *knownAddress // of To, as it was read; nil where it was not remembered
	Element
}

// Rewritten returns the stanza with from and to as given (an empty one is left out) and with its
// language said; extra are whole elements that become its last children. All else is kept.
func (st *Stanza) Rewritten(from, to string, extra ...string) []byte {
	return st.Without(nil, from, to, extra...)
}

// Without is Rewritten without the children that drop chooses; nil drops none.
func (st *Stanza) Without(drop func(Child) bool, from, to string, extra ...string) []byte {
	size := len(st.raw) + len(from) + len(to) + len(st.Lang) + 48
	for _, e := range extra {
		size += len(e)
	}
	b, hasLang := st.appendOpen(make([]byte, 0, size), from)
	return st.appendRest(AppendAttr(b, "to", to), hasLang, drop, extra)
}

// parted returns what Rewritten would, before and behind `to`: for the many that differ in it alone.
func (st *Stanza) parted(from string) (before, behind []byte) {
	before, hasLang := st.appendOpen(make([]byte, 0, st.open+len(from)+16), from)
	return before, st.appendRest(make([]byte, 0, len(st.raw)-st.nameEnd+len(st.Lang)+48), hasLang, nil, nil)
}

// appendOpen begins the stanza's tag with all attributes but `to`.
func (st *Stanza) appendOpen(b []byte, from string) (_ []byte, hasLang bool) {
	b = append(b, st.raw[:st.nameEnd]...)
	for _, a := range st.attrs {
		switch {
		case a.Name.Space == "" && (a.Name.Local == "from" || a.Name.Local == "to"):
			continue
		case a.Name.Space == nsXML && a.Name.Local == "lang":
			hasLang = true
		}
		b = append(append(b, ' '), st.raw[a.start:a.end]...)
	}
	return AppendAttr(b, "from", from), hasLang
}

// appendRest is what follows `to`.
func (st *Stanza) appendRest(b []byte, hasLang bool, drop func(Child) bool, extra []string) []byte {
	if !hasLang {
		b = AppendAttr(b, "xml:lang", st.Lang)
	}
	closed := st.raw[st.open-2] == '/'
	if closed && len(extra) == 0 {
		return append(b, "/>"...)
	}
	b = append(b, '>')
	at := st.open
	if drop != nil {
		for _, c := range st.Children {
			if drop(c) {
				b = append(b, st.raw[at:c.start]...)
				at = c.end
			}
		}
	}
	b = append(b, st.raw[at:st.body]...)
	for _, e := range extra {
		b = append(b, e...)
	}
	b = append(b, "</"...)
	b = append(b, st.raw[1:st.nameEnd]...)
	return append(b, '>')
}

// Changed is another stanza, without the children that drop chooses and with those added; sender,
// address and all else are the same.
func (st *Stanza) Changed(drop func(Child) bool, added ...string) (*Stanza, error) {
	other, err := ParseStanza(st.Without(drop, "", st.To.String(), added...))
	if err != nil {
		return nil, err
	}
	other.From, other.To = st.From, st.To
	return other, nil
}

// Result answers an IQ; payload is one whole element or nothing.
func (st *Stanza) Result(payload string) []byte { return st.result([]byte(payload)) }

func (st *Stanza) result(payload []byte) []byte {
	b := st.reply("result")
	if len(payload) == 0 {
		return append(b, "/>"...)
	}
	b = append(slices.Grow(b, len(payload)+len("></iq>")), '>')
	return append(append(b, payload...), "</iq>"...)
}

// Failure answers any stanza (RFC 6120 section 8.3). The caller sees to it that no error is
// answered by an error (section 8.3.1).
func (st *Stanza) Failure(cond xstanza.Condition, typ xstanza.ErrorType) []byte {
	return st.FailureText(cond, typ, "")
}

// FailureText is Failure with words for a person.
func (st *Stanza) FailureText(cond xstanza.Condition, typ xstanza.ErrorType, text string) []byte {
	return st.FailureDetail(cond, typ, text, "")
}

// FailureDetail is Failure with words for a person and with one element of the application, each
// where it is not empty (RFC 6120 sections 8.3.2 and 8.3.4).
func (st *Stanza) FailureDetail(cond xstanza.Condition, typ xstanza.ErrorType, text, application string) []byte {
	b := append(st.reply("error"), "><error"...)
	b = AppendAttr(b, "type", string(typ))
	b = AppendAttr(b, "code", legacyCode(cond))
	b = fmt.Appendf(b, "><%s xmlns='%s'/>", cond, nsStanzas)
	if text != "" {
		b = fmt.Appendf(b, "<text xmlns='%s' xml:lang='en'>%s</text>", nsStanzas, Escape(text))
	}
	b = append(b, application...)
	return fmt.Appendf(b, "</error></%s>", st.Kind)
}

// legacyCode is the number that stood for a condition before RFC 3920; "" where there was none. RFC 6120
// leaves room for it, and there are clients that look at nothing else. Each condition has it, whatever
// it is about, so that it tells nothing more (XEP-0086 section 2).
func legacyCode(cond xstanza.Condition) string {
	switch cond {
	case xstanza.Redirect, xstanza.Gone:
		return "302"
	case xstanza.BadRequest, xstanza.JIDMalformed, xstanza.UnexpectedRequest:
		return "400"
	case xstanza.NotAuthorized:
		return "401"
	case xstanza.Forbidden:
		return "403"
	case xstanza.ItemNotFound, xstanza.RecipientUnavailable, xstanza.RemoteServerNotFound:
		return "404"
	case xstanza.NotAllowed:
		return "405"
	case xstanza.NotAcceptable:
		return "406"
	case xstanza.RegistrationRequired, xstanza.SubscriptionRequired:
		return "407"
	case xstanza.Conflict:
		return "409"
	case xstanza.InternalServerError, xstanza.ResourceConstraint, xstanza.UndefinedCondition:
		return "500"
	case xstanza.FeatureNotImplemented:
		return "501"
	case xstanza.ServiceUnavailable:
		return "503"
	case xstanza.RemoteServerTimeout:
		return "504"
	}
	return ""
}

// reply begins the tag of an answer: to the sender, from whom it was sent to.
func (st *Stanza) reply(typ string) []byte {
	b := append(make([]byte, 0, 256), '<')
	b = append(b, st.Kind...)
	b = AppendAttr(b, "type", typ)
	b = AppendAttr(b, "id", st.ID)
	b = AppendAttr(b, "from", st.To.String())
	return AppendAttr(b, "to", st.From.String())
}

// AppendAttr appends an attribute, escaped; nothing where the value is empty.
func AppendAttr(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(append(append(b, ' '), name...), "='"...)
	return append(append(b, Escape(value)...), '\'')
}

// CleanText is text from elsewhere with what XML cannot hold replaced (XML 1.0 section 2.2).
func CleanText(s string) string {
	return strings.Map(func(c rune) rune {
		if isChar(c) {
			return c
		}
		return utf8.RuneError
	}, s)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", `"`, "&quot;",
	"\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")

// Escape makes text fit for an attribute or for content; what comes back is what went in.
func Escape(s string) string {
	for i := range len(s) {
		switch s[i] {
		case '&', '<', '>', '\'', '"', '\t', '\n', '\r':
			return escaper.Replace(s)
		}
	}
	return s
}

// newStanza reads an element of the first level; ok is false where it is no stanza. The error is a
// fault of the stanza alone, and st can carry the answer.
func newStanza(el *Element) (st *Stanza, ok bool, err error) {
	return (*addresses)(nil).stanza(el)
}

// addresses are the last ones that a client has written to: to read an address costs more than all
// the rest of a short message. The zero value is ready; nil remembers nothing. One goroutine at a time
// uses it.
type addresses struct {
	last [4]*knownAddress
	next int
}

// knownAddress is an address with its parts. Nobody changes it.
type knownAddress struct {
	text     string // as the client writes it
	jid      jid.JID
	normal   string
	bare     Address
	resource string
}

// longAddress is the longest text that is remembered, in bytes: the longest JID has 3071.
const longAddress = 256

// parse is jid.Parse.
func (a *addresses) parse(text string) (jid.JID, *knownAddress, error) {
	if a != nil {
		for _, k := range a.last {
			if k != nil && k.text == text {
				return k.jid, k, nil
			}
		}
	}
	j, err := jid.Parse(text)
	if err != nil || a == nil || len(text) > longAddress {
		return j, nil, err
	}
	k := &knownAddress{strings.Clone(text), j, j.String(), addressOf(j), j.Resourcepart()}
	a.last[a.next] = k
	a.next = (a.next + 1) % len(a.last)
	return j, k, nil
}

// toParts are the parts of To.
func (st *Stanza) toParts() (bare Address, resource string) {
	if k := st.known; k != nil && k.jid.Equal(st.To) {
		return k.bare, k.resource
	}
	return addressOf(st.To), st.To.Resourcepart()
}

// toText is To as text.
func (st *Stanza) toText() string {
	if k := st.known; k != nil && k.jid.Equal(st.To) {
		return k.normal
	}
	return st.To.String()
}

// stanza is newStanza.
func (a *addresses) stanza(el *Element) (st *Stanza, ok bool, err error) {
	if el.Name.Space != nsClient {
		return nil, false, nil
	}
	k := Kind(el.Name.Local)
	switch k {
	case KindMessage, KindPresence, KindIQ:
	default:
		return nil, false, nil
	}
	if st = el.stanza; st == nil {
		st = &Stanza{Element: *el}
	}
	st.Kind = k
	var to string
	for i := range st.attrs {
		a := &st.attrs[i]
		switch {
		case a.Name.Space == nsXML && a.Name.Local == "lang":
			st.Lang = a.Value
		case a.Name.Space != "":
		case a.Name.Local == "id":
			st.ID = a.Value
		case a.Name.Local == "type":
			st.Type = a.Value
		case a.Name.Local == "to":
			to = a.Value
		}
	}
	if to != "" {
		st.To, st.known, err = a.parse(to)
	}
	return st, true, err
}

// ParseStanza reads a stanza that this server wrote or stored; bytes of clients come through the
// framer.
func ParseStanza(raw []byte) (*Stanza, error) {
	el, err := parseElement(raw, clientScope())
	if err != nil {
		return nil, err
	}
	st, ok, err := newStanza(el)
	if !ok {
		return nil, fmt.Errorf("%s is no stanza", el.Name.Local)
	}
	if err != nil {
		return nil, err
	}
	if from, ok := st.Attr("from"); ok {
		if st.From, err = jid.Parse(from); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// clientScope is what every client stream declares.
func clientScope() []binding {
	return []binding{{uri: nsClient}, {prefix: "stream", uri: nsStream}}
}
