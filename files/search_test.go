package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
)

func TestKindOf(t *testing.T) {
	for _, tt := range []struct {
		name string
		want files.Kind
	}{
		{"a.JPG", files.KindPicture}, {"a.b.flac", files.KindAudio}, {"x.Mkv", files.KindVideo}, {"letter.odt", files.KindDocument},
		{"all.tar.gz", files.KindArchive}, {"noend", ""}, {".png", ""}, {"a.", ""}, {"a.pn", ""}, {"a.ng", ""}, {"a.png avif", ""}, {"a. png", ""},
		{"a.extraordinarily", ""}, {"a.éé", ""}, {"", ""},
	} {
		if got := files.KindOf(files.Info{Name: tt.name}); got != tt.want {
			t.Errorf("%q is %q; want %q", tt.name, got, tt.want)
		}
	}
	if got := files.KindOf(files.Info{Name: "a.png", Dir: true}); got != files.KindFolder {
		t.Errorf("a folder is %q", got)
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	no(t, tree.MkdirAll(t.Context(), "/photos/2026"))
	for name, size := range map[string]int{"/plan.pdf": 10, "/photos/a.png": 2000, "/photos/2026/Ä.png": 300, "/photos/notes.txt": 1, "/song.mp3": 5000} {
		put(t, tree, name, strings.Repeat("x", size))
	}
	no(t, tree.Symlink(t.Context(), "a.png", "/photos/l.png"))
	no(t, tree.Chtimes(t.Context(), "/photos/a.png", past))
	day := past.Truncate(24 * time.Hour)
	for _, tt := range []struct {
		name string
		dir  string
		q    files.Query
		want []string
	}{
		{"a part of the name", "/", files.Query{Name: "ä"}, []string{"/photos/2026/Ä.png"}},
		{"pictures", "/", files.Query{Kind: files.KindPicture}, []string{"/photos/2026/Ä.png", "/photos/a.png"}},
		{"folders", "/", files.Query{Kind: files.KindFolder, Name: "20"}, []string{"/photos/2026"}},
		{"changed then", "/", files.Query{After: day, Before: day.Add(24 * time.Hour)}, []string{"/photos/a.png"}},
		{"changed before", "/", files.Query{Before: past}, nil},
		{"changed at that moment", "/", files.Query{After: past, Before: past.Add(time.Second)}, []string{"/photos/a.png"}},
		{"large", "/", files.Query{Least: 300}, []string{"/photos/2026/Ä.png", "/photos/a.png", "/song.mp3"}},
		{"small", "/photos", files.Query{Least: 1, Most: 5, Kind: files.KindDocument}, []string{"/photos/notes.txt"}},
		{"all that", "/", files.Query{Name: "A", Kind: files.KindPicture, Least: 2000, Most: 2000, Before: day.Add(24 * time.Hour)}, []string{"/photos/a.png"}},
		{"nothing", "/", files.Query{Name: "none"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := tree.Search(t.Context(), tt.dir, tt.q)
			no(t, err)
			var got []string
			for _, i := range found.List {
				got = append(got, i.Path)
			}
			slices.Sort(got)
			if !slices.Equal(got, tt.want) || !found.All || found.Many {
				t.Errorf("%q, all %t; want %q", got, found.All, tt.want)
			}
		})
	}
	_, err := tree.Search(t.Context(), "/none", files.Query{Name: "a"})
	want(t, "a folder that is not there", err, fs.ErrNotExist)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tree.Search(gone, "/", files.Query{Name: "a"})
	want(t, "nobody waits any more", err, context.Canceled)

	bytes, n, folders, all, err := tree.Measure(t.Context(), "/photos")
	no(t, err)
	if bytes != 2301+int64(len("a.png")) || n != 4 || folders != 1 || !all {
		t.Errorf("%d bytes in %d files and %d folders, all %t", bytes, n, folders, all)
	}
}

// A search ends when it has enough.
func TestSearchEnds(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	for n := range files.MaxFound + 1 {
		no(t, tree.Mkdir(t.Context(), fmt.Sprintf("/d%d", n)))
	}
	found, err := tree.Search(t.Context(), "/", files.Query{Kind: files.KindFolder})
	no(t, err)
	if len(found.List) != files.MaxFound || !found.Many || found.All {
		t.Errorf("%d found, many %t, all %t", len(found.List), found.Many, found.All)
	}
}

// What is open is told with who opened it, until it is closed; what rules hide is not.
func TestUses(t *testing.T) {
	w := newWorld(t)
	alice, bob := session("alice", aliceUID, identity.LevelUser, "team"), session("bob", bobUID, identity.LevelUser, "team")
	a, b := w.s.ViewOf(alice), w.s.ViewOf(bob)
	no(t, a.Mkdir(t.Context(), folder))
	put(t, a, folder+"/f", "content")
	put(t, a, folder+"/ff", "content")
	uses := func(tree *files.Tree, p string) (out []string) {
		t.Helper()
		list, err := tree.Uses(t.Context(), p)
		no(t, err)
		for _, u := range list {
			if u.Since.IsZero() {
				t.Error("since never")
			}
			out = append(out, fmt.Sprintf("%s %s %t", u.Session, u.Path, u.Write))
		}
		slices.Sort(out)
		return out
	}
	f, err := b.Open(t.Context(), folder+"/f")
	no(t, err)
	up, err := a.Create(t.Context(), folder+"/new", files.UploadOptions{Size: -1})
	no(t, err)
	for _, tt := range []struct {
		path string
		want []string
	}{
		{folder + "/f", []string{"1-bob " + folder + "/f false"}},
		{folder + "/ff", nil},
		{folder + "/new", []string{"1-alice " + folder + "/new true"}},
		{folder, []string{"1-alice " + folder + "/new true", "1-bob " + folder + "/f false"}},
		{"/groups/team", []string{"1-alice " + folder + "/new true", "1-bob " + folder + "/f false"}},
		{"/groups", nil},
		{"/", nil},
	} {
		if got := uses(a, tt.path); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q; want %q", tt.path, got, tt.want)
		}
	}
	no(t, f.Close())
	no(t, up.Discard())
	if got := uses(a, folder); got != nil {
		t.Errorf("all is closed, and yet %q", got)
	}
	// What began and could not: nothing is left of it.
	if _, err := a.Create(t.Context(), folder, files.UploadOptions{}); !errors.Is(err, files.ErrIsDir) {
		t.Error(err)
	}
	up, err = a.Create(t.Context(), folder+"/new", files.UploadOptions{Size: -1})
	no(t, err)
	_, err = up.Commit(t.Context())
	no(t, err)
	if got := uses(a, folder); got != nil {
		t.Errorf("all has ended, and yet %q", got)
	}
}

// A checksum for a page has bounds of its own.
func TestSumWhole(t *testing.T) {
	hold := newSlow()
	w := newWorld(t, func(o *files.Options) { o.Sums = hold })
	tree := w.alice()
	put(t, tree, "/f", "123456789")
	sum, err := tree.SumWhole(t.Context(), "/f", files.CRC32)
	no(t, err)
	if fmt.Sprintf("%x", sum) != "cbf43926" {
		t.Errorf("%x", sum)
	}
	_, err = tree.SumWhole(t.Context(), "/", files.CRC32)
	want(t, "a folder", err, files.ErrIsDir)
	_, err = tree.SumWhole(t.Context(), "/none", files.CRC32)
	want(t, "absent", err, fs.ErrNotExist)

	// Two of the account wait for the store of sums; a third is refused, another account's is not.
	hold.on.Store(true)
	done := make(chan error)
	gone, leave := context.WithCancel(t.Context())
	for range 2 {
		go func() {
			_, err := tree.SumWhole(gone, "/f", files.MD5)
			done <- err
		}()
		<-hold.began
	}
	_, err = tree.SumWhole(t.Context(), "/f", files.MD5)
	want(t, "a third", err, files.ErrSumBusy)
	bob := w.s.ViewOf(session("bob", bobUID, identity.LevelUser))
	hold.on.Store(false)
	put(t, bob, "/f", "x")
	_, err = bob.SumWhole(t.Context(), "/f", files.MD5)
	no(t, err)
	// Whoever asked has left: both end, and their turns are free again.
	leave()
	for range 2 {
		want(t, "nobody waits", <-done, context.Canceled)
	}
	_, err = tree.SumWhole(t.Context(), "/f", files.MD5)
	no(t, err)
	if f, err := tree.Open(t.Context(), "/f"); err != nil {
		t.Error(err)
	} else if b, _ := io.ReadAll(f); string(b) != "123456789" || f.Close() != nil {
		t.Errorf("%q", b)
	}
}
