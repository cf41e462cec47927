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

// pair is a certificate with its key, and where it stands.
type pair struct {
	*tls.Certificate
	name   string // main, or what its entry of the folder is called
	file   string
	issued bool // it came by ACME
}

// set is the certificates in use.
type set struct {
	main   *pair
	others []*pair          // of the folder, and uploaded ones
	byName map[string]*pair // by DNS name in lower case, such as "*.example.org" too
}

func newSet(main *pair, others []*pair) *set {
	s := &set{main: main, others: others, byName: map[string]*pair{}}
	for _, c := range append([]*pair{main}, others...) {
		for _, name := range c.Leaf.DNSNames {
			name = strings.ToLower(name)
			if had := s.byName[name]; had == nil || s.before(c, had) {
				s.byName[name] = c
			}
		}
	}
	return s
}

// before says which of two certificates for a name is shown: of two in the folder the one that holds longer,
// and each before the main one. One that nobody vouches for comes after one that came by ACME.
func (s *set) before(c, had *pair) bool {
	switch {
	case had.issued && selfMade(c.Leaf):
		return false
	case c.issued && selfMade(had.Leaf), had == s.main:
		return true
	}
	return c.Leaf.NotAfter.After(had.Leaf.NotAfter)
}

// of is the certificate for a name that a client asks for (RFC 6066 section 3), and the main one where
// none has it.
func (s *set) of(name string) *pair {
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

// issuedFor is the pair for a name that came by ACME, nil where there is none.
func (s *set) issuedFor(name string) *pair {
	for _, c := range append([]*pair{s.main}, s.others...) {
		if c.issued && c.Leaf.VerifyHostname(name) == nil {
			return c
		}
	}
	return nil
}

// has reports whether a certificate is one of the set.
func (s *set) has(leaf *x509.Certificate) bool {
	return s != nil && (s.main.Leaf.Equal(leaf) || slices.ContainsFunc(s.others, func(c *pair) bool { return c.Leaf.Equal(leaf) }))
}

// folder reads the pairs of Options.Folder, those that were uploaded, and those that came by ACME and are
// not the main one. One that is broken is said and
// left out: the other domains are not to fall with it.
func (s *Source) folder(main *pair) ([]*pair, error) {
	var all []*pair
	if dir := s.opt.Folder; dir != "" {
		entries, err := os.ReadDir(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &fault{"the folder " + dir + " does not exist. Make it, or unset tls.folder", err}
		case errors.Is(err, fs.ErrPermission):
			return nil, &fault{"the folder " + dir + " cannot be read: permission denied. Let the server's user read it, or unset tls.folder", err}
		case err != nil:
			return nil, err
		}
		all = s.pairs(dir, entries)
	}
	entries, err := os.ReadDir(s.uploads())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all = append(all, s.pairs(s.uploads(), entries)...)
	for _, name := range s.opt.Automatic {
		if main.issued && name == s.dnsName(mainName) {
			continue
		}
		if c := s.issued(name); c != nil {
			all = append(all, c)
		}
	}
	return all, nil
}

// pairs reads those of a folder that can be used.
func (s *Source) pairs(dir string, entries []fs.DirEntry) (all []*pair) {
	for _, e := range entries {
		if dir == s.uploads() && (e.Name() == mainName+".crt" || strings.HasPrefix(e.Name(), ".")) {
			continue // it stands in the place of the main one, or is half written
		}
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
		all = append(all, &pair{Certificate: cert, name: strings.TrimSuffix(e.Name(), ".crt"), file: certFile})
	}
	return all
}

// pairOf says what certificate and key an entry of the folder stands for: NAME.crt for itself and
// NAME.key, a folder for fullchain.pem and privkey.pem in it, as ACME clients keep them. Anything else
// is none, such as NAME.issuer.crt, which lego writes beside its pairs.
func pairOf(path string) (certFile, keyFile string) {
	if base, ok := strings.CutSuffix(path, ".crt"); ok && !strings.HasSuffix(base, ".issuer") {
		return path, base + ".key"
	}
	chain := filepath.Join(path, "fullchain.pem")
	if _, err := os.Stat(chain); err != nil {
		return "", ""
	}
	return chain, filepath.Join(path, "privkey.pem")
}
