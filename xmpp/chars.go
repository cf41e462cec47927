package xmpp

import (
	"bytes"
	"encoding/xml"
	"unicode/utf8"

	xstream "mellium.im/xmpp/stream"
)

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
