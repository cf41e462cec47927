package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func newApplication(id string) identity.Application {
	return identity.Application{ID: id, Name: "Wiki " + id, SecretHash: []byte{1, 2}, Redirects: []string{"https://a.example.org/x", "https://a.example.org/y"},
		LogoutRedirects: []string{"https://a.example.org/"}, LogoutURI: "https://a.example.org/out", Scopes: []string{"openid", "email"}, Level: identity.LevelStaff,
		Groups: []string{"choir"}, Consent: true, Factor: true, Algorithm: "ES256", CreatedBy: "root", CreatedAt: at(1), ChangedAt: at(2)}
}

func newGrant(id, app string, user identity.UserID, session string, second int) identity.ApplicationGrant {
	return identity.ApplicationGrant{ID: id, Application: app, User: user, Session: session, SID: "sid-" + id, Scopes: []string{"openid", "offline_access"},
		Redirect: "https://a.example.org/x", Challenge: "c", Nonce: "n", Method: identity.MethodForm, Factor: identity.FactorTOTP, CredentialVersion: 3,
		AuthAt: at(second), CreatedAt: at(second), UsedAt: at(second), ExpiresAt: at(second + 60)}
}

func applications(t *testing.T, s identity.Store) {
	ctx := t.Context()
	put(t, s, newUser("user1", 10000), newUser("user2", 10001))
	a, b := newApplication("a"), newApplication("b")
	b.SecretHash, b.LogoutRedirects, b.Groups, b.Level = nil, nil, nil, identity.LevelNone
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutApplication(ctx, b); err != nil {
			return err
		}
		return w.PutApplication(ctx, a)
	})
	list, err := s.Applications(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "applications", list, []identity.Application{a, b})
	if !list[1].Public() || list[0].Public() {
		t.Error("an application without a secret is not public, or one with a secret is")
	}
	a.Name, a.Consent = "Another", false
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutApplication(ctx, a) })
	got, err := s.Application(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "changed", got, a)
	_, err = s.Application(ctx, "c")
	is(t, "none", err, identity.ErrNotFound)

	u := identity.ApplicationUser{Application: "a", User: "id-user1", Scopes: []string{"openid"}, FirstAt: at(1), LastAt: at(1)}
	later := identity.ApplicationUser{Application: "a", User: "id-user1", Scopes: []string{"openid", "email"}, Agreed: true, FirstAt: at(5), LastAt: at(5)}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutApplicationUser(ctx, u); err != nil {
			return err
		}
		return w.PutApplicationUser(ctx, later)
	})
	later.FirstAt = at(1)
	one, err := s.ApplicationUser(ctx, "a", "id-user1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "who uses it", one, later)
	_, err = s.ApplicationUser(ctx, "a", "id-user2")
	is(t, "who does not", err, identity.ErrNotFound)
	stranger := u
	stranger.User = "id-user9"
	is(t, "nobody's", s.Write(ctx, func(w identity.StoreWriter) error { return w.PutApplicationUser(ctx, stranger) }), identity.ErrNotFound)
	counts, err := s.ApplicationUseCounts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "counts", counts, map[string]int{"a": 1})

	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.AddApplicationGrant(ctx, newGrant("1", "a", "id-user1", "s", 1))
	})
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveApplication(ctx, "a") })
	_, err = s.ApplicationGrant(ctx, "1")
	is(t, "a grant of one that is removed", err, identity.ErrNotFound)
	if uses, err := s.ApplicationUsers(ctx, "id-user1"); err != nil || len(uses) != 0 {
		t.Errorf("uses of one that is removed: %v, %v", uses, err)
	}
	is(t, "removed twice", s.Write(ctx, func(w identity.StoreWriter) error { return w.RemoveApplication(ctx, "a") }), identity.ErrNotFound)
}

func applicationGrants(t *testing.T, s identity.Store) {
	ctx := t.Context()
	put(t, s, newUser("user1", 10000), newUser("user2", 10001))
	grants := []identity.ApplicationGrant{newGrant("1", "a", "id-user1", "s1", 1), newGrant("2", "b", "id-user1", "s1", 2),
		newGrant("3", "a", "id-user2", "s1", 3), newGrant("4", "a", "id-user1", "s2", 4)}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		for _, id := range []string{"a", "b"} {
			if err := w.PutApplication(ctx, newApplication(id)); err != nil {
				return err
			}
		}
		for _, g := range grants {
			if err := w.AddApplicationGrant(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
	got, err := s.ApplicationGrant(ctx, "1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "grant", got, grants[0])
	for _, c := range []struct {
		name string
		f    identity.GrantFilter
		want []string
	}{
		{"all", identity.GrantFilter{}, []string{"1", "2", "3", "4"}},
		{"of a session", identity.GrantFilter{Session: "s1"}, []string{"1", "2", "3"}},
		{"of a person's session", identity.GrantFilter{Session: "s1", User: "id-user1"}, []string{"1", "2"}},
		{"of a person", identity.GrantFilter{User: "id-user1"}, []string{"1", "2", "4"}},
		{"of a person at one", identity.GrantFilter{User: "id-user1", Application: "a"}, []string{"1", "4"}},
		{"of an application", identity.GrantFilter{Application: "b"}, []string{"2"}},
		{"that are over", identity.GrantFilter{Expired: at(63)}, []string{"1", "2"}},
		{"bounded", identity.GrantFilter{Limit: 1}, []string{"1"}},
	} {
		list, err := s.ApplicationGrants(ctx, c.f)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, g := range list {
			ids = append(ids, g.ID)
		}
		equal(t, c.name, ids, c.want)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.DetachApplicationGrant(ctx, "4"); err != nil {
			return err
		}
		return w.AdvanceApplicationGrant(ctx, "1", 0, at(10), at(90))
	})
	want := grants[0]
	want.Generation, want.UsedAt, want.ExpiresAt = 1, at(10), at(90)
	if got, err = s.ApplicationGrant(ctx, "1"); err != nil {
		t.Fatal(err)
	}
	equal(t, "used", got, want)
	is(t, "used twice", s.Write(ctx, func(w identity.StoreWriter) error { return w.AdvanceApplicationGrant(ctx, "1", 0, at(11), at(91)) }), identity.ErrNotFound)
	if list, err := s.ApplicationGrants(ctx, identity.GrantFilter{Session: "s2"}); err != nil || len(list) != 0 {
		t.Errorf("detached: %v, %v", list, err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		gone, err := w.RemoveApplicationGrants(ctx, "1", "9", "2")
		equal(t, "removed", gone, []string{"1", "2"})
		return err
	})
	_, err = s.ApplicationGrant(ctx, "2")
	is(t, "one that is removed", err, identity.ErrNotFound)

	keys := []identity.SealedKey{{ID: "k1", Algorithm: "RS256", Sealed: []byte{1}, CreatedAt: at(1)}, {ID: "k2", Algorithm: "ES256", Sealed: []byte{2}, CreatedAt: at(2)}}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.AddApplicationKey(ctx, keys[1]); err != nil {
			return err
		}
		return w.AddApplicationKey(ctx, keys[0])
	})
	have, err := s.ApplicationKeys(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "keys", have, keys)
	is(t, "a key twice", s.Write(ctx, func(w identity.StoreWriter) error { return w.AddApplicationKey(ctx, keys[0]) }), identity.ErrExists)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveApplicationKeys(ctx, "k1") })
	if have, err = s.ApplicationKeys(ctx); err != nil || len(have) != 1 {
		t.Errorf("keys left: %v, %v", have, err)
	}
}
