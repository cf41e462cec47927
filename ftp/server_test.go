package ftp_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test for what must happen.
const patience = 20 * time.Second

// client is a control connection in the hands of a test.
type client struct {
	t        testing.TB
	conn     net.Conn
	in       *bufio.Reader
	data     net.Conn
	greeting string
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	x := &client{t: t, conn: c, in: bufio.NewReader(c)}
	t.Cleanup(x.close)
	x.greeting = x.want(220)
	return x
}

func (c *client) close() {
	_ = c.conn.Close()
	if c.data != nil {
		_ = c.data.Close()
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// reply reads one reply, all of its lines.
func (c *client) reply() (string, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	var all strings.Builder
	for first := ""; ; {
		l, err := c.in.ReadString('\n')
		all.WriteString(l)
		switch {
		case err != nil:
			return all.String(), err
		case !strings.HasSuffix(l, "\r\n") || first == "" && len(l) < 6:
			return all.String(), errors.New("no reply line")
		case first == "" && l[3] == ' ':
			return all.String(), nil
		case first == "":
			first = l[:3]
		case strings.HasPrefix(l, first+" "):
			return all.String(), nil
		}
	}
}

func (c *client) want(code int) string {
	c.t.Helper()
	r, err := c.reply()
	if err != nil || !strings.HasPrefix(r, strconv.Itoa(code)) {
		c.t.Fatalf("%q (%v), want %d", r, err, code)
	}
	return r
}

func (c *client) do(code int, command string) string {
	c.t.Helper()
	c.send(command + "\r\n")
	r, err := c.reply()
	if err != nil || !strings.HasPrefix(r, strconv.Itoa(code)) {
		c.t.Fatalf("%s: %q (%v), want %d", command, r, err, code)
	}
	return r
}

func (c *client) login(user, password string) *client {
	c.t.Helper()
	c.do(331, "USER "+user)
	c.do(230, "PASS "+password)
	c.do(200, "TYPE I")
	return c
}

// secure does AUTH TLS and asks for protected data.
func (c *client) secure(conf *tls.Config) *client {
	c.t.Helper()
	c.do(234, "AUTH TLS")
	tc := tls.Client(c.conn, conf)
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.in = tc, bufio.NewReader(tc)
	c.do(200, "PBSZ 0")
	c.do(200, "PROT P")
	return c
}

// ended waits for the server to close.
func (c *client) ended() {
	c.t.Helper()
	if r, err := c.reply(); err == nil || r != "" {
		c.t.Fatalf("%q, want the end of the connection", r)
	}
}

var portOf = regexp.MustCompile(`\(\|\|\|(\d+)\|\)`)

// passive opens a data connection.
func (c *client) passive() net.Conn {
	c.t.Helper()
	m := portOf.FindStringSubmatch(c.do(229, "EPSV"))
	host, _, err := net.SplitHostPort(c.conn.RemoteAddr().String())
	if err != nil || m == nil {
		c.t.Fatal(err, m)
	}
	d, err := net.Dial("tcp", net.JoinHostPort(host, m[1]))
	if err != nil {
		c.t.Fatal(err)
	}
	_ = d.SetDeadline(time.Now().Add(patience))
	c.t.Cleanup(func() { _ = d.Close() })
	return d
}

func (c *client) put(command string, content []byte) string {
	c.t.Helper()
	d := c.passive()
	c.do(150, command)
	if _, err := d.Write(content); err != nil {
		c.t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.want(226)
}

func (c *client) get(command string) []byte {
	c.t.Helper()
	d := c.passive()
	c.do(150, command)
	b, err := io.ReadAll(d)
	if err != nil {
		c.t.Fatal(err)
	}
	c.want(226)
	return b
}

// eventually waits for a condition that something else brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func TestTransfers(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	content := bytes.Repeat([]byte("line\nof text\r\n"), 100_000)

	c.put("STOR a.bin", content)
	if got := w.read("a.bin"); !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, want %d", len(got), len(content))
	}
	if got := c.get("RETR a.bin"); !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back", len(got))
	}
	c.do(350, "REST 1000")
	if got := c.get("RETR a.bin"); !bytes.Equal(got, content[1000:]) {
		t.Errorf("after REST %d bytes came back", len(got))
	}
	c.put("APPE a.bin", []byte("end"))
	if got := w.read("a.bin"); !bytes.Equal(got, append(bytes.Clone(content), "end"...)) {
		t.Errorf("after APPE %d bytes", len(got))
	}
	c.put("STOR empty", nil)
	if got := c.get("RETR empty"); len(got) != 0 {
		t.Errorf("%q in an empty file", got)
	}
	c.do(200, "TYPE A")
	c.put("STOR t.txt", []byte("a\r\nb\rc\r\n\r"))
	if got := w.read("t.txt"); string(got) != "a\nb\rc\n\r" {
		t.Errorf("text became %q", got)
	}
	if got := c.get("RETR t.txt"); string(got) != "a\r\nb\rc\r\n\r" {
		t.Errorf("text came back as %q", got)
	}
	d := c.passive()
	r := c.do(150, "STOU")
	name := strings.TrimSpace(strings.TrimPrefix(r, "150 FILE: "))
	_, _ = d.Write([]byte("x"))
	_ = d.Close()
	c.want(226)
	if got := w.read(name); string(got) != "x" {
		t.Errorf("STOU: %q in %q", got, name)
	}
	c.do(221, "QUIT")
	c.ended()
}

func TestUnfinishedUpload(t *testing.T) {
	w := newWorld(t)
	t.Run("no data connection", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		c.put("STOR old", []byte("precious"))
		c.do(425, "STOR old")
		c.do(229, "EPSV")
		c.do(425, "STOR old")
		if got := w.read("old"); string(got) != "precious" {
			t.Errorf("%q", got)
		}
	})
	for _, tt := range []struct {
		name  string
		end   func(c *client, d net.Conn)
		reply int // 0: the connection is gone
	}{
		{"ABOR", func(c *client, d net.Conn) { c.send("ABOR\r\n") }, 426},
		{"ABOR with Telnet", func(c *client, d net.Conn) { c.send("\xff\xf4\xff\xf2ABOR\r\n") }, 426},
		{"reset", func(c *client, d net.Conn) { _ = d.(*net.TCPConn).SetLinger(0); _ = d.Close() }, 426},
		{"hang-up", func(c *client, d net.Conn) { _ = c.conn.Close(); _ = d.Close() }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, w.addr).login("alice", w.password)
			name := strings.ReplaceAll(tt.name, " ", "_")
			d := c.passive()
			c.do(150, "STOR "+name)
			if _, err := d.Write([]byte("half")); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the bytes came", func() bool { return w.moved() >= 4 })
			tt.end(c, d)
			if tt.reply != 0 {
				c.want(tt.reply)
				if strings.HasPrefix(tt.name, "ABOR") {
					c.want(226)
				}
				c.do(200, "NOOP")
			}
			eventually(t, "the session is idle or gone", func() bool { return !w.busy() })
			if w.exists(name) {
				t.Errorf("%s stands under its name", name)
			}
			again := dial(t, w.addr).login("alice", w.password)
			if r := again.do(213, "SIZE "+name); r != "213 4\r\n" {
				t.Errorf("size of the part: %q", r)
			}
			again.do(350, "REST 4")
			again.put("STOR "+name, []byte("+rest"))
			if got := w.read(name); string(got) != "half+rest" {
				t.Errorf("resumed: %q", got)
			}
		})
	}
	t.Run("ALLO not reached", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		c.do(200, "ALLO 10")
		d := c.passive()
		c.do(150, "STOR short")
		_, _ = d.Write([]byte("half"))
		_ = d.Close()
		c.want(426)
		if w.exists("short") {
			t.Error("a short file stands under its name")
		}
	})
	t.Run("QUIT and hang-up at once", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		d := c.passive()
		c.do(150, "STOR whole")
		c.send("QUIT\r\n")
		_, _ = d.Write([]byte("all"))
		_ = d.Close()
		_ = c.conn.(*net.TCPConn).CloseWrite()
		c.want(226)
		c.want(221)
		if got := w.read("whole"); string(got) != "all" {
			t.Errorf("%q", got)
		}
	})
}

func TestOrderAndAbort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("big", make([]byte, 64<<20))
	c := dial(t, w.addr).login("alice", w.password)
	d := c.passive()
	c.do(150, "RETR big")
	c.send("NOOP\r\nSTAT\r\nPWD\r\nTYPE I\r\n")
	c.want(200)
	if r := c.want(211); !strings.Contains(r, "RETR /big") {
		t.Errorf("STAT does not tell of the transfer: %q", r)
	}
	c.send("\xff\xf4\xff\xf2ABOR\r\n")
	for _, code := range []int{426, 226, 257, 200} {
		c.want(code)
	}
	_ = d.Close()
	c.do(226, "ABOR")

	// What waited is being run, and takes its time: ABOR goes to the transfer in front of it, which
	// has not begun either.
	must(t, os.Mkdir(filepath.Join(w.home, "many"), 0o755))
	for i := range 4000 {
		w.write(fmt.Sprintf("many/%d", i), nil)
	}
	d = c.passive()
	c.do(150, "RETR big")
	c.send("STAT many\r\nEPSV\r\nABOR\r\n")
	c.want(426)
	c.want(226)
	c.send("RETR big\r\nABOR\r\nPWD\r\n")
	for _, code := range []int{212, 229, 426, 226, 257} {
		c.want(code)
	}
	_ = d.Close()

	c.do(229, "EPSV")
	start := time.Now()
	c.send("RETR big\r\nABOR\r\n") // nobody connects
	for _, code := range []int{426, 226} {
		c.want(code)
	}
	if took := time.Since(start); took > w.limits.FTPDataTimeout {
		t.Errorf("ABOR took %s", took)
	}
}

func TestStalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.limits.FTPDataTimeout, w.limits.FTPStallTimeout = 300*time.Millisecond, time.Second
	})
	w.write("big", make([]byte, 64<<20))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(229, "EPSV")
	c.do(425, "RETR big")
	c.passive()
	c.do(150, "RETR big") // never read
	c.want(426)
	c.passive()
	c.do(150, "STOR up") // never written
	c.want(426)
	c.do(200, "NOOP")
}

func TestTimeouts(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.limits.LoginTimeout, w.limits.FTPIdleTimeout = 500*time.Millisecond, 700*time.Millisecond
	})
	t.Run("log-in", func(t *testing.T) {
		c := dial(t, w.addr)
		start := time.Now()
		for range 3 {
			c.do(200, "NOOP") // renews nothing
		}
		c.send("NO") // nor does half a line
		c.want(421)
		c.ended()
		if took := time.Since(start); took < 200*time.Millisecond || took > 5*time.Second {
			t.Errorf("after %s", took)
		}
	})
	t.Run("idle", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		c.want(421)
		c.ended()
	})
}

func TestStrangers(t *testing.T) {
	w := newWorld(t)
	t.Run("HTTP", func(t *testing.T) {
		c := dial(t, w.addr)
		c.send("GET /<script> HTTP/1.1\r\nHost: x\r\n\r\n")
		r := c.want(421)
		if strings.Contains(r, "script") {
			t.Errorf("bytes of the request come back: %q", r)
		}
		c.ended()
	})
	t.Run("long lines", func(t *testing.T) {
		c := dial(t, w.addr)
		c.send(strings.Repeat("x", 10_000) + "\r\n")
		c.want(500)
		c.do(200, "NOOP")
		c.send(strings.Repeat("x", 10_000) + "\r\n")
		c.want(421)
	})
	t.Run("a queue without end", func(t *testing.T) {
		w.write("big", make([]byte, 64<<20))
		c := dial(t, w.addr).login("alice", w.password)
		c.passive()
		c.do(150, "RETR big")
		c.send(strings.Repeat("PWD\r\n", 1000))
		c.want(421)
	})
}

func TestForeignDataConnection(t *testing.T) {
	w := newWorld(t)
	w.write("secret", []byte("for alice"))
	c := dial(t, w.addr).login("alice", w.password)
	m := portOf.FindStringSubmatch(c.do(229, "EPSV"))
	thief := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.2:0"))}
	stolen, err := thief.Dial("tcp", "127.0.0.1:"+m[1])
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	defer stolen.Close()
	d, err := net.Dial("tcp", "127.0.0.1:"+m[1])
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c.do(150, "RETR secret")
	_ = stolen.SetDeadline(time.Now().Add(patience))
	if b, _ := io.ReadAll(stolen); len(b) != 0 {
		t.Errorf("the thief got %q", b)
	}
	_ = d.SetDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(d); string(b) != "for alice" {
		t.Errorf("%q, %v", b, err)
	}
	c.want(226)
}

func TestActive(t *testing.T) {
	w := newWorld(t)
	w.write("a", []byte("content"))
	c := dial(t, w.addr).login("alice", w.password)
	for _, form := range []string{"PORT", "EPRT"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		if form == "PORT" {
			c.do(200, fmt.Sprintf("PORT 127,0,0,1,%d,%d", port>>8, port&0xff))
		} else {
			c.do(200, fmt.Sprintf("EPRT |1|127.0.0.1|%d|", port))
		}
		c.send("RETR a\r\n")
		d, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.want(150)
		b, err := io.ReadAll(d)
		if err != nil || string(b) != "content" {
			t.Errorf("%q, %v", b, err)
		}
		c.want(226)
		_ = d.Close()
		_ = ln.Close()
	}
}

// TestDoors prepares data connections without using them: none may stay.
func TestDoors(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	c.do(227, "PASV")
	before := descriptors(t)
	for range 100 {
		c.do(227, "PASV")
		c.do(200, "PORT 127,0,0,1,200,200")
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors, then %d", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	const dir = "/proc/self/fd"
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Skipf("no /proc: %v", err)
	}
	n := 0
	for _, e := range all {
		// The database opens and closes connections as it sees fit.
		if to, _ := os.Readlink(filepath.Join(dir, e.Name())); !strings.Contains(to, "test.db") {
			n++
		}
	}
	return n
}

func TestIPv6(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	_ = probe.Close()
	w := newWorld(t, func(w *world) { w.cfg.Listen = []string{"[::1]:0"} })
	w.write("a", []byte("content"))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(425, "PASV")
	c.do(522, "EPSV 1")
	if got := c.get("RETR a"); string(got) != "content" {
		t.Errorf("%q", got)
	}
	c.do(501, "EPRT |1|127.0.0.1|2000|")
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c.do(200, fmt.Sprintf("EPRT |2|::1|%d|", ln.Addr().(*net.TCPAddr).Port))
	c.send("RETR a\r\n")
	d, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c.want(150)
	if b, err := io.ReadAll(d); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	c.want(226)
}

// TestPassivePorts uses up a small range: the next client hears that, and a port that is freed
// can be had again.
func TestPassivePorts(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := first.Addr().(*net.TCPAddr).Port
	_ = first.Close()
	w := newWorld(t, func(w *world) { w.cfg.PassivePorts = fmt.Sprintf("%d-%d", port, port) })
	a := dial(t, w.addr).login("alice", w.password)
	b := dial(t, w.addr).login("alice", w.password)
	if r := a.do(229, "EPSV"); !strings.Contains(r, strconv.Itoa(port)) {
		t.Errorf("%q, want port %d", r, port)
	}
	b.do(425, "EPSV")
	a.do(229, "EPSV") // its own takes the place of the old one
	a.do(220, "REIN")
	b.do(229, "EPSV")
}
