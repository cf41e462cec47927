package storetest

import (
	"context"
	"slices"
	"strconv"
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

func audit(t *testing.T, s identity.Store) {
	full := identity.AuditEvent{Time: at(1), Event: "login.fail", Actor: "user1", Via: "ftp", Subject: "user1",
		Protocol: identity.ProtocolFTP, Method: identity.MethodPassword, Remote: "192.0.2.1:5", Session: "1-a", Result: "no", Detail: "why", Before: `{"level":"user"}`, After: `{"level":"staff"}`}
	events := []identity.AuditEvent{full,
		{Time: at(3), Event: "login.ok", Actor: "user2", Subject: "user2", Result: "ok"},
		{Time: at(2), Event: "loginx", Actor: "admin1", Subject: "user1", Result: "ok"},
		{Time: at(3), Event: "user.set", Actor: "admin1", Subject: "user2", Result: "ok"},
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.AppendAudit(ctx, events[0]); err != nil {
			return err
		}
		return w.AppendAudit(ctx, events[1:]...)
	})
	for _, c := range []struct {
		name   string
		filter identity.AuditFilter
		want   []string
	}{
		{"all, the later written first at the same time", identity.AuditFilter{}, []string{"user.set", "login.ok", "loginx", "login.fail"}},
		{"exact", identity.AuditFilter{Event: "login.ok"}, []string{"login.ok"}},
		{"a prefix", identity.AuditFilter{Event: "login.*"}, []string{"login.ok", "login.fail"}},
		{"a prefix is no pattern", identity.AuditFilter{Event: "log_n.*"}, nil},
		{"subject", identity.AuditFilter{Subject: "user1"}, []string{"loginx", "login.fail"}},
		{"actor", identity.AuditFilter{Actor: "admin1"}, []string{"user.set", "loginx"}},
		{"since, that moment too", identity.AuditFilter{Since: at(2)}, []string{"user.set", "login.ok", "loginx"}},
		{"limit", identity.AuditFilter{Limit: 1}, []string{"user.set"}},
		{"two together", identity.AuditFilter{Event: "login.*", Subject: "user1"}, []string{"login.fail"}},
	} {
		got, err := s.Audit(t.Context(), c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var names []string
		for _, e := range got {
			names = append(names, e.Event)
		}
		equal(t, c.name, names, c.want)
	}
	got, err := s.Audit(t.Context(), identity.AuditFilter{Event: "login.fail"})
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	equal(t, "every field", got[0], full)

	const many = 40 // at once
	events = nil
	for i := range many {
		e := full
		e.Event, e.Time, e.Detail = "many", at(i+4), strconv.Itoa(i)
		events = append(events, e)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.AppendAudit(ctx, events...) })
	got, err = s.Audit(t.Context(), identity.AuditFilter{Event: "many"})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(got)
	equal(t, "many at once", got, events)
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
