package ftp_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trivium/identity"
)

// putTLS uploads over protected data.
func (c *client) putTLS(conf *tls.Config, command string, content []byte) {
	c.t.Helper()
	d := c.passive()
	c.do(150, command)
	tc := tls.Client(d, conf)
	if _, err := tc.Write(content); err != nil {
		c.t.Fatal(err)
	}
	if err := tc.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.want(226)
}

func (c *client) getTLS(conf *tls.Config, command string) []byte {
	c.t.Helper()
	d := c.passive()
	c.do(150, command)
	b, err := io.ReadAll(tls.Client(d, conf))
	if err != nil {
		c.t.Error(err)
	}
	c.want(226)
	return b
}

// TestEngines moves the same bytes by both engines, in the clear and under TLS.
func TestEngines(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 30_000)
	for _, tt := range []struct {
		name    string
		large   int64
		engines int
	}{{"direct", 1 << 40, 0}, {"library", 0, 1}} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.srv.SetLarge(tt.large)
			allo := fmt.Sprintf("ALLO %d", len(content))
			c := dial(t, w.addr).login("alice", w.password)
			c.do(200, "TYPE I")
			for range 3 {
				c.do(200, allo)
				c.put("STOR clear", content)
				if got := c.get("RETR clear"); !bytes.Equal(got, content) {
					t.Errorf("%d bytes came back", len(got))
				}
				c.do(350, "REST 7")
				if got := c.get("RETR clear"); !bytes.Equal(got, content[7:]) {
					t.Errorf("%d bytes from 7 on", len(got))
				}
			}
			conf := insecure(0)
			s := dial(t, w.addr).secure(conf).login("alice", w.password)
			s.do(200, "TYPE I")
			s.do(200, allo)
			s.putTLS(conf, "STOR tls", content)
			if got := s.getTLS(conf, "RETR tls"); !bytes.Equal(got, content) {
				t.Errorf("%d bytes came back over TLS", len(got))
			}
			if got := w.read("tls"); !bytes.Equal(got, content) {
				t.Errorf("%d bytes stand there", len(got))
			}
			if n := w.srv.Engines(); n != 2*tt.engines {
				t.Errorf("%d libraries", n)
			}
		})
	}
}

// TestSparePort uses one port for several transfers, sends away who came in between, and lets the
// port go when it is no longer used.
func TestSparePort(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a", []byte("content"))
	c := dial(t, w.addr).login("alice", w.password)
	port := func() string { return portOf.FindStringSubmatch(c.do(229, "EPSV"))[1] }
	fetch := func(at string) {
		t.Helper()
		d, err := net.Dial("tcp", "127.0.0.1:"+at)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		c.do(150, "RETR a")
		if b, err := io.ReadAll(d); string(b) != "content" {
			t.Errorf("%q, %v", b, err)
		}
		c.want(226)
	}
	seen := map[string]int{}
	for range 200 {
		at := port()
		seen[at]++
		fetch(at)
	}
	for at, n := range seen {
		if n > 64 {
			t.Errorf("port %s served %d times", at, n)
		}
	}
	if len(seen) > 100 {
		t.Errorf("%d ports for 200 transfers", len(seen))
	}
	at := port()
	fetch(at)
	early, err := net.Dial("tcp", "127.0.0.1:"+at)
	if errors.Is(err, syscall.ECONNREFUSED) {
		t.Skip("the transfer took long, and its port was not kept")
	}
	must(t, err)
	defer early.Close()
	next := port()
	_ = early.SetDeadline(time.Now().Add(patience))
	if next == at {
		if b, err := io.ReadAll(early); len(b) > 0 {
			t.Errorf("who came early got %q, %v", b, err)
		}
	}
	fetch(next)
	eventually(t, "the port goes", func() bool {
		d, err := net.Dial("tcp", "127.0.0.1:"+next)
		if err == nil {
			_ = d.Close()
		}
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

// TestPortPool abandons thousands of passive ports of a small range, from several sessions at
// once: none collide, none are lost.
func TestPortPool(t *testing.T) {
	const low, size, sessions = 41000, 16, 8
	w := newWorld(t, func(w *world) { w.cfg.PassivePorts = fmt.Sprintf("%d-%d", low, low+size-1) })
	var all sync.WaitGroup
	for range sessions {
		c := dial(t, w.addr).login("alice", w.password)
		all.Go(func() {
			for range 400 {
				c.send("EPSV\r\n")
				if r, err := c.reply(); err != nil || !strings.HasPrefix(r, "229") {
					t.Errorf("%q, %v", r, err)
					return
				}
			}
			c.send("QUIT\r\n")
			_, _ = c.reply()
		})
	}
	all.Wait()
	eventually(t, "all ports are free", func() bool { return w.srv.FreePorts() == size })
}

// classes puts every client of the tests in one class.
func classes(c identity.Class) func(*world) {
	return func(w *world) {
		c.Name, c.From = "here", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		w.options = func(o *identity.Options) { o.Classes = []identity.Class{c} }
	}
}

// TestSiteToSite lets data connections lead to another address only where the class says so and
// the policy does not forbid it, and nowhere near this host's own services.
func TestSiteToSite(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	other := fmt.Sprintf("PORT 127,0,0,2,%d,%d", port>>8, port&0xff)
	t.Run("not allowed", func(t *testing.T) {
		c := dial(t, newWorld(t).addr).login("alice", "secret for tests")
		c.do(501, other)
	})
	t.Run("forbidden by policy", func(t *testing.T) {
		w := newWorld(t, classes(identity.Class{FXP: true}), func(w *world) { w.policy = map[string]string{"ftp:FXP": "root"} })
		dial(t, w.addr).login("alice", w.password).do(501, other)
	})
	w := newWorld(t, classes(identity.Class{FXP: true}))
	w.write("a", []byte("content"))
	c := dial(t, w.addr).login("alice", w.password)
	for _, bad := range []string{"127,0,0,2,3,255", "169,254,1,1,8,0", "224,0,0,1,8,0", "0,0,0,0,8,0", "255,255,255,255,8,0"} {
		c.do(501, "PORT "+bad)
	}
	c.do(200, "PORT 192,0,2,1,8,0") // only prepared
	c.do(200, other)
	c.send("RETR a\r\n")
	d, err := ln.Accept()
	must(t, err)
	c.want(150)
	if b, err := io.ReadAll(d); string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	_ = d.Close()
	c.want(226)
	at := portOf.FindStringSubmatch(c.do(229, "EPSV"))[1]
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.2:0"))}
	from, err := dialer.Dial("tcp", "127.0.0.1:"+at)
	must(t, err)
	defer from.Close()
	c.do(150, "RETR a")
	if b, err := io.ReadAll(from); string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
	c.want(226)
}

// TestReuseByClass demands what the class says, not what the server does.
func TestReuseByClass(t *testing.T) {
	w := newWorld(t, classes(identity.Class{TLSReuse: "required"}))
	w.write("a", []byte("content"))
	conf := insecure(0)
	c := dial(t, w.addr).secure(conf).login("alice", w.password)
	d := c.passive()
	c.send("RETR a\r\n")
	c.want(150)
	_, _ = io.ReadAll(tls.Client(d, insecure(0))) // nothing to resume
	c.want(522)
}

// TestRates holds a session to its class's rate and all of an account's to one of their own.
func TestRates(t *testing.T) {
	t.Parallel()
	const size, rate = 300 << 10, 200 << 10
	content := make([]byte, size)
	t.Run("of a class", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, classes(identity.Class{UploadRate: rate, DownloadRate: rate}))
		c := dial(t, w.addr).login("alice", w.password)
		c.do(200, "TYPE I")
		began := time.Now()
		c.put("STOR a", content)
		if took := time.Since(began); took < time.Second {
			t.Errorf("the upload took %v", took)
		}
		began = time.Now()
		if got := c.get("RETR a"); len(got) != size {
			t.Errorf("%d bytes", len(got))
		}
		if took := time.Since(began); took < time.Second {
			t.Errorf("the download took %v", took)
		}
	})
	t.Run("of an account", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(w *world) {
			w.options = func(o *identity.Options) { o.Limits.FileRoad = identity.SessionLimits{DownloadRate: rate} }
		})
		w.write("a", content)
		began := time.Now()
		var all sync.WaitGroup
		for range 2 {
			c := dial(t, w.addr).login("alice", w.password)
			c.do(200, "TYPE I")
			all.Go(func() {
				if got := c.get("RETR a"); len(got) != size {
					t.Errorf("%d bytes", len(got))
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took < 2*time.Second {
			t.Errorf("both together took %v", took)
		}
	})
	t.Run("of a range", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, classes(identity.Class{DownloadRate: rate}))
		w.write("a", content)
		c := dial(t, w.addr).login("alice", w.password)
		c.do(350, fmt.Sprintf("RANG 1 %d", size))
		began := time.Now()
		if got := c.get("RETR a"); len(got) != size-1 {
			t.Errorf("%d bytes", len(got))
		}
		if took := time.Since(began); took < time.Second {
			t.Errorf("the download took %v", took)
		}
	})
	t.Run("are no stall", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, classes(identity.Class{UploadRate: 1 << 10}), func(w *world) { w.limits.FTPStallTimeout = 200 * time.Millisecond })
		c := dial(t, w.addr).login("alice", w.password)
		c.put("STOR a", content[:2500])
	})
	t.Run("and what has passed is sent", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, classes(identity.Class{DownloadRate: 1 << 10}))
		w.write("a", content)
		conf := insecure(0)
		c := dial(t, w.addr).secure(conf).login("alice", w.password)
		d := tls.Client(c.passive(), conf)
		c.do(150, "RETR a")
		if _, err := io.ReadFull(d, make([]byte, 1<<10)); err != nil {
			t.Error(err)
		}
	})
	t.Run("and can be stopped", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, classes(identity.Class{DownloadRate: 1 << 10}))
		w.write("a", content)
		c := dial(t, w.addr).login("alice", w.password)
		c.passive()
		c.do(150, "RETR a")
		c.send("ABOR\r\n")
		c.want(426)
		c.want(226)
	})
}

// TestCrowd lets an account and a class have so many transfers of files at once: 450, and later
// it works.
func TestCrowd(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*world)
	}{
		{"account", func(w *world) {
			w.options = func(o *identity.Options) { o.Limits.FileRoad = identity.SessionLimits{Transfers: 1} }
		}},
		{"class", classes(identity.Class{MaxTransfers: 1})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.set)
			w.write("a", []byte("content"))
			first := dial(t, w.addr).login("alice", w.password)
			d := first.passive()
			first.do(150, "STOR up")
			second := dial(t, w.addr).login("alice", w.password)
			second.passive()
			second.do(450, "RETR a")
			second.do(450, "STOR b")
			if w.exists("b") {
				t.Error("something was made")
			}
			second.do(150, "LIST") // no file
			second.want(226)
			must(t, d.Close())
			first.want(226)
			if got := second.get("RETR a"); string(got) != "content" {
				t.Errorf("%q", got)
			}
			w.write("big", make([]byte, 8<<20))
			d = first.passive()
			first.do(350, "RANG 0 8000000")
			first.do(150, "RETR big")
			second.passive()
			second.do(450, "RETR a")
			must(t, d.Close())
			first.want(426)
		})
	}
}

// TestVanishingFile goes on with what it has opened when its name is taken away, and says so when
// its end is.
func TestVanishingFile(t *testing.T) {
	w := newWorld(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16*4)
	w.write("a", content)
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "TYPE I")
	d := c.passive()
	c.do(150, "RETR a")
	must(t, os.Remove(filepath.Join(w.home, "a")))
	if b, err := io.ReadAll(d); !bytes.Equal(b, content) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	c.want(226)
	w.write("a", content)
	d = c.passive()
	c.do(150, "RETR a")
	must(t, os.Truncate(filepath.Join(w.home, "a"), 1))
	if b, err := io.ReadAll(d); err == nil || len(b) >= len(content) {
		t.Errorf("%d bytes, and a proper end", len(b))
	}
	if r := c.want(451); !strings.Contains(r, "shorter") {
		t.Errorf("%q", r)
	}
}

// TestInterruptedOverwrite goes on with what came, and not behind the old file.
func TestInterruptedOverwrite(t *testing.T) {
	w := newWorld(t)
	w.write("a", []byte("the old content"))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "TYPE I")
	d := c.passive()
	c.do(150, "STOR a")
	if _, err := d.Write([]byte("the new")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it has come", func() bool { return w.sessions()[0].Transfer.Bytes == 7 })
	c.send("ABOR\r\n")
	if r := c.want(426); !strings.Contains(r, "can be resumed") {
		t.Errorf("%q", r)
	}
	c.want(226)
	if got := w.read("a"); string(got) != "the old content" {
		t.Errorf("%q", got)
	}
	if r := c.do(213, "SIZE a"); r != "213 15\r\n" {
		t.Errorf("%q", r)
	}
	c.do(350, "REST 15")
	c.passive()
	c.do(554, "STOR a")
	c.do(350, "REST 7")
	c.put("STOR a", []byte(" one"))
	if got := w.read("a"); string(got) != "the new one" {
		t.Errorf("%q", got)
	}
	c.do(350, "REST 4")
	c.put("STOR a", []byte("rest"))
	if got := w.read("a"); string(got) != "the rest" {
		t.Errorf("%q", got)
	}
}

// TestFullDisk answers 452, keeps the old file, and works again when there is space.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.disk = dir })
			w.write("a", []byte("old"))
			c := dial(t, w.addr)
			conf := insecure(0)
			if secure {
				c.secure(conf)
			}
			c.login("alice", w.password)
			d := c.passive()
			c.do(150, "STOR a")
			var out io.WriteCloser = d
			if secure {
				out = tls.Client(d, conf)
			}
			_, _ = out.Write(make([]byte, 4<<20)) // breaks off
			_ = out.Close()
			if r := c.want(452); !strings.Contains(r, "full") {
				t.Errorf("%q", r)
			}
			if got := w.read("a"); string(got) != "old" {
				t.Errorf("%q", got)
			}
			if secure {
				c.putTLS(conf, "STOR a", []byte("new"))
			} else {
				c.put("STOR a", []byte("new"))
			}
			if got := w.read("a"); string(got) != "new" {
				t.Errorf("%q", got)
			}
		})
	}
}

// glued gathers writes while it holds, and sends them as one.
type glued struct {
	net.Conn
	holding bool
	held    []byte
}

func (g *glued) Write(p []byte) (int, error) {
	if !g.holding {
		return g.Conn.Write(p)
	}
	g.held = append(g.held, p...)
	return len(p), nil
}

// TestClearControl ends TLS on the control connection, with a command in the clear in the same
// segment as the end of TLS: nothing is lost, data stays protected, and who goes on in TLS is cut.
func TestClearControl(t *testing.T) {
	versions(t, func(t *testing.T, version uint16) {
		w := newWorld(t)
		w.write("a", []byte("content"))
		conf := insecure(version)
		c := dial(t, w.addr)
		c.do(530, "CCC")
		raw := &glued{Conn: c.conn}
		c.conn = raw
		c.secure(conf).login("alice", w.password)
		if r := c.do(211, "FEAT"); !strings.Contains(r, " CCC\r\n") {
			t.Errorf("%q", r)
		}
		secured := c.conn.(*tls.Conn)
		c.do(200, "CCC")
		if b, err := io.ReadAll(secured); err != nil || len(b) > 0 { // close_notify
			t.Fatalf("%q, %v", b, err)
		}
		raw.holding = true
		must(t, secured.CloseWrite())
		raw.holding = false
		must(t, raw.SetWriteDeadline(time.Time{})) // crypto/tls has set one
		_, err := raw.Write(append(raw.held, "PWD\r\nNOOP\r\n"...))
		must(t, err)
		c.conn, c.in = raw, newReader(raw)
		c.want(257)
		c.want(200)
		if i := w.sessions()[0]; i.TLS != nil {
			t.Errorf("the session says %s", *i.TLS)
		}
		if got := c.getTLS(conf, "RETR a"); string(got) != "content" {
			t.Errorf("%q", got)
		}
		c.do(503, "CCC")
		c.do(503, "PROT C")
	})
	t.Run("goes on in TLS", func(t *testing.T) {
		w := newWorld(t)
		c := dial(t, w.addr).secure(insecure(0)).login("alice", w.password)
		c.do(200, "CCC")
		c.send("PWD\r\n")
		c.ended()
	})
	t.Run("required", func(t *testing.T) {
		w := newWorld(t, func(w *world) { w.cfg.TLS = "required" })
		c := dial(t, w.addr).secure(insecure(0)).login("alice", w.password)
		c.do(534, "CCC")
		if r := c.do(211, "FEAT"); strings.Contains(r, " CCC\r\n") {
			t.Errorf("%q", r)
		}
		c.do(257, "PWD")
	})
}

// TestFullQuota ends an upload in its midst: 552, the old file stays, nothing is kept, and what
// fits still works.
func TestFullQuota(t *testing.T) {
	w := newWorld(t)
	quota := int64(1 << 20)
	_, err := w.identity.SetUser(t.Context(), root, "alice", identity.UserChange{QuotaBytes: &quota})
	must(t, err)
	w.write("a", []byte("old"))
	c := dial(t, w.addr).login("alice", w.password)
	for range 2 {
		d := c.passive()
		c.do(150, "STOR a")
		_, _ = d.Write(make([]byte, 3<<20)) // breaks off
		_ = d.Close()
		c.want(552)
		if got := w.read("a"); string(got) != "old" {
			t.Errorf("%q", got)
		}
		if r := c.do(213, "AVBL"); r != "213 1048573\r\n" {
			t.Errorf("%s", r)
		}
	}
	c.put("STOR a", []byte("new"))
	if got := w.read("a"); string(got) != "new" {
		t.Errorf("%q", got)
	}
}

// TestGoneClients hang up in the midst of transfers of both engines; nothing of them is left.
func TestGoneClients(t *testing.T) {
	for _, large := range []int64{0, 1 << 40} {
		t.Run(fmt.Sprintf("large=%d", large), func(t *testing.T) {
			w := newWorld(t)
			w.srv.SetLarge(large)
			w.write("big", make([]byte, 64<<20))
			before := descriptors(t)
			for i := range 10 {
				c := dial(t, w.addr).login("alice", w.password)
				c.do(200, "TYPE I")
				c.do(200, "ALLO 1000000")
				d := c.passive()
				if i%2 == 0 {
					c.do(150, "RETR big")
					_, err := io.CopyN(io.Discard, d, 1<<20)
					must(t, err)
				} else {
					c.do(150, fmt.Sprintf("STOR up%d", i))
					_, err := d.Write(make([]byte, 1000))
					must(t, err)
				}
				c.close()
				_ = d.Close()
			}
			eventually(t, "the sessions are gone", func() bool { return len(w.sessions()) == 0 })
			for i := range 10 {
				if w.exists(fmt.Sprintf("up%d", i)) {
					t.Error("half an upload has its name")
				}
			}
			eventually(t, "no descriptor is left", func() bool { return descriptors(t) <= before })
		})
	}
}

// TestSlowStart: a data connection that was not quick goes on as any other, with nothing lost between.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	const pause = 15 * time.Millisecond // longer than the server counts on
	w := newWorld(t)
	w.write("small", bytes.Repeat([]byte("s"), 60_000))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "TYPE I")
	piece := bytes.Repeat([]byte("0123456789"), 3_000)
	var want []byte
	d := c.passive()
	c.do(150, "STOR slow")
	for range 5 {
		if _, err := d.Write(piece); err != nil {
			t.Fatal(err)
		}
		want = append(want, piece...)
		<-time.After(pause) // the client's slowness is what is tried
	}
	must(t, d.Close())
	c.want(226)
	if got := w.read("slow"); !bytes.Equal(got, want) {
		t.Errorf("%d bytes stand there, %d were sent", len(got), len(want))
	}
	// Of a reader that takes little at a time the server's buffer fills.
	for range 3 {
		d := c.passive().(*net.TCPConn)
		must(t, d.SetReadBuffer(4096))
		c.send("RETR small\r\n")
		<-time.After(pause)
		got, err := io.ReadAll(d)
		if err != nil || len(got) != 60_000 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		_ = d.Close()
		c.want(150)
		c.want(226)
	}
	// What is stopped while the server waits leaves no file.
	d = c.passive()
	c.do(150, "STOR stopped")
	c.send("ABOR\r\n")
	c.want(426)
	c.want(226)
	_ = d.Close()
	if w.exists("stopped") {
		t.Error("it stands there")
	}
}
