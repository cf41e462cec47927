package web_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"trivium/identity"
)

// What a session has no right to any more is cut at once: a download in the middle, and of an upload
// nothing is stored. The group was left, a rule has come, or somebody has logged out.
func TestTransferEndsWithItsRight(t *testing.T) {
	never := identity.LevelNobody
	for name, tt := range map[string]struct {
		path, file string // as the person says it, and on disk
		change     func(*testing.T, *site, *browser) error
	}{
		"the group": {"/groups/crew/big", "groups/crew/big", func(t *testing.T, s *site, _ *browser) error {
			return s.identity.RemoveMembers(t.Context(), machine, "crew", []string{"user1"})
		}},
		"a rule": {"/big", "home/user1/big", func(t *testing.T, s *site, _ *browser) error {
			_, err := s.identity.ChangeRules(t.Context(), machine, []identity.RuleChange{{Pattern: "file:/home/user1/**", Level: &never}}, false)
			return err
		}},
		"a log-out": {"/big", "home/user1/big", func(t *testing.T, s *site, b *browser) error {
			b.post("/account", "/logout").expect(t, http.StatusSeeOther)
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.user("user1", identity.LevelUser)
			if _, err := s.identity.AddGroup(t.Context(), machine, "crew", 0); err != nil {
				t.Fatal(err)
			}
			if err := s.identity.AddMembers(t.Context(), machine, "crew", []string{"user1"}, false); err != nil {
				t.Fatal(err)
			}
			b := s.browser().login("user1")
			b.get("/files" + filepath.Dir(tt.path)) // the folder is made
			const size = 32 << 20
			file := filepath.Join(s.dir, "example.org", filepath.FromSlash(tt.file))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
				t.Fatal(err)
			}
			res, err := b.Do(b.request(http.MethodGet, "/files"+tt.path, nil))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Fatalf("the download: %d", res.StatusCode)
			}
			// Beside it an upload into the same folder.
			in, out := io.Pipe()
			w := multipart.NewWriter(out)
			up := b.request(http.MethodPost, "/files"+filepath.Dir(tt.path), in)
			up.Header.Set("Content-Type", w.FormDataContentType())
			token := b.token("/account")
			answered := make(chan error, 1)
			go func() {
				res, err := b.Do(up)
				if err == nil {
					_ = res.Body.Close()
				}
				answered <- err
			}()
			_ = w.WriteField("csrf", token)
			f, _ := w.CreateFormFile("file", "planted")
			_, _ = f.Write(bytes.Repeat([]byte("x"), 1<<20))
			until(t, "the upload", func() bool {
				for _, i := range s.identity.Registry.List(identity.Filter{User: "user1"}) {
					return i.BytesIn > 1<<20
				}
				return false
			})
			if err := tt.change(t, s, b); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, res.Body); n >= size {
				t.Errorf("%d bytes came, %v", n, err)
			}
			<-answered // without another byte
			_ = out.Close()
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), "planted")); err == nil {
				t.Error("the upload was stored")
			}
		})
	}
}
