package e2e

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// heavy puts a file of so many bytes, which no compression makes smaller, where people's files lie.
func heavy(t *testing.T, s *server, bytes int) {
	t.Helper()
	dir := filepath.Join(s.data, "files", "localhost", "pub")
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	if err := os.WriteFile(filepath.Join(dir, "heavy.bin"), b, 0o640); err != nil {
		t.Fatal(err)
	}
}

// left are what stands in a folder of backups, but for good archives and what is said beside them.
func left(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestBackupKilled kills the server in the middle of a backup: nothing that is left is taken for a backup, and
// the next start removes it.
func TestBackupKilled(t *testing.T) {
	t.Parallel()
	s, err := start(suite, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	heavy(t, s, 96<<20)
	dir := filepath.Join(s.data, "backups")
	command := exec.Command(s.bin.path, "backup", "create")
	command.Env = append(os.Environ(), "TRIVIUM_DATA_DIR="+s.data, quickExit)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	growing := func() bool {
		for _, name := range left(t, dir) {
			info, err := os.Lstat(filepath.Join(dir, name))
			if strings.HasSuffix(name, ".partial") && err == nil && info.Size() > 1<<20 {
				return true
			}
		}
		return false
	}
	for deadline := time.Now().Add(30 * time.Second); !growing(); {
		if time.Now().After(deadline) {
			t.Fatalf("no backup is being written: %q", left(t, dir))
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
		}
	}
	s.kill()
	_ = command.Wait() // its server is gone, which it says
	if list := left(t, dir); len(list) == 0 {
		t.Fatal("nothing is left: the backup was not in its middle")
	}
	if out := s.run(t, "", "backup", "list", "--plain"); out != "" {
		t.Errorf("what was killed is listed: %s", out)
	}
	if s, err = start(suite, s.data); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(15 * time.Second); len(left(t, dir)) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("still there after the next start: %q", left(t, dir))
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
	if out := s.run(t, "", "backup", "list", "--plain"); out != "" {
		t.Errorf("listed after the next start: %s", out)
	}
}

// TestBackupWithoutRoom makes backups that do not fit: the error says so and what to do, and nothing is left.
func TestBackupWithoutRoom(t *testing.T) {
	t.Parallel()
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Skip("prlimit (util-linux) is not installed: nothing limits the size of files here")
	}
	s, err := start(suite, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	heavy(t, s, 24<<20)
	elsewhere := filepath.Join(t.TempDir(), "all.tar.zst")
	for _, args := range [][]string{{"backup", "create"}, {"backup", "create", "--to", elsewhere}} {
		cmd := exec.CommandContext(t.Context(), prlimit, append([]string{"--fsize=16000000", s.bin.path}, args...)...)
		cmd.Env = append(os.Environ(), "TRIVIUM_DATA_DIR="+s.data, quickExit)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || exit.Sys().(syscall.WaitStatus).Signaled() {
			t.Fatalf("%v: %v, %s", args, err, out)
		}
		text := string(out)
		if !strings.Contains(text, "othing") || !strings.Contains(text, "kept") || !strings.Contains(text, "another") || strings.Contains(text, "goroutine") {
			t.Errorf("%v says: %s", args, text)
		}
	}
	if list := left(t, filepath.Join(s.data, "backups")); len(list) > 0 {
		t.Errorf("left in the folder of backups: %q", list)
	}
	if list := left(t, filepath.Dir(elsewhere)); len(list) > 0 {
		t.Errorf("left where it should have gone: %q", list)
	}
	s.run(t, "", "backup", "create")
}

// TestRestoreIntoPostgres restores what SQLite kept into a PostgreSQL database, and three roads go on.
func TestRestoreIntoPostgres(t *testing.T) {
	t.Parallel()
	_, flags := onPostgres(t)
	s, err := start(suite, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	s.run(t, password+"\n", "user", "add", "olga", "--level", "customer", "--password-stdin")
	s.run(t, "", "group", "add", "choir")
	s.run(t, "", "group", "member", "add", "choir", "olga")
	token := strings.TrimSpace(s.run(t, "", "token", "issue", "olga", "--scope", "ftp", "--label", "phone"))
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("olga", password)
	ftp.do("TYPE I", "200")
	ftp.store("kept.txt", []byte("kept"))
	users, groups := s.run(t, "", "user", "list", "--plain"), s.run(t, "", "group", "list", "--plain")
	archive := filepath.Join(t.TempDir(), "all.tar.zst")
	s.run(t, "", "backup", "create", "--to", archive)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	next := &server{bin: s.bin, data: data}
	next.run(t, "", append([]string{"backup", "restore", archive, "--yes"}, flags...)...)
	next, err = start(suite, data, flags...)
	if err != nil {
		t.Fatal(err)
	}
	defer next.kill()
	if _, err := os.Lstat(filepath.Join(data, "trivium.db")); err == nil {
		t.Error("a database of SQLite lies beside the one of PostgreSQL")
	}
	if got := next.run(t, "", "user", "list", "--plain"); got != users {
		t.Errorf("the accounts are\n%s\nand were\n%s", got, users)
	}
	if got := next.run(t, "", "group", "list", "--plain"); got != groups {
		t.Errorf("the groups are\n%s\nand were\n%s", got, groups)
	}
	for _, secret := range []string{password, token} {
		ftp = dialFTP(t, next.addr["ftp"])
		ftp.login("olga", secret)
		ftp.do("TYPE I", "200")
		if got := string(ftp.fetch("kept.txt")); got != "kept" {
			t.Errorf("kept.txt is %q", got)
		}
	}
	newWeb(t, next.addr["web"]).login("olga", password)
	x := dialXMPP(t, next.addr["xmpps"], "localhost")
	x.login("olga", password, "localhost", "phone")
	next.run(t, "", "audit", "verify")
}
