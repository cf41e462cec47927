package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func browserSessions(t *testing.T, s identity.Store) {
	one := identity.BrowserRow{ID: "1-a", Selector: "sel", SecretHash: []byte{1, 2, 0}, User: "id-user1", OrigUser: "User1",
		Method: identity.MethodForm, CredentialVersion: 3, CSRF: "csrf", Stay: true, Remote: "192.0.2.1:5", Local: "192.0.2.2:443",
		TLS: "TLS 1.3", UserAgent: "agent", Referer: "https://example.org/", Lang: "de",
		StartedAt: at(1), LoginAt: at(2), LastActivity: at(3), Factor: identity.FactorTOTP, Data: []byte(`{"a":1}`)}
	two := identity.BrowserRow{ID: "1-b", Selector: "other", SecretHash: []byte{9}, User: "id-user2", StartedAt: at(2)}
	both := func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutBrowserSession(ctx, one); err != nil {
			return err
		}
		return w.PutBrowserSession(ctx, two)
	}
	write(t, s, both)
	one.Selector, one.SecretHash, one.LastActivity, one.Stay = "new", []byte{7}, at(9), false
	write(t, s, both)
	got, err := s.BrowserSessions(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("got %v, %v", got, err)
	}
	equal(t, "replaced by ID", got[0], one)
	if !got[1].LoginAt.IsZero() || len(got[1].Data) != 0 || !got[1].StartedAt.Equal(at(2)) {
		t.Errorf("zero fields came back as %+v", got[1])
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.RemoveBrowserSessions(ctx, one.ID, "none")
	})
	got, err = s.BrowserSessions(t.Context())
	if err != nil || len(got) != 1 || got[0].ID != two.ID {
		t.Errorf("after removing: %v, %v", got, err)
	}
}

func bans(t *testing.T, s identity.Store) {
	b := identity.Ban{Prefix: "192.0.2.1/32", Reason: "wrong passwords", Since: at(1), Until: at(2), Count: 1}
	set := func(ctx context.Context, w identity.StoreWriter) error { return w.PutBan(ctx, b) }
	write(t, s, set)
	b.Until, b.Count = at(5), 2
	write(t, s, set)
	got, err := s.Bans(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "replaced by prefix", got, []identity.Ban{b})
	remove := func(w identity.StoreWriter) error { return w.RemoveBan(t.Context(), b.Prefix) }
	if err := s.Write(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	is(t, "removed twice", s.Write(t.Context(), remove), identity.ErrNotFound)
}
