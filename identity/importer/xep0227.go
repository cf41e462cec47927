package importer

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The namespaces of XEP-0227 1.1 that matter for accounts.
const (
	nsPortable = "urn:xmpp:pie:0"
	nsSCRAM    = nsPortable + "#scram"
)

// maxToken bounds one tag or text of a document in bytes, and maxNesting how deep it goes.
const (
	maxToken   = 16 << 20
	maxNesting = 256
	maxSecret  = 4096 // bytes of one text of SCRAM credentials
)

// portable reads a document of XEP-0227 as a stream.
type portable struct {
	d     *xml.Decoder
	b     *bounded
	depth int
	host  string
	each  func(Record) error
}

// readXEP0227 reads the accounts of a document; what chat keeps of them is passed over. ejabberd
// writes a document for each host, whose root is the host.
func readXEP0227(in io.Reader, each func(Record) error) error {
	b := newBounded(in, maxToken)
	p := &portable{d: xml.NewDecoder(b), b: b, each: each}
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: there is no element", errFormat)
		}
		if err != nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name {
		case xml.Name{Space: nsPortable, Local: "server-data"}:
			return p.children(func(h xml.StartElement) error {
				if h.Name.Local == "include" && h.Name.Space == "http://www.w3.org/2001/XInclude" {
					return fmt.Errorf("the file names others (%q): import each of those", clip(attribute(h, "href")))
				}
				return p.hostElement(h)
			})
		case xml.Name{Space: nsPortable, Local: "host"}:
			return p.hostElement(start)
		}
		return fmt.Errorf("%w: the root is no server-data of XEP-0227", errFormat)
	}
}

// token is the next token. A document type is refused, as it could name entities.
func (p *portable) token() (xml.Token, error) {
	t, err := p.d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, errTooLarge) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: the XML is damaged: %w", errFormat, err)
	}
	p.b.reset()
	switch t.(type) {
	case xml.Directive:
		return nil, fmt.Errorf("%w: it has a document type", errFormat)
	case xml.StartElement:
		if p.depth++; p.depth > maxNesting {
			return nil, fmt.Errorf("%w: it nests too deep", errFormat)
		}
	case xml.EndElement:
		p.depth--
	}
	return t, nil
}

// children calls fn with each child's open tag; fn reads the child to its end.
func (p *portable) children(fn func(xml.StartElement) error) error {
	for {
		t, err := p.token()
		if err != nil {
			return noEOF(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := fn(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: it ends too early", errFormat)
	}
	return err
}

// skip passes over what an open tag has begun.
func (p *portable) skip() error {
	return p.children(func(xml.StartElement) error { return p.skip() })
}

// text reads the text of an element.
func (p *portable) text() (string, error) {
	var b strings.Builder
	for {
		t, err := p.token()
		if err != nil {
			return "", noEOF(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			if b.Len()+len(t) > maxSecret {
				return "", fmt.Errorf("%w: a text of SCRAM credentials is too long", errFormat)
			}
			b.Write(t)
		case xml.StartElement:
			if err := p.skip(); err != nil {
				return "", err
			}
		case xml.EndElement:
			return strings.TrimSpace(b.String()), nil
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (p *portable) hostElement(h xml.StartElement) error {
	if h.Name != (xml.Name{Space: nsPortable, Local: "host"}) {
		return p.skip()
	}
	p.host = attribute(h, "jid")
	return p.children(func(u xml.StartElement) error {
		if u.Name != (xml.Name{Space: nsPortable, Local: "user"}) {
			return p.skip()
		}
		return p.user(u)
	})
}

func (p *portable) user(u xml.StartElement) error {
	r := Record{Login: attribute(u, "name") + "@" + p.host, Password: attribute(u, "password")}
	r.Line, _ = p.d.InputPos()
	r.oldEjabberd()
	err := p.children(func(e xml.StartElement) error {
		if e.Name != (xml.Name{Space: nsSCRAM, Local: "scram-credentials"}) {
			return p.skip()
		}
		return p.credentials(&r, attribute(e, "mechanism"))
	})
	if err != nil {
		return err
	}
	return p.each(r)
}

// credentials reads section 4.3.
func (p *portable) credentials(r *Record, mechanism string) error {
	got := map[string]string{}
	err := p.children(func(e xml.StartElement) error {
		text, err := p.text()
		got[e.Name.Local] = text
		return err
	})
	if err != nil {
		return err
	}
	r.addSCRAM(mechanism, got["iter-count"], got["salt"], got["stored-key"], got["server-key"])
	return nil
}

// addSCRAM adds keys in base64. ejabberd encodes what is base64 already, and so twice; the length of
// a key tells.
func (r *Record) addSCRAM(mechanism, count, salt, stored, server string) {
	n, err := strconv.ParseInt(count, 10, 32)
	parts := [3][]byte{}
	for i, text := range []string{salt, stored, server} {
		if parts[i], err = decoded(text, err); err != nil {
			break
		}
	}
	if err == nil && r.scramName(len(parts[1])) != mechanism {
		for i := range parts {
			if parts[i], err = decoded(string(parts[i]), err); err != nil {
				break
			}
		}
	}
	switch {
	case r.scramName(len(parts[1])) != mechanism && err == nil, mechanism != "SCRAM-SHA-1" && mechanism != "SCRAM-SHA-256":
		r.warn("keys of %s are not known here", clip(mechanism))
		return
	case err != nil || n < 1:
		r.warn("its keys of %s are damaged", clip(mechanism))
		return
	}
	if h, ok := scramHash(mechanism, n, parts[0], parts[1], parts[2]); ok {
		r.Hashes = append(r.Hashes, h)
	}
}

// decoded decodes base64, where nothing has failed before.
func decoded(text string, before error) ([]byte, error) {
	if before != nil {
		return nil, before
	}
	return base64.StdEncoding.DecodeString(text)
}

// oldEjabberd reads what ejabberd before 2021 writes in place of a password: scram, a colon, and
// StoredKey, ServerKey, salt and iterations with commas between.
func (r *Record) oldEjabberd() {
	rest, ok := strings.CutPrefix(r.Password, "scram:")
	if !ok {
		return
	}
	if f := strings.Split(rest, ","); len(f) == 4 {
		r.Password = ""
		r.addSCRAM("SCRAM-SHA-1", f[3], f[2], f[0], f[1])
	}
}
