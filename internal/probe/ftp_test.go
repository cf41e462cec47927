package probe

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// fake is a server of FTP that does one thing wrong.
type fake struct {
	cert    tls.Certificate
	pasv    string // what PASV announces; "" is the truth
	refuses string // the reply to PASS
	closed  bool   // nothing listens at the passive port
	noTLS   bool
}

func certificate(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	if name == "other.example" {
		c.IPAddresses = nil
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (f *fake) serve(t *testing.T) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go f.talk(c)
		}
	}()
	return ln.Addr().String()
}

func (f *fake) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	conf := &tls.Config{Certificates: []tls.Certificate{f.cert}}
	var data net.Listener
	wire, secure := c, false
	say := func(text string) { _, _ = io.WriteString(wire, text+"\r\n") }
	say("220 ready")
	lines := bufio.NewReader(wire)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "AUTH":
			if f.noTLS {
				say("502 no")
				continue
			}
			say("234 go on")
			wire, secure = tls.Server(c, conf), true
			lines = bufio.NewReader(wire)
		case "USER":
			say("331 password")
		case "PASS":
			if f.refuses != "" {
				say(f.refuses)
				continue
			}
			say("230 in")
		case "PASV", "EPSV":
			if data, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				return
			}
			port := netip.MustParseAddrPort(data.Addr().String()).Port()
			if f.closed {
				_ = data.Close()
			}
			host := "127,0,0,1"
			if f.pasv != "" {
				host = strings.ReplaceAll(f.pasv, ".", ",")
			}
			if verb == "EPSV" {
				say(fmt.Sprintf("229 go (|||%d|)", port))
			} else {
				say(fmt.Sprintf("227 go (%s,%d,%d)", host, port>>8, port&0xff))
			}
		case "LIST":
			d, err := data.Accept()
			if err != nil {
				return
			}
			say("150 here it comes")
			if secure {
				d = tls.Server(d, conf)
			}
			_, _ = io.WriteString(d, "-rw-r----- 1 a a 5 Jan 1 00:00 file\r\n")
			_ = d.Close()
			_ = data.Close()
			say("226 done")
		case "QUIT":
			return
		default:
			say("200 fine")
		}
	}
}

// What is wrong with a server is found where it is wrong, and what comes after it is tried where it can be.
func TestFTP(t *testing.T) {
	good := certificate(t, "localhost", time.Now().Add(1000*time.Hour))
	old := certificate(t, "localhost", time.Now().Add(-time.Hour))
	other := certificate(t, "other.example", time.Now().Add(1000*time.Hour))
	pool := x509.NewCertPool()
	pool.AddCert(good.Leaf)
	for name, tt := range map[string]struct {
		server   fake
		stranger bool // the certificate is not known as the server's own
		want     string
		fix      string
	}{
		"all is well":       {fake{cert: good}, true, "control ok, tls ok, login ok, passive ok, extended ok", ""},
		"wrong address":     {fake{cert: good, pasv: "127.0.0.77"}, true, "control ok, tls ok, login ok, passive failed, extended ok", "ftp.public_address"},
		"closed ports":      {fake{cert: good, closed: true}, true, "control ok, tls ok, login ok, passive failed, extended failed", "ftp.passive_ports"},
		"refused log-in":    {fake{cert: good, refuses: "530 no"}, true, "control ok, tls ok, login failed, passive skipped, extended skipped", "login:ftp"},
		"no TLS":            {fake{cert: good, noTLS: true}, true, "control ok, tls failed, login skipped, passive skipped, extended skipped", "ftp.tls"},
		"old certificate":   {fake{cert: old}, false, "control ok, tls failed, login ok, passive ok, extended ok", "Renew"},
		"another's name":    {fake{cert: other}, false, "control ok, tls failed, login ok, passive ok, extended ok", "certificate for 127.0.0.1"},
		"another's machine": {fake{cert: other}, true, "control ok, tls failed, login skipped, passive skipped, extended skipped", "certificate for 127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, port, err := net.SplitHostPort(tt.server.serve(t))
			if err != nil {
				t.Fatal(err)
			}
			got, fixes := steps(func(report func(Step)) {
				FTP(context.Background(), FTPTarget{TLS: "explicit", Target: Target{Host: host, Port: port, Roots: pool,
					Mine:  func(c *x509.Certificate) bool { return !tt.stranger && c.Equal(tt.server.cert.Leaf) },
					Login: Login{User: "alice", Secret: func() string { return "s3cret" }}}}, func(s Step) {
					if strings.Contains(fmt.Sprint(s), "s3cret") {
						t.Errorf("the step %s shows the secret", s.ID)
					}
					report(s)
				})
			})
			if got != tt.want {
				t.Errorf("%s\nwant %s", got, tt.want)
			}
			if !strings.Contains(fixes, tt.fix) {
				t.Errorf("the advice %q has no %q", fixes, tt.fix)
			}
		})
	}
}

func steps(run func(func(Step))) (states, fixes string) {
	var list, advice []string
	run(func(s Step) {
		list = append(list, s.ID+" "+string(s.State))
		if s.State == Failed && (s.Why == "" || s.Fix == "") {
			advice = append(advice, "NO ADVICE for "+s.ID)
		}
		advice = append(advice, s.Fix)
	})
	return strings.Join(list, ", "), strings.Join(advice, "\n")
}

// stubDNS leads every name to one address.
type stubDNS struct{ addr netip.Addr }

func (d stubDNS) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if !d.addr.IsValid() {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	return []netip.Addr{d.addr}, nil
}

func (d stubDNS) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

// Where the name does not lead here the listener's own address is tried, and the step says so; where nothing
// listens anywhere the rest is not tried.
func TestNameElsewhere(t *testing.T) {
	cert := certificate(t, "ftp.example.org", time.Now().Add(1000*time.Hour))
	pool := x509.NewCertPool()
	pool.AddCert(cert.Leaf)
	own := (&fake{cert: cert}).serve(t)
	_, port, _ := net.SplitHostPort(own)
	target := func(dns Resolver, own string) FTPTarget {
		return FTPTarget{TLS: "explicit", Target: Target{Host: "ftp.example.org", Port: port, Own: own, Roots: pool, Resolver: dns,
			Login: Login{User: "alice", Secret: func() string { return "x" }}}}
	}
	dead := netip.MustParseAddr("127.0.0.66") // of this machine, and nobody listens
	for name, tt := range map[string]struct {
		target FTPTarget
		want   string
	}{
		"no such name":   {target(stubDNS{}, own), "control warning, tls ok, login ok, passive ok, extended ok"},
		"no way back":    {target(stubDNS{dead}, own), "control warning, tls ok, login ok, passive ok, extended ok"},
		"nobody listens": {target(stubDNS{dead}, ""), "control failed, tls skipped, login skipped, passive skipped, extended skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, fixes := steps(func(report func(Step)) { FTP(context.Background(), tt.target, report) }); got != tt.want || strings.Contains(fixes, "NO ADVICE") {
				t.Errorf("%s\nwant %s; %s", got, tt.want, fixes)
			}
		})
	}
}

// A server that says nothing costs each step its time and no more.
func TestSilence(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	got, _ := steps(func(report func(Step)) {
		FTP(ctx, FTPTarget{TLS: "explicit", Target: Target{Host: host, Port: port}}, report)
	})
	if want := "control failed, tls skipped, login skipped, passive skipped, extended skipped"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
