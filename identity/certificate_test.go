package identity_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"trivium/identity"
)

// issuer makes certificates; its own is an authority's.
type issuer struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	from time.Time
}

func newIssuer(t testing.TB, from time.Time) *issuer {
	t.Helper()
	i := &issuer{t: t, from: from}
	i.cert, i.key = i.make(func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
	})
	return i
}

func (i *issuer) make(change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		i.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "client"}, NotBefore: i.from.Add(-time.Hour), NotAfter: i.from.Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if i.cert != nil {
		parent, signer = i.cert, i.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		i.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return cert, key
}

// issue is a certificate with e-mail addresses.
func (i *issuer) issue(emails ...string) identity.Chain {
	i.t.Helper()
	cert, _ := i.make(func(c *x509.Certificate) { c.EmailAddresses = emails })
	return identity.Chain{cert}
}

func (h *house) certify(name string, chain identity.Chain) identity.Certificate {
	h.t.Helper()
	c, err := h.AddCertificate(h.t.Context(), machine, name, identity.NewCertificate{Label: rand.Text(), DER: chain[0].Raw})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

var machine = identity.Actor{Level: identity.LevelRoot, Via: "cli"}

// external logs in by a certificate alone.
func (h *house) external(p identity.Protocol, name string, chain identity.Chain) (*identity.Session, *holder, error) {
	h.t.Helper()
	ses, held := h.open(p, home)
	_, err := h.Login(h.t.Context(), ses, identity.Login{Method: identity.MethodExternal, Name: name, Certificate: chain})
	return ses, held, err
}

func TestCertificateOwner(t *testing.T) {
	t.Parallel()
	var ca *issuer
	h := newHouse(t, func(o *identity.Options) {
		ca = newIssuer(t, o.Now())
		o.Certificates.Roots = x509.NewCertPool()
		o.Certificates.Roots.AddCert(ca.cert)
		o.Certificates.Names = []identity.CertificateName{{Kind: identity.NameEmail}, {Kind: identity.NameProfileEmail}}
	})
	h.person("alice", func(u *identity.User) { u.Profile.Email = "a@mail.test" })
	h.person("bob", func(u *identity.User) { u.Profile.Email = "shared@mail.test" })
	h.person("carol", func(u *identity.User) { u.Profile.Email = "shared@mail.test" })
	h.person("dave", func(u *identity.User) { u.State = identity.UserDisabled })
	h.person("erin", func(u *identity.User) { u.Domain = "example.net" })
	stranger := newIssuer(t, h.clock.now())
	one, two, off := stranger.issue(), stranger.issue(), stranger.issue()
	h.certify("alice", one)
	h.certify("bob", two)
	h.certify("carol", two)
	h.certify("dave", off)
	hers := stranger.issue()
	h.certify("erin@example.net", hers)
	old, _ := stranger.make(func(c *x509.Certificate) { c.NotAfter = h.clock.now().Add(time.Minute) })
	h.certify("alice", identity.Chain{old})
	h.clock.pass(2 * time.Minute)
	for _, tt := range []struct {
		what, name string
		chain      identity.Chain
		user       string // "": refused
	}{
		{"by the list", "", one, "alice"},
		{"by the list and name", "Alice", one, "alice"},
		{"another's", "bob", one, ""},
		{"nobody's name", "nobody", one, ""},
		{"of two accounts", "", two, ""},
		{"of two accounts, one named", "carol", two, "carol"},
		{"unknown", "", stranger.issue("alice@example.org"), ""},
		{"expired", "alice", identity.Chain{old}, ""},
		{"none", "alice", nil, ""},
		{"a long chain", "alice", append(append(identity.Chain{}, one...), make(identity.Chain, 20)...), ""},
		{"of another domain", "", hers, "erin@example.net"},
		{"by e-mail", "", ca.issue("alice@example.org"), "alice"},
		{"by e-mail in capitals", "", ca.issue("ALICE@EXAMPLE.ORG"), "alice"},
		{"by the profile", "", ca.issue("a@mail.test"), "alice"},
		{"by a profile of two", "", ca.issue("shared@mail.test"), ""},
		{"by a profile of two, one named", "bob", ca.issue("shared@mail.test"), ""},
		{"two names", "", ca.issue("alice@example.org", "bob@example.org"), ""},
		{"two names, one asked for", "bob", ca.issue("alice@example.org", "bob@example.org"), "bob"},
		{"of a foreign domain", "", ca.issue("alice@example.com"), ""},
		{"of a reserved name", "", ca.issue("anonymous@example.org"), ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			ses, _, err := h.external(identity.ProtocolFTP, tt.name, tt.chain)
			defer ses.Close()
			c, _ := ses.Credentials()
			if tt.user == "" && !errors.Is(err, identity.ErrCredentials) || tt.user != "" && (err != nil || c.User != tt.user) {
				t.Errorf("%q, %v; want %q", c.User, err, tt.user)
			}
		})
	}
	if _, _, err := h.external(identity.ProtocolFTP, "dave", off); !errors.Is(err, identity.ErrDisabled) { // which roads put in the words of a wrong password
		t.Errorf("%v", err)
	}
}

// What a certificate has opened ends with it, and nothing else does.
func TestCertificateEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	by := newIssuer(t, h.clock.now())
	in := func(chain identity.Chain) (*identity.Session, *holder) {
		t.Helper()
		ses, held, err := h.external(identity.ProtocolFTP, "alice", chain)
		if err != nil {
			t.Fatal(err)
		}
		return ses, held
	}
	password, passwordHeld := h.in(identity.ProtocolFTP, "alice", testPassword)
	first, second := by.issue(), by.issue()
	one, two := h.certify("alice", first), h.certify("alice", second)
	a, aHeld := in(first)
	_, bHeld := in(second)
	beside, besideHeld := h.open(identity.ProtocolFTP, home)
	if _, err := h.Login(t.Context(), beside, identity.Login{Method: identity.MethodPassword, Name: "alice", Secret: identity.NewSecret(testPassword), Certificate: first}); err != nil {
		t.Fatal(err)
	}
	if beside.Certificate() != one.Fingerprint || a.Certificate() != one.Fingerprint || password.Certificate() != "" {
		t.Error("a session does not know its certificate")
	}
	if _, err := h.RemoveCertificate(t.Context(), machine, "alice", one.Fingerprint, false); err != nil {
		t.Fatal(err)
	}
	live := func(h *holder) bool { return len(h.reasons()) == 0 }
	if live(aHeld) || live(besideHeld) || !live(bHeld) || !live(passwordHeld) {
		t.Errorf("after the removal: %v %v %v %v", live(aHeld), live(besideHeld), live(bHeld), live(passwordHeld))
	}
	// With keep the session stays, as XEP-0257 section 2.3 has it, and no other comes in by it.
	if _, err := h.RemoveCertificate(t.Context(), machine, "alice", two.Label, true); err != nil {
		t.Fatal(err)
	}
	if !live(bHeld) {
		t.Error("it did not stay")
	}
	if _, _, err := h.external(identity.ProtocolFTP, "alice", second); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("%v", err)
	}
	// It ends when the certificate expires.
	short, _ := by.make(func(c *x509.Certificate) { c.NotAfter = h.clock.now().Add(time.Minute) })
	h.certify("alice", identity.Chain{short})
	_, cHeld := in(identity.Chain{short})
	h.clock.pass(2 * time.Minute)
	h.Sweep()
	if live(cHeld) || !live(bHeld) {
		t.Errorf("after its end: %v %v", live(cHeld), live(bHeld))
	}
}

// A browser session knows after a restart by what it was opened.
func TestCertificateOfBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	chain := newIssuer(t, h.clock.now()).issue()
	added := h.certify("alice", chain)
	upgrade := func() identity.Cookie {
		t.Helper()
		b, _, err := h.StartAnonymous(t.Context(), h.visit())
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.Upgrade(t.Context(), b, identity.Login{Method: identity.MethodExternal, Certificate: chain}, true)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := upgrade()
	h.start()
	if err := h.resumes(identity.CookieLoggedIn, first); err != nil {
		t.Fatal(err)
	}
	if _, err := h.RemoveCertificate(t.Context(), machine, "alice", added.Fingerprint, false); err != nil {
		t.Fatal(err)
	}
	if err := h.resumes(identity.CookieLoggedIn, first); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("%v", err)
	}
	// Removed while the server was down.
	added = h.certify("alice", chain)
	second := upgrade()
	id, err := h.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	h.write(func(ctx context.Context, w identity.StoreWriter) error {
		return w.RemoveCertificates(ctx, id.ID, added.Fingerprint)
	})
	h.start()
	if err := h.resumes(identity.CookieLoggedIn, second); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// A certificate for which nobody has asked leaves no trace where it does not fit, and counts for no ban.
func TestCertificateTentative(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Limits.BanAfter, o.Limits.BanWindow, o.Limits.BanFor = 3, time.Hour, time.Hour
	})
	h.person("alice", nil)
	strange := newIssuer(t, h.clock.now()).issue()
	for range 20 {
		ses, _ := h.open(identity.ProtocolFTP, home)
		_, err := h.Login(t.Context(), ses, identity.Login{Method: identity.MethodExternal, Name: "alice", Certificate: strange, Tentative: true})
		if !errors.Is(err, identity.ErrCredentials) {
			t.Fatal(err)
		}
		ses.Close()
	}
	if ses, _ := h.in(identity.ProtocolFTP, "alice", testPassword); ses == nil {
		t.Error("the password is not taken")
	}
}
