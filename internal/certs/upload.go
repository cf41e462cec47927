package certs

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// uploads is the folder of the pairs that were given to the running server.
func (s *Source) uploads() string { return filepath.Join(s.opt.Dir, "uploaded") }

func (s *Source) uploadFiles(name string) (certFile, keyFile string) {
	base := filepath.Join(s.uploads(), name)
	return base + ".crt", base + ".key"
}

// uploadedMain is the uploaded pair in the main one's place, nil where there is none that can be used.
func (s *Source) uploadedMain() *pair {
	certFile, keyFile := s.uploadFiles(mainName)
	cert, err := readPair(certFile, keyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		s.opt.Log.Error("the uploaded certificate is not used", "file", certFile, "error", err)
		return nil
	case s.now().After(cert.Leaf.NotAfter):
		s.opt.Log.Error("the uploaded certificate has expired and is not used", "file", certFile, "not_after", cert.Leaf.NotAfter.UTC())
		return nil
	}
	return &pair{Certificate: cert, name: mainName, file: certFile}
}

// Check reads a pair in PEM that somebody wants to use: key and certificate must belong together, and
// it must hold now. The error says what to do.
func (s *Source) Check(certPEM, keyPEM []byte) (Described, error) {
	_, info, err := s.check(certPEM, keyPEM)
	return info, err
}

func (s *Source) check(certPEM, keyPEM []byte) (*tls.Certificate, Described, error) {
	switch {
	case len(certPEM) > maxPEM || len(keyPEM) > maxPEM:
		return nil, Described{}, errors.New("this is larger than 1 MiB, so it is no PEM file")
	case !hasBlock(certPEM, "CERTIFICATE"):
		return nil, Described{}, errors.New("the certificate is not PEM text: it has no BEGIN CERTIFICATE line")
	case hasBlock(keyPEM, "ENCRYPTED PRIVATE KEY") || strings.Contains(string(keyPEM), "Proc-Type: 4,ENCRYPTED"):
		return nil, Described{}, errors.New("the key is locked with a passphrase; write an unlocked copy with `openssl pkey`")
	case !hasBlock(keyPEM, "PRIVATE KEY"):
		return nil, Described{}, errors.New("the key is not PEM text: it has no BEGIN PRIVATE KEY line")
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return nil, Described{}, errors.New("the key does not belong to the certificate; of a chain, the server's own certificate comes first")
	case err != nil: // what crypto/tls says of a key has no part of it
		return nil, Described{}, fmt.Errorf("the pair cannot be used: %w", err)
	}
	now := s.now()
	switch leaf := cert.Leaf; {
	case now.After(leaf.NotAfter):
		return nil, Described{}, fmt.Errorf("the certificate expired on %s", leaf.NotAfter.UTC().Format("2006-01-02"))
	case now.Before(leaf.NotBefore):
		return nil, Described{}, fmt.Errorf("the certificate is not valid before %s; is the clock right?", leaf.NotBefore.UTC().Format("2006-01-02 15:04 UTC"))
	case len(leaf.DNSNames)+len(leaf.IPAddresses) == 0:
		return nil, Described{}, errors.New("the certificate is for no name (it has no subject alternative names), so every client refuses it")
	}
	return &cert, Describe(&cert, now), nil
}

// ErrConfigured says that the main certificate is the configuration's to change.
var ErrConfigured = errors.New("the main certificate is that of tls.cert; replace that file, then reload")

// Import checks a pair and lets it take effect on all roads: in the main one's place ("main"), or for
// the names in it under a name of its own.
func (s *Source) Import(name string, certPEM, keyPEM []byte) (Described, error) {
	_, info, err := s.check(certPEM, keyPEM)
	if err != nil {
		return Described{}, err
	}
	return info, s.keep(name, certPEM, keyPEM)
}

// keep writes a pair that was checked, and reads all again.
func (s *Source) keep(name string, certPEM, keyPEM []byte) error {
	if err := s.replaceable(name); err != nil {
		return err
	}
	if err := os.MkdirAll(s.uploads(), 0o700); err != nil {
		return err
	}
	certFile, keyFile := s.uploadFiles(name)
	old, err := os.ReadFile(keyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash between the two leaves a pair that does not match, which is said and not used.
	if err := replace(keyFile, keyPEM, 0o600); err != nil {
		return err
	}
	if err := replace(certFile, certPEM, 0o644); err != nil {
		if len(old) > 0 {
			err = errors.Join(err, replace(keyFile, old, 0o600))
		}
		return err
	}
	return s.Reload()
}

// replaceable says whether a pair can be put under a name.
func (s *Source) replaceable(name string) error {
	switch {
	case s.opt.Dir == "":
		return errors.New("there is no data directory to keep it in")
	case name == mainName && s.opt.CertFile != "":
		return ErrConfigured
	case name == "" || len(name) > 100 || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}):
		return fmt.Errorf("%q is no name for a certificate; it has small letters, digits, dots and dashes", name)
	}
	return nil
}

// SelfSigned makes a certificate for the server's own domains in the main one's place, or for the name
// itself, which is then a domain. An uploaded one in its place is moved aside, not thrown away.
func (s *Source) SelfSigned(name string) error {
	if err := s.replaceable(name); err != nil {
		return err
	}
	if name == mainName {
		if s.set.Load().main.issued {
			return errors.New("the main certificate comes by ACME; set tls.acme to off for a self-signed one")
		}
		certFile, keyFile := s.uploadFiles(mainName)
		for _, f := range []string{certFile, keyFile} {
			if err := os.Rename(f, f+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := s.make(s.opt.Domains, filepath.Join(s.opt.Dir, certName), filepath.Join(s.opt.Dir, keyName)); err != nil {
			return err
		}
		return s.Reload()
	}
	if err := os.MkdirAll(s.uploads(), 0o700); err != nil {
		return err
	}
	certFile, keyFile := s.uploadFiles(name)
	if err := s.make([]string{name}, certFile, keyFile); err != nil {
		return err
	}
	return s.Reload()
}

// Remove takes an uploaded pair out of use; its files are kept with .old at the end. fs.ErrNotExist where
// there is none of that name.
func (s *Source) Remove(name string) error {
	if err := s.replaceable(name); err != nil {
		return err
	}
	certFile, keyFile := s.uploadFiles(name)
	if err := os.Rename(certFile, certFile+".old"); err != nil {
		return err
	}
	if err := os.Rename(keyFile, keyFile+".old"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.Reload()
}

// PEM is the certificate with its chain as text, for people who want to trust it by hand.
func (s *Source) PEM(name string) ([]byte, bool) {
	set := s.set.Load()
	for _, c := range append([]*pair{set.main}, set.others...) {
		if c.name != name {
			continue
		}
		var out []byte
		for _, der := range c.Certificate.Certificate {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		return out, true
	}
	return nil, false
}
