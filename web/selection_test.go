package web_test

import (
	"archive/zip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// shelf makes a home with folders and files, and who is logged in there.
func shelf(t *testing.T, s *site) *browser {
	t.Helper()
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	token := upload{"csrf", "", b.token("/files/")}
	for _, d := range []string{"photos", "photos/2026", "empty"} {
		at, name := filepath.Split("/files/" + d)
		b.post("/files/", at, "do", "mkdir", "name", name).expect(t, http.StatusSeeOther)
	}
	b.upload("/files/", token, upload{"file", "a.txt", "one"}, upload{"file", "b.txt", "two"}, upload{"file", "<b>.csv", "x;y\n1;<i>2\n"}).expect(t, http.StatusSeeOther)
	b.upload("/files/photos/", token, upload{"file", "Été.png", "no picture"}).expect(t, http.StatusSeeOther)
	b.upload("/files/photos/2026/", token, upload{"file", "a.txt", "deep"}).expect(t, http.StatusSeeOther)
	return b
}

func TestZip(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	if err := os.Symlink("a.txt", filepath.Join(s.home("user1"), "photos", "link")); err != nil {
		t.Fatal(err)
	}
	a := b.post("/files/", "/files/", "do", "zip", "name", "photos", "name", "a.txt", "name", "empty").expect(t, http.StatusOK)
	if kind := a.Header.Get("Content-Type"); kind != "application/zip" || !strings.Contains(a.Header.Get("Content-Disposition"), "files.zip") {
		t.Errorf("%s, %s", kind, a.Header.Get("Content-Disposition"))
	}
	z, err := zip.NewReader(strings.NewReader(a.body), int64(len(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r) // the check sum is looked at here
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		got[f.Name] = string(content)
	}
	for name, want := range map[string]string{"photos/": "", "photos/2026/": "", "photos/2026/a.txt": "deep", "photos/Été.png": "no picture", "a.txt": "one", "empty/": "",
		"NOT INCLUDED.txt": "Not in this archive:\r\n\r\nphotos/link: a link\r\n"} {
		if content, ok := got[name]; !ok || content != want {
			t.Errorf("%s: %q, %v", name, content, ok)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d entries", len(got))
	}
	b.post("/files/", "/files/", "do", "zip", "name", "../user2").expect(t, http.StatusNotFound)
	b.post("/files/", "/files/", "do", "zip", "name", "none").expect(t, http.StatusNotFound)
	b.post("/files/", "/files/", "do", "zip").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "Nothing was selected")
}

func TestMoveAndCopy(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	page := b.post("/files/", "/files/", "do", "move", "name", "a.txt", "name", "photos").expect(t, http.StatusOK, "Move 2 entries", "They are here already", `value="/empty"`)
	if strings.Contains(page.body, `value="/photos"`) {
		t.Error("a folder is offered as its own target")
	}
	b.post("/files/", "/files/", "do", "move", "name", "a.txt", "at", "/photos").expect(t, http.StatusOK, `value="/photos/2026"`, `name="to" value="/photos"`)
	b.post("/files/", "/files/", "do", "move", "name", "a.txt", "at", "/nowhere").expect(t, http.StatusNotFound)
	b.post("/files/", "/files/", "do", "move", "name", "a.txt", "at", "/../../etc").expect(t, http.StatusNotFound)

	b.post("/files/", "/files/", "do", "copy", "name", "a.txt", "name", "photos", "to", "/empty").expect(t, http.StatusSeeOther)
	b.get("/files/empty/").expect(t, http.StatusOK, "2 entries were copied here.", `data-name="photos"`)
	b.get("/files/empty/photos/2026/a.txt").expect(t, http.StatusOK, "deep")
	b.get("/files/a.txt").expect(t, http.StatusOK, "one")

	// One that cannot stops no other, and nothing is replaced.
	b.post("/files/", "/files/", "do", "move", "name", "a.txt", "name", "b.txt", "name", "none", "to", "/empty").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "1 entry was moved, 2 were not moved.", "“a.txt”: Something of this name is there already", "“none”")
	b.get("/files/empty/b.txt").expect(t, http.StatusOK, "two")
	b.get("/files/b.txt").expect(t, http.StatusNotFound)
	b.post("/files/", "/files/", "do", "move", "name", "photos", "to", "/photos/2026").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "0 entries were moved, 1 was not moved.", `data-name="photos"`)
	many := []string{"do", "zip"}
	for range 1100 {
		many = append(many, "name", "a"+string(rune('0'+len(many)%10)))
	}
	b.post("/files/", "/files/", many...).expect(t, http.StatusRequestEntityTooLarge)
}

func TestDeleteMany(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	b.post("/files/", "/files/", "do", "remove", "name", "a.txt", "name", "photos").expect(t, http.StatusOK, "Delete 2 entries", "This cannot be undone.")
	b.get("/files/a.txt").expect(t, http.StatusOK)
	b.post("/files/", "/files/", "do", "remove", "name", "a.txt", "name", "photos", "sure", "1").expect(t, http.StatusSeeOther)
	b.get("/files/").expect(t, http.StatusOK, "1 entry was deleted, 1 was not deleted.", "The folder is not empty")
	if got := s.named("user1"); slices.Contains(got, "a.txt") || !slices.Contains(got, "photos") {
		t.Errorf("%v", got)
	}
}

func TestSearch(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	a := b.get("/files/?q=A.TXT").expect(t, http.StatusOK, "2 found", `data-name="photos/2026/a.txt"`, `data-name="a.txt"`)
	if strings.Contains(a.body, `data-name="b.txt"`) {
		t.Error("more was found than has the words")
	}
	b.get("/files/photos/?q=e\u0301te").expect(t, http.StatusOK, "0 found", "Nothing here has") // it ends in é
	b.get("/files/photos/?q=%C3%89T%C3%89").expect(t, http.StatusOK, "1 found")
	b.get("/files/?q=%3Cb").expect(t, http.StatusOK, "1 found", "&lt;b&gt;.csv")
	b.get("/files/?q=+").expect(t, http.StatusSeeOther)
	b.get("/files/none/?q=a").expect(t, http.StatusNotFound)

	// Filters, together with a name or alone.
	today := time.Now().UTC().Format(time.DateOnly)
	b.get("/files/?search").expect(t, http.StatusOK, `<option value="picture">`, `type="date"`)
	b.get("/files/?q=&kind=&after=&before=&least=&most=").expect(t, http.StatusOK, `type="date"`)
	b.get("/files/?q=&kind=picture").expect(t, http.StatusOK, "1 found", `data-name="photos/Été.png"`, `<option value="picture" selected>`)
	b.get("/files/?q=&kind=folder").expect(t, http.StatusOK, `data-name="photos/2026"`)
	b.get("/files/?q=a.txt&kind=document&after="+today).expect(t, http.StatusOK, "2 found", `value="`+today+`"`)
	b.get("/files/?q=a.txt&kind=picture").expect(t, http.StatusOK, "0 found", "Nothing here fits.")
	b.get("/files/?q=&before=2020-01-01").expect(t, http.StatusOK, "0 found")
	b.get("/files/?q=&kind=document&most=0.000003").expect(t, http.StatusOK, "2 found", `data-name="b.txt"`)
	b.get("/files/?q=&kind=document&least=0,000004").expect(t, http.StatusOK, "2 found", `data-name="photos/2026/a.txt"`)
	for _, bad := range []string{"kind=tree", "after=yesterday", "before=2026-13-01", "least=-1", "most=many", "least=NaN", "most=1e300", "least=2&most=1", "after=2026-02-02&before=2026-02-02"} {
		b.get("/files/?q=a&"+bad).expect(t, http.StatusUnprocessableEntity, `data-testid="error-summary"`, `aria-invalid="true"`)
	}
	// What was chosen stays from page to page.
	for n := range 51 {
		if err := os.WriteFile(filepath.Join(s.home("user1"), "empty", fmt.Sprintf("p%02d.gif", n)), nil, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	b.get("/files/?q=P&kind=picture").expect(t, http.StatusOK, "52 found", `href="/files/?kind=picture&amp;page=2&amp;q=P"`, `data-name="empty/p49.gif"`)
	b.get("/files/?q=P&kind=picture&page=2").expect(t, http.StatusOK, "52 found", `data-name="empty/p50.gif"`, `data-name="photos/Été.png"`, `<option value="picture" selected>`)
}

func TestPreview(t *testing.T) {
	s := newSite(t)
	b := shelf(t, s)
	token := upload{"csrf", "", b.token("/files/")}
	b.upload("/files/", token, upload{"file", "page.html", "<script>alert(1)</script>"}, upload{"file", "picture.svg", "<svg onload=alert(1)>"}, upload{"file", "film.mp4", "x"},
		upload{"file", "data.bin", "x"}, upload{"file", "latin.txt", "caf\xe9"}, upload{"file", "long.txt", strings.Repeat("ä", 600_000)}).expect(t, http.StatusSeeOther)
	b.get("/files/page.html?view").expect(t, http.StatusOK, `data-kind="text"`, "&lt;script&gt;alert(1)", `rel="next"`, `rel="prev"`)
	b.get("/files/picture.svg?view").expect(t, http.StatusOK, `<img src="/files/picture.svg"`)
	b.get("/files/film.mp4?view").expect(t, http.StatusOK, `<video src="/files/film.mp4"`)
	b.get("/files/data.bin?view").expect(t, http.StatusOK, `data-kind=""`, "There is no preview")
	b.get("/files/latin.txt?view").expect(t, http.StatusOK, "no text in UTF-8")
	b.get("/files/%3Cb%3E.csv?view").expect(t, http.StatusOK, `data-kind="table"`, "<th scope=\"col\">x</th>", "<td>&lt;i&gt;2</td>")
	b.get("/files/long.txt?view").expect(t, http.StatusOK, "Only the beginning is shown")
	b.get("/files/none.txt?view").expect(t, http.StatusNotFound)
}
