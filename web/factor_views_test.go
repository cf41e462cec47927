package web

import (
	"net/http/httptest"
	"strings"
	"testing"

	"trivium/config"
	"trivium/identity"
)

// factorViews are the pages of second factors, as views.
func factorViews(p page) map[string][2]any {
	key := passkeyPart{Action: "/a", Options: "/o", Make: true, Auto: true, Button: nasty, Next: nasty}
	app := appPart{QR: "<svg></svg>", Secret: fullField("totp-secret"), Code: fullField("code")}
	f := identity.Factor{ID: "abc", Kind: identity.FactorPasskey, Label: nasty, Left: 1, Cloned: true, CreatedAt: noon, LastUsed: &noon, LastRemote: nasty}
	row := factorRow{f, "/security/factors/abc/rename", "/security/factors/abc/remove"}
	totp, chat := row, row
	totp.Kind, chat.Kind = identity.FactorTOTP, identity.FactorChat
	cert := certificateRow{Certificate: identity.Certificate{Fingerprint: "0a1b2c", Label: nasty, Subject: nasty, Names: []string{nasty}, NotAfter: noon, AddedAt: noon, LastUsed: &noon, LastProtocol: identity.ProtocolFTP, LastRemote: nasty},
		Short: "0a1b 2c", Over: true, Here: true, RemovePath: "/security/certificates/0a1b2c/remove"}
	p.Flash = &flash{Kind: flashSuccess, Text: nasty, Codes: []identity.Secret{identity.NewSecret("ABCDE-12345"), identity.NewSecret("FGHJK-67890")}}
	return map[string][2]any{
		"login_factor": {&factorView{}, &factorView{page: p, User: nasty, Ways: identity.Halfway{TOTP: true, Recovery: true, Passkey: true, Chat: true, Tries: 1}, Code: fullField("code"), Recovery: true,
			Passkey: key, Asked: &identity.ChatAsked{Code: "ABC-DEF", State: identity.ChatWaiting}, Next: nasty, Left: 1}},
		"login_enrol": {&enrolView{}, &enrolView{page: p, User: nasty, App: app, Passkey: key, Label: fullField("label"), Next: nasty}},
		"confirm": {&confirmView{}, &confirmView{page: p, Action: "/tokens/new", Fields: []hiddenField{{nasty, nasty}}, Next: nasty, Ways: identity.Ways{Password: true, Code: true, Passkey: true},
			Password: fullField("confirm-password"), Code: fullField("confirm-code"), Passkey: key}},
		"security": {&securityView{}, &securityView{page: p, Certificates: []certificateRow{cert}, Passkeys: []factorRow{row}, Others: []factorRow{totp, chat}, Recovery: &row, App: true, Asked: true, Demanded: true, CanChat: true, PasskeyOff: nasty,
			Applications: []applicationRow{{identity.ApplicationUse{App: identity.Application{ID: "a", Name: nasty}, Live: 1}, []string{nasty}, "/security/applications/a/end"}},
			ChatAsked:    &identity.ChatAsked{Code: "ABC-DEF", State: identity.ChatWaiting}}},
		"security_certificate": {&certificateView{}, &certificateView{page: p, Label: fullField("label"), PEM: fullField("pem"), Shown: nasty, ShownPrint: "0a1b 2c"}},
		"security_passkey":     {&addView{}, &addView{page: p, Label: fullField("label"), Passkey: key}},
		"security_app":         {&addView{}, &addView{page: p, App: app}},
	}
}

// Where passkeys work is ours to say, and not the client's.
func TestPasskeySite(t *testing.T) {
	t.Parallel()
	web, https := Bound{Name: "web", Addr: "127.0.0.1:8080", TLS: "none"}, Bound{Name: "https", Addr: "0.0.0.0:8443", TLS: "yes"}
	for _, tt := range []struct {
		what, domain, public, host string
		tls                        bool
		bound                      []Bound
		id, off                    string // part of the reason; "": it works
	}{
		{what: "public address", domain: "example.org", public: "https://files.example.org/", host: "files.example.org", tls: true, bound: []Bound{https}, id: "files.example.org"},
		{what: "public address with a port", domain: "example.org", public: "https://example.org:8443", host: "example.org:8443", tls: true, bound: []Bound{https}, id: "example.org"},
		{what: "the address in another way", domain: "example.org", public: "https://files.example.org", host: "192.0.2.1:8443", tls: true, bound: []Bound{https}, id: "files.example.org", off: "work at https://files.example.org"},
		{what: "the domain at our port", domain: "example.org", host: "Example.org:8443", tls: true, bound: []Bound{https}, id: "example.org"},
		{what: "the domain behind a proxy", domain: "example.org", host: "example.org", tls: true, bound: []Bound{web}, id: "example.org"},
		{what: "the domain at another's port", domain: "example.org", host: "example.org:9999", tls: true, bound: []Bound{https}, id: "example.org", off: "work at"},
		{what: "another domain", domain: "example.org", host: "evil.example", tls: true, bound: []Bound{https}, id: "example.org", off: "work at"},
		{what: "in the clear", domain: "example.org", host: "example.org:8080", bound: []Bound{web}, id: "example.org", off: "need https"},
		{what: "localhost", domain: "localhost", host: "localhost:8080", bound: []Bound{web}, id: "localhost"},
		{what: "localhost by address", domain: "localhost", host: "127.0.0.1:8080", bound: []Bound{web}, id: "localhost", off: "work at http://localhost:8080"},
		{what: "an address alone", domain: "example.org", public: "https://192.0.2.1", host: "192.0.2.2", tls: true, id: "192.0.2.1", off: "need a name"},
	} {
		s := &Server{opt: Options{Domain: tt.domain, SiteName: "Example", Config: config.Web{PublicURL: tt.public}}, bound: tt.bound}
		r := httptest.NewRequest("GET", "/login", nil)
		if tt.tls {
			r = httptest.NewRequest("GET", "https://x/login", nil)
		}
		r.Host = tt.host
		site, off := s.site(english(t), r)
		if site.ID != tt.id || (off == "") != (tt.off == "") || !strings.Contains(off, tt.off) {
			t.Errorf("%s: %+v, %q", tt.what, site, off)
		}
		for _, o := range site.Origins {
			if strings.Contains(o, "evil") || strings.Contains(o, "9999") {
				t.Errorf("%s: the client chose the origin %s", tt.what, o)
			}
		}
	}
}
