package storetest

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"
	"time"

	"trivium/files"
)

const (
	home = "example.org/home/bob"
	team = "example.org/groups/team"
)

var then = time.Date(2026, 11, 21, 8, 0, 0, 123456000, time.UTC)

// Bin checks the BinStore that open returns, an empty one at each call.
func Bin(t *testing.T, open func(*testing.T) files.BinStore) {
	t.Run("held", func(t *testing.T) {
		s := open(t)
		check := func(bytes, entries int64) {
			t.Helper()
			b, n, err := s.Held(context.Background(), home)
			if err != nil || b != bytes || n != entries {
				t.Errorf("%d bytes, %d entries, %v; want %d, %d", b, n, err, bytes, entries)
			}
		}
		check(0, 0)
		for i, tree := range []string{home, home, team} {
			id := string(rune('a' + i))
			ok(t, s.PutTrash(context.Background(), files.TrashRow{ID: id, Tree: tree, Path: "/x", Bytes: 10, Entries: 3, At: then}))
			ok(t, s.PutVersion(context.Background(), files.VersionRow{ID: id, Tree: tree, Path: "/x", Bytes: 100, ModTime: then, At: then}))
		}
		check(220, 8)
	})
	t.Run("trash", func(t *testing.T) { trash(t, open) })
	t.Run("versions", func(t *testing.T) { versions(t, open) })
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[R comparable](t *testing.T, what string, got []R, err error, want ...R) {
	t.Helper()
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: got %+v, %v, want %+v", what, got, err, want)
	}
}

func trash(t *testing.T, open func(*testing.T) files.BinStore) {
	ctx := context.Background()
	a := files.TrashRow{ID: "a", Tree: home, Path: "/é/x", Dir: true, Bytes: 1 << 40, Entries: 3, At: then.Add(2 * time.Hour), By: "bob"}
	b := files.TrashRow{ID: "b", Tree: home, Path: "/x", Bytes: 7, Entries: 1, At: then}
	c := files.TrashRow{ID: "c", Tree: team, Path: "/x", At: then.Add(time.Hour), By: "eve@example.net"}
	filled := func(t *testing.T) files.BinStore {
		s := open(t)
		for _, r := range []files.TrashRow{a, b, c} {
			ok(t, s.PutTrash(ctx, r))
		}
		return s
	}
	t.Run("what is put comes back", func(t *testing.T) {
		s := filled(t)
		for _, want := range []files.TrashRow{a, b, c} {
			if got, err := s.Trash(ctx, want.ID); err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		}
		if _, err := s.Trash(ctx, "A"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
		if err := s.PutTrash(ctx, a); err == nil {
			t.Error("an ID stands twice")
		}
	})
	t.Run("lists", func(t *testing.T) {
		s := filled(t)
		late := then.Add(time.Hour * 9)
		got, err := s.TrashOf(ctx, home, 9)
		same(t, "newest first", got, err, a, b)
		got, err = s.TrashOf(ctx, home, 1)
		same(t, "bounded", got, err, a)
		got, err = s.OldTrash(ctx, home, late, 9)
		same(t, "oldest first", got, err, b, a)
		got, err = s.OldTrash(ctx, "", late, 9)
		same(t, "of all trees", got, err, b, c, a)
		got, err = s.OldTrash(ctx, "", c.At, 9)
		same(t, "before a time", got, err, b)
		got, err = s.OldTrash(ctx, "", late, 2)
		same(t, "bounded", got, err, b, c)
		got, err = s.TrashAfter(ctx, home, "", 1)
		same(t, "by ID", got, err, a)
		got, err = s.TrashAfter(ctx, home, "a", 9)
		same(t, "after an ID", got, err, b)
		got, err = s.TrashOf(ctx, "example.org/home/Bob", 9)
		same(t, "another tree", got, err)
	})
	t.Run("dropped is gone", func(t *testing.T) {
		s := filled(t)
		ok(t, s.DropTrash(ctx))
		ok(t, s.DropTrash(ctx, "a", "unknown"))
		got, err := s.TrashOf(ctx, home, 9)
		same(t, "left", got, err, b)
	})
}

func versions(t *testing.T, open func(*testing.T) files.BinStore) {
	ctx := context.Background()
	row := func(id, tree, path string, hours int) files.VersionRow {
		return files.VersionRow{ID: id, Tree: tree, Path: path, Bytes: int64(hours), ModTime: then.Add(-time.Hour),
			At: then.Add(time.Duration(hours) * time.Hour), By: "bob"}
	}
	a, b := row("a", home, "/é", 1), row("b", home, "/é", 2)
	c, d, e := row("c", home, "/é/f", 3), row("d", home, "/é!", 4), row("e", home, "/é0", 5)
	f := row("f", team, "/é/f", 0)
	filled := func(t *testing.T) files.BinStore {
		s := open(t)
		for _, r := range []files.VersionRow{a, b, c, d, e, f} {
			ok(t, s.PutVersion(ctx, r))
		}
		return s
	}
	t.Run("what is put comes back", func(t *testing.T) {
		s := filled(t)
		if got, err := s.Version(ctx, "c"); err != nil || got != c {
			t.Errorf("got %+v, %v, want %+v", got, err, c)
		}
		if _, err := s.Version(ctx, "C"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want fs.ErrNotExist", err)
		}
	})
	t.Run("lists", func(t *testing.T) {
		s := filled(t)
		got, err := s.VersionsOf(ctx, home, "/é")
		same(t, "newest first", got, err, b, a)
		got, err = s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "with what is below", got, err, a, b, c)
		got, err = s.VersionsBelow(ctx, home, "/é", 2)
		same(t, "bounded", got, err, a, b)
		got, err = s.VersionsBelow(ctx, home, "/", 9)
		same(t, "of no such path", got, err)
		got, err = s.OldVersions(ctx, home, 2)
		same(t, "oldest first", got, err, a, b)
		got, err = s.OldVersions(ctx, "", 2)
		same(t, "of all trees", got, err, f, a)
		got, err = s.VersionsAfter(ctx, home, "b", 2)
		same(t, "after an ID", got, err, c, d)
	})
	move := files.Move{ID: "m", Tree: home, From: "/é", To: "/x/日本", Unique: "1:2"}
	t.Run("a move that was planned", func(t *testing.T) {
		s := filled(t)
		ok(t, s.PlanMove(ctx, move))
		other := files.Move{ID: "n", Tree: team, From: "/é", To: "/y"}
		ok(t, s.PlanMove(ctx, other))
		got, err := s.Moves(ctx, home)
		same(t, "planned", got, err, move)
		got, err = s.Moves(ctx, team)
		same(t, "of another tree", got, err, other)
		rows, err := s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "not moved yet", rows, err, a, b, c)
		late := a
		late.ID = "late"
		ok(t, s.PutVersion(ctx, late)) // of a new file at that path
		ok(t, s.EndMove(ctx, move, true))
		rows, err = s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "what came meanwhile stays", rows, err, late)
		got, err = s.Moves(ctx, home)
		same(t, "ended", got, err)
	})
	t.Run("a move that was not done", func(t *testing.T) {
		s := filled(t)
		ok(t, s.PlanMove(ctx, move))
		ok(t, s.EndMove(ctx, move, false))
		got, err := s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "here", got, err, a, b, c)
		moves, err := s.Moves(ctx, home)
		same(t, "ended", moves, err)
		ok(t, s.EndMove(ctx, move, true)) // once more
		got, err = s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "still here", got, err, a, b, c)
	})
	t.Run("moved with all that is below", func(t *testing.T) {
		s := filled(t)
		ok(t, s.PlanMove(ctx, move))
		ok(t, s.EndMove(ctx, move, true))
		moved := []files.VersionRow{a, b, c}
		for i := range moved {
			moved[i].Path = "/x/日本" + moved[i].Path[len("/é"):]
		}
		got, err := s.VersionsBelow(ctx, home, "/x/日本", 9)
		same(t, "there", got, err, moved...)
		got, err = s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "here", got, err)
		got, err = s.VersionsAfter(ctx, home, "c", 9)
		same(t, "beside", got, err, d, e)
		got, err = s.VersionsOf(ctx, team, "/é/f")
		same(t, "of another tree", got, err, f)
		nothing := files.Move{ID: "o", Tree: home, From: "/nothing", To: "/x"}
		ok(t, s.PlanMove(ctx, nothing))
		ok(t, s.EndMove(ctx, nothing, true))
	})
	t.Run("dropped is gone", func(t *testing.T) {
		s := filled(t)
		ok(t, s.DropVersions(ctx))
		ok(t, s.DropVersions(ctx, "a", "c", "unknown"))
		got, err := s.VersionsBelow(ctx, home, "/é", 9)
		same(t, "left", got, err, b)
	})
}
