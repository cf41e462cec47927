package importer

// card writes the vCard: as it is where Prosody keeps it so, else made of the newer form that lies in the
// account's nodes since 0.11 (mod_vcard_legacy). Its picture is the avatar.
func (p *prosodyUser) card() {
	if card := p.load("vcard"); card != nil {
		p.stanza(card, "vcard-temp")
		return
	}
	p.list(prosodyStore("pep_urn:xmpp:vcard4"), func(card *luaTable) {
		if card.text("name") != "vcard" {
			return
		}
		p.text("<vCard xmlns='vcard-temp'>")
		for _, v := range card.list {
			if part, ok := v.(*luaTable); ok {
				p.cardPart(part)
			}
		}
		p.text("</vCard>\n")
	})
}

// cardPart writes one property of a vCard of RFC 6351 in the form of XEP-0054.
func (p *prosodyUser) cardPart(part *luaTable) {
	plain := map[string]string{"fn": "FN", "nickname": "NICKNAME", "url": "URL", "bday": "BDAY", "note": "DESC", "title": "TITLE", "role": "ROLE", "tz": "TZ"}
	within := map[string][2]string{"email": {"EMAIL", "USERID"}, "tel": {"TEL", "NUMBER"}, "org": {"ORG", "ORGNAME"}}
	parts := map[string][][2]string{
		"n": {{"surname", "FAMILY"}, {"given", "GIVEN"}, {"additional", "MIDDLE"}, {"prefix", "PREFIX"}, {"suffix", "SUFFIX"}},
		"adr": {{"pobox", "POBOX"}, {"ext", "EXTADD"}, {"street", "STREET"}, {"locality", "LOCALITY"}, {"region", "REGION"},
			{"code", "PCODE"}, {"country", "CTRY"}},
	}
	name := part.text("name")
	if to, ok := plain[name]; ok {
		p.named(to, inner(part, ""))
	}
	if to, ok := within[name]; ok {
		p.text("<", to[0], ">")
		p.named(to[1], inner(part, ""))
		p.text("</", to[0], ">")
	}
	if list, ok := parts[name]; ok {
		to := map[string]string{"n": "N", "adr": "ADR"}[name]
		p.text("<", to, ">")
		for _, x := range list {
			p.named(x[1], inner(part, x[0]))
		}
		p.text("</", to, ">")
	}
}

// named writes text as an element, where there is some.
func (p *prosodyUser) named(name, value string) {
	if value == "" {
		return
	}
	p.text("<", name, ">")
	p.escaped(value)
	p.text("</", name, ">")
}

// inner is the text of the first child of that name; "" is the first that has some, as a property has
// its value in an element for its type.
func inner(t *luaTable, name string) string {
	for _, v := range t.list {
		c, ok := v.(*luaTable)
		if !ok || name != "" && c.text("name") != name || c.text("name") == "parameters" {
			continue
		}
		for _, v := range c.list {
			if s, ok := v.(string); ok {
				return s
			}
		}
	}
	return ""
}
