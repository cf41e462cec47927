package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

func TestEveryErrorHasAnAnswer(t *testing.T) {
	for _, err := range append(identity.Errors(), files.Errors()...) {
		a := answerTo(fmt.Errorf("trying something: %w", err))
		if a.fallback {
			t.Errorf("%v has no answer", err)
		}
		if a.status < 400 || http.StatusText(a.status) == "" || a.title == "" || !strings.HasSuffix(english(t).T(a.text), ".") || !english(t).Has(a.title) {
			t.Errorf("%v: %d %q %q", err, a.status, a.title, a.text)
		}
	}
	if !answerTo(errors.New("something else")).fallback {
		t.Error("an unknown error is not the fallback")
	}
}

// The four that could tell which accounts exist say the same.
func TestRefusedLoginsLookAlike(t *testing.T) {
	want := answerTo(identity.ErrCredentials)
	for _, err := range []error{identity.ErrDisabled, identity.ErrExpired, identity.ErrRoadClosed} {
		if a := answerTo(err); a.status != want.status || a.words(nil, err) != want.words(nil, identity.ErrCredentials) || a.title != want.title {
			t.Errorf("%v: %d %q", err, a.status, a.words(nil, err))
		}
	}
}

func TestWords(t *testing.T) {
	err := fmt.Errorf("%q is not a name: %w", "a b", identity.ErrInvalid)
	if got := answerTo(err).words(english(t), err); got != `"a b" is not a name.` {
		t.Error(got)
	}
	if got := answerTo(identity.ErrInvalid).words(english(t), identity.ErrInvalid); !strings.HasPrefix(got, "A value") {
		t.Error(got)
	}
}

// testServer has the table but no services: enough for what never calls a handler.
func testServer(t *testing.T, o Options) *Server {
	t.Helper()
	o.Identity, o.Registry = new(identity.Service), new(identity.Registry)
	return &Server{opt: o}
}

func TestEveryRouteIsInTheTable(t *testing.T) {
	s := testServer(t, Options{API: http.NotFoundHandler(), DAV: http.NotFoundHandler(), DAVMethods: []string{http.MethodGet, "PROPFIND", "LOCK"}, Mounts: map[string]http.Handler{"/xmpp-websocket": http.NotFoundHandler()}})
	table := s.table()
	e, err := s.register(table)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range table {
		for _, m := range r.methods() {
			known[m+" "+r.Path] = true
		}
	}
	for _, r := range e.Routes() {
		if !known[r.Method+" "+r.Path] {
			t.Errorf("%s %s is in no table", r.Method, r.Path)
		}
	}
	if len(e.Routes()) != len(known) {
		t.Errorf("%d routes, %d in the table: some are there twice", len(e.Routes()), len(known))
	}
}

func TestTable(t *testing.T) {
	s := testServer(t, Options{})
	placed := map[string]bool{}
	for _, part := range navParts() {
		for _, id := range part.pages {
			placed[id] = true
		}
	}
	for _, r := range s.table() {
		name := r.Method + " " + r.Path
		switch {
		case strings.HasPrefix(r.Path, "/admin") && r.Level < identity.LevelStaff:
			t.Errorf("%s needs only %s", name, r.Level)
		case r.static && r.Level != identity.LevelNone:
			t.Errorf("%s is static and has a level", name)
		case !r.static && r.foreign == nil && r.Page == "":
			t.Errorf("%s has no page ID", name)
		case r.Level == identity.LevelNone && !r.static && r.Page != "login" && r.Page != "setup" && r.Page != "join" && r.Page != "zone" && r.Page != "language" && !strings.HasPrefix(r.Page, "login."):
			t.Errorf("%s needs nothing", name)
		case r.nav != "" && !placed[r.Page]:
			t.Errorf("%s has no place in the navigation", r.Path)
		case r.static && r.Method != http.MethodGet:
			t.Errorf("%s is static and no GET", name)
		}
		if want := strings.ReplaceAll(strings.Trim(r.Path, "/"), "/", "."); r.nav != "" && r.Page != "home" && r.Page != strings.TrimSuffix(want, ".*") {
			t.Errorf("%s has the page ID %q", name, r.Page)
		}
	}
	if _, err := s.register([]route{{Method: http.MethodGet, Path: "/x"}}); err == nil {
		t.Error("a route without a handler was taken")
	}
}

func TestLocalPath(t *testing.T) {
	for in, want := range map[string]string{
		"/sessions": "/sessions", "/files/a%20b?x=1": "/files/a%20b?x=1", "/": "/", "": "/",
		"//evil.example/": "/", "https://evil.example/": "/", "/\\evil.example": "/", "\\\\evil": "/",
		"/\t/evil.example": "/", "/\n/evil": "/", "javascript:alert(1)": "/", "evil": "/", "/login?next=/": "/", "/%zz": "/",
		"/.//evil.example": "/.//evil.example", "/%2f/evil.example": "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/a", "//a", "/\\a", "https://a", "/a?b#c", "/%2f%2fa", "\t//a"} {
		f.Add(s)
	}
	base, err := url.Parse("https://here.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, err := base.Parse(localPath(in))
		if err != nil {
			t.Skip()
		}
		if u.Host != base.Host || u.Scheme != base.Scheme {
			t.Errorf("%q leads to %s", in, u)
		}
	})
}

func TestFilesHref(t *testing.T) {
	for in, want := range map[string]string{
		"/":       "/files/",
		"/a b":    "/files/a%20b",
		"/a%20b":  "/files/a%2520b",
		"/a?b#c":  "/files/a%3Fb%23c",
		"/ä":      "/files/%C3%A4",
		"/a/b;c":  "/files/a/b;c",
		"/<b>\"'": "/files/%3Cb%3E%22%27",
	} {
		if got := filesHref(in); got != want && got != strings.ReplaceAll(want, "%27", "'") {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestMember(t *testing.T) {
	for _, bad := range []string{"", ".", "..", "a/b", "/a", "../a", "a\x00b", "a\nb"} {
		if p, err := member("/dir", bad); err == nil {
			t.Errorf("%q became %q", bad, p)
		}
	}
	if p, err := member("/dir", "a b.txt"); err != nil || p != "/dir/a b.txt" {
		t.Error(p, err)
	}
}
