package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
)

var idInRow = regexp.MustCompile(`data-id="([^"]+)"`)

// ids lists the rows of a page.
func ids(page string) (out []string) {
	for _, m := range idInRow.FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return out
}

func TestTrashPage(t *testing.T) {
	s := newBinSite(t)
	s.user("user1", identity.LevelUser)
	s.user("user2", identity.LevelUser)
	b, other := s.browser().login("user1"), s.browser().login("user2")
	token := upload{"csrf", "", b.token("/files/")}
	b.get("/trash").expect(t, http.StatusOK, `data-page="trash"`, `data-testid="empty-state"`, "30 days")
	b.post("/files/", "/files/", "do", "mkdir", "name", "d").expect(t, http.StatusSeeOther)
	b.upload("/files/d/", token, upload{"file", "in.txt", "inside"}).expect(t, http.StatusSeeOther)
	b.upload("/files/", token, upload{"file", "<b>.txt", "bold"}, upload{"file", "x.txt", "one"}).expect(t, http.StatusSeeOther)

	b.get("/files/?delete=d").expect(t, http.StatusOK, "and all in it", "30 days")
	for _, name := range []string{"d", "<b>.txt", "x.txt"} {
		b.post("/files/", "/files/", "do", "delete", "name", name).expect(t, http.StatusSeeOther)
		b.get("/files/").expect(t, http.StatusOK, "It can be restored from the trash.")
	}
	b.get("/files/").expect(t, http.StatusOK, "13 B of it in trash and old versions")
	page := b.get("/trash").expect(t, http.StatusOK, "3 entries", "&lt;b&gt;.txt", `data-kind="dir"`, "by user1")
	if strings.Contains(page.body, "<b>.txt") {
		t.Error("a name became markup")
	}
	rows := ids(page.body) // the last first
	if len(rows) != 3 {
		t.Fatalf("%q", rows)
	}
	x, bold, d := rows[0], rows[1], rows[2]

	// Another's trash is absent.
	for _, id := range rows {
		other.get("/trash?purge="+id).expect(t, http.StatusNotFound)
		other.get("/trash?restore="+id).expect(t, http.StatusNotFound)
		other.post("/files/", "/trash", "do", "restore", "id", id).expect(t, http.StatusNotFound)
		other.post("/files/", "/trash", "do", "purge", "id", id).expect(t, http.StatusNotFound)
	}
	other.post("/files/", "/trash", "do", "empty").expect(t, http.StatusSeeOther)
	b.send("/trash", map[string][]string{"do": {"empty"}}).expect(t, http.StatusForbidden)
	b.post("/trash", "/trash", "do", "nothing", "id", x).expect(t, http.StatusBadRequest)
	if got := ids(b.get("/trash").body); len(got) != 3 {
		t.Errorf("%q", got)
	}

	b.post("/trash", "/trash", "do", "restore", "id", d).expect(t, http.StatusSeeOther)
	if a := b.get("/files/d/in.txt"); a.body != "inside" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	b.upload("/files/", token, upload{"file", "x.txt", "two"}).expect(t, http.StatusSeeOther)
	a := b.post("/trash", "/trash", "do", "restore", "id", x).expect(t, http.StatusSeeOther)
	if at := a.Header.Get("Location"); at != "/trash?restore="+x {
		t.Errorf("on to %q", at)
	}
	b.get("/trash?restore="+x).expect(t, http.StatusOK, `data-testid="flash-error"`, `value="/x.txt"`, "is there already")
	b.post("/trash", "/trash", "do", "restore", "id", x, "to", "/a new/place.txt").expect(t, http.StatusSeeOther)
	if a := b.get("/files/a%20new/place.txt"); a.body != "one" {
		t.Errorf("%d %q", a.StatusCode, a.body)
	}
	b.get("/trash?purge="+bold).expect(t, http.StatusOK, "This cannot be undone.", "&lt;b&gt;.txt")
	b.post("/trash", "/trash", "do", "purge", "id", bold).expect(t, http.StatusSeeOther)
	b.get("/trash").expect(t, http.StatusOK, "was deleted for ever", `data-testid="empty-state"`)

	b.post("/files/", "/files/", "do", "delete", "name", "x.txt").expect(t, http.StatusSeeOther)
	b.get("/trash?empty=1").expect(t, http.StatusOK, "1 entry will be deleted for ever")
	b.post("/trash", "/trash", "do", "empty").expect(t, http.StatusSeeOther)
	b.get("/trash").expect(t, http.StatusOK, "The trash is empty.", `data-testid="empty-state"`)
	s.browser().get("/trash").expect(t, http.StatusSeeOther)
}

// TestNoTrash: without one the pages promise none.
func TestNoTrash(t *testing.T) {
	s := newSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	b.get("/trash").expect(t, http.StatusOK, "switched off")
	b.upload("/files/", upload{"csrf", "", b.token("/files/")}, upload{"file", "x.txt", "one"}).expect(t, http.StatusSeeOther)
	if page := b.get("/files/").body; strings.Contains(page, "?versions=") {
		t.Error("versions are offered")
	}
	b.post("/files/", "/files/", "do", "delete", "name", "x.txt").expect(t, http.StatusSeeOther)
	if page := b.get("/files/").body; strings.Contains(page, "restored from") {
		t.Error("it is said to be in the trash")
	}
}

func TestVersionsPage(t *testing.T) {
	s := newBinSite(t)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("user1")
	token := upload{"csrf", "", b.token("/files/")}
	for _, content := range []string{"one", "two!", "three"} {
		b.upload("/files/", token, upload{"replace", "", "1"}, upload{"file", "a b.txt", content}).expect(t, http.StatusSeeOther)
	}
	b.get("/files/").expect(t, http.StatusOK, `href="/files/?properties=a&#43;b.txt"`)
	b.get("/files/?properties=a+b.txt").expect(t, http.StatusOK, "2 old versions, 7 B in all.", `href="/files/?versions=a&#43;b.txt"`)
	const at = "/files/?versions=a+b.txt"
	page := b.get(at).expect(t, http.StatusOK, "2 old", "by user1")
	rows := ids(page.body)
	if len(rows) != 2 {
		t.Fatalf("%q", rows)
	}
	a := b.get(at+"&id="+rows[1]).expect(t, http.StatusOK)
	if a.body != "one" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "sandbox;") {
		t.Errorf("%q, %q", a.body, a.Header)
	}
	b.post(at, "/files/", "do", "restore", "name", "a b.txt", "id", rows[1]).expect(t, http.StatusSeeOther)
	b.get(at).expect(t, http.StatusOK, `data-testid="flash-success"`, "2 old")
	if a := b.get("/files/a%20b.txt"); a.body != "one" {
		t.Errorf("%q", a.body)
	}
	b.post(at, "/files/", "do", "restore", "name", "a b.txt", "id", rows[1]).expect(t, http.StatusSeeOther)
	b.get(at).expect(t, http.StatusOK, `data-testid="flash-error"`, "was not restored")
	for _, bad := range []string{"/files/?versions=absent", "/files/?versions=..", "/files/?versions=a+b.txt&id=x", "/files/?versions="} {
		b.get(bad).expect(t, http.StatusNotFound)
	}
}
