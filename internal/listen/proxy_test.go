package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// header is one as a proxy writes it.
func header(t testing.TB, version byte, from, to string) string {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to)))
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// binaryHeader is one of version 2 with whatever body.
func binaryHeader(command, family byte, body string) string {
	b := append([]byte(proxyBinary), command, family)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(body)))) + body
}

func TestReadProxy(t *testing.T) {
	four := "\xc0\x00\x02\x07\xc6\x33\x64\x01\x30\x39\x00\x15"
	for _, tt := range []struct{ name, in, remote, local string }{
		{"v1", header(t, 1, "192.0.2.7:12345", "198.51.100.1:21"), "192.0.2.7:12345", "198.51.100.1:21"},
		{"v1 IPv6", header(t, 1, "[2001:db8::7]:12345", "[2001:db8::1]:21"), "[2001:db8::7]:12345", "[2001:db8::1]:21"},
		{"v2", header(t, 2, "192.0.2.7:12345", "198.51.100.1:21"), "192.0.2.7:12345", "198.51.100.1:21"},
		{"v2 IPv6", header(t, 2, "[2001:db8::7]:12345", "[2001:db8::1]:21"), "[2001:db8::7]:12345", "[2001:db8::1]:21"},
		{"v2 with fields behind", binaryHeader(0x21, 0x11, four+"\x04\x00\x01x"), "192.0.2.7:12345", "198.51.100.1:21"},
		{"v2 mapped", header(t, 2, "[::ffff:192.0.2.7]:1", "[2001:db8::1]:21"), "192.0.2.7:1", "[2001:db8::1]:21"},
		{"v1 of nobody", "PROXY UNKNOWN\r\n", "", ""},
		{"v2 of itself", binaryHeader(0x20, 0x00, ""), "", ""},
		{"v2 of itself with addresses", binaryHeader(0x20, 0x11, four), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := strings.NewReader(tt.in + "USER alice\r\n")
			remote, local, err := readProxy(in)
			if err != nil {
				t.Fatal(err)
			}
			if got := addrPort(remote); tt.remote != "" && got.String() != tt.remote || tt.remote == "" && remote != nil {
				t.Errorf("from %v, want %s", remote, tt.remote)
			}
			if got := addrPort(local); tt.remote != "" && got.String() != tt.local {
				t.Errorf("to %v, want %s", got, tt.local)
			}
			if rest, _ := io.ReadAll(in); string(rest) != "USER alice\r\n" {
				t.Errorf("left for the client: %q", rest)
			}
		})
	}
}

func TestReadProxyRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":              "",
		"another protocol":     "USER alice\r\nPASS secret\r\n",
		"TLS":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaa",
		"half a line":          "PROXY TCP4 192.0.2.7 198.51",
		"a long line":          "PROXY TCP4 " + strings.Repeat("1", 200) + "\r\n",
		"a line without CR":    "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
		"another family":       "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
		"a name":               "PROXY TCP4 localhost 198.51.100.1 1 2\r\n",
		"a large port":         "PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
		"no address":           "PROXY TCP4 0.0.0.0 198.51.100.1 1 2\r\n",
		"many":                 "PROXY TCP4 224.0.0.1 198.51.100.1 1 2\r\n",
		"a short end":          "PROXY \r\nUSER a\r\n",
		"version 3":            binaryHeader(0x31, 0x11, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x30\x39\x00\x15"),
		"an unknown command":   binaryHeader(0x22, 0x11, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x30\x39\x00\x15"),
		"a short body":         binaryHeader(0x21, 0x11, "\xc0\x00\x02"),
		"a Unix socket":        binaryHeader(0x21, 0x31, strings.Repeat("a", 216)),
		"UDP":                  binaryHeader(0x21, 0x12, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x30\x39\x00\x15"),
		"a huge body":          binaryHeader(0x21, 0x11, strings.Repeat("a", maxProxyBody+1)),
		"no addresses":         binaryHeader(0x21, 0x00, ""),
		"the end in the body":  binaryHeader(0x21, 0x11, "\xc0\x00\x02\x07\xc6\x33\x64\x01\x30\x39\x00\x15")[:20],
		"the end in the fixed": proxyBinary + "\x21",
	} {
		t.Run(name, func(t *testing.T) {
			if remote, _, err := readProxy(strings.NewReader(in)); err == nil {
				t.Errorf("taken for %v", remote)
			}
		})
	}
}

// FuzzReadProxy reads a header from the beginning of whatever comes: what it takes is at most as much
// as a header may be, ends where the header does, and says the same when it is read again.
func FuzzReadProxy(f *testing.F) {
	f.Add([]byte(header(f, 1, "192.0.2.7:12345", "198.51.100.1:21") + "USER"))
	f.Add([]byte(header(f, 1, "[2001:db8::7]:12345", "[2001:db8::1]:21")))
	f.Add([]byte(header(f, 2, "192.0.2.7:12345", "198.51.100.1:21") + "USER"))
	f.Add([]byte(header(f, 2, "[2001:db8::7]:12345", "[2001:db8::1]:21")))
	f.Add([]byte("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"))
	f.Add([]byte(binaryHeader(0x20, 0, "")))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		remote, local, err := readProxy(r)
		taken := len(in) - r.Len()
		if taken > proxyFixed+maxProxyBody {
			t.Fatalf("%d bytes were read", taken)
		}
		if err != nil {
			return
		}
		if (remote == nil) != (local == nil) {
			t.Fatalf("from %v to %v", remote, local)
		}
		if remote != nil {
			if a := addrPort(remote); !a.IsValid() || a.Addr().Is4In6() || a.Addr().IsUnspecified() || a.Addr().Zone() != "" {
				t.Fatalf("the client is %v", a)
			}
		}
		again, _, err := readProxy(bytes.NewReader(in[:taken]))
		if err != nil || again.String() != remote.String() {
			t.Fatalf("%q was read as %v, and by itself as %v (%v)", in[:taken], remote, again, err)
		}
		if _, _, err := readProxy(bytes.NewReader(in[:taken-1])); err == nil {
			t.Fatalf("%q says the same without its last byte", in[:taken])
		}
	})
}

// behind is a listener that believes from, and what it has accepted.
func behind(t *testing.T, p Proxy) net.Listener {
	t.Helper()
	ln, err := TCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln = p.Listener(ln)
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// from dials from one of the addresses of the loopback interface.
func from(t *testing.T, ip string, ln net.Listener) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c, err := d.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestProxyListener(t *testing.T) {
	failed := make(chan error, 10)
	ln := behind(t, Proxy{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Failed: func(_ net.Conn, err error) { failed <- err }})
	accept := func(want string, proxied bool, text string) {
		t.Helper()
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, ok := Arrive(c)
		if !ok || a.Remote.Addr().String() != want || a.Proxied != proxied {
			t.Errorf("%T from %s (%v, %v), want %s", c, a.Remote, ok, a.Proxied, want)
		}
		if c.RemoteAddr().String() != a.Remote.String() {
			t.Errorf("the connection says %s, its parts %s", c.RemoteAddr(), a.Remote)
		}
		b := make([]byte, len(text))
		if _, err := io.ReadFull(a.Raw, b); err != nil || string(b) != text {
			t.Errorf("read %q (%v), want %q", b, err, text)
		}
		if _, ok := c.(io.ReaderFrom); !ok {
			t.Error("sendfile is lost")
		}
	}
	send := func(c net.Conn, text string) {
		t.Helper()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	// One that says nothing holds nobody up.
	from(t, "127.0.0.2", ln)
	spoof := header(t, 1, "192.0.2.7:12345", "198.51.100.1:21")
	send(from(t, "127.0.0.2", ln), spoof+"hello")
	accept("192.0.2.7", true, "hello")
	send(from(t, "127.0.0.2", ln), header(t, 2, "[2001:db8::7]:1", "[2001:db8::1]:2")+"hello")
	accept("2001:db8::7", true, "hello")
	send(from(t, "127.0.0.2", ln), "PROXY UNKNOWN\r\nhello")
	accept("127.0.0.2", false, "hello")
	// From anybody else the header is what the client says, and no more.
	send(from(t, "127.0.0.3", ln), spoof+"hello")
	accept("127.0.0.3", false, spoof+"hello")
	// Without one, and with one that cannot be, the trusted proxy is closed.
	for _, text := range []string{"USER alice\r\nPASS x\r\n", "PROXY TCP4 " + strings.Repeat("9", 200)} {
		c := from(t, "127.0.0.2", ln)
		send(c, text)
		if err := <-failed; err == nil {
			t.Error("it was not closed")
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("there was an answer")
		}
	}
}

func TestProxySlow(t *testing.T) {
	failed := make(chan error, 1)
	ln := behind(t, Proxy{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Within: 50 * time.Millisecond, Failed: func(_ net.Conn, err error) { failed <- err }})
	go func() { _, _ = ln.Accept() }()
	c := from(t, "127.0.0.2", ln)
	if _, err := io.WriteString(c, "PROXY TCP4 192."); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if err := <-failed; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v, want a timeout", err)
	}
}

// Close ends those that wait for their header, and Accept.
func TestProxyClose(t *testing.T) {
	ln := behind(t, Proxy{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Within: time.Minute})
	waits := from(t, "127.0.0.2", ln)
	if _, err := io.WriteString(from(t, "127.0.0.3", ln), "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); err != nil { // waits has been accepted before
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	_ = waits.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := waits.Read(make([]byte, 1)); err == nil {
		t.Error("it was not closed")
	}
}

// A mapped address is the IPv4 one.
func TestProxyTrusted(t *testing.T) {
	p := Proxy{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/64")}}
	for a, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "2001:db8::5": true, "2001:db8:1::5": false} {
		if got := p.Trusted(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %v", a, got)
		}
	}
}
