package identity_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"trivium/identity"
)

func TestOnChange(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	var told []identity.UserID
	a.OnChange(func(_ context.Context, ids []identity.UserID) { told = append(told, ids...) })
	want := func(what string, ids ...identity.UserID) {
		t.Helper()
		slices.Sort(told)
		slices.Sort(ids)
		if !slices.Equal(told, ids) {
			t.Errorf("%s: told of %v, want %v", what, told, ids)
		}
		told = nil
	}
	one, two := a.add("user1", 0), a.add("user2", 0)
	want("adding", one.ID, two.ID)
	_, err := a.AddGroup(ctx, owner, "crew", 0)
	a.must("adding a group", err)
	want("a group without members")
	a.must("joining", a.AddMembers(ctx, owner, "crew", []string{"user1", "user2"}, false))
	want("joining", one.ID, two.ID)
	name := "team"
	_, err = a.SetGroup(ctx, owner, "crew", identity.GroupChange{Name: &name})
	a.must("renaming", err)
	want("renaming", one.ID, two.ID)
	a.must("removing", a.RemoveUser(ctx, owner, "user1"))
	want("removing", one.ID)
	a.refused("nobody", a.RemoveUser(ctx, owner, "user1"), identity.ErrNotFound)
	want("a refusal")
}

func TestSweepRemoved(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	var gone []identity.UserID
	var fails error
	forget := func(_ context.Context, id identity.UserID) error {
		if fails == nil {
			gone = append(gone, id)
		}
		return fails
	}
	want := func(what string, ids ...identity.UserID) {
		t.Helper()
		if !slices.Equal(gone, ids) {
			t.Errorf("%s: %v, want %v", what, gone, ids)
		}
		gone = nil
	}
	one, two := a.add("user1", 0), a.add("user2", 0)
	a.add("user3", 0)
	w := a.SweepRemoved("test", forget)
	a.must("none", w.Run(ctx))
	want("none")
	a.must("removing", a.RemoveUser(ctx, owner, "user1"))
	fails = errors.New("the disk is full")
	if err := w.Run(ctx); !errors.Is(err, fails) {
		t.Errorf("the error is %v", err)
	}
	fails = nil
	a.must("again", w.Run(ctx))
	want("after an error", one.ID)
	a.must("and again", w.Run(ctx))
	want("once")
	a.must("removing", a.RemoveUser(ctx, owner, "user2"))
	later := a.SweepRemoved("test", forget) // after a start
	a.must("later", later.Run(ctx))
	want("after a start", two.ID)
	a.must("another's", a.SweepRemoved("other", forget).Run(ctx))
	want("another's", one.ID, two.ID)
}
