package storetest

import (
	"context"
	"testing"
	"time"

	"trivium/identity"
)

func browserSessions(t *testing.T, s identity.Store) {
	one := identity.BrowserRow{ID: "1-a", Selector: "sel", SecretHash: []byte{1, 2, 0}, User: "id-user1", OrigUser: "User1",
		Method: identity.MethodForm, CredentialVersion: 3, CSRF: "csrf", Stay: true, Remote: "192.0.2.1:5", Local: "192.0.2.2:443",
		TLS: "TLS 1.3", UserAgent: "agent", Referer: "https://example.org/", Lang: "de",
		StartedAt: at(1), LoginAt: at(2), LastActivity: at(3), Factor: identity.FactorTOTP, Data: []byte(`{"a":1}`),
		Certificate: "0a", CertificateVouched: true, CertificateUntil: at(20)}
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
	seq := func() int64 {
		n, err := s.BanSeq(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := seq(); n != 0 {
		t.Errorf("an empty store is at %d", n)
	}
	b := identity.Ban{Prefix: "192.0.2.1/32", Kind: identity.BanGuessing, Reason: "wrong passwords", Since: at(1), Until: at(2), Count: 1}
	set := func(ctx context.Context, w identity.StoreWriter) error { return w.PutBan(ctx, b) }
	write(t, s, set)
	b.Until, b.Count, b.Kind, b.Actor = at(5), 2, identity.BanManual, "admin1"
	write(t, s, set)
	other := identity.Ban{Prefix: "2001:db8::/64", Kind: identity.BanWidened, Reason: "many", Since: at(3), Until: at(9), Count: 1}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutBan(ctx, other) })
	list := func(after int64) (out []identity.Ban) {
		got, err := s.BansChanged(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range got {
			if b.Seq <= after || b.Seq > seq() {
				t.Errorf("%s has the sequence %d after %d", b.Prefix, b.Seq, after)
			}
			b.Seq = 0
			out = append(out, b)
		}
		return out
	}
	equal(t, "replaced by prefix", list(-1), []identity.Ban{b, other})
	equal(t, "what came later", list(2), []identity.Ban{other})
	b.Until = time.Time{} // lifted
	was := seq()
	write(t, s, set)
	equal(t, "one that was lifted is told", list(was), []identity.Ban{b})
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.ForgetBans(ctx, at(4)) })
	equal(t, "what is long past is forgotten", list(-1), []identity.Ban{other})

	allow := identity.BanAllow{Prefix: "10.0.0.0/8", Reason: "the office", Actor: "admin1", Since: at(1)}
	was = seq()
	put := func(ctx context.Context, w identity.StoreWriter) error { return w.PutBanAllow(ctx, allow) }
	write(t, s, put)
	allow.Reason = "both offices"
	write(t, s, put)
	got, err := s.BanAllows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "what is never banned", got, []identity.BanAllow{allow})
	if n := seq(); n != was+2 {
		t.Errorf("the sequence went from %d to %d", was, n)
	}
	remove := func(w identity.StoreWriter) error { return w.RemoveBanAllow(t.Context(), allow.Prefix) }
	if err := s.Write(t.Context(), remove); err != nil {
		t.Fatal(err)
	}
	is(t, "removed twice", s.Write(t.Context(), remove), identity.ErrNotFound)
}
