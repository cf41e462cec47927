package xmpp

import (
	"regexp"
	"strings"
	"sync"

	xstream "mellium.im/xmpp/stream"
)

// The validator: XML 1.0 and Namespaces in XML 1.0, less what RFC 6120 section 11 forbids. It
// makes no tree: it checks every byte, and notes names, attributes and children of the first
// level. Whatever it accepts, encoding/xml in its strict form accepts with the same meaning.

// binding is a namespace declaration; prefix "" is the default.
type binding struct {
	prefix string
	uri    string
	used   bool
}

type parser struct {
	b     []byte
	i     int
	binds []binding
	marks []int    // len(binds) before each open element
	names [][]byte // of the open elements
	attrs []token  // of the tag at hand
	head  int      // how many of binds the stream's open tag has made
	most  int      // more than binds, names and attrs have held since free

	foreign int // names beyond ASCII so far
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

var (
	errSyntax   = &fault{xstream.NotWellFormed, "the XML is not well-formed"}
	errPrefix   = &fault{xstream.NotWellFormed, "a prefix is not bound to a namespace"}
	errRepeated = &fault{xstream.NotWellFormed, "an attribute stands twice in one element"}
	errEntity   = &fault{xstream.RestrictedXML, "only the five entities of XML are allowed"}
	errAttrs    = &fault{xstream.PolicyViolation, "an element has too many attributes"}
	errText     = &fault{xstream.NotWellFormed, "the text is not UTF-8, or holds characters that XML does not allow"}
)

// declarationForm is what XML 1.0 section 2.8 allows, version 1.0 alone (RFC 6120 section 11.4).
var declarationForm = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:'1\.0'|"1\.0")(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*['"]([A-Za-z][A-Za-z0-9._-]*)['"])?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*['"](?:yes|no)['"])?[ \t\r\n]*\?>$`)

func declaration(raw []byte) error {
	m := declarationForm.FindSubmatch(raw)
	if m == nil {
		return errSyntax
	}
	if len(m[1]) > 0 && !strings.EqualFold(string(m[1]), "utf-8") {
		return &fault{xstream.UnsupportedEncoding, "only UTF-8 is spoken here"} // RFC 6120 section 11.6
	}
	return nil
}

// parseHeader validates the open tag of a stream and returns what it declares.
func parseHeader(raw []byte) (*Element, []binding, error) {
	p := parsers.Get().(*parser)
	defer p.free()
	p.reset(raw, nil)
	el := &Element{raw: raw}
	closed, err := p.tag(el, nil)
	switch {
	case err != nil:
		return nil, nil, err
	case closed || p.i != len(raw):
		return nil, nil, errSyntax
	}
	el.open, el.body = len(raw), len(raw)
	scope := make([]binding, len(p.binds)) // it lives as long as the stream, so it holds nothing of raw
	for i, b := range p.binds {
		scope[i] = binding{prefix: intern(b.prefix), uri: intern(b.uri)}
	}
	return el, scope, nil
}

// roomy is an element with room for what a usual stanza has, all in one piece.
type roomy struct {
	stanza   Stanza
	attrs    [5]Attr
	children [2]Child
}

// parseElement validates one whole element. scope is what surrounds it; where the element leans
// on declarations other than the usual default one, it gets its own: a stream over WebSocket, to
// which it may go, has no open tag that declares a prefix (RFC 7395 section 3.3.3). raw is kept, and
// the element's strings are parts of it.
func parseElement(raw []byte, scope []binding) (*Element, error) {
	p := parsers.Get().(*parser)
	defer p.free()
	p.reset(raw, scope)
	room := new(roomy)
	el := &room.stanza.Element
	el.raw, el.attrs, el.Children, el.stanza = raw, room.attrs[:0], room.children[:0], &room.stanza
	if err := p.document(el); err != nil {
		return nil, err
	}
	var lent []byte
	for _, b := range p.binds[:p.head] {
		switch {
		case !b.used || b.prefix == "" && b.uri == nsClient:
		case b.prefix == "":
			lent = append(append(append(lent, " xmlns='"...), Escape(b.uri)...), '\'') // none is one, too
		default:
			lent = AppendAttr(lent, "xmlns:"+b.prefix, b.uri)
		}
	}
	if lent == nil {
		return el, nil
	}
	own := make([]byte, 0, len(raw)+len(lent))
	own = append(append(append(own, raw[:el.nameEnd]...), lent...), raw[el.nameEnd:]...)
	p.reset(own, scope)
	el.raw, el.attrs, el.Children = own, el.attrs[:0], el.Children[:0]
	return el, p.document(el)
}

func (p *parser) reset(b []byte, scope []binding) {
	p.b, p.i = b, 0
	p.binds = append(p.binds[:0], scope...)
	for i := range p.binds {
		p.binds[i].used = false
	}
	p.head, p.foreign = len(p.binds), 0
	p.marks, p.names, p.attrs = p.marks[:0], p.names[:0], p.attrs[:0]
	p.most = max(p.most, len(p.binds))
}

// free drops what p points to and gives it back.
func (p *parser) free() {
	const usual = 32 // more is rare, and would stay
	if cap(p.attrs) > usual || cap(p.binds) > usual || cap(p.names) > usual {
		return
	}
	clear(p.binds[:min(p.most, cap(p.binds))])
	clear(p.names[:min(p.most, cap(p.names))])
	clear(p.attrs[:min(p.most, cap(p.attrs))])
	p.b, p.most = nil, 0
	parsers.Put(p)
}

// document parses exactly one element.
func (p *parser) document(el *Element) error {
	closed, err := p.tag(el, nil)
	if err != nil {
		return err
	}
	el.open, el.body = p.i, p.i
	for !closed || len(p.names) > 0 {
		if p.i >= len(p.b) {
			return errSyntax
		}
		if p.b[p.i] != '<' {
			if err := p.chars('<'); err != nil {
				return err
			}
			continue
		}
		if p.i+1 >= len(p.b) {
			return errSyntax
		}
		start := p.i
		switch p.b[p.i+1] {
		case '/':
			if len(p.names) == 1 {
				el.body = start
			}
			if err := p.endTag(); err != nil {
				return err
			}
			if len(p.names) == 1 {
				el.Children[len(el.Children)-1].end = p.i
			}
			if len(p.names) == 0 {
				closed = true
			}
		case '!':
			if err := p.cdata(); err != nil {
				return err
			}
		default:
			var c *Child
			if len(p.names) == 1 {
				el.Children = append(el.Children, Child{start: start})
				c = &el.Children[len(el.Children)-1]
			}
			empty, err := p.tag(nil, c)
			if err != nil {
				return err
			}
			if empty && c != nil {
				c.end = p.i
			}
		}
	}
	if p.i != len(p.b) {
		return errSyntax
	}
	return nil
}
