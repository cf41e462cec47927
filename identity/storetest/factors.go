package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func factors(t *testing.T, s identity.Store) {
	ctx := t.Context()
	put(t, s, newUser("user1", 1), newUser("user2", 2))
	passkey := identity.FactorRow{ID: "f-1", User: "id-user1", Kind: identity.FactorPasskey, Label: "key", Credential: "abc",
		Sealed: []byte{1, 0, 2}, Counter: 7, CreatedAt: at(1), UsedAt: at(2), UsedRemote: "192.0.2.1", UsedAgent: "agent"}
	totp := identity.FactorRow{ID: "f-2", User: "id-user1", Kind: identity.FactorTOTP, Label: "app", Sealed: []byte{9},
		Counter: 3, Failures: 2, FailedAt: at(4), Cloned: true, CreatedAt: at(3)}
	before := get(t, s, "user1").ChangeSeq
	for _, f := range []identity.FactorRow{totp, passkey} {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.AddFactor(ctx, f) })
	}
	acc := get(t, s, "user1")
	equal(t, "the kinds stand with the account", acc.Factors, identity.SetOf(identity.FactorPasskey, identity.FactorTOTP))
	if acc.ChangeSeq <= before {
		t.Errorf("ChangeSeq %d did not rise above %d", acc.ChangeSeq, before)
	}
	got, err := s.Factors(ctx, "id-user1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "every field, the oldest first", got, []identity.FactorRow{passkey, totp})
	one, err := s.FactorByCredential(ctx, "abc")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "by credential", one, passkey)
	_, err = s.FactorByCredential(ctx, "none")
	is(t, "an unknown credential", err, identity.ErrNotFound)

	add := func(f identity.FactorRow) error {
		return s.Write(ctx, func(w identity.StoreWriter) error { return w.AddFactor(ctx, f) })
	}
	is(t, "a credential of another account", add(identity.FactorRow{ID: "f-3", User: "id-user2", Kind: identity.FactorPasskey, Credential: "abc", CreatedAt: at(1)}), identity.ErrExists)
	is(t, "of nobody", add(identity.FactorRow{ID: "f-4", User: "id-none", Kind: identity.FactorTOTP, CreatedAt: at(1)}), identity.ErrNotFound)
	if err := add(identity.FactorRow{ID: "f-5", User: "id-user2", Kind: identity.FactorRecovery, CreatedAt: at(1)}); err != nil {
		t.Fatal(err)
	}

	change := func(was, now identity.FactorRow) error {
		return s.Write(ctx, func(w identity.StoreWriter) error { return w.ChangeFactor(ctx, was, now) })
	}
	seq := get(t, s, "user1").ChangeSeq
	next := totp
	next.Label, next.Counter, next.Failures, next.FailedAt, next.UsedAt, next.Sealed, next.Cloned = "new", 4, 0, at(9), at(8), []byte{5}, false
	if err := change(totp, next); err != nil {
		t.Fatal(err)
	}
	is(t, "from a counter that has moved on", change(totp, next), identity.ErrNotFound)
	wrong := next
	wrong.Failures = 1
	is(t, "from other failures", change(wrong, next), identity.ErrNotFound)
	got, err = s.Factors(ctx, "id-user1")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "changed", got, []identity.FactorRow{passkey, next})
	equal(t, "the change is none of the account", get(t, s, "user1").ChangeSeq, seq)

	yes, no := true, false
	for _, c := range []struct {
		name   string
		filter identity.UserFilter
		want   []string
	}{
		{"with a second factor", identity.UserFilter{Factor: &yes}, []string{"user1"}},
		{"recovery codes are none", identity.UserFilter{Factor: &no}, []string{"user2"}},
	} {
		list, err := s.Accounts(ctx, c.filter)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, c.name, logins(list), c.want)
	}
	// An account that is written anew keeps its factors.
	put(t, s, newUser("user1", 1))
	equal(t, "kept", get(t, s, "user1").Factors, identity.SetOf(identity.FactorPasskey, identity.FactorTOTP))
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.RemoveFactors(ctx, "id-user1", "f-1", "f-5", "none")
	})
	equal(t, "one is left", get(t, s, "user1").Factors, identity.SetOf(identity.FactorTOTP))
	equal(t, "another's stays", get(t, s, "user2").Factors, identity.SetOf(identity.FactorRecovery))
}
