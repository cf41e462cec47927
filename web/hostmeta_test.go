package web_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/web"
)

func TestHostMeta(t *testing.T) {
	const rel = "urn:xmpp:alt-connections:websocket"
	links := []web.Link{{Rel: rel, Scheme: "wss", Path: "/xmpp-websocket"}}
	for _, tt := range []struct {
		name  string
		host  string // $ is the port of https
		https bool
		set   change
		want  string // "" is absent
	}{
		{"our domain", "example.org", true, nil, "wss://example.org/xmpp-websocket"},
		{"its port", "EXAMPLE.org:$", true, nil, "wss://EXAMPLE.org:$/xmpp-websocket"},
		{"another one of ours", "example.net", true, nil, "wss://example.net/xmpp-websocket"},
		{"in the clear", "example.org", false, nil, "wss://example.org:$/xmpp-websocket"},
		{"a stranger's", "evil.example", true, nil, ""},
		{"below ours", "www.example.org", true, nil, ""},
		{"no port", "example.org:99999", true, nil, ""},
		{"an address", "127.0.0.1", true, nil, ""},
		{"no TLS at all", "example.org", false, func(w *web.Options, _ *identity.Options) { w.Config.TLSListen = nil }, ""},
		{"where people see us", "example.org", false, func(w *web.Options, _ *identity.Options) { w.Config.PublicURL = "https://files.example.org/" }, "wss://files.example.org/xmpp-websocket"},
		{"chat is off", "example.org", true, func(w *web.Options, _ *identity.Options) { w.Links = nil }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, func(w *web.Options, i *identity.Options) {
				w.Links, w.Domains = links, []string{"example.net"}
				if tt.set != nil {
					tt.set(w, i)
				}
			})
			port := s.https[strings.LastIndexByte(s.https, ':')+1:]
			want := strings.ReplaceAll(tt.want, "$", port)
			b := s.browserAt(s.plain)
			if tt.https {
				b = s.browserAt(s.https)
			}
			get := func(path string) answer {
				r := b.request(http.MethodGet, path, nil)
				r.Host = strings.ReplaceAll(tt.host, "$", port)
				r.Header.Set("Origin", "https://chat.example.com")
				return b.do(r)
			}
			x, j := get("/.well-known/host-meta"), get("/.well-known/host-meta.json")
			if want == "" {
				for _, a := range []answer{x, j} {
					if a.StatusCode != http.StatusNotFound || a.Header.Get("Access-Control-Allow-Origin") != "" {
						t.Errorf("%d %q", a.StatusCode, a.body)
					}
				}
				return
			}
			var xrd struct {
				XMLName xml.Name `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD"`
				Link    []struct {
					Rel  string `xml:"rel,attr"`
					Href string `xml:"href,attr"`
				}
			}
			if err := xml.Unmarshal([]byte(x.body), &xrd); err != nil || len(xrd.Link) != 1 || xrd.Link[0].Rel != rel || xrd.Link[0].Href != want {
				t.Errorf("%v: %q, want %s", err, x.body, want)
			}
			var jrd struct{ Links []struct{ Rel, Href string } }
			if err := json.Unmarshal([]byte(j.body), &jrd); err != nil || len(jrd.Links) != 1 || jrd.Links[0].Rel != rel || jrd.Links[0].Href != want {
				t.Errorf("%v: %q, want %s", err, j.body, want)
			}
			for i, a := range []answer{x, j} {
				kind := []string{"application/xrd+xml", "application/json"}[i]
				if a.StatusCode != http.StatusOK || a.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.HasPrefix(a.Header.Get("Content-Type"), kind) || len(a.Cookies()) > 0 {
					t.Errorf("%d %v", a.StatusCode, a.Header)
				}
			}
		})
	}
}

// Only that document is for pages of other sites.
func TestNoOtherCORS(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	for _, path := range []string{"/login", "/healthz", "/.well-known/change-password"} {
		r := b.request(http.MethodGet, path, nil)
		r.Header.Set("Origin", "https://chat.example.com")
		if a := b.do(r); a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
}
