package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// passive opens a data connection by EPSV (RFC 2428).
func (f *ftpClient) passive() net.Conn {
	f.t.Helper()
	m := regexp.MustCompile(`\(\|\|\|(\d+)\|\)`).FindStringSubmatch(f.do("EPSV", "229"))
	if m == nil {
		f.t.Fatal("no port in the reply to EPSV")
	}
	host, _, err := net.SplitHostPort(f.conn.RemoteAddr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort(host, m[1]), clientLimit)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(clientLimit))
	return c
}

// TestSIGTERMDrains: an upload that is under way when the server is told to stop still arrives
// whole, new connections are refused meanwhile, and the server then ends by itself.
func TestSIGTERMDrains(t *testing.T) {
	s, err := start(suite, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	s.run(t, password+"\n", "user", "add", "dave", "--password-stdin")
	busy, idle := dialFTP(t, s.addr["ftp"]), dialFTP(t, s.addr["ftp"])
	busy.login("dave", password)
	idle.login("dave", password)
	busy.do("TYPE I", "200")
	data := busy.passive()
	busy.do("STOR drained.bin", "150")
	half := bytes.Repeat([]byte("x"), 1<<20)
	if _, err := data.Write(half); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if reply, err := idle.reply(); !strings.HasPrefix(reply, "421") {
		t.Errorf("the idle session got %q, %v, want 421", reply, err)
	}
	if c, err := net.DialTimeout("tcp", s.addr["ftp"], clientLimit); err == nil {
		_ = c.Close()
		t.Error("a new connection was accepted")
	}
	if _, err := data.Write(half); err != nil {
		t.Fatal(err)
	}
	_ = data.Close()
	busy.expect("226")
	select {
	case <-s.ended:
	case <-time.After(stopLimit):
		t.Fatalf("not ended; stderr:\n%s", s.log)
	}
	if s.err != nil {
		t.Errorf("ended with %v; stderr:\n%s", s.err, s.log)
	}
	again, err := start(suite, s.data)
	if err != nil {
		t.Fatal(err)
	}
	defer again.kill()
	f := dialFTP(t, again.addr["ftp"])
	f.login("dave", password)
	f.do("TYPE I", "200")
	if got := f.do("SIZE drained.bin", "213"); !strings.Contains(got, fmt.Sprint(2<<20)) {
		t.Errorf("SIZE: %q", got)
	}
}

// TestCutUploadIsNotSeen: a control connection that goes in the middle of an upload, and a server
// that is killed then, leave no file under the name, and the upload can be resumed.
func TestCutUploadIsNotSeen(t *testing.T) {
	s, err := start(suite, t.TempDir()+"/data")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.kill() }()
	s.run(t, password+"\n", "user", "add", "erin", "--password-stdin")
	f := dialFTP(t, s.addr["ftp"])
	f.login("erin", password)
	f.do("TYPE I", "200")
	data := f.passive()
	f.do("STOR half.bin", "150")
	if _, err := data.Write(bytes.Repeat([]byte("x"), 1<<20)); err != nil {
		t.Fatal(err)
	}
	s.kill()
	if s, err = start(suite, s.data); err != nil {
		t.Fatal(err)
	}
	f = dialFTP(t, s.addr["ftp"])
	f.login("erin", password)
	f.do("TYPE I", "200")
	f.passive()
	f.do("RETR half.bin", "550")
	list := f.passive()
	f.do("NLST", "150")
	names, err := io.ReadAll(list)
	if err != nil {
		t.Fatal(err)
	}
	f.expect("226")
	if strings.Contains(string(names), "half.bin") {
		t.Errorf("NLST shows the half: %q", names)
	}
}
