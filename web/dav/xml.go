package dav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Bounds of a request's XML.
const (
	maxXML   = 64 << 10 // bytes
	maxDepth = 32
	maxNodes = 2_000 // elements, and attributes on top
	maxSpace = 256   // bytes of a namespace, which is written again with each name of it
)

// Namespaces. The last two may not be bound to prefixes or be the default (section 3 of Namespaces in
// XML 1.0).
const (
	davSpace   = "DAV:"
	xmlSpace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace = "http://www.w3.org/2000/xmlns/"
)

// body reads what came, within bounds; nil where nothing did.
func (q *request) body() ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(q.w, q.r.Body, maxXML))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errLarge
	case err != nil:
		return nil, cut(err)
	}
	q.read = true
	q.ses.CountIn(int64(len(data)))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	return data, nil
}

// node is an element of a parsed body.
type node struct {
	name    xml.Name
	attrs   []xml.Attr
	kids    []*node
	content []any // string or *node, in their order
}

// child finds an element of the DAV: namespace.
func (n *node) child(local string) *node {
	for _, k := range n.kids {
		if k.name.Space == davSpace && k.name.Local == local {
			return k
		}
	}
	return nil
}

// parse reads a whole document. No document type is let in, so nothing can be defined in it that
// grows; depth and number of elements are bounded.
func parse(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var root *node
	var open []*node
	for nodes := 0; ; {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && root != nil && len(open) == 0 {
			return root, nil
		}
		if err != nil {
			return nil, errBody
		}
		switch t := t.(type) {
		case xml.Directive:
			return nil, errBody
		case xml.StartElement:
			nodes += 1 + len(t.Attr)
			if nodes > maxNodes || len(open) >= maxDepth || len(open) == 0 && root != nil || !sound(t) {
				return nil, errBody
			}
			n := &node{name: t.Name, attrs: t.Copy().Attr}
			if len(open) == 0 {
				root = n
			} else {
				up := open[len(open)-1]
				up.kids, up.content = append(up.kids, n), append(up.content, n)
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 && len(t) > 0 {
				n := open[len(open)-1]
				n.content = append(n.content, string(t))
			}
		}
	}
}

// sound reports whether an element is what others can read again: encoding/xml lets names through
// that namespaces forbid, and an attribute that comes twice.
func sound(t xml.StartElement) bool {
	if t.Name.Space == "xmlns" || t.Name.Space == xmlSpace || !short(t.Name) {
		return false
	}
	seen := make(map[xml.Name]bool, len(t.Attr))
	for _, a := range t.Attr {
		if seen[a.Name] || !short(a.Name) || !bindable(a) {
			return false
		}
		seen[a.Name] = true
	}
	return true
}

// short reports whether a name has one colon at most, and no namespace that is too long. A prefix that
// nobody has declared stands for itself.
func short(n xml.Name) bool { return !strings.Contains(n.Local, ":") && len(n.Space) <= maxSpace }

// bindable reports whether an attribute binds no namespace, or one that may be (sections 2.2 and 3 of
// Namespaces in XML 1.0).
func bindable(a xml.Attr) bool {
	prefix := a.Name.Space == "xmlns"
	switch {
	case !prefix && a.Name != (xml.Name{Local: "xmlns"}):
		return true
	case prefix && a.Name.Local == "xml":
		return a.Value == xmlSpace
	}
	return len(a.Value) <= maxSpace && a.Value != xmlSpace && a.Value != xmlnsSpace && !(prefix && (a.Value == "" || a.Name.Local == "xmlns"))
}

// inner is everything in the element, with namespaces of its own; false where that is more than most
// bytes.
func (n *node) inner(most int) (string, bool) {
	var b strings.Builder
	ok := n.writeContent(&b, most)
	return b.String(), ok
}

// write writes the element as text that stands alone: each element says its own namespace. It stops
// with false when there are more than most bytes.
func (n *node) write(b *strings.Builder, most int) bool {
	b.WriteString("<" + n.name.Local + ` xmlns="` + escape(n.name.Space) + `"`)
	spaces := 0
	for _, a := range n.attrs {
		switch {
		case a.Name.Space == "xmlns" || a.Name.Local == "xmlns" && a.Name.Space == "":
			continue
		case a.Name.Space == xmlSpace:
			b.WriteString(" xml:" + a.Name.Local)
		case a.Name.Space != "":
			prefix := "a" + strconv.Itoa(spaces)
			spaces++
			b.WriteString(" xmlns:" + prefix + `="` + escape(a.Name.Space) + `" ` + prefix + ":" + a.Name.Local)
		default:
			b.WriteString(" " + a.Name.Local)
		}
		b.WriteString(`="` + escape(a.Value) + `"`)
	}
	if len(n.content) == 0 {
		b.WriteString("/>")
		return b.Len() <= most
	}
	b.WriteString(">")
	if !n.writeContent(b, most) {
		return false
	}
	b.WriteString("</" + n.name.Local + ">")
	return b.Len() <= most
}

func (n *node) writeContent(b *strings.Builder, most int) bool {
	for _, c := range n.content {
		switch c := c.(type) {
		case string:
			b.WriteString(escape(c))
		case *node:
			if !c.write(b, most) {
				return false
			}
		}
	}
	return b.Len() <= most
}

// escape makes any text safe inside an element or an attribute.
func escape(s string) string {
	if !strings.ContainsAny(s, "<>&\"'\t\r\n") && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0xfffd }) {
		return s
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
