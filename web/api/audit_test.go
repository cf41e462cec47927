package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"trivium/identity"
)

func TestAuditFilters(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	auth := basic("admin")
	for _, login := range []string{"alice", "bob", "carol"} {
		s.ask(t, auth, http.MethodPost, "/users", `{"login":"`+login+`"}`)
	}
	s.ask(t, auth, http.MethodPatch, "/users/alice", `{"level":"customer"}`)
	var list []identity.AuditOut
	s.ask(t, auth, http.MethodGet, "/audit?event=level.set", "").into(t, &list)
	if len(list) != 1 || string(list[0].Before) != `{"level":"user"}` || string(list[0].After) != `{"level":"customer"}` || list[0].Actor != "admin" || list[0].Via != "api" {
		t.Errorf("what changed: %+v", list)
	}
	got := s.ask(t, auth, http.MethodGet, "/audit?event=user.add&limit=2", "")
	got.into(t, &list)
	link, _, _ := strings.Cut(strings.TrimPrefix(got.header.Get("Link"), "</api/v1"), ">")
	if len(list) != 2 || list[0].Subject != "carol" || !strings.Contains(link, "cursor=") {
		t.Fatalf("the first page: %+v, %s", list, got.header.Get("Link"))
	}
	got = s.ask(t, auth, http.MethodGet, link, "")
	got.into(t, &list)
	if len(list) == 0 || list[0].Subject != "alice" {
		t.Errorf("the next page: %+v", list)
	}
	s.ask(t, auth, http.MethodGet, "/audit?actor=admin&from=127.0.0.0/8&result=ok&event=user.*&text=CAROL", "").into(t, &list)
	if len(list) != 1 || list[0].Subject != "carol" {
		t.Errorf("several together: %+v", list)
	}
	for _, q := range []string{"from=x", "cursor=x", "after=x", "since=x", "limit=-1", "wait=100", "nonsense=1"} {
		if got := s.ask(t, auth, http.MethodGet, "/audit?"+q, ""); got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", q, got.status, got.body)
		}
	}
	var head struct {
		ID   int64
		Head string
	}
	s.ask(t, auth, http.MethodGet, "/audit/head", "").into(t, &head)
	s.ask(t, auth, http.MethodGet, "/audit?after=0&event=user.add&limit=1", "").into(t, &list)
	if len(list) != 1 || list[0].ID > head.ID {
		t.Errorf("followed: %+v of %d", list, head.ID)
	}
	var proof identity.AuditProof
	s.ask(t, auth, http.MethodGet, "/audit/verify?head="+url.QueryEscape(head.Head), "").into(t, &proof)
	if len(proof.Faults) != 0 || proof.Rows < head.ID {
		t.Errorf("%+v", proof)
	}
	if got := s.ask(t, auth, http.MethodGet, "/audit/verify?head=x", ""); got.status/100 != 4 {
		t.Errorf("a head that is none: %d", got.status)
	}
	got = s.ask(t, auth, http.MethodGet, "/audit/export?event=user.add", "")
	if got.status != http.StatusOK || !strings.HasPrefix(string(got.body), "id,time,event,") || !strings.Contains(string(got.body), "carol") || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
		t.Errorf("CSV: %d %s", got.status, got.body)
	}
	got = s.ask(t, auth, http.MethodGet, "/audit/export?event=audit.export&format=json", "")
	if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list) != 1 || list[0].Actor != "admin" {
		t.Errorf("JSON: %v %s", err, got.body)
	}
	var events []string
	s.ask(t, auth, http.MethodGet, "/audit/events", "").into(t, &events)
	if !strings.Contains(strings.Join(events, " "), "level.set") {
		t.Errorf("events: %v", events)
	}
	s.ask(t, auth, http.MethodGet, "/audit/own", "").into(t, &list)
	for _, e := range list {
		if e.Subject != "admin" || !strings.HasPrefix(e.Event, "login.") {
			t.Errorf("among one's own attempts: %+v", e)
		}
	}
}
