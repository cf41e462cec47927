package dav_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

const (
	exclusive = `<?xml version="1.0"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>` +
		`<D:owner><D:href>mailto:alice@example.org</D:href></D:owner></D:lockinfo>`
	shared = `<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>`
)

// locked takes a lock and gives its token.
func (s *site) locked(user, path, body string, headers ...string) string {
	s.t.Helper()
	a := s.do(user, "LOCK", path, body, headers...)
	token := strings.Trim(a.Header.Get("Lock-Token"), "<>")
	if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated || !strings.HasPrefix(token, "urn:uuid:") || !strings.Contains(a.body, token) {
		s.t.Fatalf("LOCK %s: %d %v %s", path, a.StatusCode, a.Header, a.body)
	}
	return token
}

const shareddoc = "/dav/groups/team/doc"

func TestLocks(t *testing.T) {
	s := newSite(t)
	token := s.locked("alice", shareddoc, exclusive, "Timeout: Second-100, Infinite")
	s.do("alice", http.MethodGet, shareddoc, "").is(t, http.StatusOK) // an empty file was made
	discover := s.do("alice", "PROPFIND", shareddoc, find("lockdiscovery"), "Depth: 0").is(t, http.StatusMultiStatus,
		"<D:exclusive/>", token, "<D:timeout>Second-100</D:timeout>", "mailto:alice@example.org", "<D:lockroot><D:href>/dav/groups/team/doc</D:href>")
	if strings.Count(discover.body, "activelock") != 2 {
		t.Error(discover.body)
	}
	if seen := s.do("bob", "PROPFIND", shareddoc, find("lockdiscovery"), "Depth: 0").is(t, http.StatusMultiStatus, "activelock"); strings.Contains(seen.body, token) {
		t.Error("the token was told to another")
	}
	s.do("alice", "PROPFIND", shareddoc, find("supportedlock"), "Depth: 0").is(t, http.StatusMultiStatus, "<D:shared/>", "<D:exclusive/>")

	// Theft: the token in another's hand opens nothing.
	with := "If: (<" + token + ">)"
	for _, h := range [][]string{{}, {with}, {"If: </dav/groups/team/doc> (<" + token + ">)"}, {"If: (<" + token + ">) (Not <DAV:no-lock>)"}} {
		want := http.StatusLocked
		if len(h) > 0 && !strings.Contains(h[0], "Not") {
			want = http.StatusPreconditionFailed
		}
		s.do("bob", http.MethodPut, shareddoc, "bob", h...).is(t, want)
		s.do("bob", http.MethodDelete, shareddoc, "", h...).is(t, want)
		s.do("bob", "PROPPATCH", shareddoc, set(`<x xmlns="urn:x">1</x>`), h...).is(t, want)
		s.do("bob", "MOVE", shareddoc, "", append([]string{"Destination: /dav/stolen"}, h...)...).is(t, want)
	}
	s.do("bob", "LOCK", shareddoc, "", with).is(t, http.StatusPreconditionFailed)
	s.do("bob", "UNLOCK", shareddoc, "", "Lock-Token: <"+token+">").is(t, http.StatusForbidden)
	s.do("bob", "LOCK", shareddoc, exclusive).is(t, http.StatusLocked, "<D:no-conflicting-lock><D:href>/dav/groups/team/doc</D:href></D:no-conflicting-lock>")
	s.do("bob", "LOCK", shareddoc, shared).is(t, http.StatusLocked)
	s.do("bob", "COPY", shareddoc, "", "Destination: /dav/copy").is(t, http.StatusCreated) // reading is free

	// Other roads keep to it.
	for _, user := range []string{"alice", "bob"} {
		ses, err := s.identity.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP})
		no(t, err)
		_, err = s.identity.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: user, Secret: identity.NewSecret(password)})
		no(t, err)
		if _, err := s.files.View(ses).Create(t.Context(), "/groups/team/doc", files.UploadOptions{}); !errors.Is(err, files.ErrLocked) {
			t.Errorf("FTP as %s: %v", user, err)
		}
		ses.Close()
	}

	// Its holder goes on.
	s.do("alice", http.MethodPut, shareddoc, "x").is(t, http.StatusLocked, "lock-token-submitted")
	s.do("alice", http.MethodPut, shareddoc, "alice", with).is(t, http.StatusNoContent)
	s.do("alice", "LOCK", shareddoc, "", with, "Timeout: Infinite").is(t, http.StatusOK, "Second-3600")
	s.do("alice", "LOCK", shareddoc, "", with, "Timeout: Second-99999999999").is(t, http.StatusBadRequest)
	s.do("alice", "LOCK", shareddoc, "").is(t, http.StatusBadRequest)
	s.do("alice", "UNLOCK", "/dav/groups/team", "", "Lock-Token: <"+token+">").is(t, http.StatusConflict)
	s.do("alice", "UNLOCK", shareddoc, "", "Lock-Token: <"+token+">").is(t, http.StatusNoContent)
	s.do("bob", http.MethodPut, shareddoc, "bob").is(t, http.StatusNoContent)
}

func TestSharedAndDeepLocks(t *testing.T) {
	s := newSite(t)
	s.do("alice", "MKCOL", "/dav/groups/team/d", "").is(t, http.StatusCreated)
	deep := s.locked("alice", "/dav/groups/team/d", shared, "Depth: infinity")
	other := s.locked("bob", "/dav/groups/team/d", shared)
	s.do("bob", http.MethodPut, "/dav/groups/team/d/f", "x").is(t, http.StatusLocked)
	s.do("bob", http.MethodPut, "/dav/groups/team/d/f", "x", "If: (<"+deep+">)").is(t, http.StatusPreconditionFailed)
	s.do("bob", http.MethodPut, "/dav/groups/team/d/f", "x", "If: (<"+other+">)").is(t, http.StatusCreated)
	s.do("bob", "LOCK", "/dav/groups/team/d/f", exclusive).is(t, http.StatusLocked)
	s.do("alice", "LOCK", "/dav/groups/team/d/f", shared, "Depth: 1").is(t, http.StatusBadRequest)
	s.do("alice", http.MethodDelete, "/dav/groups/team/d", "", "If: </dav/groups/team/d> (<"+deep+">)").is(t, http.StatusNoContent)
	s.do("bob", "MKCOL", "/dav/groups/team/d", "").is(t, http.StatusCreated) // both locks have gone with it
	s.do("bob", http.MethodPut, "/dav/groups/team/d/f", "x").is(t, http.StatusCreated)
}

// While somebody writes a file, nobody locks it.
func TestLockOfWhatIsWritten(t *testing.T) {
	s := newSite(t)
	ses, err := s.identity.Registry.Open(t.Context(), identity.Opening{Protocol: identity.ProtocolFTP})
	no(t, err)
	defer ses.Close()
	_, err = s.identity.Login(t.Context(), ses, identity.Login{Method: identity.MethodPassword, Name: "bob", Secret: identity.NewSecret(password)})
	no(t, err)
	s.do("alice", http.MethodPut, shareddoc, "old").is(t, http.StatusCreated)
	u, err := s.files.View(ses).Create(t.Context(), "/groups/team/doc", files.UploadOptions{Size: -1})
	no(t, err)
	s.do("alice", "LOCK", shareddoc, exclusive).is(t, http.StatusLocked)
	s.do("alice", http.MethodPut, shareddoc, "x").is(t, http.StatusLocked)
	no(t, u.Discard())
	s.locked("alice", shareddoc, exclusive)
}

func TestLocksAreBounded(t *testing.T) {
	s := newSite(t)
	for i := range 1000 {
		s.locked("alice", fmt.Sprintf("/dav/f%d", i/50), shared)
	}
	s.do("alice", "LOCK", "/dav/f", shared).is(t, http.StatusInsufficientStorage)
	s.do("alice", "LOCK", "/dav/new", shared).is(t, http.StatusInsufficientStorage)
	s.do("alice", http.MethodGet, "/dav/new", "").is(t, http.StatusNotFound) // made for the lock, and gone
	s.locked("bob", "/dav/f", exclusive)
	s.do("bob", "LOCK", "/dav/g", strings.Replace(exclusive, "mailto:", "mailto:"+strings.Repeat("x", 2000), 1)).is(t, http.StatusRequestEntityTooLarge)
	for _, body := range []string{"<x/>", "nothing", `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope></lockinfo>`,
		strings.Replace(shared, "<shared/>", "<shared/><exclusive/>", 1), strings.Replace(shared, `xmlns="DAV:"`, "", 1)} {
		s.do("bob", "LOCK", "/dav/g", body).is(t, http.StatusBadRequest)
	}
}
