package files_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

const (
	aliceUID = 10001
	bobUID   = 10002
	teamGID  = 20001
)

// someone is a session for tests.
type someone struct {
	mu    sync.Mutex
	id    string
	c     identity.Credentials
	none  bool
	ended chan struct{}
}

func (s *someone) ID() string                  { return s.id }
func (s *someone) Protocol() identity.Protocol { return identity.ProtocolFTP }
func (s *someone) Ended() <-chan struct{}      { return s.ended }
func (s *someone) Credentials() (identity.Credentials, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c, !s.none
}

func (s *someone) change(fn func(*identity.Credentials)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.c)
}

func session(login string, uid uint32, level identity.Level, groups ...string) *someone {
	s := &someone{id: "1-" + login, ended: make(chan struct{}), c: identity.Credentials{
		UserID: identity.UserID("ID" + login), Login: identity.UserName(login), User: login, Domain: "example.org",
		UID: uid, GID: uid, Group: login, Level: level,
	}}
	for i, g := range groups {
		s.c.Groups, s.c.GIDs = append(s.c.Groups, g), append(s.c.GIDs, teamGID+uint32(i))
	}
	return s
}

func anonymous(id string) *someone {
	return &someone{id: id, ended: make(chan struct{}), c: identity.Credentials{
		UID: identity.AnonymousID, GID: identity.AnonymousID, Level: identity.LevelAnonymous, Domain: "example.org"}}
}

// world is a service on a disk of its own.
type world struct {
	t    *testing.T
	dir  string
	s    *files.Service
	mu   sync.Mutex
	seen []files.Changed
	on   func(files.Changed) // called for each event, if set
}

func newWorld(t *testing.T, with ...func(*files.Options)) *world {
	t.Helper()
	return openWorld(t, t.TempDir(), with...)
}

func openWorld(t *testing.T, dir string, with ...func(*files.Options)) *world {
	t.Helper()
	store, err := local.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{t: t, dir: dir}
	o := files.Options{Backend: store, Domain: "example.org", Mask: 0o027, Events: func(c files.Changed) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen = append(w.seen, c)
		if w.on != nil {
			w.on(c)
		}
	}}
	for _, fn := range with {
		fn(&o)
	}
	if w.s, err = files.New(o); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) events() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.seen {
		out = append(out, fmt.Sprintf("%s %s %d", c.Op, c.Path, c.Size))
	}
	return out
}

// path is where a canonical path lies on disk.
func (w *world) path(canon string) string { return filepath.Join(w.dir, "example.org", canon) }

// sticky sets the sticky bit of a folder that has attributes.
func (w *world) sticky(canon string) {
	w.t.Helper()
	at := w.path(canon)
	text, err := xattr.Get(at, "user.trivium")
	no(w.t, err)
	fields := strings.Fields(string(text))
	for i, f := range fields {
		if f[0] == 'm' {
			mode, err := strconv.ParseUint(f[1:], 8, 12)
			no(w.t, err)
			fields[i] = "m" + strconv.FormatUint(mode|0o1000, 8)
		}
	}
	no(w.t, xattr.Set(at, "user.trivium", []byte(strings.Join(fields, " "))))
}

func (w *world) alice() *files.Tree {
	return w.s.ViewOf(session("alice", aliceUID, identity.LevelUser))
}

func put(t *testing.T, tree *files.Tree, p, content string) files.Info {
	t.Helper()
	i, err := try(t, tree, p, content)
	if err != nil {
		t.Fatalf("put %s: %v", p, err)
	}
	return i
}

func try(t *testing.T, tree *files.Tree, p, content string) (files.Info, error) {
	t.Helper()
	u, err := tree.Create(t.Context(), p, files.UploadOptions{Size: -1})
	if err != nil {
		return files.Info{}, err
	}
	if _, err := u.ReadFrom(strings.NewReader(content)); err != nil {
		_ = u.Discard()
		return files.Info{}, err
	}
	i, err := u.Commit(t.Context())
	if err != nil {
		_ = u.Discard()
	}
	return i, err
}

func get(t *testing.T, tree *files.Tree, p string) string {
	t.Helper()
	f, err := tree.Open(t.Context(), p)
	if err != nil {
		t.Fatalf("get %s: %v", p, err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, tree *files.Tree, p string) (out []string) {
	t.Helper()
	if err := tree.ReadDir(t.Context(), p, func(i files.Info) error { out = append(out, i.Name); return nil }); err != nil {
		t.Fatalf("list %s: %v", p, err)
	}
	return out
}

func want(t *testing.T, what string, got, target error) {
	t.Helper()
	if !errors.Is(got, target) {
		t.Errorf("%s: %v; want %v", what, got, target)
	}
}

func used(t *testing.T, tree *files.Tree) int64 {
	t.Helper()
	n, _, ok := tree.Usage(t.Context())
	if !ok {
		t.Fatal("no usage")
	}
	return n
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exists(p string) bool { _, err := os.Lstat(p); return err == nil }

var past = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)

// background is the context of a child, which has no test.
var background = context.Background()
