package web_test

import (
	"bytes"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// inboxTree is all that lies in the inbox, with its content.
func (s *site) inboxTree() (list []string) {
	at := filepath.Join(s.home("alice"), "inbox")
	err := filepath.WalkDir(at, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == at {
			return err
		}
		rel, _ := filepath.Rel(at, p)
		if d.IsDir() {
			list = append(list, rel+"/")
			return nil
		}
		b, err := os.ReadFile(p)
		list = append(list, rel+"="+string(b))
		return err
	})
	if err != nil {
		s.t.Error(err)
	}
	slices.Sort(list)
	return list
}

func (s *site) expectInbox(what string, want ...string) {
	s.t.Helper()
	slices.Sort(want)
	if got := s.inboxTree(); !slices.Equal(got, want) {
		s.t.Errorf("%s: %q; want %q", what, got, want)
	}
}

// Folders that a visitor drops stay folders, apart from what is there, and nothing tells what that is.
func TestDropBoxFolders(t *testing.T) {
	s, owner, link := dropFixture(t)
	inbox := filepath.Join(s.home("alice"), "inbox")
	owner.post("/files/inbox/", "/files/inbox/", "do", "mkdir", "name", "photos").expect(t, http.StatusSeeOther)
	for _, n := range []string{"photos/own.txt", "own.txt"} {
		if err := os.WriteFile(filepath.Join(inbox, n), []byte("own"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	v := s.visitor(link)
	send := func(v *sender, name, content string) string {
		t.Helper()
		at := v.begin(link, name, len(content), "")
		v.patch(at, 0, content).expect(t, http.StatusNoContent)
		return at
	}
	// What stands there and what does not look alike: the address has the visitor's own words, and the rest of it always
	// the same length.
	shape := func(at string) string {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		return u.Path + "?" + u.Query().Get("size") + "/" + strconv.Itoa(len(u.Query().Get("upload")))
	}
	for _, pair := range [][2]string{{"photos/a.txt", "albums/a.txt"}, {"own.txt", "new.txt"}} {
		there, fresh := shape(send(v, pair[0], "one")), shape(send(v, pair[1], "one"))
		if want := strings.ReplaceAll(fresh, pair[1], pair[0]); there != want {
			t.Errorf("what is there is at %s, what is not at %s", there, fresh)
		}
	}
	at := send(v, "photos/deep/er/b.txt", "two")
	if !strings.HasPrefix(at, link+"/photos/deep/er/b.txt?") {
		t.Errorf("the upload is at %s", at)
	}
	send(v, "photos/a.txt", "again") // another file of the name
	other := s.visitor(link)
	send(other, "photos/a.txt", "else's")
	s.expectInbox("all", "own.txt=own", "own (2).txt=one", "new.txt=one", "albums/", "albums/a.txt=one", "photos/", "photos/own.txt=own",
		"photos (2)/", "photos (2)/a.txt=one", "photos (2)/a (2).txt=again", "photos (2)/deep/", "photos (2)/deep/er/", "photos (2)/deep/er/b.txt=two",
		"photos (3)/", "photos (3)/a.txt=else's")

	// It goes on after a break, by that address; and not by another's.
	at = v.begin(link, "photos/c.txt", 6, "")
	v.patch(at, 0, "abc").expect(t, http.StatusNoContent)
	a := v.tus(http.MethodHead, at, nil).expect(t, http.StatusOK)
	if got := a.Header.Get("Upload-Metadata"); got != "filename Yy50eHQ=" {
		t.Errorf("it is called %q", got)
	}
	other.tus(http.MethodHead, at, nil).expect(t, http.StatusNotFound)
	for _, change := range [][2]string{{"/photos/c.txt", "/photos/d.txt"}, {"/photos/c.txt", "/albums/c.txt"}, {"/photos/c.txt", "/c.txt"}, {"/photos/c.txt", "/photos/../c.txt"}, {"/photos/c.txt", "/photos%2Fc.txt/x"}} {
		v.tus(http.MethodHead, strings.Replace(at, change[0], change[1], 1), nil).expect(t, http.StatusNotFound)
	}
	v.patch(at, 3, "def").expect(t, http.StatusNoContent)
	if b, err := os.ReadFile(filepath.Join(inbox, "photos (2)", "c.txt")); err != nil || string(b) != "abcdef" {
		t.Errorf("%q, %v", b, err)
	}
	// Its owner takes the folder away: the next file comes into a new one.
	if err := os.RemoveAll(filepath.Join(inbox, "photos (2)")); err != nil {
		t.Fatal(err)
	}
	send(v, "photos/new/e.txt", "e")
	send(v, "photos/f.txt", "f")
	if b, err := os.ReadFile(filepath.Join(inbox, "photos (2)", "f.txt")); err != nil || string(b) != "f" {
		t.Errorf("%q, %v", b, err)
	}
	v.get(link+"/photos").expect(t, http.StatusNotFound)
	v.get(link+"/photos/own.txt").expect(t, http.StatusNotFound)
}

// Names by which nobody gets anywhere.
func TestDropBoxFolderNames(t *testing.T) {
	s, _, link := dropFixture(t)
	v := s.visitor(link)
	bad := []string{"../a.txt", "a/../b.txt", "a/..", "/etc/x", "//x", "a//b", "a/", "a/./b", "./a", "a/b\x00c", "a\x00/b", "a/\xff", "a\n/b", strings.Repeat("d/", 40) + "x", strings.Repeat("n", 300) + "/x",
		"..\\..\\a/\u202e.txt", "a/b\u0085c"}
	for _, name := range bad {
		if a := v.tus(http.MethodPost, link, nil, about(name, 3, "")...); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%q: %d", name, a.StatusCode)
		}
	}
	// Twins in case or in the form of letters are the same folder to some and two to others: nothing is lost either way.
	for _, name := range []string{"Twin/a.txt", "twin/a.txt", "caf\u00e9/a.txt", "cafe\u0301/a.txt", "CON/nul.txt", "a\\b/c.txt"} {
		v.patch(v.begin(link, name, 3, ""), 0, "abc").expect(t, http.StatusNoContent)
	}
	n := 0
	for _, e := range s.inboxTree() {
		if strings.HasSuffix(e, "=abc") {
			n++
		}
	}
	if n != 6 {
		t.Errorf("of six files there are %q", s.inboxTree())
	}
	if list, err := os.ReadDir(s.home("alice")); err != nil || len(list) > 2 {
		t.Errorf("beside the inbox there is %v, %v", list, err)
	}
}

// Folders are bounded, too: who makes nothing but them is stopped, whoever sends files is not.
func TestDropBoxManyFolders(t *testing.T) {
	s, _, link := dropFixture(t)
	v := s.visitor(link)
	deep := strings.Repeat("d/", 30)
	last := 0
	for n := range 100 {
		a := v.tus(http.MethodPost, link, nil, about("f"+strconv.Itoa(n)+"/"+deep+"x", 3, "")...)
		if last = a.StatusCode; last != http.StatusCreated {
			break
		}
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the last answer is %d", last)
	}
	made := 0
	for _, e := range s.inboxTree() {
		if strings.HasSuffix(e, "/") {
			made++
		}
	}
	if made > 2000 {
		t.Errorf("%d folders", made)
	}
	v.patch(v.begin(link, "x.txt", 3, ""), 0, "abc").expect(t, http.StatusNoContent)
}

// The form, without a script: files with their folders, a number for a second one of a name.
func TestDropBoxForm(t *testing.T) {
	s, _, link := dropFixture(t)
	v := s.visitor(link)
	send := func(pairs ...[3]string) answer {
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		_ = w.WriteField("csrf", v.csrf)
		_ = w.WriteField("replace", "1")
		for _, p := range pairs {
			h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="` + p[0] + `"; filename="` + p[1] + `"`}, "Content-Type": {"application/octet-stream"}}
			part, err := w.CreatePart(h)
			if err == nil {
				_, err = part.Write([]byte(p[2]))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r := v.request(http.MethodPost, link, &body)
		r.Header.Set("Content-Type", w.FormDataContentType())
		return v.do(r)
	}
	send([3]string{"folder", "album/a.txt", "1"}, [3]string{"folder", "album/sub/b.txt", "2"}, [3]string{"file", "c.txt", "3"}, [3]string{"file", "flat/d.txt", "4"}, [3]string{"folder", "", ""}).expect(t, http.StatusSeeOther)
	v.get(link).expect(t, http.StatusOK, `data-testid="flash-success"`, "4 files")
	send([3]string{"file", "c.txt", "5"}).expect(t, http.StatusSeeOther)
	v.get(link).expect(t, http.StatusOK, `data-testid="flash-success"`)
	s.expectInbox("the form", "album/", "album/a.txt=1", "album/sub/", "album/sub/b.txt=2", "c.txt=3", "c (2).txt=5", "d.txt=4")
	send([3]string{"folder", "../out.txt", "x"}, [3]string{"folder", "album/../../out.txt", "x"}, [3]string{"folder", "/out.txt", "x"}).expect(t, http.StatusSeeOther)
	v.get(link).expect(t, http.StatusOK, `data-testid="flash-error"`)
	if _, err := os.Stat(filepath.Join(s.home("alice"), "out.txt")); err == nil || len(s.inbox()) != 4 {
		t.Errorf("%v, %v", s.inbox(), err)
	}
}

// A folder that is chosen on the page of a drop box.
func TestDropBoxFolderInTheBrowser(t *testing.T) {
	if _, err := os.Stat("assets/vendor/tus.min.js"); err != nil {
		t.Skip("assets/vendor/tus.min.js is not there: make web fetches it")
	}
	s, _, link := dropFixture(t)
	dir := filepath.Join(t.TempDir(), "album #1")
	for _, n := range []string{"ä b.txt", "sub/50 %.txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, n)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, n), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := openTab(t, s.plain)
	b.open(link, "share")
	b.do(chromedp.SetUploadFiles(chromedp.CSS("#upload-folder"), []string{dir}))
	until(t, "the chosen folder", func() bool { return len(s.inboxTree()) == 4 })
	s.expectInbox("chosen", "album #1/", "album #1/sub/", "album #1/sub/50 %.txt=x", "album #1/ä b.txt=x")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		t.Errorf("console: %s", f)
	}
}
