package xmpp

import (
	"bytes"
	"encoding/xml"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

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

// token is an attribute as it was found.
type token struct {
	name       []byte
	start, end int    // name to closing quote
	value      []byte // between the quotes
	uri        string
	local      []byte
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

// tag parses a start tag; el or c take what they want to know of it. closed is true where the tag
// is its own end.
func (p *parser) tag(el *Element, c *Child) (closed bool, err error) {
	if p.i >= len(p.b) || p.b[p.i] != '<' {
		return false, errSyntax
	}
	p.i++
	name, ok := p.name()
	if !ok {
		return false, errSyntax
	}
	nameEnd := p.i
	if closed, err = p.attributes(); err != nil {
		return false, err
	}
	if len(p.names) >= maxDepth {
		return false, &fault{xstream.PolicyViolation, "elements are nested too deep"}
	}
	p.names, p.marks = append(p.names, name), append(p.marks, len(p.binds))
	if err := p.declare(); err != nil {
		return false, err
	}
	p.most = max(p.most, len(p.names), len(p.binds), len(p.attrs))
	prefix, local := cut(name)
	uri, ok := p.lookup(prefix)
	if !ok || string(prefix) == "xmlns" || string(name) == "xmlns" { // some parsers see no namespace in the second
		return false, errPrefix
	}
	if err := p.resolve(); err != nil {
		return false, err
	}
	if el != nil {
		el.Name, el.nameEnd = xml.Name{Space: uri, Local: part(local)}, nameEnd
		if cap(el.attrs) < len(p.attrs) {
			el.attrs = make([]Attr, 0, len(p.attrs))
		}
		for i := range p.attrs {
			a := &p.attrs[i]
			el.attrs = append(el.attrs, Attr{xml.Name{Space: a.uri, Local: part(a.local)}, attrValue(a.value), a.start, a.end})
		}
	}
	if c != nil {
		c.Name = xml.Name{Space: uri, Local: part(local)}
	}
	if closed {
		p.pop()
	}
	return closed, nil
}

func (p *parser) pop() {
	last := len(p.names) - 1
	p.binds = p.binds[:p.marks[last]]
	p.names, p.marks = p.names[:last], p.marks[:last]
}

// attributes parses the rest of a start tag into p.attrs.
func (p *parser) attributes() (closed bool, err error) {
	p.attrs = p.attrs[:0]
	for {
		spaced := p.space()
		if p.i >= len(p.b) {
			return false, errSyntax
		}
		switch p.b[p.i] {
		case '>':
			p.i++
			return false, nil
		case '/':
			if p.i+1 >= len(p.b) || p.b[p.i+1] != '>' {
				return false, errSyntax
			}
			p.i += 2
			return true, nil
		}
		a := token{start: p.i}
		var ok bool
		if a.name, ok = p.name(); !ok || !spaced {
			return false, errSyntax
		}
		p.space()
		if p.i >= len(p.b) || p.b[p.i] != '=' {
			return false, errSyntax
		}
		p.i++
		p.space()
		if p.i >= len(p.b) || p.b[p.i] != '"' && p.b[p.i] != '\'' {
			return false, errSyntax
		}
		quote := p.b[p.i]
		p.i++
		from := p.i
		if err := p.chars(quote); err != nil {
			return false, err
		}
		if p.i >= len(p.b) {
			return false, errSyntax
		}
		a.value = p.b[from:p.i]
		p.i++
		a.end = p.i
		if len(p.attrs) == maxAttrs {
			return false, errAttrs
		}
		p.attrs = append(p.attrs, a)
	}
}

// declare puts the namespace declarations of the tag in force (Namespaces in XML section 3).
func (p *parser) declare() error {
	for i := range p.attrs {
		a := &p.attrs[i]
		prefix, local := cut(a.name)
		switch {
		case string(a.name) == "xmlns":
			prefix = nil
		case string(prefix) == "xmlns":
			prefix = local
		default:
			continue
		}
		uri := attrValue(a.value)
		const nsXMLNS = "http://www.w3.org/2000/xmlns/"
		isXML := string(prefix) == "xml"
		if string(prefix) == "xmlns" || isXML != (uri == nsXML) || uri == nsXMLNS || prefix != nil && uri == "" {
			return &fault{xstream.NotWellFormed, "that namespace declaration is not allowed"}
		}
		if len(p.binds)-p.head >= maxBinds {
			return &fault{xstream.PolicyViolation, "too many namespace declarations"}
		}
		p.binds = append(p.binds, binding{prefix: part(prefix), uri: uri})
	}
	return nil
}

// lookup finds the namespace of a prefix.
func (p *parser) lookup(prefix []byte) (string, bool) {
	if string(prefix) == "xml" {
		return nsXML, true
	}
	for i := len(p.binds) - 1; i >= 0; i-- {
		if b := &p.binds[i]; b.prefix == string(prefix) {
			b.used = true
			return b.uri, true
		}
	}
	return "", len(prefix) == 0
}

// resolve gives the attributes their namespaces and refuses two of the same name.
func (p *parser) resolve() error {
	for i := range p.attrs {
		a := &p.attrs[i]
		prefix, local := cut(a.name)
		a.local = local
		switch {
		case string(prefix) == "xmlns":
			a.uri = "xmlns" // as encoding/xml has it
		case len(prefix) > 0:
			uri, ok := p.lookup(prefix)
			if !ok {
				return errPrefix
			}
			a.uri = uri
		}
		for j := range i {
			if o := &p.attrs[j]; bytes.Equal(o.local, local) && o.uri == a.uri {
				return errRepeated
			}
		}
	}
	return nil
}

func (p *parser) endTag() error {
	p.i += len("</")
	name, ok := p.name()
	p.space()
	if !ok || len(p.names) == 0 || !bytes.Equal(name, p.names[len(p.names)-1]) || p.i >= len(p.b) || p.b[p.i] != '>' {
		return errSyntax
	}
	p.i++
	p.pop()
	return nil
}

func (p *parser) cdata() error {
	if !bytes.HasPrefix(p.b[p.i:], []byte(cdataStart)) {
		return &fault{xstream.RestrictedXML, "comments and DTDs are not allowed"}
	}
	p.i += len(cdataStart)
	n := bytes.Index(p.b[p.i:], []byte("]]>"))
	if n < 0 {
		return errSyntax
	}
	for end := p.i + n; p.i < end; {
		if !p.char() {
			return errText
		}
	}
	p.i += len("]]>")
	return nil
}

// plainText are the bytes that are text and mean nothing else anywhere.
var plainText = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x20 && c < utf8.RuneSelf && c != '<' && c != '&' && c != ']' && c != '"' && c != '\''
	}
	return
}()

// chars passes over text up to the byte stop, which is < for content, else a quote.
func (p *parser) chars(stop byte) error {
	for p.i < len(p.b) {
		c := p.b[p.i]
		switch {
		case plainText[c]:
			for _, c := range p.b[p.i:] {
				if !plainText[c] {
					break
				}
				p.i++
			}
		case c == stop:
			return nil
		case c == '&':
			if err := p.reference(); err != nil {
				return err
			}
		case c == '<':
			return errSyntax
		case c == ']' && stop == '<' && bytes.HasPrefix(p.b[p.i:], []byte("]]>")):
			return errSyntax
		default:
			if !p.char() {
				return errText
			}
		}
	}
	return nil
}

// char passes over one character (XML 1.0 section 2.2).
func (p *parser) char() bool {
	c := p.b[p.i]
	if c < utf8.RuneSelf {
		p.i++
		return c >= 0x20 || c == '\t' || c == '\n' || c == '\r'
	}
	r, n := utf8.DecodeRune(p.b[p.i:])
	p.i += n
	return n > 1 && isChar(r)
}

func isChar(r rune) bool {
	return r >= 0x20 && r < 0xD800 || r == '\t' || r == '\n' || r == '\r' || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

// reference passes over &…; .
func (p *parser) reference() error {
	_, n := reference(p.b[p.i:])
	if n == 0 {
		return errEntity
	}
	p.i += n
	return nil
}

// reference decodes the reference that b begins with and says how long it is; 0 where it is none.
func reference(b []byte) (rune, int) {
	const longest = len("&#x0000010FFFF;")
	end := bytes.IndexByte(b[:min(len(b), longest)], ';')
	if end < 3 {
		return 0, 0
	}
	switch string(b[1:end]) {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "apos":
		return '\'', end + 1
	case "quot":
		return '"', end + 1
	}
	if b[1] != '#' {
		return 0, 0
	}
	digits, base := b[2:end], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	var r rune
	for _, c := range digits {
		var d rune
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		default:
			return 0, 0
		}
		if r = r*base + d; r > utf8.MaxRune {
			return 0, 0
		}
	}
	if len(digits) == 0 || !isChar(r) {
		return 0, 0
	}
	return r, end + 1
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func (p *parser) space() bool {
	from := p.i
	for p.i < len(p.b) && isSpace(p.b[p.i]) {
		p.i++
	}
	return p.i > from
}

// nameStart and nameRest are the ASCII part of a name (Namespaces in XML section 4).
var nameStart, nameRest = func() (start, rest [utf8.RuneSelf]bool) {
	for c := range start {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		start[c] = letter
		rest[c] = letter || c >= '0' && c <= '9' || c == '-' || c == '.'
	}
	return
}()

// name passes over a name with at most one prefix.
func (p *parser) name() ([]byte, bool) {
	from, begin, colons, foreign := p.i, true, 0, false
	for ; p.i < len(p.b); p.i++ {
		c := p.b[p.i]
		switch {
		case c >= utf8.RuneSelf:
			begin, foreign = false, true
		case c == ':' && !begin:
			begin = true
			colons++
		case begin && nameStart[c], !begin && nameRest[c]:
			begin = false
		default:
			name := p.b[from:p.i]
			if begin || colons > 1 {
				return nil, false
			}
			return name, !foreign || p.foreignName(name)
		}
	}
	return nil, false
}

// foreignName judges a name with letters beyond ASCII by asking encoding/xml, whose tables are
// those of XML 1.0 before its fifth edition: what they know every parser knows. That is slow, no
// protocol has such names, and so there may be few.
func (p *parser) foreignName(name []byte) bool {
	const few = 64
	if p.foreign++; p.foreign > few {
		return false
	}
	for part := range bytes.SplitSeq(name, []byte{':'}) {
		d := xml.NewDecoder(bytes.NewReader(append(append([]byte{'<'}, part...), "/>"...)))
		tok, err := d.Token()
		if start, ok := tok.(xml.StartElement); err != nil || !ok || start.Name.Local != string(part) || len(start.Attr) > 0 {
			return false
		}
	}
	return true
}

func cut(name []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}
