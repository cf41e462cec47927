package files_test

import (
	"io/fs"
	"testing"
	"time"

	"trivium/files"
)

// TestSetCreated: the time of creation that was set shows, and stays through what changes the entry.
func TestSetCreated(t *testing.T) {
	w := newWorld(t)
	alice := w.alice()
	ctx, born := t.Context(), time.Date(1999, 12, 31, 23, 59, 58, 0, time.UTC)
	put(t, alice, "/f", "one")
	no(t, alice.SetCreated(ctx, "/f", born))
	no(t, alice.Chmod(ctx, "/f", 0o600))
	no(t, alice.Rename(ctx, "/f", "/g"))
	put(t, alice, "/g", "two")
	i, err := alice.Stat(ctx, "/g")
	no(t, err)
	if !i.Created.Equal(born) || i.Mode.Perm() != 0o600 {
		t.Errorf("created %v, mode %v", i.Created, i.Mode)
	}
	seen := false
	no(t, alice.ReadDir(ctx, "/", func(i files.Info) error {
		seen = seen || i.Name == "g" && i.Created.Equal(born)
		return nil
	}))
	if !seen {
		t.Error("listed with another time")
	}
	put(t, w.staff(), "/pub/f", "x")
	want(t, "of another's file", alice.SetCreated(ctx, "/pub/f", born), fs.ErrPermission)
	want(t, "of nothing", alice.SetCreated(ctx, "/none", born), fs.ErrNotExist)
}
