package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// epsv prepares a data connection and returns its address.
func (f *ftpClient) epsv() string {
	f.t.Helper()
	m := regexp.MustCompile(`\|\|\|(\d+)\|`).FindStringSubmatch(f.do("EPSV", "229"))
	if m == nil {
		f.t.Fatal("no port in the answer to EPSV")
	}
	host, _, err := net.SplitHostPort(f.conn.RemoteAddr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	return net.JoinHostPort(host, m[1])
}

func (f *ftpClient) data() net.Conn {
	f.t.Helper()
	c, err := net.DialTimeout("tcp", f.epsv(), clientLimit)
	if err != nil {
		f.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(clientLimit))
	return c
}

// put is STOR (or another verb) of content; it returns the last reply.
func (f *ftpClient) put(command string, content []byte) string {
	f.t.Helper()
	c := f.data()
	f.do(command, "150")
	_, err := c.Write(content)
	err = errors.Join(err, c.Close())
	got, readErr := f.reply()
	if readErr != nil {
		f.t.Fatalf("%s: %v, %v", command, readErr, err)
	}
	return got
}

// get is RETR; it returns what came and the last reply.
func (f *ftpClient) get(name string) ([]byte, string) {
	f.t.Helper()
	c := f.data()
	defer c.Close()
	f.do("RETR "+name, "150")
	b, err := io.ReadAll(c)
	got, replyErr := f.reply()
	if replyErr != nil {
		f.t.Fatal(replyErr, err)
	}
	return b, got
}

func (f *ftpClient) wants(got, code string) {
	f.t.Helper()
	if !strings.HasPrefix(got, code) {
		f.t.Errorf("got %q, want %s", got, code)
	}
}

func loggedIn(t *testing.T, s *server, user string) *ftpClient {
	t.Helper()
	f := dialFTP(t, s.addr["ftp"])
	f.login(user, password)
	f.do("TYPE I", "200")
	return f
}

// overTLS puts TLS on the control connection, with data connections protected too.
func (f *ftpClient) overTLS(cache tls.ClientSessionCache) {
	f.t.Helper()
	f.do("AUTH TLS", "234")
	c := tls.Client(f.conn, clientTLS(cache))
	if err := c.Handshake(); err != nil {
		f.t.Fatal(err)
	}
	f.conn, f.r = c, bufio.NewReader(c)
	f.do("PBSZ 0", "200")
	f.do("PROT P", "200")
}

func clientTLS(cache tls.ClientSessionCache) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", ClientSessionCache: cache}
}

// TestDataConnectionTheft: somebody who connects to the passive port before the client, from
// another address, gets nothing; the client gets its file.
func TestDataConnectionTheft(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	f := loggedIn(t, s, "alice")
	f.wants(f.put("STOR secret", []byte("for alice alone")), "226")
	addr := f.epsv()
	thief := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: clientLimit}
	stolen, err := thief.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer stolen.Close()
	if _, err := io.WriteString(f.conn, "RETR secret\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = stolen.SetDeadline(time.Now().Add(clientLimit))
	if b, _ := io.ReadAll(stolen); len(b) > 0 {
		t.Errorf("the thief got %q", b)
	}
	own, err := net.DialTimeout("tcp", addr, clientLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	f.expect("150")
	if b, err := io.ReadAll(own); string(b) != "for alice alone" || err != nil {
		t.Errorf("the client got %q, %v", b, err)
	}
	f.expect("226")
}

// TestSessionMixUp: a data connection that resumes the TLS session of another control connection
// is not taken for this one's, by whichever account the other is held.
func TestSessionMixUp(t *testing.T) {
	s := serve(t, "--set", "ftp.tls_reuse=required")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	s.run(t, password+"\n", "user", "add", "mallory", "--password-stdin")
	hers, his := tls.NewLRUClientSessionCache(4), tls.NewLRUClientSessionCache(4)
	alice, mallory := dialFTP(t, s.addr["ftp"]), dialFTP(t, s.addr["ftp"])
	for _, x := range []struct {
		f     *ftpClient
		cache tls.ClientSessionCache
		name  string
	}{{alice, hers, "alice"}, {mallory, his, "mallory"}} {
		x.f.overTLS(x.cache)
		x.f.login(x.name, password)
		x.f.do("TYPE I", "200")
	}
	send := func(cache tls.ClientSessionCache) string {
		raw := alice.data()
		defer raw.Close()
		alice.do("STOR f", "150")
		c := tls.Client(raw, clientTLS(cache))
		err := c.Handshake()
		if err == nil {
			_, err = c.Write([]byte("content"))
			err = errors.Join(err, c.Close())
		}
		got, replyErr := alice.reply()
		if replyErr != nil {
			t.Fatal(replyErr, err)
		}
		return got
	}
	alice.wants(send(his), "522")
	alice.wants(send(nil), "522")
	if got := alice.do("SIZE f", "550"); got == "" {
		t.Error("nothing was said")
	}
	alice.wants(send(hers), "226")
}

// TestSymlinkRace: one session makes and removes links while another reads and writes through their
// names; nothing of another account is ever read, changed or made.
func TestSymlinkRace(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	s.run(t, password+"\n", "user", "add", "bob", "--password-stdin")
	bob := loggedIn(t, s, "bob")
	bob.wants(bob.put("STOR secret", []byte("of bob")), "226")
	a, b := loggedIn(t, s, "alice"), loggedIn(t, s, "alice")
	a.do("MKD real", "257")
	a.wants(a.put("STOR real/secret", []byte("of alice")), "226")
	for _, target := range []string{"../bob", "../../home/bob", "../../../../etc"} {
		if _, err := fmt.Fprintf(a.conn, "SITE SYMLINK %s way\r\n", target); err != nil {
			t.Fatal(err)
		}
		if got, err := a.reply(); err != nil || strings.HasPrefix(got, "2") {
			t.Fatalf("a link to %s: %q, %v", target, got, err)
		}
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() { // a folder, a link to one, nothing, in turn; on disk too, as a neighbour's script would do
		home := filepath.Join(s.data, "files", "localhost", "home")
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Remove(filepath.Join(home, "alice", "way"))
			_ = os.Symlink("../bob", filepath.Join(home, "alice", "way"))
			_ = os.Remove(filepath.Join(home, "alice", "way"))
			_ = os.Symlink("real", filepath.Join(home, "alice", "way"))
		}
	})
	for range 150 {
		if _, err := io.WriteString(b.conn, "SIZE way/secret\r\nMDTM way/secret\r\nMLST way/secret\r\nDELE way/nothing\r\n"); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			if got, err := b.reply(); err != nil || strings.HasPrefix(got, "213 6") {
				t.Fatalf("%q, %v", got, err)
			}
		}
		c := b.data()
		if _, err := io.WriteString(b.conn, "RETR way/secret\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := b.reply()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(got, "150") {
			if content, err := io.ReadAll(c); string(content) != "of alice" {
				t.Fatalf("read %q, %v", content, err)
			}
			b.expect("226")
		}
		_ = c.Close()
		c = b.data()
		if _, err := io.WriteString(b.conn, "STOR way/made\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err = b.reply(); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if strings.HasPrefix(got, "150") {
			if _, err := b.reply(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	wg.Wait()
	left, err := os.ReadDir(filepath.Join(s.data, "files", "localhost", "home", "bob"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		if e.Name() != "secret" && e.Name() != ".trivium" {
			t.Errorf("%s was made at bob's", e.Name())
		}
	}
	if content, _ := bob.get("secret"); string(content) != "of bob" {
		t.Errorf("bob's file is %q", content)
	}
}

// TestSymlinkRaceWithRules: a link is led from a folder that a rule of FTP leaves open to one that it
// closes, and back, without rest, while the account itself reads and writes through it: nothing of the
// closed one is told, read, changed or made.
func TestSymlinkRaceWithRules(t *testing.T) {
	s := serve(t, "--set", "policy.ftp:ALL:/home/alice/shut/**=never")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	a := loggedIn(t, s, "alice")
	a.do("MKD open", "257")
	a.wants(a.put("STOR open/f", []byte("open")), "226")
	home := filepath.Join(s.data, "files", "localhost", "home", "alice")
	if err := errors.Join(os.Mkdir(filepath.Join(home, "shut"), 0o755),
		os.WriteFile(filepath.Join(home, "shut", "f"), []byte("closed"), 0o600)); err != nil {
		t.Fatal(err)
	}
	a.do("SIZE shut/f", "550")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Symlink([]string{"open", "shut"}[i%2], filepath.Join(home, ".new"))
			_ = os.Rename(filepath.Join(home, ".new"), filepath.Join(home, "way"))
		}
	})
	defer wg.Wait()
	defer close(stop)
	reached, refused := 0, 0
	ask := func(command string) string {
		if _, err := io.WriteString(a.conn, command+"\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := a.reply()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(got, "550") {
			refused++
		} else {
			reached++
		}
		return got
	}
	for range 100 {
		for range 20 {
			if got := ask("SIZE way/f"); strings.HasPrefix(got, "213 6") {
				t.Fatalf("the size of what is closed is told: %q", got)
			}
		}
		ask("SITE CHMOD 600 way/f")
		ask("MKD way/made")
		ask("DELE way/f.x")
		c := a.data()
		if got := ask("RETR way/f"); strings.HasPrefix(got, "150") {
			if content, err := io.ReadAll(c); string(content) != "open" {
				t.Fatalf("read %q, %v", content, err)
			}
			a.expect("226")
		}
		_ = c.Close()
	}
	left, err := os.ReadDir(filepath.Join(home, "shut"))
	if err != nil || len(left) != 1 || left[0].Name() != "f" {
		t.Errorf("the closed folder has %v, %v", left, err)
	}
	if reached == 0 || refused == 0 {
		t.Errorf("the race was not met: %d reached, %d refused", reached, refused)
	}
}

// TestTruncatedUpload: an upload under TLS whose end was cut off on the way is no file, and goes on
// where it stopped.
func TestTruncatedUpload(t *testing.T) {
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	f := dialFTP(t, s.addr["ftp"])
	f.overTLS(nil)
	f.login("alice", password)
	f.do("TYPE I", "200")
	content := bytes.Repeat([]byte("0123456789abcdef"), 8192)
	raw := f.data()
	f.do("STOR f", "150")
	c := tls.Client(raw, clientTLS(nil))
	if _, err := c.Write(content[:65536]); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil { // without close_notify
		t.Fatal(err)
	}
	f.expect("426")
	if list := f.do("STAT .", "212"); strings.Contains(list, " f\r\n") {
		t.Errorf("half a file is listed: %s", list)
	}
	f.do("SIZE f", "213 65536")
	f.do("REST 65536", "350")
	raw = f.data()
	f.do("STOR f", "150")
	c = tls.Client(raw, clientTLS(nil))
	if _, err := c.Write(content[65536:]); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	f.expect("226")
	onDisk, err := os.ReadFile(filepath.Join(s.data, "files", "localhost", "home", "alice", "f"))
	if err != nil || !bytes.Equal(onDisk, content) {
		t.Errorf("%d bytes on disk, %v", len(onDisk), err)
	}
}

// TestKilledMidUpload: kill -9 in the middle of an upload leaves no file, a part to go on with, and
// the right count of what is used.
func TestKilledMidUpload(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s, err := start(suite, data)
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	f := loggedIn(t, s, "alice")
	content := bytes.Repeat([]byte("fedcba9876543210"), 1<<17)
	f.wants(f.put("STOR whole", content[:1000]), "226")
	c := f.data()
	f.do("STOR cut", "150")
	if _, err := c.Write(content[:1<<20]); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the bytes to arrive", func() bool {
		part, _ := filepath.Glob(filepath.Join(data, "files/localhost/home/alice/.trivium/parts/*"))
		if len(part) != 1 {
			return false
		}
		i, err := os.Stat(part[0])
		return err == nil && i.Size() == 1<<20
	})
	s.kill()
	_ = c.Close()
	if s, err = start(suite, data); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	f = loggedIn(t, s, "alice")
	if list := f.do("STAT .", "212"); strings.Contains(list, " cut\r\n") || !strings.Contains(list, " whole\r\n") {
		t.Errorf("after the kill: %s", list)
	}
	size := strings.TrimSpace(f.do("SIZE cut", "213")[4:])
	if size != "1048576" {
		t.Errorf("the part has %s bytes", size)
	}
	if used := s.run(t, "", "quota", "show", "alice", "--json"); !regexp.MustCompile(`"bytes":\s*1049576\b`).MatchString(used) {
		t.Errorf("used after the kill: %s", used)
	}
	f.do("REST "+size, "350")
	f.wants(f.put("STOR cut", content[1<<20:]), "226")
	got, _ := f.get("cut")
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back of %d, or others", len(got), len(content))
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for until := time.Now().Add(clientLimit); time.Now().Before(until); <-time.After(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// TestDiskFull: an upload that the disk cannot hold says so, and leaves neither half a file nor the
// old one changed.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := serve(t, "--set", "files.root="+dir, "--set", "files.quota=0")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	f := loggedIn(t, s, "alice")
	f.wants(f.put("STOR f", []byte("old")), "226")
	c := f.data()
	f.do("STOR f", "150")
	_, _ = c.Write(make([]byte, 16<<20)) // the server ends it
	_ = c.Close()
	f.expect("452")
	if got, last := f.get("f"); string(got) != "old" {
		t.Errorf("%q, %s", got, last)
	}
	f.wants(f.put("STOR small", make([]byte, 1<<20)), "226") // and there is room again
}

// TestFaultsOfTransfers: whatever goes wrong on the data connection has its own code, and the
// session goes on.
func TestFaultsOfTransfers(t *testing.T) {
	s := serve(t, "--set", "limits.ftp_data_timeout=1s", "--set", "limits.ftp_stall_timeout=2s", "--set", "files.quota=40MiB")
	s.run(t, password+"\n", "user", "add", "alice", "--password-stdin")
	f := loggedIn(t, s, "alice")
	big := bytes.Repeat([]byte("x"), 24<<20) // more than the buffers of sockets hold
	f.wants(f.put("STOR big", big), "226")

	f.epsv()
	f.do("RETR big", "425") // nobody comes

	c := f.data() // the reader goes away
	f.do("RETR big", "150")
	_, _ = io.ReadFull(c, make([]byte, 100))
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
	f.expect("426")

	c = f.data() // the writer stops, without an end
	f.do("STOR stalled", "150")
	if _, err := c.Write([]byte("some")); err != nil {
		t.Fatal(err)
	}
	f.expect("426")
	_ = c.Close()
	f.do("SIZE stalled", "213 4")

	f.wants(f.put("STOR big", bytes.Repeat([]byte("y"), 44<<20)), "552") // beyond the quota
	if got, _ := f.get("big"); !bytes.Equal(got, big) {
		t.Error("the old file is not what it was")
	}

	c = f.data() // the file goes while it is read: it is read to its end
	f.do("RETR big", "150")
	other := loggedIn(t, s, "alice")
	other.do("DELE big", "250")
	if got, err := io.ReadAll(c); !bytes.Equal(got, big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	f.expect("226")
	f.do("RETR big", "425") // no data connection is prepared
	f.do("NOOP", "200")
}
