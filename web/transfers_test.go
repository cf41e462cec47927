package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"trivium/identity"
)

// A transfer over the pages is listed, and stopping it cuts that alone: the session goes on.
func TestStopTransfer(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	s.user("user1", identity.LevelUser)
	s.user("staff1", identity.LevelStaff)
	admin, u := s.browser().login("admin1"), s.browser().login("user1")
	admin.get("/admin/transfers").expect(t, http.StatusOK, "No transfers right now.")
	u.get("/admin/transfers").expect(t, http.StatusNotFound)

	// An upload whose body does not end by itself.
	token := u.token("/files/")
	create := u.request("POST", "/files/", http.NoBody)
	for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Length": "1000000", "Upload-Metadata": "filename Ym9hdC5pc28=", "X-CSRF-Token": token} {
		create.Header.Set(k, v)
	}
	at := u.do(create)
	if at.StatusCode != http.StatusCreated {
		t.Fatalf("an upload begins with %d", at.StatusCode)
	}
	body, more := io.Pipe()
	patch := u.request("PATCH", at.Header.Get("Location"), body)
	for k, v := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "X-CSRF-Token": token} {
		patch.Header.Set(k, v)
	}
	done := make(chan int, 1)
	go func() {
		res, err := u.Do(patch)
		if err != nil {
			done <- 0
			return
		}
		_ = res.Body.Close()
		done <- res.StatusCode
	}()
	go func() { _, _ = more.Write([]byte(strings.Repeat("x", 1000))) }()
	var id string
	until(t, "the upload among the transfers", func() bool {
		list := s.identity.Registry.Transfers(identity.TransferFilter{Filter: identity.Filter{User: "user1"}})
		if len(list) == 1 && list[0].Path == "/boat.iso" && list[0].Size == 1_000_000 {
			id = list[0].ID
		}
		return id != ""
	})
	admin.get("/admin/transfers").expect(t, http.StatusOK, `data-testid="transfer-row"`, "/boat.iso", "user1")
	for query, row := range map[string]bool{
		"?path=BOAT": true, "?path=ship": false, "?user=user1": true, "?user=admin1": false, "?from=127.0.0.0/8": true, "?from=192.0.2.1": false,
		"?protocol=web": true, "?protocol=ftp": false, "?direction=in": true, "?direction=out": false,
	} {
		page := admin.get("/admin/transfers"+query).expect(t, http.StatusOK, "Clear")
		if strings.Contains(page.body, "/boat.iso") != row || !strings.Contains(page.body, "No transfer matches the filter.") {
			t.Errorf("%s: the upload is listed: %t", query, !row)
		}
	}
	admin.get("/admin/transfers?from=here").expect(t, http.StatusUnprocessableEntity)
	staff := s.browser().login("staff1")
	if page := staff.get("/admin/transfers").expect(t, http.StatusOK, "/boat.iso"); strings.Contains(page.body, "/stop") {
		t.Error("staff get a Stop button")
	}
	admin.post("/admin/transfers", "/admin/transfers/"+id+"/stop").expect(t, http.StatusSeeOther)
	if got := <-done; got != http.StatusForbidden && got != 0 {
		t.Errorf("the stopped upload gets %d", got)
	}
	_ = more.Close()
	admin.get("/admin/transfers").expect(t, http.StatusOK, "The transfer of /boat.iso by user1 was stopped.", "No transfers right now.")
	u.get("/files/").expect(t, http.StatusOK)
	admin.post("/admin/transfers", "/admin/transfers/"+id+"/stop").expect(t, http.StatusSeeOther)
	admin.get("/admin/transfers").expect(t, http.StatusOK, "The transfer was not stopped.")
	until(t, "the row of the audit log", func() bool { // it is written behind
		rows, err := s.identity.Audit(t.Context(), identity.AuditFilter{Event: identity.EventTransferStop})
		return err == nil && len(rows) == 1 && rows[0].Actor == "admin1" && rows[0].Subject == "user1" && rows[0].Detail == "PUT /boat.iso"
	})
}
