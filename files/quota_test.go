package files_test

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

// TestDiscardOfAResumedPart: an upload that goes on with a part and is thrown away leaves what was
// there before.
func TestDiscardOfAResumedPart(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    files.UploadOptions
	}{
		{"append", files.UploadOptions{Append: true, Size: -1}},
		{"offset", files.UploadOptions{Offset: 5, Size: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			tree := w.alice()
			u := create(t, tree, "/f", files.UploadOptions{Size: -1})
			write(t, u, "01234")
			no(t, u.Suspend())
			u = create(t, tree, "/f", tt.o)
			write(t, u, "xyz")
			no(t, u.Discard())
			if n, ok := tree.Part(t.Context(), "/f"); !ok || n != 5 {
				t.Errorf("the part has %d bytes, %v", n, ok)
			}
			if n := used(t, tree); n != 5 {
				t.Errorf("used %d", n)
			}
			u = create(t, tree, "/f", files.UploadOptions{Offset: 5, Size: -1})
			write(t, u, "56")
			if _, err := u.Commit(t.Context()); err != nil || get(t, tree, "/f") != "0123456" {
				t.Errorf("resumed: %v", err)
			}
			if held := w.s.Held(); held != 0 {
				t.Errorf("%d locks are held", held)
			}
		})
	}
}

// TestDeclaredSizes: no declared size makes the count run over, where nothing else bounds it.
func TestDeclaredSizes(t *testing.T) {
	w := newWorld(t)
	tree := w.alice()
	_, err := tree.Create(t.Context(), "/a", files.UploadOptions{Size: math.MaxInt64})
	want(t, "more than the disk has", err, files.ErrNoSpace)
	_, err = tree.Create(t.Context(), "/b", files.UploadOptions{Size: math.MaxInt64})
	want(t, "as much again", err, files.ErrNoSpace)
	if n := used(t, tree); n != 0 || w.s.Pending() != 0 {
		t.Errorf("used %d, pending %d", n, w.s.Pending())
	}
	want(t, "counts that would run over", w.s.ReserveTwice(t.Context(), "example.org/home/alice", math.MaxInt64), files.ErrQuota)
	put(t, tree, "/b", "x")
	if n := used(t, tree); n != 1 {
		t.Errorf("used %d", n)
	}
}

// TestCountOfADeepTree: a tree as deep as a client can make it costs few descriptors.
func TestCountOfADeepTree(t *testing.T) {
	const depth = 1500
	const most = 32 + depth/32 + 8
	dir := t.TempDir()
	store, err := local.Open(dir)
	no(t, err)
	defer store.Close()
	top, err := store.Tree(t.Context(), "example.org/home/alice", true)
	no(t, err)
	defer top.Close()
	home := filepath.Join(dir, "example.org/home/alice")
	no(t, os.MkdirAll(filepath.Join(home, strings.Repeat("a/", depth)), 0o755))
	for _, at := range []int{0, 31, 32, 33, 64, 65, 700, depth} { // folders beside the way, and files
		beside := filepath.Join(home, strings.Repeat("a/", at), "b")
		no(t, os.Mkdir(beside, 0o755))
		no(t, os.WriteFile(filepath.Join(beside, "f"), []byte("x"), 0o644))
	}
	before := descriptors(t)
	entries, highest := 0, 0
	no(t, files.Count(t.Context(), top, func(files.Node) error {
		entries++
		highest = max(highest, descriptors(t)-before)
		return nil
	}))
	if entries != depth+2*8 {
		t.Errorf("%d entries", entries)
	}
	if highest > most {
		t.Errorf("%d descriptors", highest)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not tell which descriptors are open")
	}
	return len(all)
}

// noMore waits until no more descriptors are open than before: a store keeps some for a moment.
func noMore(t *testing.T, before int) {
	t.Helper()
	after := descriptors(t)
	for until := time.Now().Add(10 * time.Second); after > before && time.Now().Before(until); after = descriptors(t) {
		time.Sleep(5 * time.Millisecond)
	}
	if after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestUploadsBesideOneAnother: where little space is left, an upload that has only begun does not
// take all of it from the next; and together they never get more than there is.
func TestUploadsBesideOneAnother(t *testing.T) {
	const limit = 1 << 20
	tests := []struct {
		name string
		send func(u *files.Upload, n int) (int64, error)
	}{
		{"read", func(u *files.Upload, n int) (int64, error) {
			return u.ReadFrom(strings.NewReader(strings.Repeat("x", n)))
		}},
		{"written", func(u *files.Upload, n int) (int64, error) {
			k, err := u.Write([]byte(strings.Repeat("x", n)))
			return int64(k), err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			who := session("alice", aliceUID, identity.LevelUser)
			who.change(func(c *identity.Credentials) { c.QuotaBytes = limit })
			tree := w.s.ViewOf(who)
			first := create(t, tree, "/first", files.UploadOptions{Size: -1})
			write(t, first, "a")
			for _, name := range []string{"/b", "/c", "/d"} {
				u := create(t, tree, name, files.UploadOptions{Size: -1})
				if n, err := tt.send(u, 10); n != 10 || err != nil {
					t.Errorf("%s: %d, %v", name, n, err)
				}
				_, err := u.Commit(t.Context())
				no(t, err)
			}
			_, err := first.Commit(t.Context())
			no(t, err)
			all := create(t, tree, "/all", files.UploadOptions{Size: -1})
			n, err := tt.send(all, limit)
			want(t, "more than there is", err, files.ErrQuota)
			if n != limit-31 || used(t, tree) != limit {
				t.Errorf("%d bytes fitted, used %d", n, used(t, tree))
			}
			no(t, all.Discard())
		})
	}
}

// TestQuotaOfAPath: what is asked of a path is what its tree holds and leaves.
func TestQuotaOfAPath(t *testing.T) {
	w := newWorld(t, func(o *files.Options) { o.QuotaBytes, o.PubQuotaBytes = 1000, 0 })
	tree := w.alice()
	put(t, tree, "/a", "12345")
	no(t, tree.Mkdir(t.Context(), "/d"))
	for _, p := range []string{"/", "/d", "/a", "/not/there"} {
		q, err := tree.Quota(t.Context(), p)
		no(t, err)
		if q.Bytes != 5 || q.Files != 2 || q.LimitBytes != 1000 || q.LimitFiles != -1 || q.Free != 995 {
			t.Errorf("%s: %+v", p, q)
		}
	}
	q, err := tree.Quota(t.Context(), "/pub/x")
	no(t, err)
	if q.Bytes != 0 || q.LimitBytes != -1 || q.Free <= 0 {
		t.Errorf("/pub: %+v", q)
	}
	_, err = tree.Quota(t.Context(), "/groups/others")
	want(t, "a group of others", err, fs.ErrNotExist)
	if q, err := w.s.ViewOf(anonymous("1-x")).Quota(t.Context(), "/"); err != nil || q.Free != -1 || q.LimitBytes != -1 {
		t.Errorf("only mounts: %+v, %v", q, err)
	}
}
