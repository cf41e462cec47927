package ftp_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// upgrade is a handshake without checks, for transcripts.
func (c *client) upgrade() {
	c.t.Helper()
	tc := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	c.conn, c.in = tc, bufio.NewReader(tc)
}

func insecure(version uint16) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
}

func versions(t *testing.T, f func(t *testing.T, version uint16)) {
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(v), func(t *testing.T) { f(t, v) })
	}
}

func TestTLSTransfers(t *testing.T) {
	w := newWorld(t)
	content := []byte(strings.Repeat("0123456789", 50_000))
	versions(t, func(t *testing.T, v uint16) {
		conf := insecure(v)
		c := dial(t, w.addr).secure(conf).login("alice", w.password)
		d := tls.Client(c.passive(), conf)
		c.do(150, "STOR a")
		if _, err := d.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		c.want(226)
		d = tls.Client(c.passive(), conf)
		c.do(150, "RETR a")
		if b, err := io.ReadAll(d); err != nil || string(b) != string(content) {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		c.want(226)
		if !d.ConnectionState().DidResume {
			t.Error("the data connection did not resume its control connection's session")
		}
		// An empty listing is a proper TLS connection, too.
		c.do(257, "MKD empty"+tls.VersionName(v))
		d = tls.Client(c.passive(), conf)
		c.do(150, "NLST empty"+tls.VersionName(v))
		if b, err := io.ReadAll(d); err != nil || len(b) != 0 {
			t.Errorf("%q, %v", b, err)
		}
		c.want(226)
	})
}

func TestCutOffTLSUpload(t *testing.T) {
	w := newWorld(t)
	versions(t, func(t *testing.T, v uint16) {
		conf := insecure(v)
		c := dial(t, w.addr).secure(conf).login("alice", w.password)
		raw := c.passive()
		d := tls.Client(raw, conf)
		c.do(150, "STOR cut")
		if _, err := d.Write([]byte("half")); err != nil {
			t.Fatal(err)
		}
		_ = raw.Close() // no close_notify: somebody in the middle could do that
		c.want(426)
		if w.exists("cut") {
			t.Error("a file that was cut off stands under its name")
		}
	})
}

func TestStolenDataConnection(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.TLSReuse = "required" })
	w.write("a", []byte("for alice"))
	versions(t, func(t *testing.T, v uint16) {
		conf := insecure(v)
		c := dial(t, w.addr).secure(conf).login("alice", w.password)
		other := insecure(v)
		o := dial(t, w.addr).secure(other).login("alice", w.password)
		for _, tt := range []struct {
			name string
			conf *tls.Config
		}{{"no session", insecure(v)}, {"another control connection's session", other}} {
			d := tls.Client(c.passive(), tt.conf)
			c.do(150, "RETR a")
			b, err := io.ReadAll(d)
			if err == nil || len(b) != 0 {
				t.Errorf("%s: %q, %v", tt.name, b, err)
			}
			c.want(522)
		}
		d := tls.Client(c.passive(), conf)
		c.do(150, "RETR a")
		if b, err := io.ReadAll(d); err != nil || string(b) != "for alice" {
			t.Errorf("own session: %q, %v", b, err)
		}
		c.want(226)
		o.do(221, "QUIT")
	})
}

func TestTLSAttacks(t *testing.T) {
	w := newWorld(t)
	t.Run("injection", func(t *testing.T) {
		c := dial(t, w.addr)
		c.send("AUTH TLS\r\nUSER evil\r\n")
		c.want(421)
		c.ended()
	})
	t.Run("log-in before AUTH", func(t *testing.T) {
		c := dial(t, w.addr).login("alice", w.password)
		c.do(234, "AUTH TLS")
		c.upgrade()
		c.do(530, "PWD")
	})
	t.Run("USER before AUTH", func(t *testing.T) {
		c := dial(t, w.addr)
		c.do(331, "USER alice")
		c.do(234, "AUTH TLS")
		c.upgrade()
		c.do(503, "PASS "+w.password)
	})
	t.Run("twice", func(t *testing.T) {
		c := dial(t, w.addr).secure(insecure(0))
		c.do(503, "AUTH TLS")
	})
	t.Run("ALPN of HTTP", func(t *testing.T) {
		for _, tt := range []struct {
			protos []string
			ok     bool
		}{{[]string{"http/1.1", "h2"}, false}, {[]string{"ftp"}, true}, {nil, true}} {
			c := dial(t, w.addr)
			c.do(234, "AUTH TLS")
			err := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, NextProtos: tt.protos}).Handshake()
			if (err == nil) != tt.ok {
				t.Errorf("%v: %v", tt.protos, err)
			}
			conn, err := tls.Dial("tcp", w.ftps, &tls.Config{InsecureSkipVerify: true, NextProtos: tt.protos})
			if (err == nil) != tt.ok {
				t.Errorf("implicit, %v: %v", tt.protos, err)
			}
			if err == nil {
				_ = conn.Close()
			}
		}
	})
	t.Run("old TLS", func(t *testing.T) {
		c := dial(t, w.addr)
		c.do(234, "AUTH TLS")
		if err := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
			t.Error("TLS 1.1 is taken")
		}
	})
}

func TestStalledHandshake(t *testing.T) {
	w := newWorld(t, func(w *world) { w.limits.TLSTimeout = 300 * time.Millisecond })
	c := dial(t, w.addr)
	c.do(234, "AUTH TLS")
	c.ended()
	c = dial(t, w.addr).secure(insecure(0)).login("alice", w.password)
	c.passive()
	c.do(150, "LIST") // no ClientHello follows
	c.want(426)
}

func TestImplicitTLS(t *testing.T) {
	w := newWorld(t)
	conn, err := tls.Dial("tcp", w.ftps, insecure(0))
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: conn, in: newReader(conn)}
	t.Cleanup(c.close)
	c.want(220)
	c.login("alice", w.password)
	w.write("a", []byte("x"))
	d := tls.Client(c.passive(), insecure(0))
	c.do(150, "RETR a")
	if b, err := io.ReadAll(d); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	c.want(226)
	// In the clear it is no FTP.
	raw, err := net.Dial("tcp", w.ftps)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_, _ = io.WriteString(raw, "USER alice\r\n")
	_ = raw.SetReadDeadline(time.Now().Add(patience))
	if b, _ := io.ReadAll(raw); strings.Contains(string(b), "331") {
		t.Errorf("%q", b)
	}
}
