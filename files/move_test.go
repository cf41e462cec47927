package files_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"trivium/files"
	"trivium/files/sqlstore"
	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
)

// lame is a BinStore that does not end moves while it is broken.
type lame struct {
	files.BinStore
	broken bool
}

func (l *lame) EndMove(ctx context.Context, m files.Move, moved bool) error {
	if l.broken {
		return errors.New("no space left on device")
	}
	return l.BinStore.EndMove(ctx, m, moved)
}

// TestVersionsAfterCrash lets the server end between a move and that of its versions. Whatever people do
// then, before the first sweep or after it, the old contents are those of the file that moved, and of
// no file that is put where it was.
func TestVersionsAfterCrash(t *testing.T) {
	for _, act := range []struct {
		name string
		do   func(*testing.T, *files.Tree)
		at   string // the file that has the versions
	}{
		{"rename", func(t *testing.T, tree *files.Tree) { no(t, tree.Rename(t.Context(), "/d/f", "/n")) }, "/n"},
		{"rename the folder", func(t *testing.T, tree *files.Tree) { no(t, tree.Rename(t.Context(), "/d", "/e")) }, "/e/f"},
		{"throw away", func(t *testing.T, tree *files.Tree) { no(t, tree.Remove(t.Context(), "/d/f")) }, "trash"},
		{"throw the folder away", func(t *testing.T, tree *files.Tree) { no(t, tree.RemoveAll(t.Context(), "/d")) }, "trash"},
		{"restore", func(t *testing.T, tree *files.Tree) {
			list := trash(t, tree)
			no(t, tree.RestoreTrash(t.Context(), list[0].ID, "/r"))
		}, "/r"},
	} {
		for _, then := range []string{"sweep", "rename", "in the same run"} {
			t.Run(act.name+", then "+then, func(t *testing.T) {
				ctx, dir := t.Context(), t.TempDir()
				db := sqltest.Migrated(t, sqlstore.Migrate)
				bin := &lame{BinStore: sqlstore.New(db)}
				open := func() *world {
					return openWorld(t, dir, func(o *files.Options) { o.Bin, o.Trash, o.Versions = bin, files.TrashAll, 3 })
				}
				w := open()
				view := func() *files.Tree { return w.s.ViewOf(session("alice", aliceUID, identity.LevelUser)) }
				tree := view()
				no(t, tree.Mkdir(ctx, "/d"))
				put(t, tree, "/d/f", "one")
				put(t, tree, "/d/f", "two")
				put(t, tree, "/other", "other one")
				put(t, tree, "/other", "other two")
				if act.name == "restore" {
					no(t, tree.Remove(ctx, "/d/f"))
				}

				bin.broken = true
				act.do(t, tree)
				bin.broken = false
				if then != "in the same run" {
					w = open()
					tree = view()
				}
				no(t, tree.MkdirAll(ctx, "/d")) // a new file comes where the old one was
				put(t, tree, "/d/f", "new one")
				put(t, tree, "/d/f", "new two")
				at := act.at
				if then == "sweep" {
					_, err := w.s.Sweep(ctx)
					no(t, err)
				} else {
					no(t, tree.Rename(ctx, "/other", "/another"))
				}
				if at == "trash" {
					at = "/back"
					no(t, tree.RestoreTrash(ctx, trash(t, tree)[0].ID, at))
					if i, err := tree.Stat(ctx, at); err == nil && i.Dir {
						at += "/f"
					}
				} else {
					no(t, tree.Rename(ctx, at, "/last"))
					at = "/last"
				}
				if got := contents(t, tree, at); get(t, tree, at) != "two" || !slices.Equal(got, []string{"one"}) {
					t.Errorf("%s: %q, old %q", at, get(t, tree, at), got)
				}
				if got := contents(t, tree, "/d/f"); !slices.Equal(got, []string{"new one"}) {
					t.Errorf("the new file has %q", got)
				}
				if left, err := bin.Moves(ctx, "example.org/home/alice"); err != nil || len(left) > 0 {
					t.Errorf("left: %v, %v", left, err)
				}
				_, err := w.s.Sweep(ctx)
				no(t, err)
				if got := contents(t, tree, at); !slices.Equal(got, []string{"one"}) {
					t.Errorf("%s after a sweep: old %q", at, got)
				}
			})
		}
	}
}
