package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("CONTROL_TEST_CHILD"); dir != "" {
		die(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// die is a server that opens its socket, says so or why not, and waits to be killed.
func die(dir string) {
	release, err := Lock(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := Listen(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = ln.Close()
	release()
}

// child starts die and answers it once it has said something.
func child(t *testing.T, dir string) (cmd *exec.Cmd, said string) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CONTROL_TEST_CHILD="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	said, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(said)
}

func lock(t *testing.T, dir string) (release func()) {
	t.Helper()
	release, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return release
}

func listenIn(t *testing.T, dir string) net.Listener {
	t.Helper()
	ln, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	})
	return ln
}

func deep(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 60), "data")
	if err := Dir(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSocket(t *testing.T) {
	for _, tt := range []struct {
		name string
		dir  func(t *testing.T) string
	}{
		{"short path", func(t *testing.T) string { return t.TempDir() }},
		{"deep path", deep},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := tt.dir(t)
			lock(t, dir)
			ln := listenIn(t, dir)
			st, err := os.Stat(filepath.Join(dir, socketName))
			if err != nil || st.Mode() != fs.ModeSocket|0o600 {
				t.Fatalf("%v, %v", st, err)
			}
			client, err := Dial(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			for side, c := range map[string]net.Conn{"client": client, "server": server} {
				uid, gid, pid, err := Peer(c)
				if err != nil || int(uid) != os.Geteuid() || int(gid) != os.Getegid() || int(pid) != os.Getpid() {
					t.Errorf("%s sees uid %d, gid %d, pid %d, %v", side, uid, gid, pid, err)
				}
			}
			if _, err := io.WriteString(client, "hello"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 5)
			if _, err := io.ReadFull(server, got); err != nil || string(got) != "hello" {
				t.Errorf("%q, %v", got, err)
			}
			if err := ln.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(filepath.Join(dir, socketName)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket is still there: %v", err)
			}
			if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

func TestKilledServerLeavesNoHindrance(t *testing.T) {
	dir := deep(t)
	cmd, said := child(t, dir)
	if said != "ready" {
		t.Fatal(said)
	}
	_, err := Lock(dir)
	if !errors.Is(err, ErrLocked) {
		t.Fatalf("lock of a running server: %v", err)
	}
	for _, want := range []string{dir, fmt.Sprintf("(pid %d)", cmd.Process.Pid), "Stop that one"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	// Without the lock the running server's socket must stay.
	if _, err := Listen(dir); !errors.Is(err, ErrNotHeld) {
		t.Errorf("Listen without the lock: %v", err)
	}
	c, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Lstat(filepath.Join(dir, socketName)); err != nil {
		t.Fatalf("the killed server took its socket along, so this test shows nothing: %v", err)
	}
	if _, err := Dial(t.Context(), dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Dial to a dead socket: %v", err)
	}
	lock(t, dir)
	listenIn(t, dir)
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	release := lock(t, dir)
	if _, err := Lock(dir); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second lock: %v", err)
	}
	runtime.GC() // must not give it back
	if mine, err := holds(dir); !mine || err != nil {
		t.Errorf("holds: %v, %v", mine, err)
	}
	if st, err := os.Stat(filepath.Join(dir, lockName)); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
	release()
	release()
	// The file alone, even open, is no lock.
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if mine, err := holds(dir); mine || err != nil {
		t.Errorf("holds after release: %v, %v", mine, err)
	}
	lock(t, dir)
}

func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		name     string
		uid, own uint32
		want     bool
	}{
		{"the server's user", 1000, 1000, true},
		{"root", 0, 1000, true},
		{"another", 1001, 1000, false},
		{"another, of root's server", 1000, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if allowed(tt.uid, tt.own) != tt.want {
				t.Error(!tt.want)
			}
		})
	}
}

// A stranger who gets past the modes of folder and socket is still shut out.
func TestStrangerIsClosed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become a stranger")
	}
	dir, err := os.MkdirTemp("", "control")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	lock(t, dir)
	ln := listenIn(t, dir)
	path := filepath.Join(dir, socketName)
	for name, mode := range map[string]fs.FileMode{dir: 0o755, path: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := connectAs(65534, path)
	if errors.Is(err, unix.EACCES) {
		t.Skip("the temporary folder is closed to others")
	}
	if err != nil {
		t.Fatal(err)
	}
	stranger := os.NewFile(uintptr(fd), "stranger")
	defer stranger.Close()
	friend, err := Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	c, err := ln.Accept() // the stranger came first, so it has been looked at when this returns
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if uid, _, _, err := Peer(c); err != nil || uid != 0 {
		t.Errorf("accepted uid %d, %v", uid, err)
	}
	if n, err := stranger.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the stranger read %d, %v; want the end", n, err)
	}
}

// connectAs connects to a Unix socket as another user: one thread changes its own user, which the
// raw system call does for that thread alone, and ends with the goroutine.
func connectAs(uid int, path string) (fd int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the runtime throws the thread away
		keep := ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
			err = errno
			return
		}
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return
		}
		if err = unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			_ = unix.Close(fd)
		}
	}()
	<-done
	return fd, err
}

func TestDir(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"new, with folders above", filepath.Join(base, "a", "b"), ""},
		{"again", filepath.Join(base, "a", "b"), ""},
		{"empty", "", "set data_dir"},
		{"a file", file, "there is a file of that name"},
		{"below a file", filepath.Join(file, "x"), "there is a file of that name"},
		{"where nothing can be made", "/proc/1/x", "data directory /proc/1/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Dir(tt.path)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				left, err := os.ReadDir(tt.path)
				if err != nil || len(left) > 0 {
					t.Errorf("left behind: %v, %v", left, err)
				}
				if st, err := os.Stat(tt.path); err != nil || st.Mode().Perm() != 0o700 {
					t.Errorf("%v, %v", st, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDirWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere; the texts are tried in TestDirErrors")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := Dir(dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
}

func TestDirErrors(t *testing.T) {
	for _, tt := range []struct {
		err  unix.Errno
		want string
	}{
		{unix.EACCES, "cannot write to the data directory /d: permission denied. Run as its owner, or set data_dir"},
		{unix.EROFS, "read-only"},
		{unix.ENOSPC, "disk is full"},
		{unix.EIO, "input/output error"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			err := dirError("write to", "/d", &fs.PathError{Op: "open", Path: "/d/.probe-1", Err: tt.err})
			if !strings.Contains(err.Error(), tt.want) || !errors.Is(err, tt.err) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNothingThere(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Dial(context.Background(), none); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Dial: %v", err)
	}
	if _, err := Lock(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Lock: %v", err)
	}
	if _, err := Listen(t.TempDir()); !errors.Is(err, ErrNotHeld) {
		t.Errorf("Listen: %v", err)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, _, _, err := Peer(a); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Peer of a pipe: %v", err)
	}
}
