package xmpp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// altNames are otherNames of the type id-on-xmppAddr.
func altNames(t *testing.T, jids ...string) pkix.Extension {
	t.Helper()
	type other struct {
		ID    asn1.ObjectIdentifier
		Value string `asn1:"explicit,tag:0,utf8"`
	}
	var names []asn1.RawValue
	for _, j := range jids {
		der, err := asn1.MarshalWithParams(other{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 5}, j}, "tag:0")
		must(t, err)
		names = append(names, asn1.RawValue{FullBytes: der})
	}
	der, err := asn1.Marshal(names)
	must(t, err)
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: der}
}

// authority signs certificates; nil makes them sign themselves.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) issue(t *testing.T, until time.Time, jids ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if len(jids) > 0 {
		tmpl.ExtraExtensions = []pkix.Extension{altNames(t, jids...)}
	}
	parent, signer := tmpl, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert, key}
}

// dialWith is a peer over TLS that shows a certificate.
func (s *site) dialWith(t *testing.T, cert tls.Certificate) *peer {
	t.Helper()
	p := s.dialTo(s.tls)
	p.t = t
	cfg := s.clientTLS("xmpp-client")
	cfg.Certificates = []tls.Certificate{cert}
	conn := tls.Client(p.raw, cfg)
	must(t, conn.Handshake())
	p.conn = conn
	return p
}

func certificatesOn(o *xmpp.Options) { o.Config.ClientCertificates = true }

func appendCert(name string, cert tls.Certificate, parts ...string) string {
	return "<append xmlns='urn:xmpp:saslcert:1'><name>" + name + "</name>" + strings.Join(parts, "") + "<x509cert>\n  " +
		base64.StdEncoding.EncodeToString(cert.Certificate[0]) + "\n</x509cert></append>"
}

// ask sends a request and returns the answer.
func (p *peer) ask(typ, payload string) string {
	p.t.Helper()
	p.send("<iq type='" + typ + "' id='q'>" + payload + "</iq>")
	text := p.expect(" id='q'")
	if rest := p.expect(">"); strings.HasSuffix(rest, "/>") {
		return text + rest
	}
	return text + p.expect("</iq>")
}

func authExternal(authzid string) string {
	data := "="
	if authzid != "" {
		data = b64(authzid)
	}
	return "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>" + data + "</auth>"
}

func TestExternal(t *testing.T) {
	s := start(t, options{xmpp: certificatesOn})
	var none *authority
	soon := time.Now().Add(time.Hour)
	plain, named, two := none.issue(t, soon), none.issue(t, soon, "alice@example.org"), none.issue(t, soon, "alice@example.org", "bob@example.org")
	bound, other := none.issue(t, soon, "alice@example.org/bot"), none.issue(t, soon, "carol@second.example")
	past, unknown, bobs := none.issue(t, time.Now().Add(-time.Hour)), none.issue(t, soon, "alice@example.org"), none.issue(t, soon, "bob@example.org")
	alice := s.login("alice", "phone")
	for i, c := range []tls.Certificate{plain, named, two, bound, other, bobs} {
		if got := alice.ask("set", appendCert(fmt.Sprint("cert ", i), c)); !strings.Contains(got, "type='result'") {
			t.Fatal(got)
		}
	}
	for _, tt := range []struct {
		name          string
		cert          tls.Certificate
		from, authzid string
		want          string // the address, or a condition
	}{
		{"by its fingerprint", plain, "", "", "alice@example.org/x"},
		{"with a name in the stream", plain, "alice@example.org", "", "alice@example.org/x"},
		{"with another's name in the stream", plain, "bob@example.org", "", "not-authorized"},
		{"with an authzid", plain, "", "alice@example.org", "alice@example.org/x"},
		{"with another's authzid", plain, "", "bob@example.org", "not-authorized"},
		{"with an authzid that is none", plain, "", "alice@example.org/x", "invalid-authzid"},
		{"with an authzid unlike the stream", plain, "bob@example.org", "alice@example.org", "invalid-authzid"},
		{"that names the account", named, "", "", "alice@example.org/x"},
		{"that names two", two, "", "", "invalid-authzid"},
		{"that names two, one of them in the stream", two, "alice@example.org", "", "alice@example.org/x"},
		{"that names two, the other one asked for", two, "", "bob@example.org", "not-authorized"},
		{"for one resource", bound, "", "", "alice@example.org/bot"},
		{"that names an account of another host", other, "", "", "alice@example.org/x"},
		{"that names another account", bobs, "", "", "not-authorized"},
		{"that nobody knows", unknown, "", "", "not-authorized"},
		{"that has expired", past, "", "", "invalid-mechanism"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialWith(t, tt.cert)
			if tt.from != "" {
				p.send(openFrom(tt.from))
			} else {
				p.send(openStream(host))
			}
			if f := p.expect("</stream:features>"); strings.Contains(f, "<mechanism>EXTERNAL</mechanism>") == (tt.want == "invalid-mechanism") {
				t.Error(f)
			}
			p.send(authExternal(tt.authzid))
			if !strings.Contains(tt.want, "@") {
				check(t, p.expect("</failure>"), "<"+tt.want+"/>")
				return
			}
			p.expect("<success")
			p.open()
			p.send(bindTo("x"))
			check(t, p.expect("</iq>"), "<jid>"+tt.want+"</jid>")
		})
	}
	p := s.dialWith(t, plain)
	p.open()
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'><initial-response/>" + bindTag + "</authenticate>")
	check(t, p.expect("</success>"), "<authorization-identifier>alice@example.org/Awesome/")
	off := identity.UserDisabled
	_, err := s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{State: &off})
	must(t, err)
	p = s.dialWith(t, plain)
	p.open()
	p.send(authExternal(""))
	p.expect("<not-authorized/>")
}

func TestExternalOff(t *testing.T) {
	s := start(t, options{})
	var none *authority
	p := s.dialWith(t, none.issue(t, time.Now().Add(time.Hour), "alice@example.org"))
	if f := p.open(); strings.Contains(f, "EXTERNAL") {
		t.Error(f)
	}
	p.send(authExternal(""))
	p.expect("<invalid-mechanism/>")
	check(t, s.login("alice", "x").ask("get", "<items xmlns='urn:xmpp:saslcert:1'/>"), "<service-unavailable")
}

// One by an authority that config trusts lets in whom it names, and nobody else.
func TestExternalAuthority(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	s := start(t, options{xmpp: certificatesOn, identity: func(o *identity.Options) {
		o.Certificates.Roots, o.Certificates.Names = x509.NewCertPool(), []identity.CertificateName{{Kind: identity.NameXMPP}}
		o.Certificates.Roots.AddCert(ca.cert)
	}})
	soon := time.Now().Add(time.Hour)
	for _, tt := range []struct {
		name, authzid string
		cert          tls.Certificate
		ok            bool
	}{
		{"its own", "", ca.issue(t, soon, "alice@example.org"), true},
		{"its own by name", "alice@example.org", ca.issue(t, soon, "alice@example.org"), true},
		{"another's", "bob@example.org", ca.issue(t, soon, "alice@example.org"), false},
		{"nobody's", "", ca.issue(t, soon, "nobody@example.org"), false},
		{"no name", "alice@example.org", ca.issue(t, soon), false},
		{"another authority", "", foreign.issue(t, soon, "alice@example.org"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := s.dialWith(t, tt.cert)
			p.open()
			p.send(authExternal(tt.authzid))
			if text := p.expect(">"); strings.HasPrefix(text, "<success") != tt.ok {
				t.Error(text)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	s := start(t, options{xmpp: certificatesOn})
	var none *authority
	soon := time.Now().Add(time.Hour)
	one, bot := none.issue(t, soon), none.issue(t, soon)
	alice := s.login("alice", "phone")
	check(t, alice.ask("get", "<items xmlns='urn:xmpp:saslcert:1'/>"), "<items xmlns='urn:xmpp:saslcert:1'></items>")
	alice.send("<iq type='get' id='d' to='example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	check(t, alice.expect("</query>"), "<feature var='urn:xmpp:saslcert:1'/>")
	check(t, alice.ask("set", appendCert("one &amp; only", one)), "type='result'")
	check(t, alice.ask("set", appendCert("bot", bot, "<no-cert-management/>")), "type='result'")
	junk := func(name, cert string) string {
		return "<append xmlns='urn:xmpp:saslcert:1'>" + name + "<x509cert>" + cert + "</x509cert></append>"
	}
	for _, tt := range []struct{ name, payload, want string }{
		{"the same name", appendCert("bot", none.issue(t, soon)), "<conflict"},
		{"the same certificate", appendCert("again", one), "<conflict"},
		{"expired", appendCert("past", none.issue(t, time.Now().Add(-time.Minute))), "<not-acceptable"},
		{"no name", junk("", base64.StdEncoding.EncodeToString(one.Certificate[0])), "<not-acceptable"},
		{"a long name", appendCert(strings.Repeat("x", 129), one), "<not-acceptable"},
		{"two lines", appendCert("a\nb", one), "<not-acceptable"},
		{"no certificate", junk("<name>x</name>", ""), "<not-acceptable"},
		{"no base64", junk("<name>x</name>", "!"), "<not-acceptable"},
		{"no X.509", junk("<name>x</name>", "AAAA"), "<not-acceptable"},
		{"too large", junk("<name>x</name>", strings.Repeat("A", 12000)), "<not-acceptable"},
		{"to remove nothing", "<revoke xmlns='urn:xmpp:saslcert:1'/>", "<bad-request"},
		{"to remove what is not there", "<disable xmlns='urn:xmpp:saslcert:1'><name>x</name></disable>", "<item-not-found"},
	} {
		t.Run(tt.name, func(t *testing.T) { check(t, alice.ask("set", tt.payload), tt.want) })
	}
	in := func(cert tls.Certificate, resource string) *peer {
		p := s.dialWith(t, cert)
		p.open()
		p.send(authExternal(""))
		p.expect("<success")
		p.open()
		p.send(bindTo(resource))
		p.expect("</iq>")
		return p
	}
	client, robot := in(one, "laptop"), in(bot, "bot")
	list := robot.ask("get", "<items xmlns='urn:xmpp:saslcert:1'/>")
	check(t, list, "<item><name>bot</name><x509cert>"+base64.StdEncoding.EncodeToString(bot.Certificate[0])+"</x509cert><users><resource>bot</resource></users></item><item><name>one &amp; only</name>")
	check(t, robot.ask("set", "<revoke xmlns='urn:xmpp:saslcert:1'><name>one &amp; only</name></revoke>"), "<forbidden")
	check(t, robot.ask("set", appendCert("more", none.issue(t, soon))), "<forbidden")
	check(t, s.login("bob", "x").ask("get", "<items xmlns='urn:xmpp:saslcert:1'/>"), "<items xmlns='urn:xmpp:saslcert:1'></items>")
	check(t, client.ask("set", "<disable xmlns='urn:xmpp:saslcert:1'><name>one &amp; only</name></disable>"), "type='result'")
	client.ping() // section 2.3: whoever is in stays
	check(t, client.ask("set", appendCert("more", none.issue(t, soon))), "<forbidden")
	p := s.dialWith(t, one)
	p.open()
	p.send(authExternal(""))
	p.expect("<not-authorized/>")
	check(t, alice.ask("set", "<revoke xmlns='urn:xmpp:saslcert:1'><name>bot</name></revoke>"), "type='result'")
	robot.ends("not-authorized")
	for i := range 20 {
		check(t, alice.ask("set", appendCert(fmt.Sprint(i), none.issue(t, soon))), "type='result'")
	}
	check(t, alice.ask("set", appendCert("x", none.issue(t, soon))), "<resource-constraint")
	log, err := s.svc.Audit(t.Context(), identity.AuditFilter{})
	must(t, err)
	events := map[string]int{}
	for _, e := range log {
		events[e.Event]++
	}
	if events["certificate.add"] != 22 || events["certificate.remove"] != 2 {
		t.Errorf("%v", events)
	}
}

// Whoever takes a certificate back takes back all that it opens: no token comes in its place.
func TestCertificateGivesNoToken(t *testing.T) {
	s := start(t, options{xmpp: certificatesOn})
	var none *authority
	cert := none.issue(t, time.Now().Add(time.Hour))
	alice := s.login("alice", "phone")
	check(t, alice.ask("set", appendCert("bot", cert, "<no-cert-management/>")), "type='result'")
	p := s.dialWith(t, cert)
	p.open()
	p.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'><initial-response/>" + userAgent(agentID) + bindTag + requestToken("HT-SHA-256-NONE") + "</authenticate>")
	if got := p.expect("</success>"); strings.Contains(got, "<token ") {
		t.Errorf("a token: %s", got)
	}
}
