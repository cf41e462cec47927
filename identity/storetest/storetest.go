package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"trivium/identity"
)

const domain = "example.org"

// Run tests the stores that open makes; each must be empty.
func Run(t *testing.T, open func(t *testing.T) identity.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, identity.Store)
	}{
		{"an empty store has nothing", empty},
		{"an account comes back whole, by login, alias and ID", account},
		{"a login, a uid and an ID are unique", unique},
		{"users are chosen by text, level, group and state", filters},
		{"pages of users cut between users", pages},
		{"a tombstone is not found but reserves its name", tombstones},
		{"every change has a sequence of its own", changes},
		{"a password is kept apart from its user", passwords},
		{"groups list members and primary users", groups},
		{"a group changes its name and gid", regroup},
		{"rules of the policy, and what takes them away", rules},
		{"aliases", aliases},
		{"uid and gid are one space that only rises", ids},
		{"no number is given twice to writers at once", idsAtOnce},
		{"an error undoes the transaction", undo},
		{"a transaction sees what it wrote", ownWrites},
		{"devices", devices},
		{"an account is from a directory", sources},
		{"an account is linked to providers", links},
		{"invitations", invitations},
		{"an invitation is not used more often than it may be", usesAtOnce},
		{"accounts are found by e-mail address", emails},
		{"browser sessions", browserSessions},
		{"factors", factors},
		{"certificates", certificates},
		{"the audit log is filtered and newest first", audit},
		{"pages of the audit log cut between rows", auditPages},
		{"the audit log has a head and gaps, and is append-only", auditChain},
		{"one at a time appends to the audit log", auditAtOnce},
		{"applications, and who uses them", applications},
		{"log-ins at applications, and keys", applicationGrants},
		{"bans", bans},
		{"settings", settings},
		{"requests that are done once", onceRows},
		{"notifications, and what people want to hear of", notifications},
		{"announcements, and who was told", announcements},
		{"choices", choices},
		{"a context that is over", contexts},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// at is a time that every store can keep: microseconds, UTC.
func at(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 123_456_000).UTC() }

func newUser(login string, uid uint32) identity.User {
	return identity.User{ID: identity.UserID("id-" + login), Domain: domain, Login: identity.UserName(login),
		UID: uid, GID: uid, Level: identity.LevelUser, State: identity.UserActive, CreatedAt: at(0), CredentialVersion: 1}
}

func newGroup(name string, gid uint32) identity.Group {
	return identity.Group{GID: gid, Domain: domain, Name: identity.UserName(name), CreatedAt: at(1)}
}

func write(t *testing.T, s identity.Store, fn func(ctx context.Context, w identity.StoreWriter) error) {
	t.Helper()
	ctx := t.Context()
	if err := s.Write(ctx, func(w identity.StoreWriter) error { return fn(ctx, w) }); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// put writes users, each with a group of its own unless there is one of that gid.
func put(t *testing.T, s identity.Store, users ...identity.User) {
	t.Helper()
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		for _, u := range users {
			if _, err := w.PutUser(ctx, u); err != nil {
				return err
			}
			err := w.PutGroup(ctx, 0, newGroup(string(u.Login), u.GID))
			if err != nil && !errors.Is(err, identity.ErrExists) {
				return err
			}
		}
		return nil
	})
}

func get(t *testing.T, s identity.StoreReader, name string) identity.Account {
	t.Helper()
	a, err := s.Account(t.Context(), domain, identity.UserName(name))
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return a
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

func logins(as []identity.Account) []string {
	out := []string{}
	for _, a := range as {
		out = append(out, string(a.Login))
	}
	return out
}

func empty(t *testing.T, s identity.Store) {
	ctx := t.Context()
	_, err := s.Account(ctx, domain, "user1")
	is(t, "Account", err, identity.ErrNotFound)
	_, err = s.AccountByID(ctx, "id")
	is(t, "AccountByID", err, identity.ErrNotFound)
	_, err = s.Group(ctx, domain, "user1")
	is(t, "Group", err, identity.ErrNotFound)
	_, err = s.Setting(ctx, "x")
	is(t, "Setting", err, identity.ErrNotFound)
	seq, err := s.ChangeSeq(ctx)
	if seq != 0 || err != nil {
		t.Errorf("ChangeSeq: got %d, %v", seq, err)
	}
	for name, count := range map[string]func() (int, error){
		"Accounts":        func() (int, error) { v, err := s.Accounts(ctx, identity.UserFilter{}); return len(v), err },
		"AccountsChanged": func() (int, error) { v, err := s.AccountsChanged(ctx, 0, 100); return len(v), err },
		"Groups":          func() (int, error) { v, err := s.Groups(ctx, ""); return len(v), err },
		"Aliases":         func() (int, error) { v, err := s.Aliases(ctx, ""); return len(v), err },
		"BrowserSessions": func() (int, error) { v, err := s.BrowserSessions(ctx); return len(v), err },
		"Audit":           func() (int, error) { v, err := s.Audit(ctx, identity.AuditFilter{}); return len(v), err },
		"Bans":            func() (int, error) { v, err := s.BansChanged(ctx, -1); return len(v), err },
	} {
		if n, err := count(); n != 0 || err != nil {
			t.Errorf("%s: got %d rows, %v", name, n, err)
		}
	}
}

func ids(t *testing.T, s identity.Store) {
	next := func(floor uint32) (id uint32) {
		t.Helper()
		write(t, s, func(ctx context.Context, w identity.StoreWriter) (err error) {
			id, err = w.NextID(ctx, floor)
			return err
		})
		return id
	}
	equal(t, "the first is the floor", next(10000), uint32(10000))
	equal(t, "the next", next(10000), uint32(10001))
	equal(t, "a lower floor", next(500), uint32(10002))
	equal(t, "a higher floor", next(20000), uint32(20000))
	put(t, s, newUser("user1", 30000))
	equal(t, "above a uid chosen by hand", next(10000), uint32(30001))
	put(t, s, newUser("user2", 15000))
	equal(t, "a lower one chosen by hand changes nothing", next(10000), uint32(30002))
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.PutGroup(ctx, 0, newGroup("staff", 40000))
	})
	equal(t, "above a gid chosen by hand", next(10000), uint32(40001))
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveGroup(ctx, 40000) })
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.PutGroup(ctx, 0, newGroup("top", 50000))
	})
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveGroup(ctx, 50000) })
	equal(t, "above a group that is gone", next(10000), uint32(50001))
	equal(t, "past the numbers of nobody", next(identity.AnonymousID), uint32(identity.AnonymousID+2))
}

func idsAtOnce(t *testing.T, s identity.Store) {
	const writers, each = 16, 25
	got := make(chan uint32, writers*each)
	done := make(chan error, writers)
	ctx := t.Context()
	for range writers {
		go func() {
			var err error
			for range each {
				err = errors.Join(err, s.Write(ctx, func(w identity.StoreWriter) error {
					id, err := w.NextID(ctx, 10000)
					if err == nil {
						got <- id
					}
					return err
				}))
			}
			done <- err
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	close(got)
	seen := map[uint32]bool{}
	for id := range got {
		if seen[id] {
			t.Errorf("%d was given twice", id)
		}
		seen[id] = true
	}
	if len(seen) != writers*each {
		t.Errorf("got %d numbers, want %d", len(seen), writers*each)
	}
}

func undo(t *testing.T, s identity.Store) {
	own := errors.New("own")
	err := s.Write(t.Context(), func(w identity.StoreWriter) error {
		if _, err := w.PutUser(t.Context(), newUser("user1", 10000)); err != nil {
			return err
		}
		return fmt.Errorf("wrapped: %w", own)
	})
	is(t, "Write", err, own)
	_, err = s.Account(t.Context(), domain, "user1")
	is(t, "Account after the undoing", err, identity.ErrNotFound)
	// What a statement refused leaves the rest of the transaction standing.
	put(t, s, newUser("user1", 10000))
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		u := newUser("user2", 10000)
		_, err := w.PutUser(ctx, u)
		is(t, "a taken uid", err, identity.ErrExists)
		return w.PutSetting(ctx, "after", "kept")
	})
	v, err := s.Setting(t.Context(), "after")
	if v != "kept" || err != nil {
		t.Errorf("Setting after a refused statement: %q, %v", v, err)
	}
}

func ownWrites(t *testing.T, s identity.Store) {
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		seq, err := w.PutUser(ctx, newUser("user1", 10000))
		if err != nil {
			return err
		}
		a, err := w.Account(ctx, domain, "user1")
		if err != nil || a.ChangeSeq != seq {
			t.Errorf("inside: %+v, %v; want the sequence %d", a, err, seq)
		}
		login, _, _, err := w.NameTaken(ctx, domain, "user1")
		if !login {
			t.Error("inside: the name is not taken")
		}
		return err
	})
}

func settings(t *testing.T, s identity.Store) {
	for _, v := range []string{"one", "two"} {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutSetting(ctx, "name", v) })
		got, err := s.Setting(t.Context(), "name")
		if got != v || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, v)
		}
	}
	for range 2 {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutSetting(ctx, "name", "") })
		_, err := s.Setting(t.Context(), "name")
		is(t, "removed", err, identity.ErrNotFound)
	}
}

func contexts(t *testing.T, s identity.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Account(ctx, domain, "user1")
	is(t, "Account", err, context.Canceled)
	err = s.Write(ctx, func(w identity.StoreWriter) error { return w.PutSetting(ctx, "a", "b") })
	is(t, "Write", err, context.Canceled)
}
