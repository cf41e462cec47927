package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/net/idna"
)

// The files of the self-signed pair in Options.Dir.
const (
	certName = "cert.pem"
	keyName  = "key.pem"
)

// lifetime is what Apple's systems accept at most, even of a certificate that a person trusts by
// hand. renewal is how long before its end it is made anew.
const (
	lifetime = 825 * 24 * time.Hour
	renewal  = 30 * 24 * time.Hour
)

// selfSigned answers the kept certificate where it still serves, else makes one.
func (s *Source) selfSigned() (*tls.Certificate, error) {
	dir := s.opt.Dir
	certFile, keyFile := filepath.Join(dir, certName), filepath.Join(dir, keyName)
	cert, err := readPair(certFile, keyFile)
	switch {
	case errors.Is(err, fs.ErrPermission):
		// Not ours to replace: another user's server may be using it.
		return nil, &fault{fmt.Sprintf("the self-signed certificate in %s cannot be read: permission denied. Run as its owner, or set data_dir", dir), err}
	case err == nil && s.serves(cert.Leaf):
		return cert, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		s.opt.Log.Warn("self-signed certificate is unusable and made anew", "error", err)
	}
	if err := s.make(s.opt.Domains, certFile, keyFile); err != nil {
		return nil, fmt.Errorf("making a self-signed certificate in %s: %w. Make the folder writable, or set tls.cert and tls.key", dir, err)
	}
	s.opt.Log.Info("self-signed certificate made", "file", certFile, "domains", s.opt.Domains)
	return readPair(certFile, keyFile)
}

// serves reports whether a kept certificate is for today and for these domains.
func (s *Source) serves(leaf *x509.Certificate) bool {
	now := s.now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter.Add(-renewal)) {
		return false
	}
	names, ips := names(s.opt.Domains)
	return slices.Equal(leaf.DNSNames, names) && slices.EqualFunc(leaf.IPAddresses, ips, net.IP.Equal)
}

// names are the DNS names and addresses that a certificate for domains has: each domain, its chat
// rooms, and for localhost what people type instead of it.
func names(domains []string) (dns []string, ips []net.IP) {
	for _, d := range domains {
		if ip := net.ParseIP(d); ip != nil {
			ips = append(ips, ip)
			continue
		}
		d = ascii(d)
		dns = append(dns, d, "conference."+d)
		if d == "localhost" {
			ips = append(ips, net.IPv4(127, 0, 0, 1), net.IPv6loopback)
		}
	}
	return dns, ips
}

// ascii is the form of a domain that stands in certificates (RFC 5280 section 7.2).
func ascii(domain string) string {
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		return a
	}
	return domain // the configuration's check speaks of bad names
}

// make writes a new pair for domains, the key first: a crash between the two leaves a pair that does not
// match, which the next start replaces.
func (s *Source) make(domains []string, certFile, keyFile string) error {
	dns, ips := names(domains)
	if len(dns)+len(ips) == 0 {
		return errors.New("there is no domain to make it for")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	t := template(serial, s.now(), dns, ips)
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(keyFile), 0o700); err != nil {
		return err
	}
	if err := replace(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return replace(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func template(serial *big.Int, now time.Time, dns []string, ips []net.IP) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Trivium self-signed"},
		NotBefore:    now.Add(-time.Hour), // for clients whose clock is a little late
		NotAfter:     now.Add(-time.Hour).Add(lifetime),
		DNSNames:     dns,
		IPAddresses:  ips,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Not an authority: browsers refuse one in a server's place, and a stolen key must not be
		// able to vouch for other sites at people who chose to trust it.
		BasicConstraintsValid: true,
	}
}

// replace writes a file so that readers see the old content or the new, never a part.
func replace(path string, data []byte, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
