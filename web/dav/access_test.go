package dav_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
	"trivium/tokens"
)

// Who gets in, and with what.
func TestWhoGetsIn(t *testing.T) {
	s := newSite(t, func(o *identity.Options, _ *files.Options) {
		o.Policy = map[string]string{"web:/dav/groups/team/**": "staff"}
	})
	s.do("", "PROPFIND", "/dav/", "", "Depth: 0").is(t, http.StatusUnauthorized)
	a := s.do("", http.MethodGet, "/dav/f", "")
	if got := strings.Join(a.is(t, http.StatusUnauthorized).Header.Values("WWW-Authenticate"), "; "); got != `Basic realm="trivium", charset="UTF-8"; Bearer realm="trivium"` {
		t.Errorf("challenge: %s", got)
	}
	s.do("nobody", http.MethodGet, "/dav/", "").is(t, http.StatusUnauthorized)
	s.do("", http.MethodGet, "/dav/", "", "Authorization: Basic YWxpY2U6", "Cookie: ls=x").is(t, http.StatusUnauthorized)
	s.do("", http.MethodGet, "/dav/", "", "Authorization: Digest x").is(t, http.StatusUnauthorized)
	if a := s.do("", http.MethodOptions, "/dav/", ""); a.is(t, http.StatusUnauthorized).Header.Get("DAV") != "1, 2" {
		t.Error("a client cannot tell that WebDAV is here")
	}
	s.do("alice", http.MethodPut, "/dav/f", "x").is(t, http.StatusCreated)

	// Hidden and absent look the same, whatever the method.
	for _, method := range []string{"GET", "PUT", "DELETE", "PROPFIND", "LOCK", "MKCOL", "POST", "OPTIONS"} {
		s.do("alice", method, "/dav/groups/team/f", "").is(t, http.StatusNotFound, "There is nothing here.")
	}
	s.do("alice", "COPY", "/dav/f", "", "Destination: /dav/groups/team/f").is(t, http.StatusConflict)
	if a := s.do("alice", "PROPFIND", "/dav/groups", "", "Depth: 1").is(t, http.StatusMultiStatus); strings.Contains(a.body, "team") {
		t.Error("what is hidden is listed")
	}
	s.do("alice", http.MethodGet, "/dav/none", "").is(t, http.StatusNotFound, "There is nothing here.")
	s.do("alice", "REPORT", "/dav/f", "").is(t, http.StatusNotFound)
	s.do("alice", http.MethodPost, "/dav/f", "").is(t, http.StatusMethodNotAllowed)
	s.do("alice", http.MethodGet, "/davfoo", "").is(t, http.StatusNotFound)
	s.do("alice", http.MethodPut, "/dav/f", "x", "Origin: https://evil.example").is(t, http.StatusForbidden)
	s.do("alice", http.MethodDelete, "/dav/f", "", "Sec-Fetch-Site: cross-site").is(t, http.StatusForbidden)

	if i := s.session("alice"); i.Protocol != identity.ProtocolDAV || i.State != identity.StateLoggedIn {
		t.Errorf("%+v", i)
	}
}

func TestTokens(t *testing.T) {
	s := newSite(t)
	s.do("alice", "MKCOL", "/dav/in", "").is(t, http.StatusCreated)
	s.do("alice", http.MethodPut, "/dav/in/f", "x").is(t, http.StatusCreated)
	s.do("alice", http.MethodPut, "/dav/out", "x").is(t, http.StatusCreated)
	issue := func(path string, scopes ...tokens.Scope) string {
		t.Helper()
		_, secret, err := s.tokens.Issue(t.Context(), machine, tokens.Request{User: "alice", Scopes: scopes, Path: path})
		no(t, err)
		return "Authorization: Bearer " + secret.Reveal()
	}
	s.do("", http.MethodGet, "/dav/out", "", issue("", tokens.ScopeFTP)).is(t, http.StatusUnauthorized)
	s.do("", http.MethodGet, "/dav/out", "", issue("", tokens.ScopeWeb)).is(t, http.StatusOK)

	read := issue("", tokens.ScopeWeb, "files:read")
	s.do("", http.MethodGet, "/dav/out", "", read).is(t, http.StatusOK)
	for _, method := range []string{http.MethodPut, http.MethodDelete, "PROPPATCH", "LOCK"} {
		body := ""
		switch method {
		case "PROPPATCH":
			body = set(`<x xmlns="urn:x">1</x>`)
		case "LOCK":
			body = exclusive
		}
		if a := s.do("", method, "/dav/out", body, read); method == "PROPPATCH" {
			a.is(t, http.StatusMultiStatus, "403")
		} else {
			a.is(t, http.StatusForbidden)
		}
	}
	s.do("", "MKCOL", "/dav/new", "", read).is(t, http.StatusForbidden)
	s.do("", "MOVE", "/dav/out", "", read, "Destination: /dav/moved").is(t, http.StatusForbidden)
	s.do("", "COPY", "/dav/out", "", read, "Destination: /dav/copy").is(t, http.StatusForbidden)

	bound := issue("/home/alice/in", tokens.ScopeWeb)
	s.do("", http.MethodGet, "/dav/in/f", "", bound).is(t, http.StatusOK)
	s.do("", http.MethodGet, "/dav/out", "", bound).is(t, http.StatusNotFound)
	s.do("", "MOVE", "/dav/in/f", "", bound, "Destination: /dav/in/../out").is(t, http.StatusConflict)
	s.do("alice", http.MethodGet, "/dav/out", "").is(t, http.StatusOK, "x")
}

// One transfer can be stopped alone: another of the same session goes on, and so does the session.
func TestStopATransfer(t *testing.T) {
	s := newSite(t)
	begin := func(path string) (net.Conn, *bufio.Reader, string) {
		conn, answer := s.raw("PUT /dav%s HTTP/1.1\nHost: x\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\nContent-Length: 20\n\nhalf of it", path)
		var id string
		until(t, "the upload of "+path, func() bool {
			list := s.identity.Registry.Transfers(identity.TransferFilter{Path: path, Direction: identity.DirectionIn})
			if len(list) == 1 {
				id = list[0].ID
			}
			return len(list) == 1 && list[0].Session.BytesIn > 0
		})
		return conn, answer, id
	}
	_, answer, id := begin("/f")
	conn, other, _ := begin("/g")
	if n := s.identity.Registry.Count(identity.Filter{User: "alice"}); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	no(t, s.identity.StopTransfer(machine, id))
	line, err := answer.ReadString('\n')
	if err != nil || !strings.Contains(line, "403") {
		t.Errorf("the answer is %q, %v", line, err)
	}
	until(t, "the end", func() bool { _, runs := s.identity.Registry.Transfer(id); return !runs })
	if err := s.identity.StopTransfer(machine, id); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("once more: %v", err)
	}
	s.do("alice", http.MethodGet, "/dav/f", "").is(t, http.StatusNotFound)
	if _, err := io.WriteString(conn, "and all of"); err != nil {
		t.Fatal(err)
	}
	if line, err := other.ReadString('\n'); err != nil || !strings.Contains(line, "201") {
		t.Errorf("the other's answer is %q, %v", line, err)
	}
	s.do("alice", http.MethodGet, "/dav/g", "").is(t, http.StatusOK, "half of itand all of")
}

// A session that ends takes its requests with it, at once.
func TestEndOfASessionCutsAnUpload(t *testing.T) {
	s := newSite(t)
	_, answer := s.raw("PUT /dav/f HTTP/1.1\nHost: x\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\nContent-Length: 1000\n\nhalf of it")
	until(t, "the upload", func() bool {
		list := s.identity.Registry.List(identity.Filter{User: "alice"})
		return len(list) == 1 && list[0].Transfer != nil && list[0].BytesIn > 0
	})
	i := s.session("alice")
	if i.Doing != "PUT /f" || i.Transfer.Verb != "PUT" || i.Transfer.Path != "/f" || i.Transfer.Size != 1000 {
		t.Errorf("%q %+v", i.Doing, i.Transfer)
	}
	began := time.Now()
	off := identity.UserDisabled
	_, err := s.identity.SetUser(t.Context(), machine, "alice", identity.UserChange{State: &off})
	no(t, err)
	if res, err := http.ReadResponse(answer, nil); err != nil {
		t.Error(err)
	} else if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), "No valid credential") {
		t.Errorf("the answer is %d %q, %v", res.StatusCode, text, err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
	s.do("alice", http.MethodGet, "/dav/f", "").is(t, http.StatusUnauthorized)
	on := identity.UserActive
	_, err = s.identity.SetUser(t.Context(), machine, "alice", identity.UserChange{State: &on})
	no(t, err)
	s.do("alice", http.MethodGet, "/dav/f", "").is(t, http.StatusNotFound)
}

// What a session has no right to any more is cut at once, and nothing of it is stored: a rule has come,
// or the group was left.
func TestTransferEndsWithItsRight(t *testing.T) {
	s := newSite(t)
	never := identity.LevelNobody
	for path, change := range map[string]func() error{
		"/groups/team/f": func() error { return s.identity.RemoveMembers(t.Context(), machine, "team", []string{"alice"}) },
		"/f": func() error {
			_, err := s.identity.ChangeRules(t.Context(), machine, []identity.RuleChange{{Pattern: "file:/home/alice/f", Level: &never}}, false)
			return err
		},
	} {
		_, answer := s.raw("PUT /dav%s HTTP/1.1\nHost: x\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\nContent-Length: 1000\n\nhalf of it", path)
		until(t, "the upload of "+path, func() bool {
			list := s.identity.Registry.List(identity.Filter{User: "alice"})
			return len(list) == 1 && list[0].Transfer != nil && list[0].Transfer.Path == path && list[0].BytesIn > 0
		})
		_, err := s.identity.ChangeRules(t.Context(), machine, []identity.RuleChange{{Pattern: "file:/home/bob/**", Level: &never}}, false)
		no(t, err)
		if s.session("alice").Transfer == nil {
			t.Error("a rule about something else has cut it")
		}
		no(t, change())
		if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "403") {
			t.Errorf("%s: the answer is %q, %v", path, line, err)
		}
		until(t, "the end", func() bool { return s.session("alice").Transfer == nil })
	}
	// A download stops in the middle.
	no(t, os.WriteFile(filepath.Join(s.dir, "example.org", "home", "alice", "big"), make([]byte, 32<<20), 0o600))
	_, answer := s.raw("GET /dav/big HTTP/1.1\nHost: x\nAuthorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\n\n")
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("the answer is %q, %v", line, err)
	}
	until(t, "the download", func() bool { return s.session("alice").Transfer != nil })
	_, err := s.identity.ChangeRules(t.Context(), machine, []identity.RuleChange{{Pattern: "file:/home/alice/big", Level: &never}}, false)
	no(t, err)
	if n, err := io.Copy(io.Discard, answer); n >= 32<<20 {
		t.Errorf("%d bytes came, %v", n, err)
	}
}
