package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"trivium/files"
	"trivium/files/backendtest"
	"trivium/files/s3"
	"trivium/files/sqlstore"
	"trivium/internal/sqldb/sqltest"
)

// storage is a real server of object storage, versitygw on a folder of the local disk.
type storage struct {
	addr   string
	client *minio.Client
}

const accessKey, secretKey = "trivium", "never in a log"

func startStorage(t *testing.T) *storage {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("versitygw is not installed: go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var said bytes.Buffer
	cmd := exec.Command(program, "--port", addr, "--access", accessKey, "--secret", secretKey, "--quiet", "posix", dir)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err = client.ListBuckets(t.Context()); err == nil {
			return &storage{addr, client}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("versitygw: %v\n%s", err, said.String())
		case <-time.After(100 * time.Millisecond): // until it listens
		}
	}
	t.Fatalf("versitygw does not answer: %v\n%s", err, said.String())
	return nil
}

// bucket makes one.
func (st *storage) bucket(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("b%08x", rand.Uint32())
	if err := st.client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

func (st *storage) options(t *testing.T, bucket string) s3.Options {
	t.Helper()
	db := sqltest.Migrated(t, sqlstore.Migrate)
	return s3.Options{Endpoint: "http://" + st.addr, Region: "us-east-1", Bucket: bucket, Prefix: "files/", AccessKey: accessKey,
		SecretKey: secretKey, PathStyle: true, Names: sqlstore.NewObjects(db), Spool: filepath.Join(t.TempDir(), "spool")}
}

func (st *storage) open(t *testing.T) (*s3.Store, s3.Options) {
	t.Helper()
	o := st.options(t, st.bucket(t))
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

// objects lists the bucket.
func (st *storage) objects(t *testing.T, bucket string) (names []string) {
	t.Helper()
	for o := range st.client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		names = append(names, o.Key)
	}
	return names
}

func TestContract(t *testing.T) {
	st := startStorage(t)
	backendtest.Run(t, func(t *testing.T) files.Backend {
		s, _ := st.open(t)
		return s
	})
}

// world is a store with one tree.
type world struct {
	*testing.T
	st  *storage
	o   s3.Options
	s   *s3.Store
	top files.Top
}

func newWorld(t *testing.T) *world {
	t.Helper()
	st := startStorage(t)
	s, o := st.open(t)
	top, err := s.Tree(t.Context(), backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, st, o, s, top}
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// pattern is n bytes that tell where they belong.
func pattern(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(b) // never fails
	return b
}

func (w *world) store(name string, content []byte) {
	w.Helper()
	p, err := w.top.Part(w.Context(), "ab", true)
	w.ok(err)
	_, err = p.ReadFrom(bytes.NewReader(content))
	w.ok(err)
	w.ok(p.Commit(w.Context(), w.top, name, 0o640, files.Attr{}, false))
}

func (w *world) content(name string) []byte {
	w.Helper()
	o, err := w.top.Open(w.Context(), name)
	w.ok(err)
	b, err := io.ReadAll(o)
	w.ok(err)
	w.ok(o.Close())
	return b
}

// TestPieces: a file of several pieces is read as it was written, from anywhere.
func TestPieces(t *testing.T) {
	w := newWorld(t)
	want := pattern(2*s3.ChunkSize + 12345)
	w.store("big", want)
	if got := w.content("big"); !bytes.Equal(got, want) {
		t.Fatalf("%d bytes come back of %d, or others", len(got), len(want))
	}
	if n := len(w.st.objects(t, w.o.Bucket)); n != 3 {
		t.Errorf("%d objects; want 3", n)
	}
	o, err := w.top.Open(t.Context(), "big")
	w.ok(err)
	defer o.Close()
	for _, at := range []int64{0, 1, s3.ChunkSize - 1, s3.ChunkSize, s3.ChunkSize + 1, 2*s3.ChunkSize - 5, 2 * s3.ChunkSize, int64(len(want)) - 1} {
		b := make([]byte, min(100, int64(len(want))-at))
		if _, err := o.ReadAt(b, at); err != nil || !bytes.Equal(b, want[at:at+int64(len(b))]) {
			t.Errorf("ReadAt %d: %v, or other bytes", at, err)
		}
		if _, err := o.Seek(at, io.SeekStart); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(o, b); err != nil || !bytes.Equal(b, want[at:at+int64(len(b))]) {
			t.Errorf("Read at %d: %v, or other bytes", at, err)
		}
	}
	if _, err := o.ReadAt(make([]byte, 10), int64(len(want))-3); !errors.Is(err, io.EOF) {
		t.Errorf("beyond the end: %v", err)
	}
}

// TestResume: what a part had when the server went on is its size, and it goes on there.
func TestResume(t *testing.T) {
	w := newWorld(t)
	want := pattern(s3.ChunkSize + 3*s3.TailSize)
	cuts := []int{0, 10, s3.TailSize - 1, s3.TailSize, s3.ChunkSize - 1, s3.ChunkSize + 1, len(want)}
	for i := 1; i < len(cuts); i++ {
		s, err := s3.Open(t.Context(), w.o) // another process
		w.ok(err)
		top, err := s.Tree(t.Context(), backendtest.Key, true)
		w.ok(err)
		p, err := top.Part(t.Context(), "cd", true)
		w.ok(err)
		if n, err := p.Size(); n != int64(cuts[i-1]) || err != nil {
			t.Fatalf("size %d, %v; want %d", n, err, cuts[i-1])
		}
		if _, err := p.ReadFrom(&io.LimitedReader{R: bytes.NewReader(want[cuts[i-1]:]), N: int64(cuts[i] - cuts[i-1])}); err != nil {
			t.Fatal(err)
		}
		if i == len(cuts)-1 {
			w.ok(p.Commit(t.Context(), top, "f", 0o640, files.Attr{}, true))
			break
		}
		w.ok(p.Close())
	}
	if got := w.content("f"); !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, or others", len(got), len(want))
	}
}

// TestCutBack: a writer that goes back to an earlier size leaves exactly that, at any place.
func TestCutBack(t *testing.T) {
	w := newWorld(t)
	for _, first := range []int{0, 5, s3.TailSize + 1, s3.ChunkSize, s3.ChunkSize + 7} {
		for _, synced := range []bool{false, true} {
			want := pattern(first)
			w.store("f", want)
			f, err := w.top.OpenWrite(t.Context(), "f")
			w.ok(err)
			_, err = f.Write(pattern(100))
			w.ok(err)
			if synced {
				w.ok(f.Sync())
			}
			w.ok(f.Truncate(int64(first)))
			w.ok(f.Close())
			if got := w.content("f"); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, synced %v: %d came back, or others", first, synced, len(got))
			}
		}
	}
}

// TestGarbage: what is part of no file is removed, but not while it is read.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.store("f", []byte("the old content"))
	w.ok(w.top.Link(ctx, "f", w.top, "second"))
	w.store("f", []byte("new"))
	soon := time.Now().Add(time.Hour)
	if n, err := w.s.SweepBefore(ctx, soon); n != 0 || err != nil {
		t.Errorf("%d removed, %v, while a second name holds it", n, err)
	}
	o, err := w.top.Open(ctx, "second")
	w.ok(err)
	w.ok(w.top.Remove(ctx, "second"))
	if n, err := w.s.SweepBefore(ctx, soon); n != 0 || err != nil {
		t.Errorf("%d removed, %v, while it is read", n, err)
	}
	if b, err := io.ReadAll(o); string(b) != "the old content" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	w.ok(o.Close())
	if n, err := w.s.Sweep(ctx); n != 0 || err != nil {
		t.Errorf("%d removed, %v, before its time", n, err)
	}
	if n, err := w.s.SweepBefore(ctx, soon); n != 1 || err != nil {
		t.Errorf("%d removed, %v; want 1", n, err)
	}
	w.ok(w.top.Remove(ctx, "f"))
	if n, err := w.s.SweepBefore(ctx, soon); n != 1 || err != nil {
		t.Errorf("%d removed, %v; want 1", n, err)
	}
	if left := w.st.objects(t, w.o.Bucket); len(left) != 0 {
		t.Errorf("left in the bucket: %q", left)
	}
}

// flaky is the way to the storage, which can break.
type flaky struct {
	broken bool
	next   http.RoundTripper
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.broken {
		return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(
			`<Error><Code>QuotaExceeded</Code><Message>full</Message></Error>`))}, nil
	}
	return f.next.RoundTrip(r)
}

// TestStorageFails: a write that the storage refuses is an error, and what stood there stays.
func TestStorageFails(t *testing.T) {
	st := startStorage(t)
	o := st.options(t, st.bucket(t))
	way := &flaky{next: http.DefaultTransport}
	o.HTTP = way
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	top, err := s.Tree(t.Context(), backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t, st, o, s, top}
	w.store("f", []byte("old"))
	p, err := top.Part(t.Context(), "ab", true)
	w.ok(err)
	_, err = p.Write([]byte("new"))
	w.ok(err)
	way.broken = true
	if err := p.Commit(t.Context(), top, "f", 0o640, files.Attr{}, false); !errors.Is(err, files.ErrNoSpace) {
		t.Errorf("commit into a full storage: %v", err)
	}
	if _, err := top.Open(t.Context(), "f"); err != nil {
		t.Error(err)
	}
	way.broken = false
	w.ok(p.Close())
	if got := w.content("f"); string(got) != "old" {
		t.Errorf("%q", got)
	}
	if n, err := top.StatPart(t.Context(), "ab"); err != nil || n.Size != 3 {
		t.Errorf("the part: %+v, %v", n, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	st := startStorage(t)
	good := st.options(t, st.bucket(t))
	for _, tt := range []struct {
		name, says string
		change     func(o *s3.Options)
	}{
		{"no bucket", "no bucket", func(o *s3.Options) { o.Bucket = "other" }},
		{"wrong key", "s3_secret_key", func(o *s3.Options) { o.SecretKey = "wrong" }},
		{"no address", "s3_endpoint", func(o *s3.Options) { o.Endpoint = "nowhere" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.change(&o)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := s3.Open(ctx, o)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), secretKey) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestBytesAlone: names are not in the bucket.
func TestBytesAlone(t *testing.T) {
	w := newWorld(t)
	w.store("salaries.txt", []byte("x"))
	for _, name := range w.st.objects(t, w.o.Bucket) {
		if strings.Contains(name, "salaries") || !strings.HasPrefix(name, w.o.Prefix) {
			t.Errorf("object %q", name)
		}
	}
	if _, err := w.top.Lstat(t.Context(), "salaries.txt"); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestSilentStorage: a storage that stops in the middle does not hold a reader for ever, nor one that waits
// for its first byte.
func TestSilentStorage(t *testing.T) {
	st := startStorage(t)
	o := st.options(t, st.bucket(t))
	way := &silent{next: http.DefaultTransport}
	o.HTTP = way
	s, err := s3.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s.SetStall(50 * time.Millisecond)
	top, err := s.Tree(t.Context(), backendtest.Key, true)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t, st, o, s, top}
	w.store("f", pattern(3<<20))
	way.stops.Store(true)
	f, err := top.Open(t.Context(), "f")
	w.ok(err)
	defer f.Close()
	if n, err := io.Copy(io.Discard, f); err == nil || n >= 3<<20 {
		t.Errorf("%d bytes of a storage that has stopped, %v", n, err)
	}
	way.stops.Store(false)
	s.SetStall(time.Minute)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, f); err != nil || n != 3<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// silent is a way to the storage on which bodies stop after a while.
type silent struct {
	stops atomic.Bool
	next  http.RoundTripper
}

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err == nil && s.stops.Load() && r.Method == http.MethodGet {
		resp.Body = &stopping{resp.Body, r.Context(), 100_000}
	}
	return resp, err
}

type stopping struct {
	io.ReadCloser
	ctx  context.Context
	left int
}

func (s *stopping) Read(p []byte) (int, error) {
	if s.left == 0 {
		<-s.ctx.Done() // as a connection on which nothing comes
		return 0, s.ctx.Err()
	}
	n, err := s.ReadCloser.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}
