package web_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/files"
	"trivium/identity"
)

// What an entry is, on a page of its own, without a script.
func TestProperties(t *testing.T) {
	s := newBinSite(t)
	b := shelf(t, s)
	page := b.get("/files/").expect(t, http.StatusOK, `href="/files/?properties=a.txt"`, `href="/files/?properties=photos"`)
	if strings.Contains(page.body, "?versions=") {
		t.Error("a row has the way to old versions beside the one to properties")
	}
	content, err := os.ReadFile(filepath.Join(s.home("user1"), "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	page = b.get("/files/?properties=a.txt").expect(t, http.StatusOK, "Properties of a.txt", "Document", "text/plain", "/home/user1", "Nobody has it open.", "No link leads here.",
		`href="/files/?versions=a.txt"`, `href="/files/?share=a.txt"`, "There are no old versions", "SHA-256")
	if strings.Contains(page.body, hex.EncodeToString(sum[:])) {
		t.Error("a checksum that nobody asked for")
	}
	b.get("/files/?properties=a.txt&sum=SHA-256").expect(t, http.StatusOK, hex.EncodeToString(sum[:]), `<option value="SHA-256" selected>`)
	b.get("/files/?properties=photos").expect(t, http.StatusOK, "Folder", "Add up what is in it", `data-kind="dir"`)
	b.get("/files/?properties=photos&measure=1").expect(t, http.StatusOK, "1 folder", `data-testid="measured"`)
	b.get("/files/?properties=pub").expect(t, http.StatusOK, `/pub`)
	for _, tt := range []struct {
		name, path string
		status     int
	}{
		{"what is not there", "/files/?properties=none", http.StatusNotFound},
		{"no name", "/files/?properties=", http.StatusNotFound},
		{"a way elsewhere", "/files/?properties=..%2Fuser2", http.StatusNotFound},
		{"above", "/files/photos/?properties=..", http.StatusNotFound},
		{"NUL", "/files/?properties=a%00b", http.StatusNotFound},
		{"an unknown algorithm", "/files/?properties=a.txt&sum=SHA-0", http.StatusBadRequest},
	} {
		if a := b.get(tt.path); a.StatusCode != tt.status {
			t.Errorf("%s: %d; want %d", tt.name, a.StatusCode, tt.status)
		}
	}
	b.post("/files/?share=a.txt", "/shares/new", "path", "/a.txt", "kind", "read", "expires", "7", "note", "for mother").expect(t, http.StatusSeeOther)
	b.post("/files/?share=photos", "/shares/new", "path", "/photos", "kind", "read", "expires", "7").expect(t, http.StatusSeeOther)
	b.get("/files/?properties=a.txt").expect(t, http.StatusOK, "for mother", `data-testid="share-row"`)
	b.get("/files/photos/?properties=2026").expect(t, http.StatusOK, "by the folder", "/photos")
	if page := b.get("/files/?properties=pub"); strings.Contains(page.body, `data-testid="share-row"`) {
		t.Error("a link that does not lead there")
	}
}

// A file that is being sent and received, as the page of each tells.
func TestOpenNow(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	s.user("admin1", identity.LevelAdmin)
	alice, other := s.browser().login("alice"), s.browser().login("alice")
	alice.get("/files/").expect(t, http.StatusOK)
	pub := filepath.Join(s.dir, "example.org", "pub")
	if err := os.MkdirAll(pub, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pub, "film.bin"), bytes.Repeat([]byte("0123456789"), 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	res, err := alice.Do(alice.request(http.MethodGet, "/files/pub/film.bin", nil).WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := res.Body.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	const shared = `data-testid="share-row"`
	other.post("/files/pub/?share=film.bin", "/shares/new", "path", "/pub/film.bin", "kind", "read", "expires", "0").expect(t, http.StatusSeeOther)
	const row = `data-testid="use-row" data-user="alice" data-write="false"`
	other.get("/files/pub/?properties=film.bin").expect(t, http.StatusOK, row, "Only your own sessions are shown.")
	other.get("/files/?properties=pub").expect(t, http.StatusOK, row, "film.bin")
	if a := s.browser().login("admin1").get("/files/pub/?properties=film.bin").expect(t, http.StatusOK, row, shared, "<strong>alice</strong>"); strings.Contains(a.body, "Only your own") {
		t.Error("an administrator sees only their own")
	}
	s.user("bob", identity.LevelUser)
	if a := s.browser().login("bob").get("/files/pub/?properties=film.bin").expect(t, http.StatusOK, "Nobody has it open."); strings.Contains(a.body, "alice") || strings.Contains(a.body, shared) {
		t.Error("bob learns what alice does")
	}
	leave()
	until(t, "nobody has it open", func() bool {
		return !strings.Contains(other.get("/files/pub/?properties=film.bin").body, "use-row")
	})
}

// A browser that leaves while a checksum is computed ends it: the file is closed, and the turn is free.
func TestChecksumLeft(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	b := s.browser().login("alice")
	b.get("/files/").expect(t, http.StatusOK)
	name := filepath.Join(s.home("alice"), "huge")
	if err := os.WriteFile(name, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, 30<<30); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for range 2 {
		go func() {
			res, err := b.Do(b.request(http.MethodGet, "/files/?properties=huge&sum=SHA-512", nil).WithContext(ctx))
			if err == nil {
				err = errors.New(res.Status)
				_ = res.Body.Close()
			}
			done <- err
		}()
	}
	until(t, "two are computed", func() bool {
		return strings.Count(b.get("/files/?properties=huge").body, "use-row") == 2
	})
	b.get("/files/?properties=huge&sum=SHA-512").expect(t, http.StatusOK, "Two checksums are being computed")
	leave()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the checksum of 30 GiB: %v", err)
		}
	}
	until(t, "nobody reads", func() bool {
		return !strings.Contains(b.get("/files/?properties=huge").body, "use-row")
	})
	if err := os.Truncate(name, files.MaxSummed+1); err != nil {
		t.Fatal(err)
	}
	b.get("/files/?properties=huge&sum=MD5").expect(t, http.StatusOK, "which is too much for a checksum here")
}
