package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// set is the certificates in use.
type set struct {
	main   *tls.Certificate
	others []*tls.Certificate          // of the folder
	byName map[string]*tls.Certificate // by DNS name in lower case, such as "*.example.org" too
}

func newSet(main *tls.Certificate, others []*tls.Certificate) *set {
	s := &set{main: main, others: others, byName: map[string]*tls.Certificate{}}
	for _, c := range append([]*tls.Certificate{main}, others...) {
		for _, name := range c.Leaf.DNSNames {
			name = strings.ToLower(name)
			// Of two in the folder, the one that holds longer; before the main one, each.
			if had := s.byName[name]; had == nil || had == main || c.Leaf.NotAfter.After(had.Leaf.NotAfter) {
				s.byName[name] = c
			}
		}
	}
	return s
}

// of is the certificate for a name that a client asks for (RFC 6066 section 3), and the main one where
// none has it.
func (s *set) of(name string) *tls.Certificate {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if c := s.byName[name]; c != nil {
		return c
	}
	if _, rest, ok := strings.Cut(name, "."); ok {
		if c := s.byName["*."+rest]; c != nil {
			return c
		}
	}
	return s.main
}

// has reports whether a certificate is one of the set.
func (s *set) has(leaf *x509.Certificate) bool {
	return s != nil && (s.main.Leaf.Equal(leaf) || slices.ContainsFunc(s.others, func(c *tls.Certificate) bool { return c.Leaf.Equal(leaf) }))
}

// folder reads the pairs of Options.Folder. One that is broken is said and left out: the other
// domains are not to fall with it.
func (s *Source) folder() ([]*tls.Certificate, error) {
	dir := s.opt.Folder
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &fault{"the folder " + dir + " does not exist. Make it, or unset tls.folder", err}
	case errors.Is(err, fs.ErrPermission):
		return nil, &fault{"the folder " + dir + " cannot be read: permission denied. Let the server's user read it, or unset tls.folder", err}
	case err != nil:
		return nil, err
	}
	var all []*tls.Certificate
	for _, e := range entries {
		certFile, keyFile := pairOf(filepath.Join(dir, e.Name()))
		if certFile == "" {
			continue
		}
		cert, err := readPair(certFile, keyFile)
		if err != nil {
			s.opt.Log.Error("a certificate of tls.folder is not used", "file", certFile, "error", err)
			continue
		}
		if s.now().After(cert.Leaf.NotAfter) {
			s.opt.Log.Error("a certificate of tls.folder has expired and is not used", "file", certFile, "not_after", cert.Leaf.NotAfter.UTC())
			continue
		}
		all = append(all, cert)
	}
	return all, nil
}

// pairOf says what certificate and key an entry of the folder stands for: NAME.crt for itself and
// NAME.key, a folder for fullchain.pem and privkey.pem in it, as ACME clients keep them. Anything else
// is none.
func pairOf(path string) (certFile, keyFile string) {
	if base, ok := strings.CutSuffix(path, ".crt"); ok {
		return path, base + ".key"
	}
	chain := filepath.Join(path, "fullchain.pem")
	if _, err := os.Stat(chain); err != nil {
		return "", ""
	}
	return chain, filepath.Join(path, "privkey.pem")
}
