// Package pgtest starts PostgreSQL servers for tests, from the binaries that are installed.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server of a test: from the binaries that are installed, in a temporary folder, on
// a Unix socket there. It ends with the process of the test, however that ends.
type Server struct {
	dir, bin string
	guards   []io.Closer // what the guards of the server read until this process ends
}

// ErrMissing says that there is nothing to start.
var ErrMissing = errors.New("no PostgreSQL server is installed (Debian: apt-get install postgresql)")

// guard runs the server, and ends it and removes its folder when its input ends, which it does with the
// process that holds the other end. $1: the program, $2: the folder.
const guard = `"$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync="${TEST_PG_FSYNC:-off}" -c full_page_writes=off -c autovacuum=off \
	-c max_connections=300 -c shared_buffers=32MB -c wal_level=minimal -c max_wal_senders=0 >>"$2/log" 2>&1 &
read -r end
kill -QUIT "$(head -n 1 "$2/data/postmaster.pid")" 2>/dev/null
wait
rm -rf "$2"`

// Start starts a server for one test, which may stop it; it skips the test where none is installed.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New()
	if err == nil {
		err = s.Start(t.Context())
	}
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	t.Cleanup(s.close)
	return s
}

func (s *Server) close() {
	for _, g := range s.guards {
		_ = g.Close()
	}
}

// New makes the folder of a server, which is not started; [ErrMissing] where none is installed.
func New() (*Server, error) {
	initdb := find()
	if initdb == "" {
		return nil, ErrMissing
	}
	dir, err := os.MkdirTemp(os.TempDir(), "pg")
	if err == nil && len(dir) > 80 { // the path of a socket is short
		_ = os.Remove(dir)
		dir, err = os.MkdirTemp("/tmp", "pg")
	}
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: filepath.Dir(initdb)}
	if cred := runner(); cred != nil {
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	out, err := s.command(initdb, "-D", filepath.Join(dir, "data"), "-U", "trivium", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, nil
}

// find is the newest initdb that is installed, "" where there is none.
func find() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return path
	}
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	slices.SortFunc(all, func(a, b string) int {
		version := func(p string) int {
			n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))) // 0 for what is none
			return n
		}
		return version(b) - version(a)
	})
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// runner is who runs the server where this process is root, with whom it does not start; else nil.
func runner() *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if uerr == nil && gerr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: runner()}
	return c
}

// Start starts a server that does not run, and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		c := s.command("/bin/sh", "-c", guard, "guard", filepath.Join(s.bin, "postgres"), s.dir)
		in, err := c.StdinPipe()
		if err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		s.guards = append(s.guards, in)
		// A server that was killed leaves processes which hold its memory for a moment: then the next one
		// gives up, and another is started.
		if again, err := s.await(ctx); !again {
			return err
		}
	}
}

// await waits until the server answers; again says that it has ended instead.
func (s *Server) await(ctx context.Context) (again bool, err error) {
	for tries := 0; ; tries++ {
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return false, conn.Close(ctx)
		}
		if ctx.Err() != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // nothing more is known
			return false, fmt.Errorf("%w\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at a process that tells nobody
		if tries > 50 && s.pid() == 0 {
			return true, nil
		}
	}
}

// pid is the process of the server, 0 where none runs.
func (s *Server) pid() int {
	b, err := os.ReadFile(filepath.Join(s.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	n, err := strconv.Atoi(first)
	if err != nil || syscall.Kill(n, 0) != nil {
		return 0
	}
	return n
}

// Stop ends the server at once, as a power failure does but for the disk: no connection is told.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGQUIT)
}

// Shutdown ends the server as an administrator does who does not wait for its clients: they are told.
func (s *Server) Shutdown(t testing.TB) {
	t.Helper()
	s.end(t, syscall.SIGINT)
}

func (s *Server) end(t testing.TB, how syscall.Signal) {
	t.Helper()
	pid := s.pid()
	if pid == 0 {
		t.Fatal("the server does not run")
	}
	if err := syscall.Kill(pid, how); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); s.pid() != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server does not end")
		}
	}
}

// URL names a database of the server.
func (s *Server) URL(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.User("trivium"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}).String()
}

// Exec runs statements in a database.
func (s *Server) Exec(ctx context.Context, database string, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return err
	}
	for _, st := range statements {
		if _, err := conn.Exec(ctx, st); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", st, err), conn.Close(ctx))
		}
	}
	return conn.Close(ctx)
}

// Create makes an empty database, whose text sorts as a person would have it and not by bytes where the
// server can do that: what relies on the order of bytes must say so.
func (s *Server) Create(ctx context.Context, name string) error {
	const plain = "CREATE DATABASE %s TEMPLATE template0"
	err := s.Exec(ctx, "postgres", fmt.Sprintf(plain+" LOCALE_PROVIDER icu ICU_LOCALE 'en'", name))
	if err != nil {
		err = s.Exec(ctx, "postgres", fmt.Sprintf(plain, name))
	}
	return err
}
