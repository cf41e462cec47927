package files_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

// clock is a clock for tests.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return past.Add(time.Duration(c.at.Load())) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }
func (c *clock) use(o *files.Options) { o.Now = c.now }
func content(n int) string            { return strings.Repeat("x", n) }
func quotaOf(t *testing.T, tree *files.Tree) files.Quota {
	t.Helper()
	q, err := tree.Quota(t.Context(), "/")
	no(t, err)
	return q
}

// TestSaveOverAFile: who is at the limit can replace a file by one as large at most, and whatever
// goes wrong leaves the old one.
func TestSaveOverAFile(t *testing.T) {
	holding := func(t *testing.T, bytes, entries int64) (*world, *files.Tree) {
		w := newWorld(t, func(o *files.Options) { o.QuotaBytes, o.QuotaFiles = bytes, entries })
		tree := w.alice()
		put(t, tree, "/doc", content(60))
		put(t, tree, "/other", content(40))
		return w, tree
	}
	full := func(t *testing.T) (*world, *files.Tree) { return holding(t, 100, 2) }
	for _, tt := range []struct {
		name string
		size int
		want error
	}{{"smaller", 10, nil}, {"as large", 60, nil}, {"larger", 61, files.ErrQuota}, {"empty", 0, nil}} {
		for _, declared := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, declared %v", tt.name, declared), func(t *testing.T) {
				w, tree := full(t)
				o := files.UploadOptions{Size: -1}
				if declared {
					o.Size = int64(tt.size)
				}
				u, err := tree.Create(t.Context(), "/doc", o)
				if err == nil {
					if _, err = u.ReadFrom(strings.NewReader(strings.Repeat("y", tt.size))); err == nil {
						_, err = u.Commit(t.Context())
					} else {
						no(t, u.Discard())
					}
				}
				want(t, "replace", err, tt.want)
				expect, bytes := content(60), int64(100)
				if tt.want == nil {
					expect, bytes = strings.Repeat("y", tt.size), int64(40+tt.size)
				}
				if got := get(t, tree, "/doc"); got != expect {
					t.Errorf("the file has %d bytes, %.1q", len(got), got)
				}
				if q := quotaOf(t, tree); q.Bytes != bytes || q.Files != 2 || w.s.Pending() != 0 {
					t.Errorf("%+v, pending %d", q, w.s.Pending())
				}
			})
		}
	}
	t.Run("beyond a limit that was lowered", func(t *testing.T) {
		w := newWorld(t)
		who := session("alice", aliceUID, identity.LevelUser)
		tree := w.s.ViewOf(who)
		put(t, tree, "/doc", content(60))
		who.change(func(c *identity.Credentials) { c.QuotaBytes = 10 })
		put(t, tree, "/doc", content(59))
		_, err := try(t, tree, "/new", "x")
		want(t, "something new", err, files.ErrQuota)
		no(t, tree.Remove(t.Context(), "/doc"))
		put(t, tree, "/new", "x")
	})
	for _, limit := range []struct{ bytes, files int64 }{{100, 0}, {0, 2}} {
		t.Run(fmt.Sprintf("the old file goes another way, of %d bytes, %d files", limit.bytes, limit.files), func(t *testing.T) {
			for _, away := range []func(*files.Tree) error{
				func(tree *files.Tree) error { return tree.Rename(t.Context(), "/doc", "/moved") },
				func(tree *files.Tree) error {
					if err := tree.Remove(t.Context(), "/doc"); err != nil {
						return err
					}
					put(t, tree, "/more", content(60))
					return nil
				},
			} {
				w, tree := holding(t, limit.bytes, limit.files)
				u := create(t, tree, "/doc", files.UploadOptions{Size: 60})
				write(t, u, content(60))
				if q := quotaOf(t, tree); q.Bytes != 160 || limit.bytes > 0 && q.Free != 0 {
					t.Errorf("meanwhile: %+v", q)
				}
				no(t, away(tree))
				_, err := u.Commit(t.Context())
				want(t, "commit", err, files.ErrQuota)
				no(t, u.Discard())
				if q := quotaOf(t, tree); q.Bytes != 100 || q.Files != 2 || w.s.Held() != 0 {
					t.Errorf("in the end: %+v", q)
				}
			}
		})
	}
	t.Run("a part on loan is not kept", func(t *testing.T) {
		_, tree := full(t)
		u := create(t, tree, "/doc", files.UploadOptions{Size: -1})
		write(t, u, content(50))
		no(t, u.Suspend())
		if q := quotaOf(t, tree); q.Bytes != 100 || q.Files != 2 {
			t.Errorf("%+v", q)
		}
		no(t, tree.Remove(t.Context(), "/other"))
		u = create(t, tree, "/doc", files.UploadOptions{Size: -1})
		write(t, u, content(30))
		no(t, u.Suspend())
		if q := quotaOf(t, tree); q.Bytes != 90 || q.Files != 2 {
			t.Errorf("where there is room: %+v", q)
		}
	})
	t.Run("renamed over a file", func(t *testing.T) {
		w, tree := full(t)
		put(t, tree, "/other", content(41-1))
		staff := w.staff()
		put(t, staff, "/pub/in", content(60))
		who := session("alice", aliceUID, identity.LevelStaff)
		who.change(func(c *identity.Credentials) { c.QuotaBytes, c.QuotaFiles = 100, 2 })
		both := w.s.ViewOf(who)
		no(t, both.Rename(t.Context(), "/pub/in", "/doc"))
		if q := quotaOf(t, tree); q.Bytes != 100 || q.Files != 2 {
			t.Errorf("%+v", q)
		}
		put(t, staff, "/pub/in", content(61))
		want(t, "a larger one", both.Rename(t.Context(), "/pub/in", "/doc"), files.ErrQuota)
	})
}

// TestSoftLimit: beyond it the grace runs, told once, over restarts; then it is the limit.
func TestSoftLimit(t *testing.T) {
	dir, store := t.TempDir(), usageStore(t)
	var c clock
	var mu sync.Mutex
	var told []files.QuotaPassed
	with := func(o *files.Options) {
		o.QuotaBytes, o.QuotaFiles, o.SoftPercent, o.SoftGrace = 100, 10, 80, 7*24*time.Hour
		o.Passed = func(p files.QuotaPassed) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, p)
		}
	}
	w, _ := start(t, dir, store, c.use, with)
	tree := w.alice()
	put(t, tree, "/a", content(80))
	u := create(t, tree, "/big", files.UploadOptions{Size: 20})
	no(t, u.Discard())
	if len(told) != 0 || !quotaOf(t, tree).GraceEnds.IsZero() {
		t.Fatalf("not beyond yet: %+v", told)
	}
	put(t, tree, "/b", content(5))
	put(t, tree, "/c", content(5))
	ends := past.Add(7 * 24 * time.Hour)
	if len(told) != 1 || told[0].Path != "/home/alice" || told[0].User != "alice" || told[0].Bytes != 85 || told[0].SoftBytes != 80 ||
		told[0].SoftFiles != 8 || told[0].LimitBytes != 100 || !told[0].GraceEnds.Equal(ends) || !told[0].At.Equal(past) {
		t.Fatalf("told: %+v", told)
	}
	if q := quotaOf(t, tree); !q.GraceEnds.Equal(ends) || q.SoftBytes != 80 || q.SoftFiles != 8 || q.Free != 10 {
		t.Errorf("in the grace: %+v", q)
	}
	no(t, w.s.Settle(t.Context(), 0))

	c.pass(7*24*time.Hour - time.Second)
	w, _ = start(t, dir, store, c.use, with)
	tree = w.alice()
	put(t, tree, "/d", "1")
	c.pass(time.Second)
	_, err := try(t, tree, "/e", "1")
	want(t, "after the grace", err, files.ErrQuota)
	var soft *files.SoftLimitError
	if !errors.As(err, &soft) || !strings.Contains(err.Error(), "since 2020-02-29 12:00:00 UTC") || !strings.Contains(err.Error(), "ended on 2020-03-07 12:00:00 UTC") {
		t.Errorf("the error says: %v", err)
	}
	_, err = tree.Create(t.Context(), "/e", files.UploadOptions{Size: 1})
	if !errors.As(err, &soft) {
		t.Errorf("declared: %v", err)
	}
	put(t, tree, "/a", content(75)) // what replaces a file by a smaller one
	if q := quotaOf(t, tree); q.Bytes != 86 || q.Free != 0 {
		t.Errorf("after the grace: %+v", q)
	}
	no(t, tree.Remove(t.Context(), "/b"))
	no(t, tree.Remove(t.Context(), "/d"))
	if q := quotaOf(t, tree); !q.GraceEnds.IsZero() || q.Free != 20 {
		t.Errorf("back below: %+v", q)
	}
	if len(told) != 1 {
		t.Errorf("told again: %+v", told)
	}
	put(t, tree, "/e", content(1))
	if q := quotaOf(t, tree); len(told) != 2 || !q.GraceEnds.Equal(c.now().Add(7*24*time.Hour)) {
		t.Errorf("beyond again: %+v, %+v", told, q)
	}
	no(t, tree.Remove(t.Context(), "/e"))
	no(t, tree.Remove(t.Context(), "/c"))
	for i := range 7 {
		no(t, tree.Mkdir(t.Context(), fmt.Sprintf("/dir%d", i)))
	}
	if len(told) != 2 {
		t.Errorf("8 files: %+v", told)
	}
	no(t, tree.Mkdir(t.Context(), "/ninth"))
	if len(told) != 3 || told[2].Files != 9 {
		t.Errorf("9 files: %+v", told)
	}
}

// TestSoftLimitIsKept: a tree that never rests has its grace written all the same.
func TestSoftLimitIsKept(t *testing.T) {
	dir, store := t.TempDir(), usageStore(t)
	var c clock
	with := func(o *files.Options) { o.QuotaBytes, o.SoftPercent, o.SoftGrace = 100, 50, time.Hour }
	w, _ := start(t, dir, store, c.use, with)
	put(t, w.alice(), "/a", content(60))
	u := create(t, w.alice(), "/busy", files.UploadOptions{Size: -1})
	no(t, w.s.Settle(t.Context(), 0))
	c.pass(2 * time.Hour)
	// Here the process dies.
	w, _ = start(t, dir, store, c.use, with)
	_, err := try(t, w.alice(), "/b", "1")
	want(t, "after a crash and the grace", err, files.ErrQuota)
	no(t, u.Discard())
}

// TestManyWriters: 64 writers against a limit never pass it, in bytes or files, and leave nothing
// behind that a recount does not find.
func TestManyWriters(t *testing.T) {
	const writers = 64
	group := func(w *world, i int) (*files.Tree, string, string) {
		return w.s.ViewOf(session(fmt.Sprintf("user%d", i), 10100+uint32(i), identity.LevelUser, "team")), "/groups/team/", "example.org/groups/team"
	}
	for _, tt := range []struct {
		name                     string
		with                     func(*files.Options)
		limitBytes, limitEntries int64
		who                      func(w *world, i int) (tree *files.Tree, at, key string)
	}{
		{"home", func(o *files.Options) { o.QuotaBytes, o.QuotaFiles = 3<<20, 40 }, 3 << 20, 40,
			func(w *world, i int) (*files.Tree, string, string) { return w.alice(), "/", aliceKey }},
		{"group", func(o *files.Options) { o.GroupQuotaBytes = 2 << 20 }, 2 << 20, 1 << 40, group},
		{"group with limits of its own", func(o *files.Options) {
			o.GroupQuotaBytes, o.GroupQuotaFiles = 1, 1
			o.GroupQuota = func(domain, name string) (int64, int64) {
				if domain != "example.org" || name != "team" {
					return 0, 0
				}
				return 2 << 20, 30
			}
		}, 2 << 20, 30, group},
		{"pub", func(o *files.Options) { o.PubQuotaBytes = 1 << 20 }, 1 << 20, 1 << 40,
			func(w *world, i int) (*files.Tree, string, string) { return w.staff(), "/pub/", pubKey }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said strings.Builder // a recount that finds something else says so
			w, _ := start(t, t.TempDir(), usageStore(t), tt.with, func(o *files.Options) {
				o.Log = slog.New(slog.NewTextHandler(&said, nil))
			})
			first, at, key := tt.who(w, 0)
			put(t, first, at+"first", "x")
			stop := make(chan struct{})
			var watch, wg sync.WaitGroup
			watch.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, _, err := w.s.Recount(t.Context(), key); err != nil {
						t.Error(err)
						return
					}
					if bytes, entries := w.s.NetOf(key); bytes > tt.limitBytes || entries > tt.limitEntries {
						t.Errorf("%d bytes, %d files", bytes, entries)
						return
					}
				}
			})
			var refused atomic.Int64
			for i := range writers {
				wg.Go(func() {
					tree, at, _ := tt.who(w, i)
					r := rand.New(rand.NewPCG(1, uint64(i)))
					for j := range 6 {
						p := fmt.Sprintf("%s%d-%d", at, i, j)
						if r.IntN(2) == 0 {
							p = fmt.Sprintf("%sshared%d", at, r.IntN(8)) // replaced again and again
						}
						n := r.IntN(200 << 10)
						o := files.UploadOptions{Size: -1}
						if r.IntN(2) == 0 {
							o.Size = int64(n)
						}
						u, err := tree.Create(t.Context(), p, o)
						if errors.Is(err, files.ErrQuota) {
							refused.Add(1)
							continue
						}
						if errors.Is(err, files.ErrBusy) {
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						_, err = u.ReadFrom(strings.NewReader(content(n)))
						switch {
						case errors.Is(err, files.ErrQuota):
							refused.Add(1)
							err = u.Discard()
						case err == nil && r.IntN(3) > 0:
							_, err = u.Commit(t.Context())
							if errors.Is(err, files.ErrQuota) { // what it was to replace has been removed
								refused.Add(1)
								err = u.Discard()
							} else if r.IntN(2) == 0 {
								err = tree.Rename(t.Context(), p, fmt.Sprintf("%s%c%d-%d", at, 'a'+rune(r.IntN(26)), i, j))
								if errors.Is(err, fs.ErrNotExist) || errors.Is(err, files.ErrBusy) {
									err = nil
								}
							} else if r.IntN(2) == 0 {
								err = tree.Remove(t.Context(), p)
								if errors.Is(err, fs.ErrNotExist) || errors.Is(err, files.ErrBusy) {
									err = nil
								}
							}
						case err == nil && r.IntN(2) == 0:
							err = u.Suspend()
						case err == nil:
							err = u.Discard()
						}
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			close(stop)
			watch.Wait()
			if said.Len() > 0 {
				t.Errorf("counted wrong meanwhile: %s", said.String())
			}
			if refused.Load() == 0 {
				t.Error("nobody was refused: the test proves nothing")
			}
			bytes, entries := w.s.UsageOf(key)
			if bytes > tt.limitBytes || entries > tt.limitEntries {
				t.Errorf("%d bytes, %d files in the end", bytes, entries)
			}
			again, more, err := w.s.Recount(t.Context(), key)
			if err != nil || again != bytes || more != entries || w.s.Pending() != 0 || w.s.Held() != 0 {
				t.Errorf("counted %d bytes, %d files; there are %d, %d; %v; pending %d, held %d", bytes, entries, again, more, err, w.s.Pending(), w.s.Held())
			}
		})
	}
}

// TestLedgerIsTheTruth: whatever is done, in whatever order, a walk finds what was counted, also
// while uploads are open.
func TestLedgerIsTheTruth(t *testing.T) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			store := usageStore(t)
			w, _ := start(t, t.TempDir(), store, func(o *files.Options) {
				o.QuotaBytes, o.QuotaFiles, o.PubQuotaBytes = 4000, 30, 3000
				if seed%2 > 0 {
					o.Bin, o.Trash, o.Versions = store, files.TrashAll, 2
				}
			})
			who := session("alice", aliceUID, identity.LevelStaff)
			tree, ctx := w.s.ViewOf(who), t.Context()
			r := rand.New(rand.NewPCG(7, seed))
			var open []*files.Upload
			var log []string
			name := func() string {
				base := []string{"/", "/d/", "/d/e/", "/pub/"}[r.IntN(4)]
				return base + string(rune('a'+r.IntN(4)))
			}
			did := func(err error, what string, args ...any) {
				log = append(log, fmt.Sprintf(what, args...)+fmt.Sprint(": ", err))
			}
			end := func() *files.Upload {
				i := r.IntN(len(open))
				u := open[i]
				open = slices.Delete(open, i, i+1)
				return u
			}
			for step := range 300 {
				p := name()
				switch n := r.IntN(16); {
				case n < 4:
					o := files.UploadOptions{Size: int64(r.IntN(900)) - 1, Append: r.IntN(3) == 0}
					if r.IntN(4) == 0 {
						i, err := tree.Stat(ctx, p)
						if err == nil {
							o.Offset = r.Int64N(i.Size + 1)
						}
					}
					u, err := tree.Create(ctx, p, o)
					did(err, "create %s %+v", p, o)
					if err == nil {
						open = append(open, u)
					}
				case n < 8 && len(open) > 0:
					k, err := open[r.IntN(len(open))].Write([]byte(content(r.IntN(700))))
					did(err, "write %d", k)
				case n < 10 && len(open) > 0:
					u := end()
					_, err := u.Commit(ctx)
					did(err, "commit")
					if err != nil {
						did(u.Discard(), "discard")
					}
				case n == 10 && len(open) > 0:
					did(end().Suspend(), "suspend")
				case n == 11 && len(open) > 0:
					did(end().Discard(), "discard")
				case n == 12:
					did(tree.Mkdir(ctx, []string{"/d", "/d/e", p}[r.IntN(3)]), "mkdir %s", p)
				case n == 13:
					to := name()
					did(tree.Rename(ctx, p, to), "rename %s %s", p, to)
				case n == 14:
					to := name()
					did(tree.Copy(ctx, p, to, files.CopyOptions{Over: true, Deep: true}), "copy %s %s", p, to)
				case n == 15 && r.IntN(4) == 0:
					did(tree.RemoveAll(ctx, "/d"), "remove all")
				case n == 15 && seed%2 > 0:
					thrown, err := tree.Trash(ctx)
					did(err, "trash %d", len(thrown))
					if len(thrown) == 0 {
						continue
					}
					id := thrown[r.IntN(len(thrown))].ID
					if r.IntN(3) == 0 {
						did(tree.EmptyTrash(ctx, id), "purge")
					} else {
						did(tree.RestoreTrash(ctx, id, ""), "restore")
					}
				default:
					did(tree.Remove(ctx, p), "remove %s", p)
				}
				if step%10 != 9 {
					continue
				}
				for _, key := range []string{aliceKey, pubKey} {
					q, err := tree.Quota(ctx, map[string]string{aliceKey: "/", pubKey: "/pub"}[key])
					no(t, err)
					bytes, entries, err := w.s.Recount(ctx, key)
					if errors.Is(err, fs.ErrNotExist) {
						continue
					}
					if err != nil || bytes != q.Bytes || entries != q.Files {
						t.Fatalf("step %d, %s: counted %d bytes, %d files; there are %d, %d; %v\n%s", step, key, q.Bytes, q.Files, bytes, entries, err, strings.Join(log, "\n"))
					}
				}
			}
			for _, u := range open {
				no(t, u.Discard())
			}
			again, _ := start(t, w.dir, nil)
			for key, at := range map[string]string{aliceKey: "/", pubKey: "/pub"} {
				mine, err := tree.Quota(ctx, at)
				no(t, err)
				fresh, err := again.s.ViewOf(who).Quota(ctx, at)
				if err != nil || fresh.Bytes != mine.Bytes || fresh.Files != mine.Files || key == aliceKey && (mine.Bytes > 4000 || mine.Files > 30) {
					t.Errorf("%s: counted %+v; counted anew %+v, %v", key, mine, fresh, err)
				}
			}
		})
	}
}

// TestDiskIsReserved: uploads that have begun and said their size leave the rest of their disk to
// others; another disk is another matter.
func TestDiskIsReserved(t *testing.T) {
	media, err := local.OpenTree(t.TempDir(), files.MountKey("/media"), local.Options{})
	no(t, err)
	t.Cleanup(func() { no(t, media.Close()) })
	w := newWorld(t, func(o *files.Options) {
		o.Mounts = []files.Mount{{Path: "/media", Backend: media, Mode: 0o777}}
	})
	tree := w.alice()
	q := quotaOf(t, tree)
	if q.Free <= 0 || q.LimitBytes != -1 {
		t.Fatalf("%+v", q)
	}
	most := files.UploadOptions{Size: q.Free / 10 * 6}
	one := create(t, tree, "/one", most)
	_, err = tree.Create(t.Context(), "/two", most)
	want(t, "as much again", err, files.ErrNoSpace)
	no(t, create(t, tree, "/media/two", most).Discard())
	no(t, one.Discard())
	no(t, create(t, tree, "/two", most).Discard())
	if w.s.Pending() != 0 || w.s.Held() != 0 {
		t.Errorf("pending %d, held %d", w.s.Pending(), w.s.Held())
	}
}
