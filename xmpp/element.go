package xmpp

import (
	"bytes"
	"encoding/xml"
)

// Element is one validated element: a child of a stream, a child of a stanza or of another
// element, or the stream's open tag. Its bytes stand for themselves: they lean on no declaration
// but that of jabber:client as the default namespace. Its strings are parts of its bytes: what is to
// outlive it by long is better cloned.
type Element struct {
	Name     xml.Name
	Children []Child
	raw      []byte  // nobody changes it
	stanza   *Stanza // of which it is a part, where it was read as one that may be a stanza
	markup
}

// Child is one child element; start and end bound its bytes in its parent's. Those bytes alone
// may lean on what the parent declares: [Element.Child] makes an element of them.
type Child struct {
	Name       xml.Name
	start, end int
}

// markup is where the parts of an element's bytes lie.
type markup struct {
	attrs   []Attr
	nameEnd int // behind the name in the open tag
	open    int // behind the open tag
	body    int // behind the content: where the end tag begins; open where the tag closes itself
}

// Attr is an attribute; start and end bound its bytes, name to closing quote.
type Attr struct {
	Name       xml.Name
	Value      string
	start, end int
}

// ParseElement reads bytes that this server wrote or stored; bytes of clients come through the
// framer. Names without a namespace of their own are in jabber:client.
func ParseElement(raw []byte) (*Element, error) { return parseElement(raw, clientScope()) }

// Bytes is the element as it stands; nobody changes it.
func (e *Element) Bytes() []byte { return e.raw }

// Attr returns the value of an attribute without namespace.
func (m *markup) Attr(local string) (string, bool) {
	for i := range m.attrs {
		if a := &m.attrs[i]; a.Name.Space == "" && a.Name.Local == local {
			return a.Value, true
		}
	}
	return "", false
}

// Find returns the first child of that name.
func (e *Element) Find(space, local string) (Child, bool) {
	for _, c := range e.Children {
		if c.Name.Space == space && c.Name.Local == local {
			return c, true
		}
	}
	return Child{}, false
}

// Has reports whether there is a child of that name.
func (e *Element) Has(space, local string) bool {
	_, ok := e.Find(space, local)
	return ok
}

// First is the name of the first child; zero where there is none.
func (e *Element) First() xml.Name {
	if len(e.Children) == 0 {
		return xml.Name{}
	}
	return e.Children[0].Name
}

// Child makes an element of a child of e.
func (e *Element) Child(c Child) (*Element, error) {
	scope := clientScope()
	for _, a := range e.attrs {
		switch {
		case a.Name.Space == "" && a.Name.Local == "xmlns":
			scope = append(scope, binding{uri: a.Value})
		case a.Name.Space == "xmlns":
			scope = append(scope, binding{prefix: a.Name.Local, uri: a.Value})
		}
	}
	return parseElement(e.raw[c.start:c.end:c.end], scope)
}

// Only makes an element of the first child of that name; false where there is none.
func (e *Element) Only(space, local string) (*Element, bool) {
	c, ok := e.Find(space, local)
	if !ok {
		return nil, false
	}
	el, err := e.Child(c)
	return el, err == nil
}

// Text is the character data of an element without children; false where it has some.
func (e *Element) Text() (string, bool) {
	if len(e.Children) > 0 {
		return "", false
	}
	return content(e.raw[e.open:e.body]), true
}

// Cut is the element's bytes without the children that drop chooses.
func (e *Element) Cut(drop func(Child) bool) []byte {
	b, at := make([]byte, 0, len(e.raw)), 0
	for _, c := range e.Children {
		if drop(c) {
			b = append(b, e.raw[at:c.start]...)
			at = c.end
		}
	}
	return append(b, e.raw[at:]...)
}

// Decode reads the whole element into v, as xml.Unmarshal does. Names without a namespace of
// their own are in jabber:client.
func (e *Element) Decode(v any) error {
	d := xml.NewDecoder(bytes.NewReader(e.raw))
	d.DefaultSpace = nsClient
	return d.Decode(v)
}

// DecodeChild reads one child into v.
func (e *Element) DecodeChild(c Child, v any) error {
	d := xml.NewDecoder(bytes.NewReader(e.raw))
	d.DefaultSpace = nsClient
	for {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		if start, ok := tok.(xml.StartElement); ok && d.InputOffset() > int64(c.start) {
			return d.DecodeElement(v, &start)
		}
	}
}
