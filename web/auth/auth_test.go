package auth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"trivium/identity"
)

func TestCredential(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		method identity.Method
		login  string
		secret string // "": refused
	}{
		{"bearer", []string{"Bearer abc"}, identity.MethodBearer, "", "abc"},
		{"any case", []string{"bEARER  abc "}, identity.MethodBearer, "", "abc"},
		{"basic", []string{"Basic YWxpY2U6cGFzczp3b3Jk"}, identity.MethodPassword, "alice", "pass:word"},
		{"none", nil, "", "", ""},
		{"two", []string{"Bearer abc", "Bearer abc"}, "", "", ""},
		{"empty bearer", []string{"Bearer  "}, "", "", ""},
		{"no password", []string{"Basic YWxpY2U6"}, "", "", ""},
		{"no base64", []string{"Basic a:b"}, "", "", ""},
		{"another scheme", []string{"Digest abc"}, "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/?access_token=abc", nil)
			r.Header["Authorization"] = tt.values
			l, err := Credential(r)
			if tt.secret == "" {
				if !errors.Is(err, identity.ErrCredentials) {
					t.Fatalf("%v", err)
				}
				return
			}
			if err != nil || l.Method != tt.method || string(l.Name) != tt.login || l.Secret.Reveal() != tt.secret {
				t.Errorf("%v %q, %v", l.Method, l.Name, err)
			}
		})
	}
}

func TestVisit(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://example.org/", nil)
	r.RemoteAddr = "[::ffff:192.0.2.1]:4711"
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 443}
	v := Visit(r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local))))
	if v.Remote != netip.MustParseAddrPort("192.0.2.1:4711") || v.Local != netip.MustParseAddrPort("192.0.2.2:443") || v.TLS == "" {
		t.Errorf("%v %v %q", v.Remote, v.Local, v.TLS)
	}
	r.RemoteAddr = "@"
	if v := Visit(r); v.Remote.IsValid() {
		t.Error(v.Remote)
	}
}
