package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Automatic is what people are told of a name whose certificate comes by ACME (RFC 8555).
type Automatic struct {
	Name      string     `json:"name"`              // the DNS name
	Authority string     `json:"authority"`         // the host that is asked
	Until     *time.Time `json:"until,omitempty"`   // of the certificate that is kept; absent: there is none
	Working   bool       `json:"working"`           // an order is under way
	Instead   bool       `json:"instead"`           // none is ordered: another certificate that was brought is for the name
	Tried     *time.Time `json:"tried,omitempty"`   // when the authority was asked last
	Next      *time.Time `json:"next,omitempty"`    // when it is asked next
	Since     *time.Time `json:"since,omitempty"`   // since when orders fail; absent: the last one did not
	Failures  int        `json:"failures"`          // how many have failed since
	Code      string     `json:"code,omitempty"`    // what is wrong, as one word
	Trouble   string     `json:"trouble,omitempty"` // in words
	Advice    string     `json:"advice,omitempty"`  // what to do about it
	Detail    string     `json:"detail,omitempty"`  // what the authority said
}

// Orders is who gets certificates by ACME.
type Orders interface {
	// Automatic says how it stands with each name, in the order of the configuration.
	Automatic() []Automatic
	// Renew gets a new certificate for a name at once, and returns when it is in use or why it is not.
	// An end of ctx ends the waiting alone. ErrNotAutomatic where the name is not ordered.
	Renew(ctx context.Context, name string) error
}

// ErrNotAutomatic says that no certificate for a name comes by ACME.
var ErrNotAutomatic = errors.New("no certificate for this name comes by ACME")

// Use says who gets certificates by ACME. It must be called before any other goroutine uses the Source.
func (s *Source) Use(o Orders) { s.orders = o }

// Automatic says how it stands with the names whose certificates come by ACME; none where it is off.
func (s *Source) Automatic() []Automatic {
	if s.orders == nil {
		return []Automatic{}
	}
	return s.orders.Automatic()
}

// AutomaticFor is that of a name.
func (s *Source) AutomaticFor(name string) (Automatic, bool) {
	name = s.dnsName(name)
	list := s.Automatic()
	i := slices.IndexFunc(list, func(a Automatic) bool { return a.Name == name })
	if i < 0 {
		return Automatic{}, false
	}
	return list[i], true
}

// Renew gets a new certificate for a name by ACME, as [Orders] says; main is the first domain.
func (s *Source) Renew(ctx context.Context, name string) (Automatic, error) {
	a, ok := s.AutomaticFor(name)
	if !ok {
		return a, ErrNotAutomatic
	}
	err := s.orders.Renew(ctx, a.Name)
	a, _ = s.AutomaticFor(name)
	return a, err
}

// dnsName is a name as ACME has it.
func (s *Source) dnsName(name string) string {
	if name == mainName && len(s.opt.Domains) > 0 {
		name = s.opt.Domains[0]
	}
	return strings.ToLower(ascii(name))
}

// AutomaticDir is the folder of what ACME keeps, below Options.Dir.
const AutomaticDir = "acme"

// issuedFile holds the key, the certificate and its chain: one file, so that no crash parts them.
func (s *Source) issuedFile(name string) string {
	return filepath.Join(s.opt.Dir, AutomaticDir, name+".pem")
}

// issued is the kept certificate for a name, nil where there is none that can be used.
func (s *Source) issued(name string) *pair {
	file := s.issuedFile(name)
	cert, err := readPair(file, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		s.opt.Log.Error("a certificate that came by ACME is not used", "file", file, "error", err)
		return nil
	case s.now().After(cert.Leaf.NotAfter):
		s.opt.Log.Error("a certificate that came by ACME has expired and is not used", "file", file, "not_after", cert.Leaf.NotAfter.UTC())
		return nil
	}
	return &pair{Certificate: cert, name: name, file: file, issued: true}
}

// ordered reports whether certificates for a name come by ACME.
func (s *Source) ordered(name string) bool { return slices.Contains(s.opt.Automatic, name) }

// Issued is the certificate for a name that came by ACME and is in use; nil: there is none. It must not
// be changed.
func (s *Source) Issued(name string) *x509.Certificate {
	if c := s.set.Load().issuedFor(name); c != nil {
		return c.Leaf
	}
	return nil
}

// Brought reports whether a certificate that somebody brought, and that holds for long enough to bring the
// next, is for a name: then none is ordered.
func (s *Source) Brought(name string, enough time.Duration) bool {
	set := s.set.Load()
	for _, c := range append([]*pair{set.main}, set.others...) {
		if !c.issued && c.Leaf.VerifyHostname(name) == nil && c.Leaf.NotAfter.Sub(s.now()) > enough && !selfMade(c.Leaf) {
			return true
		}
	}
	return false
}

// Keep takes a pair that came by ACME into use for its name.
func (s *Source) Keep(name string, certPEM, keyPEM []byte) error {
	if _, _, err := s.check(certPEM, keyPEM); err != nil {
		return err
	}
	file := s.issuedFile(name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := replace(file, slices.Concat(keyPEM, certPEM), 0o600); err != nil {
		return err
	}
	return s.Reload()
}
