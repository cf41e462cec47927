package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trivium/identity"
)

func newInvitation(id string, created int) identity.Invitation {
	return identity.Invitation{ID: id, Hash: []byte{1, 0, 2}, Kind: identity.InviteAccount, Domain: domain, Level: identity.LevelUser,
		Uses: 1, CreatedAt: at(created), ExpiresAt: at(created + 100)}
}

func invitations(t *testing.T, s identity.Store) {
	full := newInvitation("full", 1)
	full.User, full.CredentialVersion, full.Groups, full.Contact = "id-user1", 3, []string{"one", "two"}, true
	full.Note, full.Uses, full.CreatedBy, full.Creator = "for user1", 2, "admin1", "id-admin1"
	plain := newInvitation("plain", 2)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutInvitation(ctx, full); err != nil {
			return err
		}
		return w.PutInvitation(ctx, plain)
	})
	err := s.Write(t.Context(), func(w identity.StoreWriter) error { return w.PutInvitation(t.Context(), full) })
	is(t, "an ID that is taken", err, identity.ErrExists)
	list := func(what string, f identity.InviteFilter, want ...string) {
		t.Helper()
		got, err := s.Invitations(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		ids := []string{}
		for _, i := range got {
			ids = append(ids, i.ID)
		}
		equal(t, what, ids, append([]string{}, want...))
	}
	got, err := s.Invitation(t.Context(), "full")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "an invitation", got, full)
	_, err = s.Invitation(t.Context(), "none")
	is(t, "one that there is not", err, identity.ErrNotFound)
	list("all", identity.InviteFilter{}, "plain", "full")
	list("limited", identity.InviteFilter{Limit: 1}, "plain")
	list("by creator", identity.InviteFilter{Creator: "id-admin1"}, "full")
	list("by user", identity.InviteFilter{User: "id-user1"}, "full")
	list("open", identity.InviteFilter{Open: at(101)}, "plain")

	use := identity.InviteUse{Invitation: "full", User: "id-user2", Login: "user2", Via: "web", Remote: "192.0.2.1", At: at(5)}
	again := use
	again.Login, again.At = "user3", at(6)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.UseInvitation(ctx, use); err != nil {
			return err
		}
		return w.UseInvitation(ctx, again)
	})
	err = s.Write(t.Context(), func(w identity.StoreWriter) error { return w.UseInvitation(t.Context(), use) })
	is(t, "a third use of two", err, identity.ErrNotFound)
	uses, err := s.InviteUses(t.Context(), "full")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "uses", uses, []identity.InviteUse{again, use})
	if got, _ := s.Invitation(t.Context(), "full"); got.Used != 2 {
		t.Errorf("used %d times", got.Used)
	}
	list("not used up", identity.InviteFilter{Open: at(3)}, "plain")

	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.RevokeInvitation(ctx, "plain", at(7))
	})
	err = s.Write(t.Context(), func(w identity.StoreWriter) error {
		return w.UseInvitation(t.Context(), identity.InviteUse{Invitation: "plain", At: at(8)})
	})
	is(t, "a revoked one", err, identity.ErrNotFound)
	reset := newInvitation("reset", 3)
	reset.User = "id-user9"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		if err := w.PutInvitation(ctx, reset); err != nil {
			return err
		}
		return w.RevokeInvitations(ctx, "id-user9", at(9))
	})
	if got, _ := s.Invitation(t.Context(), "reset"); !got.RevokedAt.Equal(at(9)) {
		t.Errorf("revoked by user: %v", got.RevokedAt)
	}
	err = s.Write(t.Context(), func(w identity.StoreWriter) error { return w.RevokeInvitation(t.Context(), "none", at(1)) })
	is(t, "revoking what there is not", err, identity.ErrNotFound)
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.ForgetInvitations(ctx, at(102)) })
	list("after forgetting", identity.InviteFilter{})
	if uses, err := s.InviteUses(t.Context(), "full"); err != nil || len(uses) != 0 {
		t.Errorf("uses are left: %v, %v", uses, err)
	}
}

// usesAtOnce: of many uses at the same time exactly as many succeed as there are.
func usesAtOnce(t *testing.T, s identity.Store) {
	const uses, tries = 3, 20
	i := newInvitation("code", 1)
	i.Uses = uses
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutInvitation(ctx, i) })
	var done atomic.Int64
	var wg sync.WaitGroup
	for range tries {
		wg.Go(func() {
			err := s.Write(t.Context(), func(w identity.StoreWriter) error {
				return w.UseInvitation(t.Context(), identity.InviteUse{Invitation: "code", At: time.Now()})
			})
			switch {
			case err == nil:
				done.Add(1)
			case !errors.Is(err, identity.ErrNotFound):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if done.Load() != uses {
		t.Errorf("%d of %d uses", done.Load(), uses)
	}
}

func emails(t *testing.T, s identity.Store) {
	one, two, none := newUser("user1", 10001), newUser("user2", 10002), newUser("user3", 10003)
	one.Profile.Email, two.Profile.Email = "Both@Example.com", "both@example.com"
	put(t, s, one, two, none)
	for text, want := range map[string][]string{"both@example.com": {"user1", "user2"}, "BOTH@EXAMPLE.COM": {"user1", "user2"}, "both": {}, "": {}, "b%": {}} {
		got, err := s.AccountsByEmail(t.Context(), text, 5)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, text, logins(got), want)
	}
	if got, err := s.AccountsByEmail(t.Context(), "both@example.com", 1); err != nil || len(got) != 1 {
		t.Errorf("limited: %v, %v", logins(got), err)
	}
}
