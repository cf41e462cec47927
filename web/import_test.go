package web_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
)

var applyForm = regexp.MustCompile(`action="(/admin/import/[a-z0-9]+/apply)"`)

// An import is looked at first and changes nothing; then it is applied, once, by the session that has
// looked at it.
func TestImport(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	s.user("admin2", identity.LevelAdmin)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("admin1")
	s.browser().login("user1").get("/admin/import").expect(t, http.StatusNotFound)
	table := "login,password,display,level\nalice,correct horse,Alice <script>alert(1)</script>,staff\nuser1,x,,\n\"<img src=x onerror=alert(1)>\",x,,\nbob,,Bob,\n"
	send := func(pairs ...string) answer {
		parts := []upload{{"csrf", "", b.token("/admin/import")}, {"main", "people.csv", table}}
		for i := 0; i+1 < len(pairs); i += 2 {
			parts = append(parts, upload{pairs[i], "", pairs[i+1]})
		}
		return b.upload("/admin/import", parts...)
	}
	a := send("conflict", "skip").expect(t, http.StatusOK, "What would be done", "2 added, 1 same, 1 skipped", `data-login="alice" data-action="added"`, `data-login="user1" data-action="same"`, "&lt;img src=x", "Nothing was changed yet")
	if strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, "<script>alert") {
		t.Error("a name of the file became markup")
	}
	if _, err := s.identity.User(t.Context(), "alice"); err == nil {
		t.Fatal("the dry run has made an account")
	}
	apply := applyForm.FindStringSubmatch(a.body)
	if apply == nil {
		t.Fatal("no form that applies it")
	}
	stranger := s.browser().login("admin2")
	stranger.post("/admin/import", apply[1]).expect(t, http.StatusSeeOther)
	if _, err := s.identity.User(t.Context(), "alice"); err == nil {
		t.Fatal("another session has applied it")
	}
	b.post("/admin/import", apply[1]).expect(t, http.StatusOK, "Done", "2 added, 1 same, 1 skipped")
	acc, err := s.identity.User(t.Context(), "alice")
	if err != nil || acc.Level != identity.LevelStaff {
		t.Errorf("alice: %v, %v", acc.Level, err)
	}
	b.post("/admin/import", apply[1]).expect(t, http.StatusSeeOther)
	b.get("/admin/import").expect(t, http.StatusOK, "applied already")
	// What cannot be.
	send("conflict", "fail").expect(t, http.StatusConflict)
	b.upload("/admin/import", upload{"csrf", "", b.token("/admin/import")}).expect(t, http.StatusUnprocessableEntity, "Choose the file")
	b.upload("/admin/import", upload{"csrf", "", b.token("/admin/import")}, upload{"main", "x", "what is this"}).expect(t, http.StatusUnprocessableEntity, "cannot be told")
	b.upload("/admin/import", upload{"csrf", "", b.token("/admin/import")}, upload{"format", "", "prosody"}, upload{"main", "x.zip", "PK"}).expect(t, http.StatusUnprocessableEntity, "no zip")
	b.upload("/admin/import", upload{"main", "people.csv", table}).expect(t, http.StatusForbidden)
	b.upload("/admin/import", upload{"csrf", "", b.token("/admin/import")}, upload{"main", "people.csv", "login\n" + strings.Repeat("x", 9<<20)}).expect(t, http.StatusRequestEntityTooLarge, "larger than")
}

// Prosody's data directory comes as a zip.
func TestImportProsody(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	b := s.browser().login("admin1")
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	f, err := z.Create("example%2eorg/accounts/carol.dat")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.Write([]byte(`return { ["password"] = "correct horse" };`))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a := b.upload("/admin/import", upload{"csrf", "", b.token("/admin/import")}, upload{"main", "prosody.zip", buf.String()}).
		expect(t, http.StatusOK, "1 added", "carol", "prosody")
	apply := applyForm.FindStringSubmatch(a.body)
	if apply == nil {
		t.Fatal("no form that applies it")
	}
	b.post("/admin/import", apply[1]).expect(t, http.StatusOK, "Done")
	if _, err := s.identity.User(t.Context(), "carol"); err != nil {
		t.Error(err)
	}
}
