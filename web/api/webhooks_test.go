package api_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"trivium/identity"
	"trivium/tokens"
	"trivium/web/api"
	"trivium/webhooks"
)

// hookEnd takes deliveries.
type hookEnd struct {
	*httptest.Server
	mu     sync.Mutex // guards what follows
	answer int
	got    []hookCall
}

type hookCall struct {
	head http.Header
	body string
}

func newHookEnd(t *testing.T) *hookEnd {
	e := &hookEnd{answer: http.StatusNoContent}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.got = append(e.got, hookCall{r.Header, string(b)})
		w.WriteHeader(e.answer)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *hookEnd) says(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = status
}

func (e *hookEnd) calls() []hookCall {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]hookCall(nil), e.got...)
}

// deliver runs the deliveries until stop.
func (s *server) deliver(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.hooks.Run(ctx) }()
	once := sync.OnceFunc(func() {
		cancel()
		check(t, <-done)
	})
	t.Cleanup(once)
	return once
}

func TestWebhooks(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	auth, end := basic("admin"), newHookEnd(t)
	var h api.Webhook
	got := s.ask(t, auth, http.MethodPost, "/webhooks", `{"url":"`+end.URL+`/in","events":["group.*"]}`)
	got.into(t, &h)
	if got.status != http.StatusCreated || !strings.HasPrefix(h.Secret, "whsec_") || !h.Active {
		t.Fatalf("%d %s", got.status, got.body)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(h.Secret, "whsec_"))
	check(t, err)
	if got := s.ask(t, auth, http.MethodGet, "/webhooks", ""); strings.Contains(got.body, "whsec_") || !strings.Contains(got.body, h.ID) {
		t.Error(got.body)
	}
	kept, err := s.hooks.Hook(t.Context(), h.ID)
	check(t, err)
	if strings.Contains(string(kept.Secret), string(key)) {
		t.Error("the secret lies in the clear")
	}

	// What happened while nobody delivered comes, in order, and nothing else.
	group := func(name string) {
		t.Helper()
		if got := s.ask(t, auth, http.MethodPost, "/groups", `{"name":"`+name+`"}`); got.status != http.StatusCreated {
			t.Fatal(got.body)
		}
	}
	group("one")
	s.ask(t, auth, http.MethodPost, "/aliases", `{"alias":"boss","user":"admin"}`)
	group("two")
	stop := s.deliver(t)
	eventually(t, func() bool { return len(end.calls()) >= 2 })
	for i, c := range end.calls() {
		var p struct {
			Type string            `json:"type"`
			Data identity.AuditOut `json:"data"`
		}
		check(t, json.Unmarshal([]byte(c.body), &p))
		if want := []string{"one", "two"}[i]; p.Type != "group.add" || p.Data.Subject != want {
			t.Errorf("delivery %d: %s", i, c.body)
		}
		if c.head.Get("Webhook-Signature") != webhooks.Sign(key, c.head.Get("Webhook-Id"), c.head.Get("Webhook-Timestamp"), []byte(c.body)) {
			t.Error("the signature is another one")
		}
	}

	// What is not taken comes again, as the same message, and before what happened later.
	end.says(http.StatusInternalServerError)
	group("three")
	eventually(t, func() bool { return len(end.calls()) >= 4 })
	group("four")
	end.says(http.StatusOK)
	eventually(t, func() bool { return strings.Contains(end.calls()[len(end.calls())-1].body, "four") })
	ids := map[string]int{}
	for _, c := range end.calls() {
		ids[c.head.Get("Webhook-Id")]++
	}
	if len(ids) != 4 {
		t.Errorf("messages %v", ids)
	}

	// Nothing is lost where delivering stops and begins anew, by a service that knows nothing but the store.
	stop()
	group("five")
	s.deliver(t)
	eventually(t, func() bool { return strings.Contains(end.calls()[len(end.calls())-1].body, "five") })

	var log []webhooks.Delivery
	eventually(t, func() bool {
		s.ask(t, auth, http.MethodGet, "/webhooks/"+h.ID+"/deliveries", "").into(t, &log)
		return len(log) == len(end.calls())
	})
	if log[0].Status != http.StatusOK || log[0].Error != "" || log[0].Event != "group.add" {
		t.Errorf("%+v", log[0])
	}
	var ping webhooks.Delivery
	s.ask(t, auth, http.MethodPost, "/webhooks/"+h.ID+"/test", `{}`).into(t, &ping)
	if ping.Event != "webhook.ping" || ping.Status != http.StatusOK {
		t.Errorf("%+v", ping)
	}

	// A delivery is sent once more: the same message, signed with the secret of now, also where it is off.
	var rotated api.Webhook
	s.ask(t, auth, http.MethodPost, "/webhooks/"+h.ID+"/secret", `{}`).into(t, &rotated)
	key, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(rotated.Secret, "whsec_"))
	check(t, err)
	s.ask(t, auth, http.MethodPatch, "/webhooks/"+h.ID, `{"active":false}`).into(t, &h)
	var again webhooks.Delivery
	s.ask(t, auth, http.MethodPost, fmt.Sprintf("/webhooks/%s/deliveries/%d/send", h.ID, log[0].ID), `{}`).into(t, &again)
	last := end.calls()[len(end.calls())-1]
	if again.Message != log[0].Message || again.Attempt != log[0].Attempt+1 || again.Status != http.StatusOK || !strings.Contains(last.body, "five") ||
		last.head.Get("Webhook-Signature") != webhooks.Sign(key, again.Message, last.head.Get("Webhook-Timestamp"), []byte(last.body)) {
		t.Errorf("sent again: %+v as %s", again, last.body)
	}
	if rotated.Secret == h.Secret || len(key) != 32 {
		t.Error("the secret is no other one")
	}
	if p := s.ask(t, auth, http.MethodPost, "/webhooks/"+h.ID+"/deliveries/99999/send", `{}`).problem(t); p.Status != http.StatusNotFound {
		t.Errorf("%+v", p)
	}
	s.ask(t, auth, http.MethodGet, "/webhooks/"+h.ID, "").into(t, &h)
	if h.Last == nil || h.Last.ID != again.ID {
		t.Errorf("the newest delivery: %+v", h.Last)
	}
	s.ask(t, auth, http.MethodPatch, "/webhooks/"+h.ID, `{"active":true}`).into(t, &h)

	// Who answers that it is gone is left alone, and the log says so.
	end.says(http.StatusGone)
	group("six")
	eventually(t, func() bool {
		s.ask(t, auth, http.MethodGet, "/webhooks/"+h.ID, "").into(t, &h)
		return !h.Active
	})
	rows, err := s.id.Audit(t.Context(), identity.AuditFilter{Event: "webhook.off"})
	check(t, err)
	if h.Why == "" || len(rows) != 1 {
		t.Errorf("%+v, %d rows", h, len(rows))
	}
	// Switched on again it goes on where it was.
	end.says(http.StatusOK)
	s.ask(t, auth, http.MethodPatch, "/webhooks/"+h.ID, `{"active":true}`).into(t, &h)
	eventually(t, func() bool { return strings.Contains(end.calls()[len(end.calls())-1].body, "six") })
	if got := s.ask(t, auth, http.MethodDelete, "/webhooks/"+h.ID, ""); got.status != http.StatusNoContent {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestBadWebhooks(t *testing.T) {
	s := start(t, identity.LevelAdmin)
	for _, body := range []string{`{}`, `{"url":"x"}`, `{"url":"ftp://example.org/"}`, `{"url":"https://a:b@example.org/"}`, `{"url":"https://example.org/#x"}`,
		`{"url":"https://example.org/","events":["A b"]}`, `{"url":"https://example.org/","events":[""]}`, `{"url":"https://example.org/","note":"a\nb"}`} {
		if p := s.ask(t, basic("admin"), http.MethodPost, "/webhooks", body).problem(t); p.Status != http.StatusUnprocessableEntity || p.Detail == "" {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := s.ask(t, basic("admin"), http.MethodGet, "/webhooks/nosuch", "").problem(t); p.Status != http.StatusNotFound {
		t.Errorf("%+v", p)
	}
}

// logEvents reads a stream.
func (s *server) logEvents(t *testing.T, auth, query, after string) (next func() (kind, id, data string), end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/events"+query, nil)
	check(t, err)
	req.Header.Set("Authorization", auth)
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%s", res.Status)
	}
	lines := bufio.NewScanner(res.Body)
	end = sync.OnceFunc(func() {
		cancel()
		_ = res.Body.Close()
	})
	t.Cleanup(end)
	return func() (kind, id, data string) {
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				kind = value
			case "id":
				id = value
			case "data":
				data = value
			case "":
				if kind != "" {
					return kind, id, data
				}
			}
		}
		return "", "", ""
	}, end
}

func TestEvents(t *testing.T) {
	s := start(t, identity.LevelAdmin, identity.LevelUser)
	next, end := s.logEvents(t, basic("admin"), "?event=group.*,alias.add", "")
	if kind, _, _ := next(); kind != "hello" {
		t.Errorf("the first event is %q", kind)
	}
	add := func(name string) {
		t.Helper()
		if _, err := s.id.AddGroup(t.Context(), root(), name, 0); err != nil {
			t.Fatal(err)
		}
	}
	add("one")
	s.add(t, "other", identity.LevelUser)
	add("two")
	kind, id, data := next()
	if kind != "group.add" || !strings.Contains(data, `"subject":"one"`) {
		t.Errorf("%s %s", kind, data)
	}
	if _, _, data := next(); !strings.Contains(data, `"subject":"two"`) {
		t.Error(data)
	}
	end()
	add("three")
	// Who comes back finds what was missed.
	next, end = s.logEvents(t, basic("admin"), "?event=group.*", id)
	next()
	for _, want := range []string{"two", "three"} {
		if _, _, data := next(); !strings.Contains(data, `"subject":"`+want+`"`) {
			t.Errorf("%s, want %s", data, want)
		}
	}
	end()
	next, end = s.logEvents(t, basic("admin"), "", "999999")
	next()
	if kind, _, _ := next(); kind != "lagged" {
		t.Errorf("after a place that never was: %q", kind)
	}
	end()

	// People see their own log-ins, and nothing else.
	auth := bearer(s.token(t, tokens.Request{User: "user", Scopes: []tokens.Scope{tokens.ScopeAPI}}))
	next, _ = s.logEvents(t, auth, "", "0")
	next()
	add("four")
	if got := s.ask(t, basic("user"), http.MethodGet, "/me", ""); got.status != http.StatusOK {
		t.Fatal(got.status)
	}
	if kind, _, data := next(); !strings.HasPrefix(kind, "login.") || !strings.Contains(data, `"subject":"user"`) {
		t.Errorf("%s %s", kind, data)
	}
	// The stream ends with what opened it.
	list, err := s.tokens.List(t.Context(), "user")
	check(t, err)
	check(t, s.tokens.Revoke(t.Context(), root(), list[0].ID))
	for {
		if kind, _, _ := next(); kind == "" {
			break
		}
	}
	for _, bad := range []string{"x", "-1"} {
		if p := s.with(t, basic("admin"), http.MethodGet, "/events", "", "Last-Event-ID", bad).problem(t); p.Status != http.StatusUnprocessableEntity {
			t.Errorf("%q: %+v", bad, p)
		}
	}
}
