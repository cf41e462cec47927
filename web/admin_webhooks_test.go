package web_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/webhooks"
)

// The life of a webhook on its pages, with a server that it goes to: made, tried, paused, sent again, given
// another secret, removed. Its secret is on one page, and on none after it.
func TestWebhookPages(t *testing.T) {
	type call struct {
		head http.Header
		body []byte
	}
	calls := make(chan call, 10)
	end := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- call{r.Header, body}
		if strings.Contains(string(body), "webhook.ping") {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer end.Close()
	s := openSite(t, &site{private: true})
	s.user("admin1", identity.LevelAdmin)
	s.user("user1", identity.LevelUser)
	b := s.browser().login("admin1")
	page := b.get("/admin/webhooks").expect(t, http.StatusOK, `data-testid="empty-state"`, `value="user.*"`, `value="login.fail"`).body
	if strings.Contains(page, "whsec_") {
		t.Error("a secret of nothing")
	}
	b.post("/admin/webhooks", "/admin/webhooks/new", "url", "ftp://example.org/", "event", "user.*", "note", "for <b>").expect(t, http.StatusUnprocessableEntity,
		`value="ftp://example.org/"`, `value="user.*" checked`, "for &lt;b&gt;", `aria-invalid="true"`)
	page = b.post("/admin/webhooks", "/admin/webhooks/new", "url", end.URL+"/in", "event", "group.*", "event", "user.add", "more", "app.sync").expect(t, http.StatusOK).body
	secret := regexp.MustCompile(`whsec_[^"]+`).FindString(page)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.ReplaceAll(secret, "&#43;", "+"), "whsec_"))
	list, _ := s.hooks.Hooks(t.Context())
	if err != nil || len(key) != 32 || len(list) != 1 || strings.Join(list[0].Events, " ") != "app.sync group.* user.add" {
		t.Fatalf("%v, %+v, %s", err, list, text(page))
	}
	path := "/admin/webhooks/" + list[0].ID
	if page := b.get(path).expect(t, http.StatusOK, `value="app.sync"`).body; strings.Contains(page, "whsec_") {
		t.Error("the secret is shown a second time")
	}

	// A test says what came of it.
	b.post(path, path+"/test").expect(t, http.StatusSeeOther)
	got := <-calls
	if got.head.Get("Webhook-Signature") != webhooks.Sign(key, got.head.Get("Webhook-Id"), got.head.Get("Webhook-Timestamp"), got.body) {
		t.Error("the signature is not that of the secret that was shown")
	}
	b.get(path).expect(t, http.StatusOK, `data-testid="flash-error"`, "the answer was 418", `data-status="418"`, "webhook.ping")

	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.hooks.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if _, err := s.identity.AddGroup(t.Context(), machine, "crew", 0); err != nil {
		t.Fatal(err)
	}
	first := <-calls
	until(t, "the delivery", func() bool { return strings.Contains(b.get(path).body, `data-status="200"`) })
	b.get("/admin/webhooks").expect(t, http.StatusOK, "group.add")
	b.post(path, path+"/switch", "on", "0").expect(t, http.StatusSeeOther)
	b.get(path).expect(t, http.StatusOK, "paused")

	// Sent again while it is paused; the message is the same, the secret another one.
	page = b.post(path, path+"/secret").expect(t, http.StatusOK).body
	if now := regexp.MustCompile(`whsec_[^"]+`).FindString(page); now == "" || now == secret {
		t.Error("there is no other secret")
	}
	again := regexp.MustCompile(path + `/deliveries/(\d+)/send`).FindStringSubmatch(page)
	b.post(path, again[0]).expect(t, http.StatusSeeOther)
	got = <-calls
	if string(got.body) != string(first.body) || got.head.Get("Webhook-Id") != first.head.Get("Webhook-Id") || got.head.Get("Webhook-Signature") == first.head.Get("Webhook-Signature") {
		t.Errorf("%s is sent again as %s", first.body, got.body)
	}
	b.get(path).expect(t, http.StatusOK, `data-testid="flash-success"`)
	b.post(path, path+"/deliveries/99999/send").expect(t, http.StatusSeeOther)
	b.get(path).expect(t, http.StatusOK, `data-testid="flash-error"`)
	b.post(path, path+"/deliveries/x/send").expect(t, http.StatusNotFound)

	b.post(path, path, "url", end.URL+"/other").expect(t, http.StatusSeeOther)
	if h, err := s.hooks.Hook(t.Context(), list[0].ID); err != nil || h.URL != end.URL+"/other" || len(h.Events) != 0 || h.Active {
		t.Errorf("%+v, %v", h, err)
	}
	u := s.browser().login("user1")
	u.get("/admin/webhooks").expect(t, http.StatusNotFound)
	u.post("/account", path+"/remove").expect(t, http.StatusNotFound)
	b.post(path, path+"/remove").expect(t, http.StatusSeeOther)
	b.get(path).expect(t, http.StatusNotFound)
}

// Where private addresses are not allowed the page says so at once, or at the first try where it is a name.
func TestWebhookPageRefusesPrivateAddresses(t *testing.T) {
	s := newSite(t)
	s.user("admin1", identity.LevelAdmin)
	b := s.browser().login("admin1")
	for _, url := range []string{"https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest", "http://example.org/"} {
		b.post("/admin/webhooks", "/admin/webhooks/new", "url", url).expect(t, http.StatusUnprocessableEntity, "web.webhooks_private")
	}
	b.post("/admin/webhooks", "/admin/webhooks/new", "url", "https://localhost/").expect(t, http.StatusOK)
	list, err := s.hooks.Hooks(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	path := "/admin/webhooks/" + list[0].ID
	b.post(path, path+"/test").expect(t, http.StatusSeeOther)
	b.get(path).expect(t, http.StatusOK, `data-testid="flash-error"`, "private network")
}
