package caps

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"slices"
	"strings"

	"trivium/xmpp"
)

// The namespaces.
const (
	nsCaps   = "http://jabber.org/protocol/caps"
	nsCaps2  = "urn:xmpp:caps"
	nsHashes = "urn:xmpp:hashes:2"
	nsInfo   = "http://jabber.org/protocol/disco#info"
	nsData   = "jabber:x:data"
	formType = "FORM_TYPE"
)

// Bounds of what a client may say about itself.
const (
	maxFeatures = 1000
	maxText     = 32 << 10 // of all features together
)

// info is an answer to disco#info as it is hashed.
type info struct {
	Lang       string     `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Identities []who      `xml:"http://jabber.org/protocol/disco#info identity"`
	Features   []feature  `xml:"http://jabber.org/protocol/disco#info feature"`
	Forms      []form     `xml:"jabber:x:data x"`
	Others     []struct{} `xml:",any"`
}

type who struct {
	Category string `xml:"category,attr"`
	Type     string `xml:"type,attr"`
	Lang     string `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
	Name     string `xml:"name,attr"`
}

type feature struct {
	Var string `xml:"var,attr"`
}

// form is read here and not by [xmpp.ReadForm], as all that stands in it is hashed or refused: repeated
// fields, the type of FORM_TYPE, tables.
type form struct {
	Fields   []field    `xml:"jabber:x:data field"`
	Reported []struct{} `xml:"jabber:x:data reported"`
	Items    []struct{} `xml:"jabber:x:data item"`
}

type field struct {
	Var    string   `xml:"var,attr"`
	Type   string   `xml:"type,attr"`
	Values []string `xml:"jabber:x:data value"`
}

// readInfo reads `<query/>` of disco#info.
func readInfo(query *xmpp.Element) (*info, error) {
	var i info
	if err := query.Decode(&i); err != nil {
		return nil, err
	}
	return &i, nil
}

// features are the features, sorted and each once; false where there are more than is reasonable.
func (i *info) features() ([]string, bool) {
	if len(i.Features) > maxFeatures {
		return nil, false
	}
	list := make([]string, 0, len(i.Features))
	size := 0
	for _, f := range i.Features {
		size += len(f.Var)
		list = append(list, strings.Clone(f.Var))
	}
	slices.Sort(list)
	return slices.Compact(list), size <= maxText
}

// kind is the type of a form: the value of its field FORM_TYPE (XEP-0068).
func (f *form) kind() (value string, ok bool) {
	for _, x := range f.Fields {
		if x.Var != formType {
			continue
		}
		for _, v := range x.Values {
			if v != x.Values[0] {
				return "", false
			}
		}
		return strings.Join(x.Values[:min(1, len(x.Values))], ""), len(x.Values) > 0 && x.Type == "hidden"
	}
	return "", false
}

// input is what XEP-0115 section 5.1 hashes; sure is false where the answer is ill-formed
// (section 5.4), or where the same text could be read as another answer: then the hash proves
// nothing about the features.
func (i *info) input() (text string, sure bool) {
	sure = true
	var b strings.Builder
	add := func(parts ...string) {
		for _, p := range parts {
			sure = sure && !strings.Contains(p, "<")
			b.WriteString(p)
			b.WriteByte('<')
		}
	}
	var names []string
	for _, x := range i.Identities {
		// Without these a feature such as http://… could pass for an identity.
		if x.Category == "" || x.Type == "" || strings.Contains(x.Category+x.Type+x.Lang, "/") {
			sure = false
		}
		names = append(names, x.Category+"/"+x.Type+"/"+x.Lang+"/"+x.Name)
	}
	sure = sure && len(names) > 0 && distinct(names)
	add(names...)
	vars := make([]string, 0, len(i.Features))
	for _, f := range i.Features {
		vars = append(vars, f.Var)
	}
	sure = sure && distinct(vars)
	add(vars...)

	forms := map[string]*form{}
	var kinds []string
	for n := range i.Forms {
		// A form that says not what it is is left out.
		if kind, ok := i.Forms[n].kind(); ok {
			kinds, forms[kind] = append(kinds, kind), &i.Forms[n]
		}
	}
	sure = sure && distinct(kinds)
	// Features are in order. A form that continues the order could be the rest of them.
	if len(kinds) > 0 && len(vars) > 0 && kinds[0] >= vars[len(vars)-1] {
		sure = false
	}
	for _, kind := range kinds {
		add(kind)
		fields := slices.Clone(forms[kind].Fields)
		slices.SortStableFunc(fields, func(a, b field) int { return strings.Compare(a.Var, b.Var) })
		for _, f := range fields {
			if f.Var == formType {
				continue
			}
			add(f.Var)
			add(slices.Sorted(slices.Values(f.Values))...)
		}
	}
	return b.String(), sure
}

// distinct sorts a list and reports whether each stands in it once.
func distinct(list []string) bool {
	slices.Sort(list)
	return len(slices.Compact(slices.Clone(list))) == len(list)
}

// The marks of XEP-0390 section 4.1, none of which can occur in XML 1.0.
const (
	markUnit   = "\x1f"
	markRecord = "\x1e"
	markGroup  = "\x1d"
	markFile   = "\x1c"
)

// input2 is what XEP-0390 section 4.1 hashes; lang is what the surroundings say, "" to count
// only what each identity says itself. ok is false where the answer cannot be hashed.
func (i *info) input2(lang string) (text string, ok bool) {
	if len(i.Others) > 0 {
		return "", false
	}
	var features, identities, extensions []string
	for _, f := range i.Features {
		features = append(features, f.Var+markUnit)
	}
	for _, x := range i.Identities {
		l := x.Lang
		if l == "" {
			l = lang
		}
		identities = append(identities, x.Category+markUnit+x.Type+markUnit+l+markUnit+x.Name+markUnit+markRecord)
	}
	for n := range i.Forms {
		f := &i.Forms[n]
		if _, ok := f.kind(); !ok || len(f.Reported) > 0 || len(f.Items) > 0 {
			return "", false
		}
		var fields []string
		for _, x := range f.Fields {
			values := slices.Sorted(slices.Values(x.Values))
			text := x.Var + markUnit
			for _, v := range values {
				text += v + markUnit
			}
			fields = append(fields, text+markRecord)
		}
		extensions = append(extensions, joined(fields)+markGroup)
	}
	return joined(features) + markFile + joined(identities) + markFile + joined(extensions) + markFile, true
}

func joined(list []string) string {
	slices.Sort(list)
	return strings.Join(list, "")
}

// sum hashes by one of the functions of XEP-0300; false for one that is not known here.
func sum(algorithm, text string) (string, bool) {
	b := []byte(text)
	var h []byte
	switch algorithm {
	case "sha-1":
		s := sha1.Sum(b)
		h = s[:]
	case "sha-224":
		s := sha256.Sum224(b)
		h = s[:]
	case "sha-256":
		s := sha256.Sum256(b)
		h = s[:]
	case "sha-384":
		s := sha512.Sum384(b)
		h = s[:]
	case "sha-512":
		s := sha512.Sum512(b)
		h = s[:]
	case "sha3-256":
		s := sha3.Sum256(b)
		h = s[:]
	case "sha3-512":
		s := sha3.Sum512(b)
		h = s[:]
	default:
		return "", false
	}
	return base64.StdEncoding.EncodeToString(h), true
}

// hashable reports whether there is such a hash function here.
func hashable(algorithm string) bool {
	_, ok := sum(algorithm, "")
	return ok
}

// proves reports whether the answer is what the hash stands for, so that it holds for all who
// announce it. lang is that of the stanza the answer came in.
func (i *info) proves(k key, lang string) bool {
	if k.old {
		text, sure := i.input()
		h, _ := sum(k.algorithm, text)
		return sure && same(h, k.hash)
	}
	if i.Lang != "" {
		lang = i.Lang
	}
	// Clients differ in whether the language around an identity is its own.
	for _, l := range []string{"", lang} {
		if text, ok := i.input2(l); ok {
			if h, _ := sum(k.algorithm, text); same(h, k.hash) {
				return true
			}
		}
	}
	return false
}

// same compares two hashes in base64, with padding or without.
func same(a, b string) bool {
	trim := func(s string) []byte { return bytes.TrimRight([]byte(s), "=") }
	return a != "" && bytes.Equal(trim(a), trim(b))
}
