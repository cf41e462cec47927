package api_test

import (
	"crypto/md5"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
	"trivium/tokens"
	"trivium/web/api"
)

// What files are, who has them open, checksums and searches, each for whoever may know.
func TestEntries(t *testing.T) {
	s := start(t, identity.LevelUser, identity.LevelCustomer, identity.LevelStaff)
	ses, err := s.id.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP})
	check(t, err)
	t.Cleanup(ses.Close)
	_, err = s.id.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "user", Secret: identity.NewSecret(password)})
	check(t, err)
	tree := s.tree.View(ses)
	put := func(p, content string) {
		t.Helper()
		u, err := tree.Create(t.Context(), p, files.UploadOptions{Size: -1})
		check(t, err)
		_, err = u.ReadFrom(strings.NewReader(content))
		check(t, err)
		_, err = u.Commit(t.Context())
		check(t, err)
	}
	check(t, tree.Mkdir(t.Context(), "/photos"))
	put("/photos/a.png", "123456789")
	put("/photos/a.png", "123456789!")
	put("/notes.txt", "text")
	_, err = tree.Lock(t.Context(), "/photos", files.LockOptions{Deep: true, Owner: "an editor"})
	check(t, err)
	s.ask(t, basic("user"), http.MethodPost, "/shares", `{"path":"/photos"}`)
	f, err := tree.Open(t.Context(), "/photos/a.png")
	check(t, err)
	t.Cleanup(func() { _ = f.Close() })

	var p api.Properties
	s.ask(t, basic("user"), http.MethodGet, "/files/properties?path=/photos/a.png", "").into(t, &p)
	switch {
	case p.Path != "/photos/a.png" || p.Canonical != "/home/user/photos/a.png" || p.Kind != "file" || p.Sort != "picture" || p.Type != "image/png" || p.Bytes != 10 || len(p.Mode) != 4 || p.Owner != "user":
		t.Errorf("what it is: %+v", p.FileEntry)
	case len(p.Uses) != 1 || p.Uses[0].Session != ses.ID() || p.Uses[0].Write || p.Uses[0].Protocol != identity.ProtocolFTP:
		t.Errorf("who has it open: %+v", p.Uses)
	case len(p.Locks) != 1 || !p.Locks[0].Own || p.Locks[0].Owner != "an editor" || p.Locks[0].Path != "/photos" || p.Locks[0].Left <= 0:
		t.Errorf("locks: %+v", p.Locks)
	case len(p.Shares) != 1 || p.Shares[0].Path != "/photos" || p.Shares[0].Link == "":
		t.Errorf("links: %+v", p.Shares)
	case p.Versions != 1 || p.VersionsBytes != 9 || p.Tree != "/home/user" || p.TreeBytes < 23:
		t.Errorf("versions and quota: %+v", p)
	}
	s.ask(t, basic("user"), http.MethodGet, "/files/properties?path=/photos", "").into(t, &p)
	if p.Kind != "folder" || p.Sort != "folder" || len(p.Uses) != 1 || p.Uses[0].Path != "/photos/a.png" {
		t.Errorf("a folder: %+v", p)
	}

	var sum api.Checksum
	s.ask(t, basic("user"), http.MethodGet, "/files/checksum?path=/photos/a.png&algorithm=MD5", "").into(t, &sum)
	if want := fmt.Sprintf("%x", md5.Sum([]byte("123456789!"))); sum.Sum != want {
		t.Errorf("%+v", sum)
	}

	var found api.FoundEntries
	for _, tt := range []struct {
		name, query string
		want        []string
	}{
		{"by name", "q=A.P", []string{"/photos/a.png"}},
		{"by kind", "kind=picture", []string{"/photos/a.png"}},
		{"folders", "kind=folder&path=/", []string{"/photos", "/pub"}},
		{"by size", "least=5&most=10", []string{"/photos/a.png"}},
		{"by time", "kind=document&after=" + url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339)), []string{"/notes.txt"}},
		{"too early", "before=2001-01-01T00:00:00Z", nil},
	} {
		s.ask(t, basic("user"), http.MethodGet, "/files/search?"+tt.query, "").into(t, &found)
		var got []string
		for _, e := range found.Entries {
			if e.Kind != "folder" || tt.name == "folders" {
				got = append(got, e.Path)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, tt.want) || !found.Complete {
			t.Errorf("%s: %q, complete %t; want %q", tt.name, got, found.Complete, tt.want)
		}
	}

	bound := s.token(t, tokens.Request{User: "user", Label: "photos", Scopes: []tokens.Scope{tokens.ScopeAPI}, Path: "/home/user/photos"})
	for _, tt := range []struct {
		name, who, path string
		status          int
	}{
		{"another's home", basic("customer"), "/files/properties?path=/photos/a.png", http.StatusNotFound},
		{"another's home by its other name", basic("customer"), "/files/properties?path=/home/user/photos", http.StatusNotFound},
		{"out of it", basic("customer"), "/files/properties?path=/../user/notes.txt", http.StatusNotFound},
		{"NUL", basic("user"), "/files/properties?path=/a%00b", http.StatusUnprocessableEntity},
		{"no path", basic("user"), "/files/properties", http.StatusUnprocessableEntity},
		{"a sum of nothing", basic("user"), "/files/checksum?path=/none", http.StatusNotFound},
		{"a sum of a folder", basic("user"), "/files/checksum?path=/photos", http.StatusUnprocessableEntity},
		{"a sum by no algorithm", basic("user"), "/files/checksum?path=/notes.txt&algorithm=SHA-0", http.StatusUnprocessableEntity},
		{"a search for nothing", basic("user"), "/files/search", http.StatusUnprocessableEntity},
		{"a search nowhere", basic("user"), "/files/search?q=a&path=/none", http.StatusNotFound},
		{"a search by no kind", basic("user"), "/files/search?kind=tree", http.StatusUnprocessableEntity},
		{"a search before time", basic("user"), "/files/search?before=then", http.StatusUnprocessableEntity},
		{"a token for another folder", bearer(bound), "/files/checksum?path=/notes.txt", http.StatusNotFound},
		{"a token for another folder, and properties", bearer(bound), "/files/properties?path=/notes.txt", http.StatusNotFound},
		{"a token for the folder", bearer(bound), "/files/checksum?path=/photos/a.png", http.StatusOK},
	} {
		if got := s.ask(t, tt.who, http.MethodGet, tt.path, "").status; got != tt.status {
			t.Errorf("%s: %d; want %d", tt.name, got, tt.status)
		}
	}
}
