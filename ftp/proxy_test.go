package ftp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"

	"trivium/identity"
)

// inside is a class that only a proxy can say somebody is in.
var inside = identity.Class{Name: "inside", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}

// dialThrough is dial from another address of the loopback interface, with what comes before the
// greeting.
func dialThrough(t testing.TB, ip, addr, first string) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	conn, err := d.Dial("tcp", addr)
	must(t, err)
	c := &client{t: t, conn: conn, in: bufio.NewReader(conn)}
	t.Cleanup(c.close)
	c.send(first)
	return c
}

func proxied(w *world) {
	w.cfg.ProxyFrom = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	w.options = func(o *identity.Options) { o.Classes = []identity.Class{inside} }
}

const fromInside = "PROXY TCP4 192.0.2.7 198.51.100.1 1234 21\r\n"

func TestProxy(t *testing.T) {
	w := newWorld(t, proxied)
	c := dialThrough(t, "127.0.0.2", w.addr, fromInside)
	c.want(220)
	c.login("alice", w.password)
	i := w.sessions()[0]
	if i.RemoteAddr != "192.0.2.7:1234" || i.LocalAddr != "198.51.100.1:21" || i.Class == nil || *i.Class != "inside" {
		t.Errorf("the session is from %s to %s, class %v", i.RemoteAddr, i.LocalAddr, i.Class)
	}
	if got := c.do(227, "PASV"); !bytes.Contains([]byte(got), []byte("198,51,100,1")) {
		t.Errorf("%q does not announce the address that the client has reached", got)
	}
	content := bytes.Repeat([]byte("x"), 3<<20)
	// A data connection comes through the proxy too, and its header names the same client. Others are
	// sent away, whatever they say.
	m := portOf.FindStringSubmatch(c.do(229, "EPSV"))
	at := net.JoinHostPort("127.0.0.1", m[1])
	if host, _, _ := net.SplitHostPort(w.addr); host != "127.0.0.1" {
		t.Fatal(host)
	}
	open := func(ip, header string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		conn, err := d.Dial("tcp", at)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, header)
		must(t, err)
		return conn
	}
	thieves := []net.Conn{
		open("127.0.0.3", ""),
		open("127.0.0.3", fmt.Sprintf("PROXY TCP4 192.0.2.7 198.51.100.1 99 %s\r\n", m[1])),
		open("127.0.0.2", fmt.Sprintf("PROXY TCP4 192.0.2.8 198.51.100.1 99 %s\r\n", m[1])),
		open("127.0.0.2", "no header at all, but bytes of an upload\r\n"),
	}
	own := open("127.0.0.2", fmt.Sprintf("PROXY TCP4 192.0.2.7 198.51.100.1 99 %s\r\n", m[1]))
	c.do(150, "STOR a.bin")
	_, err := own.Write(content)
	must(t, err)
	must(t, own.Close())
	c.want(226)
	if got := w.read("a.bin"); !bytes.Equal(got, content) {
		t.Errorf("%d bytes arrived, want %d", len(got), len(content))
	}
	for i, x := range thieves {
		if b, _ := io.ReadAll(x); len(b) > 0 {
			t.Errorf("thief %d got %d bytes", i, len(b))
		}
	}
}

// Class spoofing: who is no trusted proxy is believed nothing. The header is a command that there is
// not, and the session is from where it is from.
func TestProxySpoofed(t *testing.T) {
	w := newWorld(t, proxied)
	c := dialThrough(t, "127.0.0.3", w.addr, fromInside)
	c.want(220)
	c.want(500)
	c.login("alice", w.password)
	i := w.sessions()[0]
	if host, _, _ := net.SplitHostPort(i.RemoteAddr); host != "127.0.0.3" || i.Class != nil {
		t.Errorf("the session is from %s, class %v", i.RemoteAddr, i.Class)
	}
	// A trusted proxy that names nobody is closed, and nothing of it is run.
	silent := dialThrough(t, "127.0.0.2", w.addr, "USER alice\r\nPASS "+w.password+"\r\n")
	silent.ended()
}
