package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	"trivium/identity"
	"trivium/web"
)

// selfMade is a client certificate that signs itself.
func selfMade(t *testing.T, name string) (cert tls.Certificate, text string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func certificatesAsked(o *web.Options, _ *identity.Options) { o.Config.ClientCertificates = true }

// showing is a browser over TLS that has a certificate.
func (s *site) showing(certs ...tls.Certificate) *browser {
	b := s.browserAt(s.https)
	b.Transport.(*http.Transport).TLSClientConfig.Certificates = certs
	return b
}

func TestCertificateLogin(t *testing.T) {
	s := newSite(t, certificatesAsked)
	s.user("alice", identity.LevelUser)
	s.user("bob", identity.LevelUser)
	s.user("boss", identity.LevelAdmin)
	own, text := selfMade(t, "laptop <b>")
	strange, _ := selfMade(t, "strange")

	// The person adds it on the page; a key is refused, and nothing of it comes back by accident.
	alice := s.showing().login("alice")
	alice.get("/login")
	alice.get("/security").expect(t, http.StatusOK, "No certificates yet.")
	alice.post("/security/certificate", "/security/certificate", "pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").expect(t, http.StatusUnprocessableEntity, "private key")
	alice.post("/security/certificate", "/security/certificate", "pem", "nonsense").expect(t, http.StatusUnprocessableEntity, "no certificate")
	alice.post("/security/certificate", "/security/certificate", "pem", text).expect(t, http.StatusSeeOther)
	alice.post("/security/certificate", "/security/certificate", "pem", text).expect(t, http.StatusConflict)
	alice.get("/security").expect(t, http.StatusOK, "laptop &lt;b&gt;", `data-testid="certificate-row"`)

	// Nobody gets in by one that is nobody's, or by none, or as somebody else.
	s.showing(strange).post("/login", "/login/certificate").expect(t, http.StatusUnauthorized, "lets nobody in")
	s.showing().post("/login", "/login/certificate").expect(t, http.StatusUnauthorized, "has shown no certificate")
	s.showing(own).post("/login", "/login/certificate", "login", "bob").expect(t, http.StatusUnauthorized, "lets nobody in")
	b := s.showing(own)
	b.get("/login").expect(t, http.StatusOK, "Log in with certificate")
	b.post("/login", "/login/certificate", "next", "/account").expect(t, http.StatusSeeOther)
	b.get("/account").expect(t, http.StatusOK, "alice")
	// It was added without that right, so it changes no list.
	list, err := s.identity.Certificates(t.Context(), "alice")
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	b.post("/account", "/security/certificates/"+list[0].Fingerprint+"/remove").expect(t, http.StatusSeeOther)
	if list, err = s.identity.Certificates(t.Context(), "alice"); err != nil || len(list) != 1 {
		t.Fatal("it removed itself", err)
	}
	until(t, "its last use stands in the list", func() bool {
		list, err := s.identity.Certificates(t.Context(), "alice")
		return err == nil && list[0].LastUsed != nil && list[0].LastProtocol == identity.ProtocolWeb
	})

	// An administrator removes it: the session that it opened ends, the other one goes on.
	boss := s.showing().login("boss")
	boss.get("/admin/users/alice").expect(t, http.StatusOK, "laptop &lt;b&gt;")
	boss.post("/admin/users/alice", "/admin/users/alice/certificates/"+list[0].Fingerprint+"/remove").expect(t, http.StatusSeeOther)
	b.get("/account").expect(t, http.StatusSeeOther)
	alice.get("/account").expect(t, http.StatusOK)
	s.showing(own).post("/login", "/login/certificate").expect(t, http.StatusUnauthorized, "lets nobody in")
}

func TestCertificateOff(t *testing.T) {
	s := newSite(t)
	s.user("alice", identity.LevelUser)
	own, text := selfMade(t, "laptop")
	block, _ := pem.Decode([]byte(text))
	if _, err := s.identity.AddCertificate(t.Context(), machine, "alice", identity.NewCertificate{DER: block.Bytes}); err != nil {
		t.Fatal(err)
	}
	b := s.showing()
	b.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		t.Error("the browser was asked")
		return &own, nil
	}
	if a := b.get("/login"); a.StatusCode != http.StatusOK || tokenInForm.FindString(a.body) == "" {
		t.Error(a.StatusCode)
	}
	b.post("/login", "/login/certificate").expect(t, http.StatusUnauthorized)
}
