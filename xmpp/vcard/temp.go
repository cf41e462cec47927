package vcard

import (
	"strings"

	"trivium/xmpp"
)

// Temp makes a card of vcard-temp of a vCard4: the way of [Four] back. Properties that vcard-temp has
// no place for, such as languages, are left out, and so is the picture, which is the avatar of XEP-0084.
func Temp(card *xmpp.Element) []byte {
	b := []byte("<vCard xmlns='" + ns + "'>")
	for _, c := range card.Children {
		el, err := card.Child(c)
		if err != nil || c.Name.Space != ns4 {
			continue
		}
		if c.Name.Local != "group" { // RFC 6351 section 5: properties may stand in groups
			b = temp(b, el)
			continue
		}
		for _, c := range el.Children {
			if el, err := el.Child(c); err == nil && c.Name.Space == ns4 {
				b = temp(b, el)
			}
		}
	}
	return append(b, "</vCard>"...)
}

// temp adds one property of vCard4.
func temp(b []byte, el *xmpp.Element) []byte {
	for _, p := range simple {
		if p.four != el.Name.Local {
			continue
		}
		v := value(el)
		if after, ok := strings.CutPrefix(v, p.prefix); ok && v != "" {
			return element(b, p.temp, after)
		}
		return b // such as an address of another network
	}
	for _, p := range parts {
		if p.four != el.Name.Local {
			continue
		}
		b = append(append(append(b, '<'), p.temp...), '>')
		if p.temp != "N" {
			b = flags(b, el)
		}
		for _, part := range p.of {
			if v, ok := el.Only(ns4, part[1]); ok {
				b = element(b, part[0], text(v))
			}
		}
		return append(append(append(b, "</"...), p.temp...), '>')
	}
	v := value(el)
	if v == "" {
		return b
	}
	switch el.Name.Local {
	case "tel":
		b = element(flags(append(b, "<TEL>"...), el), "NUMBER", strings.TrimPrefix(v, "tel:"))
		return append(b, "</TEL>"...)
	case "email":
		b = element(append(flags(append(b, "<EMAIL>"...), el), "<INTERNET/>"...), "USERID", v)
		return append(b, "</EMAIL>"...)
	case "org":
		b = append(b, "<ORG>"...)
		name := "ORGNAME" // RFC 6351 has the units behind it, as further texts
		for _, c := range el.Children {
			if t, err := el.Child(c); err == nil && c.Name.Local == asText {
				b = element(b, name, text(t))
				name = "ORGUNIT"
			}
		}
		return append(b, "</ORG>"...)
	case "geo":
		lat, lon, ok := strings.Cut(strings.TrimPrefix(v, "geo:"), ",")
		if !ok {
			return b
		}
		lon, _, _ = strings.Cut(lon, ",") // RFC 5870: the altitude, and parameters
		lon, _, _ = strings.Cut(lon, ";")
		return append(element(element(append(b, "<GEO>"...), "LAT", lat), "LON", lon), "</GEO>"...)
	case "key":
		return append(element(append(b, "<KEY>"...), "CRED", v), "</KEY>"...)
	case "categories":
		b = append(b, "<CATEGORIES>"...)
		for _, c := range el.Children {
			if t, err := el.Child(c); err == nil && c.Name.Local == asText {
				b = element(b, "KEYWORD", text(t))
			}
		}
		return append(b, "</CATEGORIES>"...)
	case "logo", "sound":
		return thing(b, strings.ToUpper(el.Name.Local), v)
	}
	return b
}

// thing is a logo or a sound, which lies elsewhere or is a data: URI.
func thing(b []byte, name, uri string) []byte {
	b = append(append(append(b, '<'), name...), '>')
	head, data, inline := strings.Cut(strings.TrimPrefix(uri, "data:"), ";base64,")
	switch {
	case !strings.HasPrefix(uri, "data:") || !inline:
		b = element(b, "EXTVAL", uri)
	case name == "LOGO":
		b = element(element(b, "TYPE", head), "BINVAL", data)
	default: // a sound has no type there
		b = element(b, "BINVAL", data)
	}
	return append(append(append(b, "</"...), name...), '>')
}

// flags are the types of an address or a number that vcard-temp knows.
func flags(b []byte, el *xmpp.Element) []byte {
	params, ok := el.Only(ns4, "parameters")
	if !ok {
		return b
	}
	if list, ok := params.Only(ns4, "type"); ok {
		for _, t := range types {
			for _, c := range list.Children {
				if said, err := list.Child(c); err == nil && strings.EqualFold(text(said), t) {
					b = append(append(append(b, '<'), strings.ToUpper(t)...), "/>"...)
					break
				}
			}
		}
	}
	if params.Has(ns4, "pref") {
		b = append(b, "<PREF/>"...)
	}
	return b
}

// value is the first value of a property, whatever its kind.
func value(el *xmpp.Element) string {
	for _, c := range el.Children {
		if c.Name.Local == "parameters" {
			continue
		}
		if v, err := el.Child(c); err == nil {
			return text(v)
		}
	}
	return ""
}
