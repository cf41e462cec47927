package ftp_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// clientCert is a certificate of a client; by nil it signs itself.
func clientCert(t testing.TB, by *tls.Certificate, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "laptop"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, any(key)
	if by != nil {
		parent, err = x509.ParseCertificate(by.Certificate[0])
		must(t, err)
		signer = by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func asked(w *world) { w.cfg.ClientCertificates = true }

func showing(cert ...tls.Certificate) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, Certificates: cert, NextProtos: []string{"ftp"}}
}

func (w *world) certify(login string, cert tls.Certificate) identity.Certificate {
	w.t.Helper()
	c, err := w.identity.AddCertificate(w.t.Context(), root, login, identity.NewCertificate{Label: fmt.Sprintf("%x", cert.Certificate[0][:20]), DER: cert.Certificate[0]})
	must(w.t, err)
	return c
}

func TestCertificate(t *testing.T) {
	w := newWorld(t, asked)
	w.add("bob", identity.LevelUser)
	w.add("carol", identity.LevelUser)
	off := identity.UserDisabled
	_, err := w.identity.SetUser(t.Context(), root, "carol", identity.UserChange{State: &off})
	must(t, err)
	own, carols, strange := clientCert(t, nil, nil), clientCert(t, nil, nil), clientCert(t, nil, nil)
	listed := w.certify("alice", own)
	w.certify("carol", carols)

	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := showing(own)
		conf.MaxVersion = version
		c := dial(t, w.addr).secure(conf)
		c.do(232, "USER alice")
		c.do(202, "PASS whatever")
		c.do(257, "PWD")
		i := w.sessions()[0]
		if i.User == nil || *i.User != "alice" {
			t.Errorf("the session is %v", i.User)
		}
		c.do(221, "QUIT")
	}
	// Everybody else hears the same words, and the password counts.
	for _, tt := range []struct {
		name, user string
		cert       []tls.Certificate
		pass       int
	}{
		{"another's certificate", "bob", []tls.Certificate{own}, 230},
		{"a certificate that nobody knows", "alice", []tls.Certificate{strange}, 230},
		{"none", "alice", nil, 230},
		{"of a disabled account", "carol", []tls.Certificate{carols}, 530},
		{"of nobody", "nobody", []tls.Certificate{own}, 530},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, w.addr).secure(showing(tt.cert...))
			if got := c.do(331, "USER "+tt.user); got != "331 Send the password.\r\n" {
				t.Errorf("%q", got)
			}
			if got := c.do(tt.pass, "PASS "+w.password); tt.pass == 530 && got != "530 Log-in failed: name or password is wrong, or the account may not use FTP.\r\n" {
				t.Errorf("%q", got)
			}
		})
	}
	rows, err := w.identity.Certificates(t.Context(), "alice")
	must(t, err)
	if len(rows) != 1 || rows[0].Fingerprint != listed.Fingerprint {
		t.Errorf("%+v", rows)
	}
	// The certificate of a control connection lets its data connections through, and removing it ends
	// what it has opened.
	c := dial(t, w.addr).secure(showing(own))
	c.do(232, "USER alice")
	c.do(200, "TYPE I")
	data := tls.Client(c.passive(), showing())
	c.send("STOR a.bin\r\n")
	c.want(150)
	_, err = data.Write([]byte("content"))
	must(t, err)
	must(t, data.Close())
	c.want(226)
	if got := w.read("a.bin"); !bytes.Equal(got, []byte("content")) {
		t.Errorf("%q", got)
	}
	withPassword := dial(t, w.addr).secure(showing())
	withPassword.login("alice", w.password)
	_, err = w.identity.RemoveCertificate(t.Context(), root, "alice", listed.Fingerprint, false)
	must(t, err)
	if got := c.want(421); !strings.Contains(got, "certificate") {
		t.Errorf("%q", got)
	}
	c.ended()
	withPassword.do(257, "PWD")
	c = dial(t, w.addr).secure(showing(own))
	c.do(331, "USER alice")
}

// resumes is a client that keeps its TLS session from one connection to the next.
func resumes(t *testing.T, w *world, conf *tls.Config) (*client, *tls.Conn) {
	t.Helper()
	c := dial(t, w.addr)
	c.do(234, "AUTH TLS")
	tc := tls.Client(c.conn, conf)
	must(t, tc.Handshake())
	c.conn, c.in = tc, bufio.NewReader(tc)
	return c, tc
}

// A resumed TLS session stands for the certificate of the first: nobody else's, and not when it has
// been removed.
func TestCertificateResumed(t *testing.T) {
	w := newWorld(t, asked)
	own := clientCert(t, nil, nil)
	w.certify("alice", own)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		conf := showing(own)
		conf.MaxVersion, conf.ServerName, conf.ClientSessionCache = version, "example.org", tls.NewLRUClientSessionCache(4)
		c, _ := resumes(t, w, conf)
		c.do(232, "USER alice")
		c.do(221, "QUIT")
		conf = conf.Clone()
		conf.Certificates = nil
		c, tc := resumes(t, w, conf)
		if !tc.ConnectionState().DidResume {
			t.Errorf("%s: not resumed", tls.VersionName(version))
		}
		c.do(232, "USER alice")
		c.do(221, "QUIT")
	}
}

func TestCertificateOff(t *testing.T) {
	w := newWorld(t)
	own := clientCert(t, nil, nil)
	w.certify("alice", own)
	conf := showing(own)
	conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t.Error("the client was asked")
		return &own, nil
	}
	c := dial(t, w.addr).secure(conf)
	c.do(331, "USER alice")
}

// By an authority: what it has signed lets in whom it names.
func TestCertificateAuthority(t *testing.T) {
	ca := clientCert(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	other := clientCert(t, nil, func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	named := func(by *tls.Certificate, names ...string) tls.Certificate {
		return clientCert(t, by, func(c *x509.Certificate) { c.EmailAddresses = names })
	}
	hers, dns := named(&ca, "alice@example.org"), clientCert(t, &ca, func(c *x509.Certificate) { c.DNSNames = []string{"Bob.people.example.org"} })
	revoked := named(&ca, "alice@example.org")
	w := newWorld(t, asked, func(w *world) {
		w.options = func(o *identity.Options) {
			o.Certificates = identity.ClientCertificates{Roots: x509.NewCertPool(), Revoked: []string{identity.CertificateFingerprint(revoked.Certificate[0])}}
			cert, err := x509.ParseCertificate(ca.Certificate[0])
			must(t, err)
			o.Certificates.Roots.AddCert(cert)
			for _, text := range []string{"email", "dns:{login}.people.example.org"} {
				n, err := identity.ParseCertificateName(text)
				must(t, err)
				o.Certificates.Names = append(o.Certificates.Names, n)
			}
		}
	})
	w.add("bob", identity.LevelUser)
	for _, tt := range []struct {
		name, user string
		cert       tls.Certificate
		code       int
	}{
		{"by e-mail", "alice", hers, 232},
		{"by the address", "alice@example.org", hers, 232},
		{"for another", "bob", hers, 331},
		{"by DNS", "bob", dns, 232},
		{"by DNS for another", "alice", dns, 331},
		{"of another domain", "alice@example.net", hers, 331},
		{"a homograph", "alice", named(&ca, "xn--lice-53d@example.org"), 331},
		{"another authority", "alice", named(&other, "alice@example.org"), 331},
		{"its own authority", "alice", named(nil, "alice@example.org"), 331},
		{"expired", "alice", clientCert(t, &ca, func(c *x509.Certificate) {
			c.EmailAddresses, c.NotAfter = []string{"alice@example.org"}, time.Now().Add(-time.Minute)
		}), 331},
		{"for servers alone", "alice", clientCert(t, &ca, func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtKeyUsage = []string{"alice@example.org"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), 331},
		{"revoked", "alice", revoked, 331},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dial(t, w.addr).secure(showing(tt.cert)).do(tt.code, "USER "+tt.user)
		})
	}
	// Revoked in mid-session.
	c := dial(t, w.addr).secure(showing(hers))
	c.do(232, "USER alice")
	w.identity.UseRevoked([]string{identity.CertificateFingerprint(hers.Certificate[0])})
	c.want(421)
}

// Certificate and password together, where a class or the level asks for both.
func TestCertificateAndPassword(t *testing.T) {
	for name, demand := range map[string]func(*identity.Options){
		"class": func(o *identity.Options) {
			o.Classes = []identity.Class{{Name: "all", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, CertificateAndPassword: true}}
		},
		"level": func(o *identity.Options) { o.Certificates.BothFrom = identity.LevelLoggedIn },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, asked, func(w *world) { w.options = demand })
			own := clientCert(t, nil, nil)
			w.certify("alice", own)
			c := dial(t, w.addr).secure(showing(own))
			c.do(331, "USER alice")
			c.do(530, "PASS wrong password")
			c.do(331, "USER alice")
			c.do(230, "PASS "+w.password)
			c = dial(t, w.addr).secure(showing())
			c.do(331, "USER alice")
			c.do(530, "PASS "+w.password)
		})
	}
}
