package web

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"trivium/config"
)

func TestBelow(t *testing.T) {
	for _, tt := range []struct {
		public string
		want   below
		fault  string
	}{
		{public: ""},
		{public: "https://example.org"},
		{public: "https://example.org/"},
		{public: "https://example.org/trivium", want: "/trivium"},
		{public: "https://example.org/our/files.site/", want: "/our/files.site"},
		{public: "https://example.org/files", fault: "an address of the pages themselves"},
		{public: "https://example.org/s/x", fault: "an address of the pages themselves"},
		{public: "https://example.org/a/../b", fault: "use letters"},
		{public: `https://example.org/a"b`, fault: "use letters"},
		{public: "https://example.org/a b", fault: "use letters"},
		{public: "https://example.org/%7B%7B", fault: "use letters"},
	} {
		got, err := newBelow(tt.public, (&Server{}).table())
		if got != tt.want || (err == nil) != (tt.fault == "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%q: %q, %v", tt.public, got, err)
		}
	}
	b := below("/trivium")
	for in, want := range map[string]string{"/trivium": "/", "/trivium/": "/", "/trivium/files/a": "/files/a", "/triviumx": "/triviumx", "/files/": "/files/",
		"/trivium?q=1": "/?q=1", "/trivium/trivium/x": "/trivium/x", "*": "*", "": ""} {
		if got := b.cut(in); got != want {
			t.Errorf("cut %q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"/": "/trivium/", "/files/": "/trivium/files/", "//evil.example/": "//evil.example/", "https://example.org/": "https://example.org/", "#a": "#a", "": ""} {
		if got := b.add(in); got != want {
			t.Errorf("add %q: %q, want %q", in, got, want)
		}
	}
	r := b.enter(httptest.NewRequest(http.MethodGet, "/trivium/files/a%2Fb?x=1", nil))
	if r.URL.Path != "/files/a/b" || r.URL.RawPath != "/files/a%2Fb" || r.RequestURI != "/files/a%2Fb?x=1" || r.URL.RequestURI() != r.RequestURI {
		t.Errorf("%q %q %q", r.URL.Path, r.URL.RawPath, r.RequestURI)
	}
	h := http.Header{"Location": {"/login"}, "Link": {`</api/v1/users?cursor=a>; rel="next"`}, "Refresh": {"2; url=/admin"}}
	b.headers(h)
	if h.Get("Location") != "/trivium/login" || h.Get("Link") != `</trivium/api/v1/users?cursor=a>; rel="next"` || h.Get("Refresh") != "2; url=/trivium/admin" {
		t.Error(h)
	}
}

func TestBelowTemplate(t *testing.T) {
	b := below("/t")
	for source, want := range map[string]string{
		`<a href="/x">`: `<a href="/t/x">`,
		`<a href="//x"><a href="#x"><a href="?x">`:     `<a href="//x"><a href="#x"><a href="?x">`,
		`<a class="/x" href="{{.A}}">`:                 `<a class="/x" href="/t/a">`,
		`<a href="{{.A}}?b={{.A}}">`:                   `<a href="/t/a?b=%2fa">`,
		`<a href="/x?next={{if .Yes}}{{.A}}{{end}}">`:  `<a href="/t/x?next=%2fa">`,
		`<a href="{{if .No}}{{.A}}{{else}}/b{{end}}">`: `<a href="/t/b">`,
		`<a href="{{if .Yes}}{{.A}}{{else}}b{{end}}">`: `<a href="/t/a">`,
		`<a href="{{with .A}}{{.}}{{end}}/c">`:         `<a href="/t/a/c">`,
		`<form action="{{or "" .A}}">`:                 `<form action="/t/a">`,
		`<a href="{{.U}}">`:                            `<a href="xmpp:a@example.org?join">`,
		`<p data-name="{{.A}}" title="/x">`:            `<p data-name="/a" title="/x">`,
		`{{range .L}}<a href="{{.}}">{{end}}`:          `<a href="/t/1"><a href="/t/2">`,
	} {
		out := new(strings.Builder)
		tpl, err := template.New("").Funcs(template.FuncMap{"below": b.value}).Parse(b.template(source))
		if err == nil {
			err = tpl.Execute(out, map[string]any{"A": "/a", "U": template.URL("xmpp:a@example.org?join"), "Yes": true, "No": false, "L": []string{"/1", "/2"}})
		}
		if err != nil || out.String() != want {
			t.Errorf("%s: %s, want %s: %v", source, out, want, err)
		}
	}
}

// notAddresses are attributes with words of people in them, and paths of the tree.
var notAddresses = map[string]bool{"value": true, "title": true, "alt": true, "aria-label": true, "data-name": true, "data-confirm": true, "data-label": true, "data-upload": true, "d": true, "data-folder": true, "data-below": true}

var attributes = regexp.MustCompile(`\s([a-z-]+)="([^"]*)"`)

// No address of any page with everything in it stays where it was, in any language.
func TestEveryPageBelow(t *testing.T) {
	const root = below("/below")
	r, languages := testRenderer(t, root)
	for name, both := range views() {
		// Where nothing is known, as with the first of these, some forms have the last part of their address alone.
		for _, words := range languages.Languages() {
			for _, view := range both {
				view.(interface{ base() *page }).base().words = words
				b, err := r.execute(name, view)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range attributes.FindAllStringSubmatch(b.String(), -1) {
					if at, plain := m[2], notAddresses[m[1]] || m[1] == "action" && strings.Count(m[2], "/") == 1; !plain && strings.HasPrefix(at, "/") && !strings.HasPrefix(at, string(root)+"/") && at != "/" || strings.Contains(at, string(root)+string(root)) {
						t.Errorf("%s in %s: %s", name, words.Tag, m[0])
					}
				}
			}
		}
	}
}

func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		what, reads, peer string
		header            http.Header
		client            string
		https             bool
		host              string
	}{
		{what: "nobody says anything", peer: "10.0.0.1:5", client: "10.0.0.1:5"},
		{what: "a stranger says a lot", peer: "192.0.2.1:5", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"a.example"}, "Forwarded": {"for=127.0.0.1;proto=https"}}, client: "192.0.2.1:5"},
		{what: "one proxy", peer: "10.0.0.1:5", header: http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"files.example.org"}}, client: "192.0.2.7:0", https: true, host: "files.example.org"},
		{what: "what the client wrote stands to the left", peer: "10.0.0.1:5", header: http.Header{"X-Forwarded-For": {"127.0.0.1, 10.0.0.9", "192.0.2.7"}, "X-Forwarded-Proto": {"https, http"}}, client: "192.0.2.7:0"},
		{what: "two proxies", peer: "10.0.0.1:5", header: http.Header{"X-Forwarded-For": {"192.0.2.7, 10.0.0.2"}, "X-Forwarded-Proto": {"https, http"}, "X-Forwarded-Host": {"files.example.org, inner"}}, client: "192.0.2.7:0", https: true, host: "files.example.org"},
		{what: "two proxies, one of which speaks", peer: "10.0.0.1:5", header: http.Header{"X-Forwarded-For": {"192.0.2.7, 10.0.0.2"}, "X-Forwarded-Proto": {"https"}}, client: "192.0.2.7:0", https: true},
		{what: "no address", peer: "10.0.0.1:5", header: http.Header{"X-Forwarded-For": {"192.0.2.7, unknown"}}, client: "10.0.0.1:5"},
		{what: "a port, IPv6 in brackets", peer: "[::ffff:10.0.0.1]:5", header: http.Header{"X-Forwarded-For": {"[2001:db8::7]:4711"}}, client: "[2001:db8::7]:0"},
		{what: "a host that is none", peer: "10.0.0.1:5", header: http.Header{"X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Host": {"a; script-src *"}}, client: "192.0.2.7:0"},
		{what: "the other header does not count", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {"for=192.0.2.9;proto=https"}}, client: "10.0.0.1:5"},
		{what: "RFC 7239", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for=192.0.2.7;proto=https;by=10.0.0.1;host="files.example.org:8443"`}, "X-Forwarded-For": {"127.0.0.1"}}, client: "192.0.2.7:0", https: true, host: "files.example.org:8443"},
		{what: "RFC 7239, a chain", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for=127.0.0.1;proto=http, For="[2001:db8::7]:99"; Proto=HTTPS`, `for=10.0.0.2;proto=http`}}, client: "[2001:db8::7]:0", https: true},
		{what: "RFC 7239, hidden", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for=192.0.2.9, for=_hidden;proto=https`}}, client: "10.0.0.1:5", https: true},
		{what: "RFC 7239, a quote that swallows", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for="127.0.0.1, for=192.0.2.7`}}, client: "192.0.2.7:0"},
		{what: "RFC 7239, no pair in front", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`0, for=192.0.2.7;proto=https`}}, client: "192.0.2.7:0", https: true},
		{what: "RFC 7239, a backslash in front", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for="x\`, `for="[2001:db8::7]:99"`}}, client: "[2001:db8::7]:0"},
		{what: "RFC 7239, what cannot be read is far away", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for=127.0.0.1, =, for=10.0.0.2`}}, client: "10.0.0.2:0"},
		{what: "RFC 7239, the nearest cannot be read", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for=127.0.0.1, for="192.0.2.7`}}, client: "10.0.0.1:5"},
		{what: "RFC 7239, a quoted comma", reads: "forwarded", peer: "10.0.0.1:5", header: http.Header{"Forwarded": {`for="a, for=127.0.0.1", for=192.0.2.7`}}, client: "192.0.2.7:0"},
	} {
		s := &Server{opt: Options{Config: config.Web{Forwarded: tt.reads, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr, r.Header = tt.peer, tt.header
		if o := s.originOf(r); o.client.String() != tt.client || o.https != tt.https || o.host != tt.host {
			t.Errorf("%s: %+v", tt.what, o)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "for=192.0.2.7;proto=https", `for="[2001:db8::1]:80", for=_x;host="a\"b"`, `for="`, "=,;=", `a="\`, "for=1.2.3.4,,for=5.6.7.8", "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hops := forwardedHops([]string{s})
		if len(hops) > maxHops {
			t.Errorf("%d hops", len(hops))
		}
		// What the proxy adds at the end is what counts, whatever came before it.
		for added, from := range map[string]string{"for=192.0.2.7": "192.0.2.7", `for="[2001:db8::7]:99";host="a\"b,c"`: "[2001:db8::7]:99"} {
			for _, values := range [][]string{{s, added}, {s + ", " + added}} {
				if hops = forwardedHops(values); len(hops) == 0 || hops[0].from != from {
					t.Errorf("%q hides the last: %+v", s, hops)
				}
			}
		}
	})
}
