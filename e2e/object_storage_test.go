package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// objectStorage starts a server of object storage with one bucket, and gives the settings that use
// it.
func objectStorage(t *testing.T) []string {
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
	if err := os.Mkdir(filepath.Join(dir, "trivium"), 0o700); err != nil { // a bucket
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", addr, "--access", "key", "--secret", "storage-secret", "--quiet", "posix", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 100 {
		c, err := net.DialTimeout("tcp", addr, clientLimit)
		if err == nil {
			_ = c.Close()
			break
		}
		<-time.After(100 * time.Millisecond) // until it listens
	}
	secret := filepath.Join(t.TempDir(), "s3.key")
	if err := os.WriteFile(secret, []byte("storage-secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--set", "files.storage=s3", "--set", "files.s3_endpoint=http://" + addr, "--set", "files.s3_bucket=trivium",
		"--set", "files.s3_access_key=key", "--set", "files.s3_secret_key=@file:" + secret}
}

// TestObjectStorage: files that lie in object storage are those that were sent, by two clients, and
// after the server was killed.
func TestObjectStorage(t *testing.T) {
	for _, program := range []string{"lftp", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	settings := objectStorage(t)
	data := filepath.Join(t.TempDir(), "data")
	begin := func() (*server, places) {
		s, err := start(suite, data, settings...)
		if err != nil {
			t.Fatal(err)
		}
		host, port, err := net.SplitHostPort(s.addr["ftp"])
		if err != nil {
			t.Fatal(err)
		}
		return s, places{t: t, host: host, port: port, from: t.TempDir(), to: t.TempDir(), home: t.TempDir()}
	}
	s, p := begin()
	s.run(t, plainPassword+"\n", "user", "add", "alice", "--password-stdin")
	samples(t, p.from)
	lftpMirror(p, "set ftp:ssl-allow no\n")
	samples(t, p.from) // what the mirror took away
	curlBasics(p)
	s.kill()
	s, p = begin()
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	samples(t, p.from)
	back := filepath.Join(p.to, "back")
	p.program("", "curl", "-sS", "--fail", "-o", back, p.url("TestObjectStorage/resumed"))
	p.equal(filepath.Join(p.from, "sub/big.bin"), back)
}
