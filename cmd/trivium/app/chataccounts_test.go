package app

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/config"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/xmpp"
	xmppstore "trivium/xmpp/sqlstore"
)

// ask sends one request to the server of cfg's data directory, running or not.
func ask(t *testing.T, cfg *config.Config, method, path, body string) {
	t.Helper()
	c, err := Control(t.Context(), cfg, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://trivium/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

// What chat keeps of an account goes with it: while the server runs, and at the next start where
// the account was removed without one.
func TestChatForgetsRemovedAccounts(t *testing.T) {
	ctx := t.Context()
	cfg := loadTest(t, filepath.Join(t.TempDir(), "data"))
	_, stop := serveTest(t, cfg)
	db, err := openStore(ctx, cfg, slog.New(slog.DiscardHandler)) // a second look at the same store
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	store := xmppstore.New(db)
	ids := map[string]identity.UserID{}
	for _, name := range []string{"alice", "bob"} {
		ask(t, cfg, http.MethodPost, "/users", `{"login":"`+name+`"}`)
		acc, err := identitystore.New(db).Account(ctx, cfg.Domain, identity.UserName(name))
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = acc.ID
		err = store.Write(ctx, func(w xmpp.StoreWriter) error {
			return w.PutContact(ctx, acc.ID, xmpp.Contact{JID: "carol@" + cfg.Domain, Listed: true})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left := func(name string) int {
		t.Helper()
		n, _, err := store.CountContacts(ctx, ids[name])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	goes := func(name string) {
		t.Helper()
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for left(name) > 0 {
			select {
			case <-tick.C:
			case <-within.Done():
				t.Fatalf("the contacts of %s stay", name)
			}
		}
	}
	ask(t, cfg, http.MethodDelete, "/users/alice", "")
	goes("alice")
	if left("bob") != 1 {
		t.Error("the contacts of bob have gone")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	ask(t, cfg, http.MethodDelete, "/users/bob", "")
	if left("bob") != 1 {
		t.Error("a command forgot what is chat's")
	}
	_, stop = serveTest(t, cfg)
	goes("bob")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
