package e2e

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// store sends a file by FTP, and waits until it is acknowledged.
func (f *ftpClient) store(name string, content []byte) {
	f.t.Helper()
	data := f.passive()
	f.do("STOR "+name, "150")
	if _, err := data.Write(content); err != nil {
		f.t.Fatal(err)
	}
	if err := data.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.expect("226")
}

// fetch reads a file by FTP.
func (f *ftpClient) fetch(name string) []byte {
	f.t.Helper()
	data := f.passive()
	f.do("RETR "+name, "150")
	b, err := io.ReadAll(data)
	if err != nil {
		f.t.Fatal(err)
	}
	f.expect("226")
	return b
}

// TestBackupUnderLoad makes a backup while a file is replaced again and again and messages are sent, and
// restores it elsewhere: what was acknowledged before it began is in it, and each file is an old or a new one.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	s, err := start(suite, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	s.run(t, password+"\n", "user", "add", "olga", "--password-stdin")
	ftp := dialFTP(t, s.addr["ftp"])
	ftp.login("olga", password)
	ftp.do("TYPE I", "200")
	ftp.store("before.txt", []byte("acknowledged before"))
	web := newWeb(t, s.addr["web"])
	web.login("olga", password)

	const size = 256 << 10
	var done atomic.Bool
	var wg sync.WaitGroup
	rounds := make(chan struct{}, 1000)
	wg.Go(func() {
		for n := byte('a'); !done.Load(); n++ {
			if n > 'z' {
				n = 'a'
			}
			ftp.store("hot.bin", bytes.Repeat([]byte{n}, size))
			rounds <- struct{}{}
		}
	})
	<-rounds
	archive := filepath.Join(t.TempDir(), "all.tar.zst")
	s.run(t, "", "backup", "create", "--to", archive)
	s.run(t, "", "backup", "create")
	done.Store(true)
	wg.Wait()
	s.run(t, "", "backup", "verify", archive)
	if out := s.run(t, "", "backup", "list", "--plain"); strings.Count(out, "verified") != 1 {
		t.Errorf("backup list: %s", out)
	}
	s.run(t, password+"\n", "user", "add", "later", "--password-stdin")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	// Over the same data directory, which is set aside. What a killed backup left is swept at the start.
	half := filepath.Join(s.data, "backups", ".trivium-backup-1.partial")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(t, "", "backup", "restore", archive, "--yes")
	aside, err := filepath.Glob(filepath.Join(s.data, "before-restore-*", "trivium.db"))
	if err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
	again, err := start(suite, s.data)
	if err != nil {
		t.Fatal(err)
	}
	defer again.kill()
	ftp = dialFTP(t, again.addr["ftp"])
	ftp.login("olga", password)
	ftp.do("TYPE I", "200")
	if got := string(ftp.fetch("before.txt")); got != "acknowledged before" {
		t.Errorf("before.txt is %q", got)
	}
	hot := ftp.fetch("hot.bin")
	if len(hot) != size || !bytes.Equal(hot, bytes.Repeat(hot[:1], size)) {
		t.Errorf("hot.bin is torn: %d bytes", len(hot))
	}
	if out := again.run(t, "", "user", "list", "--plain"); strings.Contains(out, "later") || !strings.Contains(out, "olga") {
		t.Errorf("users: %s", out)
	}
	again.run(t, "", "audit", "verify")
	if out := again.run(t, "", "audit", "--plain"); !strings.Contains(out, "backup.restore") {
		t.Errorf("audit: %s", out)
	}
	web.base = "http://" + again.addr["web"]
	if status, location, _ := web.get("/sessions"); status != 303 && status != 302 || !strings.Contains(location, "/login") {
		t.Errorf("a browser that was logged in gets %d to %q", status, location)
	}
	comesTrue(t, "what a killed backup left is gone", func() bool {
		_, err := os.Lstat(half)
		return os.IsNotExist(err)
	})
}
