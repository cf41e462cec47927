package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestLitmus runs the test suite that WebDAV servers are measured with. A warning of it counts as a
// failure.
func TestLitmus(t *testing.T) {
	if _, err := exec.LookPath("litmus"); err != nil {
		t.Skip("litmus is not installed (apt-get install litmus)")
	}
	s := serve(t)
	s.run(t, "correct horse battery\n", "user", "add", "alice", "--password-stdin")
	for _, suite := range []string{"basic", "copymove", "props", "locks", "http"} {
		t.Run(suite, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			cmd := exec.CommandContext(ctx, "litmus", "http://"+s.addr["web"]+"/dav/", "alice", "correct horse battery")
			cmd.Env, cmd.Dir = append(os.Environ(), "TESTS="+suite), t.TempDir()
			out, err := cmd.CombinedOutput()
			text := strings.ReplaceAll(string(out), "\r", "\n")
			if err != nil || !regexp.MustCompile("summary for `"+suite+"': of [0-9]+ tests run: [0-9]+ passed, 0 failed").MatchString(text) ||
				strings.Contains(text, "WARNING") || strings.Contains(text, "SKIPPED") {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

// TestDavfs mounts the tree as a folder of the system. Listings are left out: davfs2 1.6 and Linux
// 6 disagree about them, whatever the server.
func TestDavfs(t *testing.T) {
	if _, err := exec.LookPath("mount.davfs"); err != nil {
		t.Skip("davfs2 is not installed (apt-get install davfs2)")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil || os.Getuid() != 0 {
		t.Skip("mounting needs /dev/fuse and root")
	}
	s := serve(t)
	s.run(t, "correct horse battery\n", "user", "add", "alice", "--password-stdin")
	dir := t.TempDir()
	at := filepath.Join(dir, "mnt")
	conf := filepath.Join(dir, "davfs2.conf")
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("ask_auth 1\nuse_locks 1\ndelay_upload 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	mount := exec.CommandContext(ctx, "mount.davfs", "-o", "uid=0,conf="+conf, "http://"+s.addr["web"]+"/dav/", at)
	mount.Stdin = strings.NewReader("alice\ncorrect horse battery\n")
	if out, err := mount.CombinedOutput(); err != nil {
		if regexp.MustCompile(`(?i)not permitted|mounting failed|fuse`).Match(out) {
			t.Skipf("davfs2 cannot mount here: %v: %s", err, out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	mounted := true
	unmount := func() {
		if !mounted {
			return
		}
		mounted = false
		if out, err := exec.Command("umount", at).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	}
	defer unmount()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const text = "Where three roads meet.\n"
	check(os.Mkdir(filepath.Join(at, "docs"), 0o700))
	check(os.WriteFile(filepath.Join(at, "docs/plan"), []byte(text), 0o600))
	check(os.Rename(filepath.Join(at, "docs/plan"), filepath.Join(at, "docs/the plan")))
	check(os.WriteFile(filepath.Join(at, "gone"), []byte("x"), 0o600))
	check(os.Remove(filepath.Join(at, "gone")))
	unmount() // waits until everything is there
	home := filepath.Join(s.data, "files/localhost/home/alice")
	got, err := os.ReadFile(filepath.Join(home, "docs/the plan"))
	if err != nil || string(got) != text {
		t.Errorf("on disk: %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(home, "gone")); err == nil {
		t.Error("what was removed is there")
	}
}
