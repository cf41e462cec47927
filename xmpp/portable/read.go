package portable

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"trivium/xmpp"
)

// Bounds of a file that is read; the whole may be as long as it likes.
const (
	maxElement = 4 << 20 // bytes of one element, such as a message
	maxDepth   = 64
	maxFaults  = 20 // of one account that are named
)

// Errors of a file.
var (
	errForm    = errors.New("the file is not account data as XEP-0227 has it: its root is not server-data in " + ns)
	errDTD     = errors.New("the file has a document type declaration, which is not read")
	errTooLong = fmt.Errorf("an element of the file is longer than %d bytes", maxElement)
	errTooDeep = fmt.Errorf("the file has elements more than %d deep", maxDepth)
)

// reader reads elements one by one.
type reader struct{ d *xml.Decoder }

func newReader(in io.Reader) *reader {
	d := xml.NewDecoder(in)
	d.Strict = true
	return &reader{d}
}

// next returns the next child's open tag, or false at the end tag of the element that is open.
func (r *reader) next() (xml.StartElement, bool, error) {
	for {
		t, err := r.d.Token()
		if err != nil {
			return xml.StartElement{}, false, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			return t, true, nil
		case xml.EndElement:
			return xml.StartElement{}, false, nil
		case xml.Directive:
			return xml.StartElement{}, false, errDTD
		}
	}
}

// skip reads an element away and counts its descendants of that name.
func (r *reader) skip(count string) (n int, err error) {
	for depth := 1; depth > 0; {
		t, err := r.d.Token()
		if err != nil {
			return n, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return n, errTooDeep
			}
			if t.Name.Local == count {
				n++
			}
		case xml.EndElement:
			depth--
		}
	}
	return n, nil
}

// whole reads the element of an open tag and returns it so that it stands for itself: each element
// says its namespace, and prefixes are gone but for attributes that need one.
func (r *reader) whole(start xml.StartElement) (*xmpp.Element, error) {
	b := appendOpen(nil, start, "")
	spaces := []xml.Name{start.Name}
	for len(spaces) > 0 {
		t, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			b = appendOpen(b, t, spaces[len(spaces)-1].Space)
			if spaces = append(spaces, t.Name); len(spaces) > maxDepth {
				return nil, errTooDeep
			}
		case xml.EndElement:
			last := spaces[len(spaces)-1]
			b = append(append(append(b, "</"...), last.Local...), '>')
			spaces = spaces[:len(spaces)-1]
		case xml.CharData:
			b = append(b, xmpp.Escape(string(t))...)
		}
		if len(b) > maxElement {
			return nil, errTooLong
		}
	}
	return xmpp.ParseElement(b)
}

// appendOpen writes an open tag; space is the default namespace where it stands.
func appendOpen(b []byte, e xml.StartElement, space string) []byte {
	b = append(append(b, '<'), e.Name.Local...)
	if e.Name.Space != space {
		b = append(append(append(b, " xmlns='"...), xmpp.Escape(e.Name.Space)...), '\'')
	}
	for i, a := range e.Attr {
		switch {
		case a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns":
		case a.Name.Space == "":
			b = appendAttr(b, a.Name.Local, a.Value)
		case a.Name.Space == "xml" || a.Name.Space == "http://www.w3.org/XML/1998/namespace":
			b = appendAttr(b, "xml:"+a.Name.Local, a.Value)
		default:
			prefix := fmt.Sprintf("a%d", i)
			b = appendAttr(appendAttr(b, "xmlns:"+prefix, a.Name.Space), prefix+":"+a.Name.Local, a.Value)
		}
	}
	return append(b, '>')
}

// appendAttr keeps empty attributes, too.
func appendAttr(b []byte, name, value string) []byte {
	b = append(append(append(b, ' '), name...), "='"...)
	return append(append(b, xmpp.Escape(value)...), '\'')
}
