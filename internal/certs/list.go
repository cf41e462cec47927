package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Described is what people are told of a certificate.
type Described struct {
	Name        string    `json:"name"`  // of the pair: main, or what its entry of the folder is called
	Names       []string  `json:"names"` // that it is for, addresses among them
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
	Key         string    `json:"key"` // ECDSA P-256, RSA 2048
	Fingerprint string    `json:"sha256"`
	SelfSigned  bool      `json:"self_signed"`
	Chain       []string  `json:"chain"`                 // the subjects that are sent after it
	ChainError  string    `json:"chain_error,omitempty"` // why clients with this system's authorities refuse it; "": they do not
	File        string    `json:"file"`
	Uploaded    bool      `json:"uploaded"` // it is kept in the data directory, and can be replaced here
	Automatic   bool      `json:"acme"`     // it came by ACME, and is renewed so
	ForDomains  []string  `json:"domains"`  // of the server's own names, those that get it
}

// List describes the certificates in use, the main one first.
func (s *Source) List() []Described {
	set := s.set.Load()
	list := []Described{s.info(set, set.main)}
	for _, c := range set.others {
		list = append(list, s.info(set, c))
	}
	return list
}

// mainName is what the certificate is called that clients get who ask for no name of another.
const mainName = "main"

// For describes the certificate that a client gets which asks for a name.
func (s *Source) For(name string) Described {
	set := s.set.Load()
	return s.info(set, set.of(ascii(name)))
}

// Covers says whether the certificate that a client gets for a name is one for it.
func (s *Source) Covers(name string) error {
	name = ascii(name)
	return s.set.Load().of(name).Leaf.VerifyHostname(name)
}

// Mine reports whether a certificate is one of those in use.
func (s *Source) Mine(leaf *x509.Certificate) bool { return s.set.Load().has(leaf) }

func (s *Source) info(set *set, c *pair) Described {
	i := Describe(c.Certificate, s.now())
	i.Name, i.File, i.Automatic = c.name, c.file, c.issued
	i.Uploaded = c.file != "" && filepath.Dir(c.file) == s.uploads()
	for _, d := range s.opt.Domains {
		if set.of(ascii(d)) == c {
			i.ForDomains = append(i.ForDomains, d)
		}
	}
	return i
}

// Describe says what a certificate is, as clients see it at a time.
func Describe(c *tls.Certificate, now time.Time) Described {
	leaf := c.Leaf
	i := Described{Names: slices.Clone(leaf.DNSNames), Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), From: leaf.NotBefore.UTC(), Until: leaf.NotAfter.UTC(),
		Key: keyWords(leaf.PublicKey), Fingerprint: fingerprint(leaf), Chain: []string{}, ForDomains: []string{}}
	for _, ip := range leaf.IPAddresses {
		i.Names = append(i.Names, ip.String())
	}
	i.SelfSigned = selfMade(leaf)
	between := x509.NewCertPool()
	for _, der := range c.Certificate[1:] {
		if up, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(up)
			i.Chain = append(i.Chain, up.Subject.String())
		}
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: now}); err != nil {
		i.ChainError = strings.TrimPrefix(err.Error(), "x509: ")
	}
	return i
}

// selfMade reports whether a certificate is self-signed.
func selfMade(leaf *x509.Certificate) bool {
	return leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil && leaf.Subject.String() == leaf.Issuer.String()
}

// keyWords names a public key.
func keyWords(key any) string {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}
