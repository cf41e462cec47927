package tokens

import (
	"strings"
	"testing"
)

func TestWireForm(t *testing.T) {
	w := newWire("alice@example.org")
	s := w.String()
	if !strings.HasPrefix(s, "secret-token:") || strings.ContainsAny(s, "=+/") {
		t.Errorf("%q is not the RFC 8959 prefix and unpadded base64url", s)
	}
	got, ok := parse(s)
	if !ok || got != w {
		t.Errorf("parse(%q) = %+v, %v", s, got, ok)
	}
	if len(w.ID()) != 24 {
		t.Errorf("ID %q has not 24 digits", w.ID())
	}
}

func TestParseRefuses(t *testing.T) {
	good := newWire("alice@example.org").String()
	for name, s := range map[string]string{
		"empty":              "",
		"prefix alone":       Prefix,
		"no prefix":          strings.TrimPrefix(good, Prefix),
		"prefix in capitals": strings.ToUpper(Prefix) + strings.TrimPrefix(good, Prefix),
		"padding":            good + "=",
		"newline inside":     good[:30] + "\n" + good[30:],
		"space after":        good + " ",
		"cut":                good[:len(Prefix)+20],
		"no JID":             newWire("").String(),
		"JID without @":      newWire("alice").String(),
		"JID not UTF-8":      newWire("a\xff@b").String(),
		"another version":    Prefix + "Ag" + good[len(Prefix)+2:],
		"too long":           newWire("a@" + strings.Repeat("b", maxJID+10)).String(),
	} {
		t.Run(name, func(t *testing.T) {
			if w, ok := parse(s); ok {
				t.Errorf("accepted %q as %+v", s, w)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Prefix)
	f.Add((wire{jid: "a@b"}).String())
	f.Add((wire{id: [12]byte{1}, secret: [24]byte{0xff}, jid: "ä@münchen.example"}).String())
	f.Add((wire{jid: "a@b"}).String() + "=")
	f.Fuzz(func(t *testing.T, s string) {
		if w, ok := parse(s); ok && w.String() != s {
			t.Errorf("%q has a second spelling %q", s, w.String())
		}
	})
}
