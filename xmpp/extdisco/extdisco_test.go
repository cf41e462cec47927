package extdisco_test

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as the module
	"encoding/base64"
	"regexp"
	"testing"

	"trivium/identity"
	"trivium/internal/sqldb"
	"trivium/xmpp"
	"trivium/xmpp/extdisco"
	. "trivium/xmpp/xmpptest"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]extdisco.Service{
		"stun:stun.example.org":                    {Type: "stun", Host: "stun.example.org", Port: 3478, Transport: "udp"},
		"turn:turn.example.org:3479?transport=tcp": {Type: "turn", Host: "turn.example.org", Port: 3479, Transport: "tcp"},
		"turns:[2001:db8::1]:443":                  {Type: "turns", Host: "2001:db8::1", Port: 443, Transport: "tcp"},
		"":                                         {}, "stun:": {}, "http://example.org": {}, "turn:a:0": {}, "turn:a:99999": {}, "turn:a?x=y": {}, "turn:a b": {}, "turn://a": {}, "stun:a?transport=tcp": {},
	} {
		got, err := extdisco.Parse(text)
		if (err == nil) != (want != extdisco.Service{}) || err == nil && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestServices(t *testing.T) {
	s := Start(t, Options{Modules: func(*sqldb.DB, *identity.Service) []xmpp.Module {
		stun, _ := extdisco.Parse("stun:stun.example.org")
		turn, _ := extdisco.Parse("turn:turn.example.org")
		return []xmpp.Module{extdisco.New(extdisco.Options{Services: []extdisco.Service{stun, turn}, Secret: identity.NewSecret("shared")})}
	}})
	alice, bob := s.Online("alice", "a"), s.Online("bob", "b")
	const all = "<services xmlns='urn:xmpp:extdisco:2'/>"
	got := alice.Ask("get", Host, all)
	Has(t, "all", got, "<service host='stun.example.org' port='3478' type='stun' transport='udp'/>", "<service host='turn.example.org' port='3478' type='turn' transport='udp' restricted='true' expires='2", "Z' username='")
	m := regexp.MustCompile(`username='([^']+)' password='([^']+)'`).FindStringSubmatch(got)
	mac := hmac.New(sha1.New, []byte("shared"))
	mac.Write([]byte(m[1]))
	if m[2] != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("the password of %s is %s", m[1], m[2])
	}
	_, who, _ := cut(m[1])
	if _, other, _ := cut(regexp.MustCompile(`username='([^']+)'`).FindStringSubmatch(bob.Ask("get", Host, all))[1]); who == other {
		t.Error("two people have one name")
	}
	Has(t, "one kind", alice.Ask("get", Host, "<services xmlns='urn:xmpp:extdisco:2' type='turn'/>"), "type='turn'><service host='turn")
	Has(t, "credentials", alice.Ask("get", Host, "<credentials xmlns='urn:xmpp:extdisco:2'><service host='turn.example.org' type='turn'/></credentials>"), "<credentials", "username=", "password=")
	Has(t, "of stun", alice.Ask("get", Host, "<credentials xmlns='urn:xmpp:extdisco:2'><service host='stun.example.org' type='stun'/></credentials>"), "<item-not-found")
	Has(t, "of nothing", alice.Ask("get", Host, "<credentials xmlns='urn:xmpp:extdisco:2'><service/></credentials>"), "<bad-request")
	Has(t, "discovery", alice.Ask("get", Host, "<query xmlns='http://jabber.org/protocol/disco#info'/>"), "<feature var='urn:xmpp:extdisco:2'/>")
}

func cut(s string) (before, after string, ok bool) {
	m := regexp.MustCompile(`^(\d+):(.+)$`).FindStringSubmatch(s)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

func FuzzParse(f *testing.F) {
	f.Add("turn:a:1?transport=udp")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := extdisco.Parse(text); err == nil && (s.Host == "" || s.Port < 1 || s.Port > 65535) {
			t.Errorf("%q: %+v", text, s)
		}
	})
}
