package caps

import (
	"testing"

	"trivium/xmpp"
)

func read(t testing.TB, children string) *info {
	t.Helper()
	el, err := xmpp.ParseElement([]byte("<query xmlns='" + nsInfo + "'>" + children + "</query>"))
	if err != nil {
		t.Fatal(err)
	}
	i, err := readInfo(el)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

const (
	exodus = "<identity category='client' type='pc' name='Exodus 0.9.1'/><feature var='http://jabber.org/protocol/muc'/>" +
		"<feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/caps'/>"
	psi = "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/><identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>" +
		"<feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>" +
		"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>" +
		"<field var='ip_version' type='text-multi'><value>ipv4</value><value>ipv6</value></field><field var='os'><value>Mac</value></field>" +
		"<field var='os_version'><value>10.5.1</value></field><field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field></x>"
	bombus = "<identity category='client' name='BombusMod' type='mobile'/><feature var='http://jabber.org/protocol/si'/><feature var='http://jabber.org/protocol/bytestreams'/>" +
		"<feature var='http://jabber.org/protocol/chatstates'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/>" +
		"<feature var='urn:xmpp:ping'/><feature var='jabber:iq:time'/><feature var='jabber:iq:privacy'/><feature var='jabber:iq:version'/><feature var='http://jabber.org/protocol/rosterx'/>" +
		"<feature var='urn:xmpp:time'/><feature var='jabber:x:oob'/><feature var='http://jabber.org/protocol/ibb'/><feature var='http://jabber.org/protocol/si/profile/file-transfer'/>" +
		"<feature var='urn:xmpp:receipts'/><feature var='jabber:iq:roster'/><feature var='jabber:iq:last'/>"
)

// The examples of XEP-0115 sections 5.2 and 5.3, and of XEP-0390 section 4.4.1.
func TestHashes(t *testing.T) {
	for _, tt := range []struct {
		name, children string
		key            key
	}{
		{"simple", exodus, key{true, "sha-1", "QgayPKawpkPSDYmwT/WM94uAlu0"}},
		{"BombusMod, sha-256", bombus, key{false, "sha-256", "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8="}},
		{"BombusMod, sha3-256", bombus, key{false, "sha3-256", "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q="}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := read(t, tt.children)
			if !i.proves(tt.key, "") {
				t.Errorf("the hash is not found")
			}
			i.Features = i.Features[1:]
			if i.proves(tt.key, "") {
				t.Error("a feature less is no difference")
			}
		})
	}
	text, sure := read(t, psi).input()
	if h, _ := sum("sha-1", text); h != "q07IKJEyjvHSyhy//CH0CxmKi8w=" {
		t.Errorf("complex example: %s of %q", h, text)
	}
	if sure {
		t.Error("a form that could be the rest of the features was taken as sure")
	}
	if !read(t, psi+"<feature var='urn:xmpp:time'/>").proves(func() key {
		text, _ := read(t, psi+"<feature var='urn:xmpp:time'/>").input()
		h, _ := sum("sha-1", text)
		return key{true, "sha-1", h}
	}(), "") {
		t.Error("a form that cannot be the rest of the features was not taken as sure")
	}
}

// Answers that hash to what another client announces, and say less.
func TestAmbiguous(t *testing.T) {
	honest := "<identity category='client' type='pc' name='X'/><feature var='a:caps'/><feature var='http://x/y/z/notify'/><feature var='urn:a'/><feature var='urn:b+notify'/>"
	text, sure := read(t, honest).input()
	if !sure {
		t.Fatal("the honest answer is not sure")
	}
	h, _ := sum("sha-1", text)
	k := key{true, "sha-1", h}
	for _, tt := range []struct{ name, children string }{
		{"features as a form", "<identity category='client' type='pc' name='X'/><feature var='a:caps'/><feature var='http://x/y/z/notify'/>" +
			"<x xmlns='jabber:x:data'><field var='FORM_TYPE' type='hidden'><value>urn:a</value></field><field var='urn:b+notify'/></x>"},
		{"two features in one", "<identity category='client' type='pc' name='X'/><feature var='a:caps'/><feature var='http://x/y/z/notify'/><feature var='urn:a&lt;urn:b+notify'/>"},
		{"features in the name of the client", "<identity category='client' type='pc' name='X&lt;a:caps'/><feature var='http://x/y/z/notify'/><feature var='urn:a'/><feature var='urn:b+notify'/>"},
		{"no identity", "<feature var='client/pc//X'/><feature var='a:caps'/><feature var='http://x/y/z/notify'/><feature var='urn:a'/><feature var='urn:b+notify'/>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i := read(t, tt.children)
			if text, _ := i.input(); func() string { h, _ := sum("sha-1", text); return h }() != h && tt.name != "no identity" {
				t.Fatalf("the forgery does not hash alike: %q", text)
			}
			if i.proves(k, "") {
				t.Error("a forged answer counts for all")
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache()
	for i := range 3 * maxKnown {
		c.put(key{true, "sha-1", string(rune(i))}, []string{"a"})
		c.get(key{true, "sha-1", string(rune(0))})
	}
	if len(c.byKey) != maxKnown || c.order.Len() != maxKnown {
		t.Errorf("%d and %d entries", len(c.byKey), c.order.Len())
	}
	if _, ok := c.get(key{true, "sha-1", string(rune(0))}); !ok {
		t.Error("what is announced again and again was forgotten")
	}
	big := make([]byte, maxText)
	for i := range 1000 {
		c.put(key{false, "sha-1", string(rune(i))}, []string{string(big)})
	}
	if c.bytes > maxKnownBytes {
		t.Errorf("%d bytes", c.bytes)
	}
}

func FuzzInfo(f *testing.F) {
	for _, s := range []string{exodus, psi, bombus, "<x xmlns='jabber:x:data'><reported/></x>", "<feature/>", "<identity/>", "<other xmlns='x'/>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, children string) {
		el, err := xmpp.ParseElement([]byte("<query xmlns='" + nsInfo + "'>" + children + "</query>"))
		if err != nil {
			return
		}
		i, err := readInfo(el)
		if err != nil {
			return
		}
		text, sure := i.input()
		h, _ := sum("sha-1", text)
		if sure != i.proves(key{true, "sha-1", h}, "") {
			t.Errorf("%q is sure: %v", text, sure)
		}
		if text, ok := i.input2(""); ok {
			h, _ := sum("sha-256", text)
			if !i.proves(key{false, "sha-256", h}, "") {
				t.Errorf("%q does not prove its own hash", text)
			}
		}
		i.features()
	})
}
