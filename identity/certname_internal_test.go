package identity

import (
	"encoding/hex"
	"strings"
	"testing"
)

// FuzzAltNames: what a certificate names is a list of texts, never more than are looked at.
func FuzzAltNames(f *testing.F) {
	for _, s := range []string{"", "3000", "301fa01d06082b06010505070805a0110c0f616c696365406578616d706c652e", "3024a02206082b06010505070805a0160c14616c696365406578616d706c652e6f72672f78",
		"3022a02006082b06010505070805a0140c12616c696365406578616d706c652e6f7267ff", "3009820765782e6f7267"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	rules := []CertificateName{{Kind: NameXMPP}, {Kind: NameURI, Before: "https://example.org/~"}, {Kind: NameDNS, After: ".example.org"}}
	f.Fuzz(func(t *testing.T, der []byte) {
		list := parseAltNames(der)
		if len(list) > maxNames {
			t.Fatal(len(list))
		}
		for _, text := range list {
			for _, r := range rules {
				if login, ok := r.login(certName{r.Kind, text}); ok && (login == "" || r.Kind != NameXMPP && strings.ContainsAny(login, "@/.")) {
					t.Fatalf("%q means %q", text, login)
				}
			}
		}
	})
}

func TestCertificateName(t *testing.T) {
	for _, text := range []string{"", "cn", "xmpp:", "email:x", "uri:", "uri:{login}", "dns:{login}", "dns:example.org", "uri:https://{login}/{login}", "ip:{login}"} {
		if r, err := ParseCertificateName(text); err == nil {
			t.Errorf("%q was read as %+v", text, r)
		}
	}
	for _, tt := range []struct {
		rule string
		kind NameKind
		text string
		want string // "": nobody
	}{
		{"xmpp", NameXMPP, "alice@example.org", "alice@example.org"},
		{"xmpp", NameXMPP, "alice@example.org/phone", "alice@example.org"},
		{"xmpp", NameXMPP, "alice", ""},
		{"xmpp", NameEmail, "alice@example.org", ""},
		{"email", NameEmail, "a@b@example.org", ""},
		{"uri:https://example.org/~{login}", NameURI, "https://example.org/~alice", "alice"},
		{"uri:https://example.org/~{login}", NameURI, "https://example.org/~alice/x", ""},
		{"uri:https://example.org/~{login}", NameURI, "https://example.org/~alice@example.net", ""},
		{"uri:https://example.org/~{login}", NameURI, "http://example.org/~alice", ""},
		{"uri:https://example.org/~{login}", NameURI, "https://example.org/~", ""},
		{"dns:{login}.People.example.org", NameDNS, "Alice.people.EXAMPLE.org", "alice"},
		{"dns:{login}.people.example.org", NameDNS, "a.b.people.example.org", ""},
		{"dns:{login}.people.example.org", NameDNS, "*.people.example.org", ""},
		{"dns:{login}.people.example.org", NameDNS, "alice.people.example.org.evil.test", ""},
	} {
		r, err := ParseCertificateName(tt.rule)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := r.login(certName{tt.kind, tt.text}); ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%s: %q means %q (%v), want %q", tt.rule, tt.text, got, ok, tt.want)
		}
	}
}
