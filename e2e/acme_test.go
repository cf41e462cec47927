package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// authority is a real ACME server for tests, which asks a DNS of its own that leads every name here.
type authority struct {
	directory, ca string
	log           *logBuffer
	stop          func()
}

// refusedName is one that the authority issues nothing for.
const refusedName = "refused.acme.test"

// newAuthority starts one that looks for names at two ports of this machine. Where it is given keys, each with
// its name, accounts must be bound to one of them.
func newAuthority(t *testing.T, httpPort, tlsPort int, keys ...map[string]string) *authority {
	t.Helper()
	programs := map[string]string{}
	for _, name := range []string{"pebble", "pebble-challtestsrv"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(name + " is not installed: go install github.com/letsencrypt/pebble/v2/cmd/" + name + "@v2.10.1")
		}
		programs[name] = path
	}
	dir := t.TempDir()
	a := &authority{ca: filepath.Join(dir, "ca.pem"), log: &logBuffer{}}
	keyFile := filepath.Join(dir, "key.pem")
	writeLoopbackPair(t, a.ca, keyFile)
	dns, manage, listen := idlePort(t), idlePort(t), idlePort(t)
	local := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	a.directory = "https://" + local(listen) + "/dir"
	bound := map[string]string{}
	for _, k := range keys {
		maps.Copy(bound, k)
	}
	settings, err := json.Marshal(map[string]any{"pebble": map[string]any{"externalAccountBindingRequired": len(bound) > 0, "externalAccountMACKeys": bound, "listenAddress": local(listen), "managementListenAddress": local(idlePort(t)),
		"certificate": a.ca, "privateKey": keyFile, "httpPort": httpPort, "tlsPort": tlsPort, "domainBlocklist": []string{refusedName},
		"retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "ninety days", "validityPeriod": 7776000}}}})
	if err != nil {
		t.Fatal(err)
	}
	configFile := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(configFile, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	names := exec.Command(programs["pebble-challtestsrv"], "-dnsserver", local(dns), "-management", local(manage), "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	issuer := exec.Command(programs["pebble"], "-config", configFile, "-dnsserver", local(dns))
	issuer.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0")
	issuer.Stdout, issuer.Stderr = a.log, a.log
	for _, cmd := range []*exec.Cmd{names, issuer} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	}
	a.stop = func() { _, _ = issuer.Process.Kill(), issuer.Wait() }
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("authority:\n%s", a.log)
		}
	})
	comesTrue(t, "the authority answers", func() bool {
		c, err := net.DialTimeout("tcp", local(listen), clientLimit)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return a
}

func (a *authority) flags() []string {
	return []string{"--set", "tls.acme=on", "--set", "tls.acme_directory=" + a.directory, "--set", "tls.acme_ca=" + a.ca, "--set", "tls.acme_email=admin@acme.test"}
}

// idlePort is one that nobody listens on.
func idlePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// writeLoopbackPair writes a certificate for 127.0.0.1, and its key.
func writeLoopbackPair(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// comesTrue waits until something holds.
func comesTrue(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(2 * clientLimit); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not after %s: %s", 2*clientLimit, what)
		}
	}
}

// shown is the certificate that a road shows to a client which asks for a name.
func shown(t *testing.T, s *server, road, name string) *x509.Certificate {
	t.Helper()
	conf := &tls.Config{ServerName: name, InsecureSkipVerify: true}
	switch road {
	case "ftp":
		f := dialFTP(t, s.addr["ftp"])
		f.do("AUTH TLS", "234")
		c := tls.Client(f.conn, conf)
		if err := c.Handshake(); err != nil {
			t.Fatal(road, err)
		}
		return c.ConnectionState().PeerCertificates[0]
	case "xmpps":
		conf.NextProtos = []string{"xmpp-client"}
	}
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: clientLimit}, "tcp", s.addr[road], conf)
	if err != nil {
		t.Fatal(road, err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0]
}

func ourOwn(c *x509.Certificate) bool { return c.Subject.CommonName == "Trivium self-signed" }

// orderRow is one of `trivium cert orders --json`.
type orderRow struct {
	Name, Code, Trouble string
	Failures            int
	Until               *time.Time
}

// orders are how it stands, as the page and the commands have it.
func (s *server) orders(t *testing.T) map[string]orderRow {
	t.Helper()
	var list []orderRow
	out := s.run(t, "", "cert", "orders", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	rows := map[string]orderRow{}
	for _, r := range list {
		rows[r.Name] = r
	}
	return rows
}

// TestACMEByHTTP: a certificate comes by HTTP-01, all roads show it at the next handshake, what is logged in
// stays, it is renewed by hand, and kept over a restart that finds no authority.
func TestACMEByHTTP(t *testing.T) {
	const domain = "http.acme.test"
	port := idlePort(t)
	a := newAuthority(t, port, idlePort(t))
	flags := append(a.flags(), "--set", "domain="+domain, "--set", "domains="+refusedName+",two.acme.test", "--set", "web.listen=127.0.0.1:"+strconv.Itoa(port),
		"--set", "web.tls_listen=127.0.0.1:0", "--set", "web.plain=redirect")
	data := filepath.Join(t.TempDir(), "data")
	s, err := start(suite, data, flags...)
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = s.stop()
		}
		if t.Failed() {
			t.Logf("server log:\n%s", s.log)
		}
	}()
	s.run(t, plainPassword+"\n", "user", "add", "alice", "--password-stdin")
	x := dialXMPP(t, s.addr["xmpps"], domain)
	x.login("alice", plainPassword, domain, "one")
	f := dialFTP(t, s.addr["ftp"])
	f.login("alice", plainPassword)

	comesTrue(t, "two certificates, and a refusal", func() bool {
		rows := s.orders(t)
		return rows[domain].Until != nil && rows["two.acme.test"].Until != nil && rows[refusedName].Failures > 0
	})
	first := map[string]*x509.Certificate{}
	for _, name := range []string{domain, "two.acme.test"} {
		first[name] = shown(t, s, "https", name)
		if ourOwn(first[name]) || first[name].VerifyHostname(name) != nil {
			t.Errorf("%s has %v", name, first[name].Subject)
		}
		for _, road := range []string{"ftp", "xmpps"} {
			if c := shown(t, s, road, name); !c.Equal(first[name]) {
				t.Errorf("%s shows %v of %v for %s", road, c.SerialNumber, c.Subject, name)
			}
		}
	}
	if c := shown(t, s, "ftp", ""); !c.Equal(first[domain]) {
		t.Errorf("a client of FTP that asks for no name gets %v", c.Subject)
	}
	if r := s.orders(t)[refusedName]; r.Code != "name" || !strings.Contains(r.Trouble, "issues nothing") {
		t.Errorf("the refused name: %+v", r)
	}
	if n := strings.Count(s.log.String(), `"no certificate by ACME; what is in use stays"`); n != 1 {
		t.Errorf("the refusal is logged %d times", n)
	}

	out := s.run(t, "", "cert", "renew", domain)
	second := shown(t, s, "https", domain)
	if second.SerialNumber.Cmp(first[domain].SerialNumber) == 0 || !strings.Contains(out, domain) {
		t.Errorf("not renewed: %s", out)
	}
	if _, err := s.cli(t.Context(), "", "cert", "renew", refusedName); err == nil || !strings.Contains(err.Error(), "issues nothing") {
		t.Errorf("the refused name was renewed: %v", err)
	}
	if _, err := s.cli(t.Context(), "", "cert", "renew", "nobody.test"); err == nil || !strings.Contains(err.Error(), "ACME") {
		t.Errorf("a name that is not ours: %v", err)
	}
	x.send(`<iq type='get' id='p1' to='` + domain + `'><ping xmlns='urn:xmpp:ping'/></iq>`)
	x.until(`<iq[^>]*id=['"]p1['"]`)
	f.do("NOOP", "200")
	if show := s.run(t, "", "cert", "show", domain); !strings.Contains(show, "from 127.0.0.1, renewed ") {
		t.Errorf("cert show:\n%s", show)
	}
	if list, err := s.cli(t.Context(), "", "doctor", "certificate"); !strings.Contains(list, "ACME: the authority issues nothing for the name") {
		t.Errorf("doctor says %v:\n%s", err, list)
	}
	// What nobody asks for is redirected as ever, or absent.
	web := newWeb(t, s.addr["web"])
	if status, _, _ := web.get("/.well-known/acme-challenge/x"); status != http.StatusPermanentRedirect {
		t.Errorf("an unknown token: %d", status)
	}
	for _, offered := range [][]string{{"acme-tls/1"}, {"acme-tls/1", "smtp"}} {
		if c, err := tls.Dial("tcp", s.addr["https"], &tls.Config{ServerName: domain, InsecureSkipVerify: true, NextProtos: offered}); err == nil {
			_ = c.Close()
			t.Errorf("%v was let in", offered)
		}
	}

	archive := filepath.Join(t.TempDir(), "backup.tar.zst")
	s.run(t, "", "backup", "create", "--to", archive)
	stopped = true
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	a.stop()
	s, err = start(suite, data, flags...)
	if err != nil {
		t.Fatal(err)
	}
	stopped = false
	if c := shown(t, s, "https", domain); !c.Equal(second) {
		t.Errorf("after a restart %v is shown", c.Subject)
	}
	if strings.Contains(s.log.String(), "no certificate by ACME") {
		t.Error("the authority was asked again")
	}
	info, err := os.Stat(filepath.Join(data, "tls", "acme"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	entries, err := os.ReadDir(filepath.Join(data, "tls", "acme"))
	if err != nil || len(entries) != 4 { // two certificates, the account, how it stands
		t.Errorf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if i, err := e.Info(); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), i.Mode(), err)
		}
	}
	stopped = true
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(t.TempDir(), "restored")
	cmd := exec.Command(suite.path, "backup", "restore", archive, "--data-dir", into, "--yes")
	cmd.Env = append(os.Environ(), quickExit)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	was, err := os.ReadFile(filepath.Join(data, "tls", "acme", domain+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	if is, err := os.ReadFile(filepath.Join(into, "tls", "acme", domain+".pem")); err != nil || string(is) != string(was) {
		t.Errorf("a restored server has another certificate: %v", err)
	}
}

// TestACMEByTLS: where nobody answers on port 80, TLS-ALPN-01 does; while the authority is away the server
// serves with its own certificate and says why, and a renewal by hand gets one as soon as it is there.
func TestACMEByTLS(t *testing.T) {
	const domain = "tls.acme.test"
	port := idlePort(t)
	a := newAuthority(t, idlePort(t), port)
	s := serve(t, append(a.flags(), "--set", "domain="+domain, "--set", "web.tls_listen=127.0.0.1:"+strconv.Itoa(port))...)
	comesTrue(t, "a certificate", func() bool { return s.orders(t)[domain].Until != nil })
	c := shown(t, s, "https", domain)
	if ourOwn(c) || c.VerifyHostname(domain) != nil {
		t.Errorf("%v is shown", c.Subject)
	}
	if !strings.Contains(a.log.String(), "validate w/ HTTP: http://"+domain) {
		t.Error("HTTP-01 was not tried first, where nobody answers")
	}
	a.stop()
	if _, err := s.cli(t.Context(), "", "cert", "renew", "main"); err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("without an authority: %v", err)
	}
	if now := shown(t, s, "https", domain); !now.Equal(c) {
		t.Errorf("what was there has gone: %v", now.Subject)
	}
}

// TestACMEBoundAccount: an authority that wants to know whose an account is refuses one that is bound to nothing
// and one that is bound by a wrong key, in words; by the right key it issues. The key is never shown.
func TestACMEBoundAccount(t *testing.T) {
	const domain, key = "bound.acme.test", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	port, dir := idlePort(t), t.TempDir()
	a := newAuthority(t, port, idlePort(t), map[string]string{"kid-1": key})
	plain := binary{dir: suite.dir, path: suite.path, server: suite.path}
	keyFile := write(t, dir, "key", []byte(key+"\n"))
	wrong := write(t, dir, "wrong", []byte(strings.ToLower(key)))
	for _, tt := range []struct {
		name  string
		flags []string
		want  string // of the failure; "": there is none
	}{
		{"unbound", nil, "the authority wants an account that was made there first"},
		{"wrong name", []string{"--set", "tls.acme_eab_kid=kid-2", "--set", "tls.acme_eab_hmac_key=@file:" + keyFile}, "the authority does not accept the key that the account is to be bound to"},
		{"wrong key", []string{"--set", "tls.acme_eab_kid=kid-1", "--set", "tls.acme_eab_hmac_key=@file:" + wrong}, "the authority does not accept the key that the account is to be bound to"},
		{"bound", []string{"--set", "tls.acme_eab_kid=kid-1", "--set", "tls.acme_eab_hmac_key=@file:" + keyFile}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := start(plain, filepath.Join(dir, "data"), append(append(a.flags(), "--set", "domain="+domain, "--set", "web.listen=127.0.0.1:"+strconv.Itoa(port)), tt.flags...)...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				s.kill()
				if t.Failed() {
					t.Logf("server log:\n%s", s.log)
				}
			})
			_, err = s.cli(t.Context(), "", "cert", "renew", domain)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if row := s.orders(t)[domain]; (row.Until == nil) != (tt.want != "") || row.Trouble != tt.want {
				t.Errorf("%+v", row)
			}
			said := s.log.String() + s.run(t, "", "config", "show", "--json") + s.run(t, "", "cert", "orders", "--json")
			if strings.Contains(said, key[:12]) || strings.Contains(said, strings.ToLower(key[:12])) {
				t.Error("the key is shown")
			}
		})
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "tls", "acme", "account-*.json"))
	if err != nil || len(files) < 2 {
		t.Errorf("each key has an account of its own: %v, %v", files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), key) {
			t.Errorf("%s: %v, %s", f, err, b)
		}
	}
}

// TestACMEWithoutAuthority: the server starts at once, serves with its own certificate, and says why.
func TestACMEWithoutAuthority(t *testing.T) {
	const domain = "away.acme.test"
	s := serve(t, "--set", "tls.acme=on", "--set", "tls.acme_directory=https://127.0.0.1:"+strconv.Itoa(idlePort(t))+"/dir", "--set", "domain="+domain)
	comesTrue(t, "a failure", func() bool { return s.orders(t)[domain].Failures > 0 })
	if c := shown(t, s, "xmpps", domain); !ourOwn(c) {
		t.Errorf("%v is shown", c.Subject)
	}
	if out := s.run(t, "", "cert", "show", domain); !strings.Contains(out, "the authority cannot be reached") {
		t.Errorf("cert show:\n%s", out)
	}
	if out, err := s.cli(t.Context(), "", "doctor", "certificate"); !strings.Contains(out, "but a self-signed one (ACME: the authority cannot be reached)") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	r, err := http.Get("http://" + s.addr["web"] + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if r.StatusCode != http.StatusOK {
		t.Errorf("the home page answers %d", r.StatusCode)
	}
}
