package xmpp

import (
	"bytes"
	"encoding/xml"

	xstream "mellium.im/xmpp/stream"
)

// token is an attribute as it was found.
type token struct {
	name       []byte
	start, end int    // name to closing quote
	value      []byte // between the quotes
	uri        string
	local      []byte
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

func cut(name []byte) (prefix, local []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return nil, name
}
