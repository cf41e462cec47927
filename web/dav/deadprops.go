package dav

import (
	"encoding/binary"
	"encoding/xml"
	"errors"
	"slices"
	"strings"

	"golang.org/x/net/webdav"

	"trivium/files"
)

// deadProps are the properties that clients set and the server only keeps (RFC 4918 section 4.1).
type deadProps map[xml.Name]webdav.Property

const (
	propsVersion = 1
	maxProps     = 200 // of one entry; their bytes are bounded too
)

var errProps = errors.New("the properties of the entry cannot be read")

// encode writes them sorted: the version, then for each the namespace (empty: that of the one
// before), name, language and value, each behind its length. It is nil where there are none.
func (p deadProps) encode() []byte {
	if len(p) == 0 {
		return nil
	}
	names := make([]xml.Name, 0, len(p))
	for n := range p {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b xml.Name) int {
		if c := strings.Compare(a.Space, b.Space); c != 0 {
			return c
		}
		return strings.Compare(a.Local, b.Local)
	})
	b := []byte{propsVersion}
	put := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	space := ""
	for _, n := range names {
		if n.Space == space {
			put("")
		} else {
			put(n.Space)
			space = n.Space
		}
		put(n.Local)
		put(p[n].Lang)
		put(string(p[n].InnerXML))
	}
	return b
}

// decodeProps is the inverse of encode.
func decodeProps(b []byte) (deadProps, error) {
	p := deadProps{}
	if len(b) == 0 {
		return p, nil
	}
	if b[0] != propsVersion || len(b) > files.MaxProps {
		return nil, errProps
	}
	b = b[1:]
	take := func() (string, bool) {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return "", false
		}
		s := string(b[used : used+int(n)])
		b = b[used+int(n):]
		return s, true
	}
	space := ""
	for len(b) > 0 {
		var v [4]string
		for i := range v {
			var ok bool
			if v[i], ok = take(); !ok {
				return nil, errProps
			}
		}
		if v[0] != "" {
			space = v[0]
		}
		name := xml.Name{Space: space, Local: v[1]}
		if v[1] == "" || len(p) >= maxProps {
			return nil, errProps
		}
		p[name] = webdav.Property{XMLName: name, Lang: v[2], InnerXML: []byte(v[3])}
	}
	return p, nil
}
