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
)

const davSpace = "DAV:"

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
	q.ses.CountIn(int64(len(data)))
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	return data, nil
}

// node is an element of a parsed body.
type node struct {
	name  xml.Name
	attrs []xml.Attr
	kids  []*node
	text  string // of the element itself, before its first child
	inner string // everything in it, with namespaces of its own
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
			if nodes > maxNodes || len(open) >= maxDepth || len(open) == 0 && root != nil || !declared(t) {
				return nil, errBody
			}
			n := &node{name: t.Name, attrs: t.Copy().Attr}
			if len(open) == 0 {
				root = n
			} else {
				up := open[len(open)-1]
				up.kids = append(up.kids, n)
			}
			open = append(open, n)
		case xml.EndElement:
			n := open[len(open)-1]
			open = open[:len(open)-1]
			if len(open) > 0 {
				up := open[len(open)-1]
				up.inner += n.write()
			}
		case xml.CharData:
			if len(open) == 0 {
				continue
			}
			n := open[len(open)-1]
			if len(n.kids) == 0 {
				n.text += string(t)
			}
			n.inner += escape(string(t))
		}
	}
}

// declared reports whether no prefix is bound to nothing, which XML namespaces forbid
// (section 2.2 of Namespaces in XML 1.0).
func declared(t xml.StartElement) bool {
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" && a.Value == "" {
			return false
		}
	}
	return true
}

// write is the element as text that stands alone: each element says its own namespace.
func (n *node) write() string {
	var b strings.Builder
	b.WriteString("<" + n.name.Local + ` xmlns="` + escape(n.name.Space) + `"`)
	spaces := 0
	for _, a := range n.attrs {
		switch {
		case a.Name.Space == "xmlns" || a.Name.Local == "xmlns" && a.Name.Space == "":
			continue
		case a.Name.Space == "xml" || a.Name.Space == xmlSpace:
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
	if n.inner == "" {
		return b.String() + "/>"
	}
	return b.String() + ">" + n.inner + "</" + n.name.Local + ">"
}

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// escape makes any text safe inside an element or an attribute.
func escape(s string) string {
	if !strings.ContainsAny(s, "<>&\"'\t\r\n") && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0xfffd }) {
		return s
	}
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder takes everything
	return b.String()
}
