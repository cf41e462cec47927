package vcard

import (
	"strings"

	"trivium/xmpp"
)

// ns4 is the namespace of vCard4 in XML (RFC 6351).
const ns4 = "urn:ietf:params:xml:ns:vcard-4.0"

// The ways in which a property holds its value in vCard4.
const (
	asText = "text"
	asURI  = "uri"
	asDate = "date"
	asTime = "timestamp"
)

// simple are the properties of one value that both forms have (XEP-0292 sections 7.1 and 7.4), by
// their names there, with what the value begins with in vCard4.
var simple = []struct{ temp, four, value, prefix string }{
	{"FN", "fn", asText, ""},
	{"NICKNAME", "nickname", asText, ""},
	{"BDAY", "bday", asDate, ""},
	{"JABBERID", "impp", asURI, "xmpp:"},
	{"TZ", "tz", asText, ""},
	{"TITLE", "title", asText, ""},
	{"ROLE", "role", asText, ""},
	{"DESC", "note", asText, ""}, // before NOTE: it is what clients fill in
	{"NOTE", "note", asText, ""},
	{"PRODID", "prodid", asText, ""},
	{"REV", "rev", asTime, ""},
	{"UID", "uid", asText, ""},
	{"URL", "url", asURI, ""},
}

// parts are the properties that are made of several values, by their names in vcard-temp and in vCard4.
var parts = []struct {
	temp, four string
	of         [][2]string
}{
	{"N", "n", [][2]string{{"FAMILY", "surname"}, {"GIVEN", "given"}, {"MIDDLE", "additional"}, {"PREFIX", "prefix"}, {"SUFFIX", "suffix"}}},
	{"ADR", "adr", [][2]string{{"POBOX", "pobox"}, {"EXTADD", "ext"}, {"STREET", "street"}, {"LOCALITY", "locality"}, {"REGION", "region"}, {"PCODE", "code"}, {"CTRY", "country"}}},
}

// types are those that both forms have of addresses and telephones.
var types = []string{"home", "work", "text", "voice", "fax", "cell", "video", "pager", "textphone"}

// Four makes a vCard4 of a card of vcard-temp (XEP-0292 section 7). What vCard4 has no place for is
// left out: LABEL, MAILER, CLASS, an agent's card, units of an organization, and the picture, which is
// the avatar of XEP-0084 alone. A formatted name is always in it, as RFC 6350 section 6.2.1 wants.
func Four(card *xmpp.Element) []byte {
	b := []byte("<vcard xmlns='" + ns4 + "'>")
	if !card.Has(ns, "FN") {
		b = append(b, "<fn><text></text></fn>"...)
	}
	for _, c := range card.Children {
		if el, err := card.Child(c); err == nil && c.Name.Space == ns {
			b = four(b, el)
		}
	}
	return append(b, "</vcard>"...)
}

// four adds one property of vcard-temp.
func four(b []byte, el *xmpp.Element) []byte {
	for _, p := range simple {
		if p.temp == el.Name.Local {
			return property(b, p.four, "", p.value, p.prefix+text(el))
		}
	}
	for _, p := range parts {
		if p.temp != el.Name.Local {
			continue
		}
		b = append(append(append(b, '<'), p.four...), '>')
		if p.temp != "N" {
			b = append(b, parameters(el)...)
		}
		for _, part := range p.of {
			if v, ok := el.Only(ns, part[0]); ok {
				b = element(b, part[1], text(v))
			}
		}
		return append(append(append(b, "</"...), p.four...), '>')
	}
	switch el.Name.Local {
	case "TEL":
		return property(b, "tel", parameters(el), asURI, "tel:"+of(el, "NUMBER"))
	case "EMAIL":
		return property(b, "email", parameters(el), asText, of(el, "USERID"))
	case "ORG": // section 7.3.3
		return property(b, "org", "", asText, of(el, "ORGNAME"))
	case "GEO":
		return property(b, "geo", "", asURI, "geo:"+of(el, "LAT")+","+of(el, "LON"))
	case "KEY": // section 7.2.1
		return property(b, "key", "", asText, of(el, "CRED"))
	case "CATEGORIES":
		for _, c := range el.Children {
			if word, err := el.Child(c); err == nil && c.Name.Local == "KEYWORD" {
				b = property(b, "categories", "", asText, text(word))
			}
		}
	case "LOGO":
		return media(b, el, "logo", of(el, "TYPE"))
	case "SOUND":
		return media(b, el, "sound", "audio/basic")
	}
	return b
}

// media is a property that lies elsewhere, or in the card as a data: URI (RFC 2397).
func media(b []byte, el *xmpp.Element, name, typ string) []byte {
	if there := of(el, "EXTVAL"); there != "" {
		return property(b, name, "", asURI, there)
	}
	if data := strings.Join(strings.Fields(of(el, "BINVAL")), ""); data != "" {
		return property(b, name, "", asURI, "data:"+typ+";base64,"+data)
	}
	return b
}

// parameters are the types of an address or a number, and whether it is the preferred one.
func parameters(el *xmpp.Element) string {
	b := ""
	for _, t := range types {
		if el.Has(ns, strings.ToUpper(t)) {
			b += "<text>" + t + "</text>"
		}
	}
	if b != "" {
		b = "<type>" + b + "</type>"
	}
	if el.Has(ns, "PREF") {
		b += "<pref><integer>1</integer></pref>"
	}
	if b == "" {
		return ""
	}
	return "<parameters>" + b + "</parameters>"
}

func property(b []byte, name, params, kind, value string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = element(append(b, params...), kind, value)
	return append(append(append(b, "</"...), name...), '>')
}

func element(b []byte, name, value string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	b = append(b, xmpp.Escape(value)...)
	return append(append(append(b, "</"...), name...), '>')
}

// text is the character data of an element, without spaces around it; "" where it has children.
func text(el *xmpp.Element) string {
	t, _ := el.Text()
	return strings.TrimSpace(t)
}

// of is the text of the first child of that name, in the namespace of the element.
func of(el *xmpp.Element, local string) string {
	child, ok := el.Only(el.Name.Space, local)
	if !ok {
		return ""
	}
	return text(child)
}
