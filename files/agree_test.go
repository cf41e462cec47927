package files_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"trivium/files"
	"trivium/files/s3"
	"trivium/files/sqlstore"
	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
)

// bucketStore is a store on a real server of object storage, in a bucket of its own.
func bucketStore(t *testing.T, with ...func(*s3.Options)) (*s3.Store, *exec.Cmd) {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	no(t, err)
	addr := l.Addr().String()
	no(t, l.Close())
	dir := t.TempDir()
	const key, secret = "trivium", "never in a log"
	var said bytes.Buffer
	cmd := exec.Command(program, "--port", addr, "--access", key, "--secret", secret, "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.Stdout, cmd.Stderr = &said, &said
	no(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(key, secret, ""), Region: "us-east-1"})
	no(t, err)
	for range 100 {
		if err = client.MakeBucket(t.Context(), "bucket", minio.MakeBucketOptions{}); err == nil {
			break
		}
		<-time.After(100 * time.Millisecond) // until it listens
	}
	if err != nil {
		t.Fatalf("versitygw does not answer: %v\n%s", err, said.String())
	}
	db := sqltest.Migrated(t, sqlstore.Migrate)
	o := s3.Options{Endpoint: "http://" + addr, Region: "us-east-1", Bucket: "bucket", AccessKey: key, SecretKey: secret,
		PathStyle: true, Names: sqlstore.NewObjects(db), Spool: filepath.Join(t.TempDir(), "spool")}
	for _, fn := range with {
		fn(&o)
	}
	store, err := s3.Open(t.Context(), o)
	no(t, err)
	return store, cmd
}

// said is an error as a road would tell it.
func said(err error) string {
	if err == nil {
		return "done"
	}
	for _, known := range append(files.Errors(), identity.ErrEnded, fs.ErrInvalid, fs.ErrClosed) {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "unknown: " + err.Error()
}

// twin is one of two services that are asked the same.
type twin struct {
	w          *binWorld
	alice, bob *files.Tree
}

func newTwin(t *testing.T, with ...func(*files.Options)) *twin {
	w := newBinWorld(t, files.TrashAll, 2, append(with, func(o *files.Options) { o.GroupQuotaBytes = 6000 })...)
	a := session("alice", aliceUID, identity.LevelUser, "team")
	a.change(func(c *identity.Credentials) { c.QuotaBytes, c.QuotaFiles = 5000, 40 })
	b := session("bob", bobUID, identity.LevelUser, "team")
	b.change(func(c *identity.Credentials) { c.QuotaBytes, c.QuotaFiles = 5000, 40 })
	return &twin{w: w, alice: w.s.ViewOf(a), bob: w.s.ViewOf(b)}
}

// all is everything that a session sees below a folder.
func (tw *twin) all(t *testing.T, tree *files.Tree, p string, out *[]string) {
	ctx := t.Context()
	err := tree.ReadDir(ctx, p, func(i files.Info) error {
		line := fmt.Sprintf("%s %v %d %d/%d %s", i.Path, i.Mode, i.Size, i.UID, i.GID, i.Target)
		if i.Dir {
			line = fmt.Sprintf("%s %v %d/%d", i.Path, i.Mode, i.UID, i.GID)
		}
		if !i.Dir && !i.Link {
			f, err := tree.Open(ctx, i.Path)
			line += " " + said(err)
			if err == nil {
				b, err := io.ReadAll(f)
				no(t, err)
				no(t, f.Close())
				line += fmt.Sprintf(" %.40s", b)
			}
			old, err := tree.Versions(ctx, i.Path)
			line += " " + said(err)
			for _, v := range old {
				line += fmt.Sprintf(" %d by %s", v.Size, v.By)
			}
			props, err := tree.Props(ctx, i.Path)
			line += fmt.Sprintf(" %q %s", props, said(err))
		}
		*out = append(*out, line)
		if i.Dir {
			tw.all(t, tree, i.Path, out)
		}
		return nil
	})
	*out = append(*out, p+" "+said(err))
}

func (tw *twin) state(t *testing.T) (out []string) {
	for _, tree := range []*files.Tree{tw.alice, tw.bob} {
		tw.all(t, tree, "/", &out)
		for _, x := range trash(t, tree) {
			out = append(out, fmt.Sprintf("trash %s %v %d %d %s", x.Path, x.Dir, x.Size, x.Entries, x.By))
		}
		for _, p := range []string{"/", "/groups/team"} {
			q, err := tree.Quota(t.Context(), p)
			held, _ := tree.Held(t.Context(), p)
			out = append(out, fmt.Sprintf("quota %s %d %d held %d %s", p, q.Bytes, q.Files, held, said(err)))
		}
	}
	return out
}

// TestStoresAgree: whatever is done, object storage answers as the disk does, and holds the same
// afterwards.
func TestStoresAgree(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if s := os.Getenv("TRIVIUM_AGREE_SEED"); s != "" {
		var n uint64
		_, err := fmt.Sscan(s, &n)
		no(t, err)
		seeds = []uint64{n}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { agree(t, seed) })
	}
}

func agree(t *testing.T, seed uint64) {
	bucket, _ := bucketStore(t)
	disk := newTwin(t)
	cloud := newTwin(t, func(o *files.Options) { o.Backend = bucket })
	r := rand.New(rand.NewPCG(seed, 0))
	names := []string{"a", "b", "c", "é", "e\u0301", "groups", "x\x1b"} // .trivium is a name like others in a bucket
	pick := func() string {
		p := ""
		if r.IntN(3) == 0 {
			p = "/groups/team"
		}
		for range 1 + r.IntN(4)/2 {
			n := r.IntN(len(names) + 6)
			p += "/" + names[min(n, len(names)-1)%3]
			if n >= len(names)+5 {
				p = path.Dir(p) + "/" + names[3+r.IntN(len(names)-3)]
			}
		}
		return path.Clean(p)
	}
	var log []string
	for i := range 250 {
		seed2, op, p, q := r.Uint64(), r.IntN(20), pick(), pick()
		who := r.IntN(2)
		do := func(tw *twin) (string, string) {
			tree := tw.alice
			if who == 1 {
				tree = tw.bob
			}
			return act(t, tree, op, p, q, rand.New(rand.NewPCG(seed2, 1)))
		}
		what, one := do(disk)
		_, two := do(cloud)
		log = append(log, fmt.Sprintf("%d %s %s %s: %s", who, what, p, q, one))
		if one != two {
			t.Fatalf("%d: %s %s %s: the disk says %s, object storage %s\n%s", i, what, p, q, one, two, strings.Join(log[max(0, len(log)-30):], "\n"))
		}
		if i%5 == 4 || i > 245 {
			a, b := disk.state(t), cloud.state(t)
			if !slices.Equal(a, b) {
				for k := range min(len(a), len(b)) {
					if a[k] != b[k] {
						t.Errorf("the disk:  %s\n the bucket: %s", a[k], b[k])
						break
					}
				}
				t.Fatalf("after %d: they differ, %d and %d lines\n%s", i, len(a), len(b), strings.Join(log[max(0, len(log)-30):], "\n"))
			}
			for _, tw := range []*twin{disk, cloud} {
				for _, key := range []string{aliceKey, "example.org/home/bob", "example.org/groups/team"} {
					if _, err := tw.w.s.TreeUsage(t.Context(), key); err == nil {
						recount(t, tw.w.world, key)
					}
				}
			}
		}
	}
	for _, tw := range []*twin{disk, cloud} {
		if n := tw.w.s.Held(); n != 0 {
			t.Errorf("%d locks are held", n)
		}
		if n := tw.w.s.Pending(); n != 0 {
			t.Errorf("%d bytes are set aside", n)
		}
	}
}

// act does one thing.
func act(t *testing.T, tree *files.Tree, op int, p, q string, r *rand.Rand) (what, answer string) {
	ctx := t.Context()
	upload := func(o files.UploadOptions, n int) (string, error) {
		u, err := tree.Create(ctx, p, o)
		if err != nil {
			return "", err
		}
		_, werr := u.Write([]byte(strings.Repeat(string(rune('a'+r.IntN(26))), n)))
		switch k := r.IntN(6); {
		case k == 0:
			return "suspended, " + said(werr), u.Suspend()
		case k == 1:
			return "discarded, " + said(werr), u.Discard()
		}
		i, err := u.Commit(ctx)
		if err != nil {
			return "not stored, " + said(err), u.Discard()
		}
		return fmt.Sprintf("stored %d, %s", i.Size, said(werr)), nil
	}
	var err error
	more := ""
	switch op {
	case 0, 1, 2:
		what = "put"
		more, err = upload(files.UploadOptions{Size: -1}, r.IntN(900))
	case 3:
		what = "append"
		more, err = upload(files.UploadOptions{Append: true, Size: -1}, r.IntN(300))
	case 4:
		what = "resume"
		more, err = upload(files.UploadOptions{Offset: int64(r.IntN(600)), Size: int64(r.IntN(400))}, r.IntN(300))
	case 5:
		what = "go on"
		var i files.Info
		if i, err = tree.Stat(ctx, p); err == nil {
			more, err = upload(files.UploadOptions{Offset: i.Size, Size: -1}, r.IntN(300))
		}
	case 6:
		what, err = "mkdir", tree.MkdirAll(ctx, p)
	case 7:
		what, err = "remove", tree.Remove(ctx, p)
	case 8:
		what, err = "remove all", tree.RemoveAll(ctx, p)
	case 9, 10:
		what, err = "rename", tree.Rename(ctx, p, q)
	case 11:
		what, err = "copy", tree.Copy(ctx, p, q, files.CopyOptions{Over: r.IntN(2) == 0, Deep: true})
	case 12:
		what, err = "symlink", tree.Symlink(ctx, []string{"a", "../b", "a/b", "c/../a"}[r.IntN(4)], p)
	case 13, 14:
		what = "trash"
		if list := trash(t, tree); len(list) > 0 {
			x := list[r.IntN(len(list))]
			switch k := r.IntN(5); k {
			case 0, 1:
				what, err = "restore", tree.RestoreTrash(ctx, x.ID, "")
			case 2:
				what, err = "restore elsewhere", tree.RestoreTrash(ctx, x.ID, q)
			default:
				what, err = "empty", tree.EmptyTrash(ctx, x.ID)
			}
			more = x.Path
		}
	case 15:
		what = "version"
		var list []files.Version
		if list, err = tree.Versions(ctx, p); err == nil && len(list) > 0 {
			v := list[r.IntN(len(list))]
			var f *files.File
			if f, err = tree.OpenVersion(ctx, p, v.ID); err == nil {
				b, rerr := io.ReadAll(f)
				more = fmt.Sprintf("%.20s %v %v", b, rerr, f.Close())
				err = tree.RestoreVersion(ctx, p, v.ID)
			}
		}
	case 16:
		what, err = "chmod", tree.Chmod(ctx, p, fs.FileMode(r.IntN(0o1000))|0o600)
	case 17:
		what = "sum"
		var sum []byte
		sum, err = tree.Sum(ctx, p, files.SHA256, 0, int64(r.IntN(200))-1)
		more = fmt.Sprintf("%.8x", sum)
	case 18:
		what, err = "props", tree.SetProps(ctx, p, []byte{byte('a' + r.IntN(20))})
	case 19:
		what, err = "times", tree.Chtimes(ctx, p, past.Add(time.Duration(r.IntN(1000))*time.Second))
	}
	return what, more + " " + said(err)
}

// TestBucketGone: what object storage has not taken is not acknowledged, and counts for nothing.
func TestBucketGone(t *testing.T) {
	bucket, gateway := bucketStore(t, func(o *s3.Options) { o.HTTP = refusing{} })
	w := newWorld(t, func(o *files.Options) { o.Backend = bucket })
	tree, ctx := w.alice(), t.Context()
	put(t, tree, "/f", "old")
	u := create(t, tree, "/f", files.UploadOptions{Append: true, Size: -1})
	write(t, u, " and new")
	i, err := u.Commit(ctx)
	no(t, err)
	if i.Size != 11 {
		t.Errorf("%d bytes are told of 11", i.Size)
	}
	appended := create(t, tree, "/f", files.UploadOptions{Append: true, Size: -1})
	write(t, appended, " and lost")
	part := create(t, tree, "/g", files.UploadOptions{Size: -1})
	write(t, part, "lost")
	no(t, gateway.Process.Signal(os.Kill))
	if _, err := appended.Commit(ctx); err == nil {
		t.Error("what nobody has was acknowledged")
	}
	if err := appended.Suspend(); err == nil {
		t.Error("what nobody has was kept")
	}
	if err := part.Suspend(); err == nil {
		t.Error("what nobody has was kept")
	}
	if n, _ := tree.Part(ctx, "/g"); n != 0 {
		t.Errorf("a part of %d", n)
	}
	recount(t, w, aliceKey)
}

// refusing is the way to a storage, whose silence is not waited for.
type refusing struct{}

func (refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		resp, err = &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r, Body: http.NoBody}, nil
	}
	return resp, err
}

// TestAllAtOnce: whatever happens at the same time, the count is what a walk finds, and nothing is
// held afterwards.
func TestAllAtOnce(t *testing.T) {
	for _, kind := range []string{"disk", "bucket"} {
		t.Run(kind, func(t *testing.T) {
			tw := newTwin(t, func(o *files.Options) {
				if kind == "bucket" {
					o.Backend, _ = bucketStore(t)
				}
			})
			keys := []string{aliceKey, "example.org/home/bob", "example.org/groups/team"}
			var wg sync.WaitGroup
			done := make(chan struct{})
			for g := range 4 {
				wg.Go(func() {
					r := rand.New(rand.NewPCG(uint64(g), 7))
					pick := func() string {
						p := []string{"", "/groups/team"}[r.IntN(2)]
						for range 1 + r.IntN(3) {
							p += "/" + string(rune('a'+r.IntN(2)))
						}
						return p
					}
					for range 150 {
						tree := tw.alice
						if r.IntN(2) == 0 {
							tree = tw.bob
						}
						if what, answer := act(t, tree, r.IntN(20), pick(), pick(), r); strings.Contains(answer, "unknown") {
							t.Errorf("%s: %s", what, answer)
						}
					}
				})
			}
			counted := make(chan struct{})
			go func() {
				defer close(counted)
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					default:
					}
					_, _, err := tw.w.s.Recount(t.Context(), keys[i%3])
					if err == nil {
						_, err = tw.w.s.Sweep(t.Context())
					}
					if err != nil && !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("recount and sweep: %v", err)
					}
				}
			}()
			wg.Wait()
			close(done)
			<-counted
			for _, key := range keys {
				recount(t, tw.w.world, key)
			}
			if held, pending := tw.w.s.Held(), tw.w.s.Pending(); held != 0 || pending != 0 {
				t.Errorf("%d locks are held, %d bytes set aside", held, pending)
			}
		})
	}
}
