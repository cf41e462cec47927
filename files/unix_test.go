package files_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"trivium/files"
	"trivium/files/local"
	"trivium/identity"
)

func mkfifo(t *testing.T, p string) {
	t.Helper()
	no(t, syscall.Mkfifo(p, 0o600))
}

// The environment of a test's child says what it is to do, and where.
const childEnv, childDir = "FILES_TEST_CHILD", "FILES_TEST_DIR"

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "crash":
		crashChild()
	case "transfer":
		transferChild()
	default:
		os.Exit(m.Run())
	}
}

func child(t *testing.T, what, dir string, wrap ...string) *exec.Cmd {
	t.Helper()
	args := append(wrap, os.Args[0], "-test.run=^$")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childEnv+"="+what, childDir+"="+dir)
	return cmd
}

func childTree() *files.Tree {
	store, err := local.Open(os.Getenv(childDir))
	if err != nil {
		panic(err)
	}
	s, err := files.New(files.Options{Backend: store, Domain: "example.org", Mask: 0o027, Sync: true})
	if err != nil {
		panic(err)
	}
	return s.ViewOf(session("alice", aliceUID, identity.LevelUser))
}

const half = 9_000_000

// crashChild writes half an upload, says so, and waits to be killed.
func crashChild() {
	u, err := childTree().Create(background, "/f", files.UploadOptions{Size: 2 * half})
	if err != nil {
		panic(err)
	}
	if _, err := u.ReadFrom(io.LimitReader(zeros{}, half)); err != nil {
		panic(err)
	}
	os.Stdout.WriteString("half\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestCrash kills a server in the middle of an upload.
func TestCrash(t *testing.T) {
	w := newWorld(t)
	put(t, w.alice(), "/other", "x")
	cmd := child(t, "crash", w.dir)
	in, err := cmd.StdinPipe()
	no(t, err)
	defer in.Close()
	out, err := cmd.StdoutPipe()
	no(t, err)
	no(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "half\n" {
		t.Fatalf("%q, %v", line, err)
	}
	no(t, cmd.Process.Kill())
	_ = cmd.Wait()

	again := openWorld(t, w.dir)
	tree := again.alice()
	if exists(w.path("home/alice/f")) || strings.Join(names(t, tree, "/"), " ") != "other pub" {
		t.Error("half a file has the name")
	}
	if n, ok := tree.Part(t.Context(), "/f"); !ok || n != half {
		t.Fatalf("part: %d, %v", n, ok)
	}
	if used(t, tree) != half+1 {
		t.Errorf("counted %d", used(t, tree))
	}
	u := create(t, tree, "/f", files.UploadOptions{Offset: half, Size: half})
	_, err = u.ReadFrom(io.LimitReader(zeros{}, half))
	no(t, err)
	i, err := u.Commit(t.Context())
	if err != nil || i.Size != 2*half || used(t, tree) != 2*half+1 {
		t.Errorf("resumed: %+v, %v; used %d", i, err, used(t, tree))
	}
}

const transfer = 32 << 20

// transferChild takes an upload from a real socket and gives it back on another.
func transferChild() {
	tree := childTree()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for _, n := range []int64{transfer, 0} { // one that brings, one that takes
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				panic(err)
			}
			_, _ = io.Copy(struct{ io.Writer }{c}, io.LimitReader(zeros{}, n))
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c})
			_ = c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		panic(err)
	}
	u, err := tree.Create(background, "/f", files.UploadOptions{Size: -1})
	if err != nil {
		panic(err)
	}
	n, err := u.ReadFrom(c)
	if err != nil || n != transfer {
		panic(err)
	}
	if _, err := u.Commit(background); err != nil {
		panic(err)
	}
	_ = c.Close()
	if c, err = l.Accept(); err != nil {
		panic(err)
	}
	f, err := tree.Open(background, "/f")
	if err != nil {
		panic(err)
	}
	file, ok := f.OS()
	if !ok {
		panic("no file of the operating system")
	}
	if n, err = io.Copy(c, file); err != nil || n != transfer {
		panic(err)
	}
	_, _ = f.Close(), c.Close()
}

// TestFastPath counts system calls: what comes from a socket is spliced, what goes to one is sent
// by sendfile.
func TestFastPath(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	report := t.TempDir() + "/report"
	cmd := child(t, "transfer", t.TempDir(), strace, "-f", "-c", "-o", report, "-e", "trace=splice,sendfile,write")
	if out, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") {
			t.Skipf("strace may not trace here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(report)
	no(t, err)
	calls := map[string]int{}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 5 {
			calls[f[len(f)-1]], _ = strconv.Atoi(f[3])
		}
	}
	// The client's own writes are 32 KiB each and as many as they are; splice and sendfile must have
	// carried the server's side.
	if calls["splice"] < transfer/(1<<20) || calls["sendfile"] < 1 {
		t.Errorf("calls: %v", calls)
	}
}
