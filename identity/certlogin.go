package identity

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"
)

// Bounds of what a client shows.
const (
	maxChain       = 8 // certificates
	maxNames       = 16
	maxCertOwners  = 8
	certUseUnknown = 2 // accounts of one e-mail address that are read: more than one is nobody
)

// ClientCertificates say which certificates of clients count, beside those in the lists of accounts.
type ClientCertificates struct {
	// Roots are authorities whose certificates let in the accounts that they name by Names; nil: none.
	Roots *x509.CertPool
	Names []CertificateName
	// Revoked are fingerprints of certificates that are good for nothing; UseRevoked replaces them.
	Revoked []string
	// BothFrom is the level of accounts from which on certificate and password are wanted together;
	// 0: from none.
	BothFrom Level
}

// Chain is what a client has shown in a TLS handshake, in which it has proved to have the key of the
// first: tls.ConnectionState.PeerCertificates. A resumed session shows what the first one did.
type Chain []*x509.Certificate

// certified is a certificate that was found to be its account's. It is never changed.
type certified struct {
	fingerprint string
	until       time.Time
	vouched     bool // an authority says so, and no list
	manages     bool
	released    bool // it was taken out of the list, and the session was to stay
}

func (c *certified) is(fingerprint string) bool { return c != nil && c.fingerprint == fingerprint }

// row is it for BrowserRow.
func (c *certified) row(r *BrowserRow) {
	if c != nil {
		r.Certificate, r.CertificateVouched, r.CertificateUntil = c.fingerprint, c.vouched, c.until
	}
}

// certifiedBy is what BrowserRow kept.
func certifiedBy(r BrowserRow) *certified {
	switch {
	case r.Certificate != "":
		return &certified{fingerprint: r.Certificate, vouched: r.CertificateVouched, until: r.CertificateUntil}
	case r.Method == MethodExternal:
		return &certified{released: true}
	}
	return nil
}

// leaf is the client's own, while it is valid and not revoked; nil: there is none.
func (s *Service) leaf(chain Chain) *x509.Certificate {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil
	}
	now, cert := s.now(), chain[0]
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) || s.isRevoked(CertificateFingerprint(cert.Raw)) {
		return nil
	}
	return cert
}

func (s *Service) isRevoked(fingerprint string) bool {
	set := s.revokedCerts.Load()
	if set == nil {
		return false
	}
	_, ok := (*set)[fingerprint]
	return ok
}

// UseRevoked replaces the fingerprints of ClientCertificates.Revoked, and ends the sessions that were
// opened by one of them.
func (s *Service) UseRevoked(fingerprints []string) {
	s.setRevoked(fingerprints)
	s.wait()
	var over []*Session
	for _, ses := range s.Registry.all() {
		if a, ok := ses.attached(); ok && a.cert != nil && s.isRevoked(a.cert.fingerprint) {
			over = append(over, ses)
		}
	}
	s.Registry.finish(over, Reason{Code: ReasonRevoked, Text: certificateGone}, true)
}

func (s *Service) setRevoked(fingerprints []string) {
	set := make(map[string]struct{}, len(fingerprints))
	for _, f := range fingerprints {
		set[CleanFingerprint(f)] = struct{}{}
	}
	s.revokedCerts.Store(&set)
}

const certificateGone = "the certificate was removed or revoked"

// proveCertificate finds whose a log-in's certificate is: of the account that the log-in names, or of
// the only one that it can be.
func (s *Service) proveCertificate(ctx context.Context, c *claim) error {
	cert := s.leaf(c.login.Certificate)
	if cert == nil {
		return ErrCredentials
	}
	if c.login.Name == "" {
		return s.findCertified(ctx, c, cert)
	}
	acc, err := s.lookup(ctx, c.login)
	if err != nil {
		return err
	}
	id := UserID("")
	if acc != nil {
		id = acc.ID
	}
	found, err := s.certifies(ctx, id, c.login.Certificate)
	switch {
	case err != nil:
		return unavailable(ctx, err)
	case acc == nil || found == nil:
		return ErrCredentials
	}
	c.acc, c.cert = acc, found
	return nil
}

// certifies reports what a certificate is to an account; nil: nothing. For nobody ("") it does the
// same work.
func (s *Service) certifies(ctx context.Context, id UserID, chain Chain) (*certified, error) {
	cert := s.leaf(chain)
	if cert == nil {
		return nil, nil
	}
	found := &certified{fingerprint: CertificateFingerprint(cert.Raw), until: cert.NotAfter}
	row, err := s.store.Certificate(ctx, id, found.fingerprint)
	switch {
	case err == nil:
		found.manages = row.Manages
		return found, nil
	case !errors.Is(err, ErrNotFound):
		return nil, err
	}
	named, until, err := s.vouchedFor(ctx, chain)
	if err != nil || !slices.ContainsFunc(named, func(a *Account) bool { return a.ID == id }) {
		return nil, err
	}
	found.vouched, found.manages, found.until = true, true, until
	return found, nil
}

// findCertified finds the one account of a certificate: of those that have it in their lists and
// those that it names there must be one, within the domain of the log-in.
func (s *Service) findCertified(ctx context.Context, c *claim, cert *x509.Certificate) error {
	owners, err := s.store.CertificateOwners(ctx, CertificateFingerprint(cert.Raw), maxCertOwners)
	if err != nil {
		return unavailable(ctx, err)
	}
	all, _, err := s.vouchedFor(ctx, c.login.Certificate)
	if err != nil {
		return unavailable(ctx, err)
	}
	for _, id := range owners {
		acc, err := s.byID(ctx, id)
		if err != nil {
			return err
		}
		if acc != nil && !slices.ContainsFunc(all, func(a *Account) bool { return a.ID == acc.ID }) {
			all = append(all, acc)
		}
	}
	if c.login.Domain != "" {
		domain, err := ParseDomain(c.login.Domain)
		if err != nil {
			return ErrCredentials
		}
		all = slices.DeleteFunc(all, func(a *Account) bool { return a.Domain != domain })
	}
	if len(all) != 1 {
		return ErrCredentials
	}
	found, err := s.certifies(ctx, all[0].ID, c.login.Certificate)
	if err != nil {
		return unavailable(ctx, err)
	}
	if found == nil {
		return ErrCredentials
	}
	c.acc, c.cert = all[0], found
	return nil
}

// vouchedFor are the accounts that a certificate names, where an authority that is trusted has signed
// it for the use by clients (RFC 5280 section 6), and until when that holds.
func (s *Service) vouchedFor(ctx context.Context, chain Chain) (all []*Account, until time.Time, err error) {
	rules := s.opts.Certificates
	cert := s.leaf(chain)
	if rules.Roots == nil || len(rules.Names) == 0 || cert == nil {
		return nil, until, nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	chains, err := cert.Verify(x509.VerifyOptions{Roots: rules.Roots, Intermediates: between, CurrentTime: s.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, until, nil
	}
	i := slices.IndexFunc(chains, func(list []*x509.Certificate) bool {
		return !slices.ContainsFunc(list, func(c *x509.Certificate) bool { return s.isRevoked(CertificateFingerprint(c.Raw)) })
	})
	if i < 0 {
		return nil, until, nil
	}
	for j, c := range chains[i] {
		if j == 0 || c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	for _, n := range namesOf(cert) {
		for _, rule := range rules.Names {
			acc, err := s.named(ctx, rule, n)
			if err != nil {
				return nil, until, err
			}
			if acc != nil && !slices.ContainsFunc(all, func(a *Account) bool { return a.ID == acc.ID }) {
				all = append(all, acc)
			}
		}
	}
	return all, until, nil
}

// named is the account that a name means by a rule; nil: none, or more than one.
func (s *Service) named(ctx context.Context, rule CertificateName, n certName) (*Account, error) {
	if rule.Kind == NameProfileEmail && n.kind == NameEmail {
		list, err := s.store.AccountsByEmail(ctx, n.text, certUseUnknown)
		if err != nil || len(list) != 1 || list[0].State == UserDeleted {
			return nil, err
		}
		return &list[0], nil
	}
	text, ok := rule.login(n)
	if !ok {
		return nil, nil
	}
	name, domain, err := ParseAddress(text, s.opts.Domain)
	if err != nil || name.Reserved() || !slices.Contains(s.domains, domain) {
		return nil, nil
	}
	acc, err := s.store.Account(ctx, domain, name)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &acc, nil
}

// showCertificate looks whether what was shown beside another secret is the account's.
func (s *Service) showCertificate(ctx context.Context, c *claim) error {
	if c.cert != nil || c.grant != nil || c.acc == nil || len(c.login.Certificate) == 0 {
		return nil
	}
	found, err := s.certifies(ctx, c.acc.ID, c.login.Certificate)
	if err != nil {
		return unavailable(ctx, err)
	}
	c.cert = found
	return nil
}

// certify gives an attachment the certificate of its log-in, with which it ends.
func (a *attachment) certify(c *certified) {
	a.cert = c
	if c != nil && !c.until.IsZero() && (a.expires.IsZero() || c.until.Before(a.expires)) {
		a.expires, a.aged = c.until, false
	}
}

// certificateHolds re-reads what a session's certificate is to its account; nil error while it is.
// ErrCredentials where it is not any more.
func (s *Service) certificateHolds(ctx context.Context, id UserID, c *certified) error {
	switch {
	case c == nil || c.released:
		return nil
	case s.isRevoked(c.fingerprint), !s.now().Before(c.until):
		return ErrCredentials
	case c.vouched && s.opts.Certificates.Roots == nil:
		return ErrCredentials
	case c.vouched:
		return nil
	}
	_, err := s.store.Certificate(ctx, id, c.fingerprint)
	if errors.Is(err, ErrNotFound) {
		return ErrCredentials
	}
	return err
}

// certificateGone reports whether a session's certificate is known to be its account's no more. Where
// the store does not say, the session goes on, as with tokens.
func (s *Service) certificateGone(id UserID, c *certified) bool {
	if c == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), truthTimeout)
	defer cancel()
	return errors.Is(s.certificateHolds(ctx, id, c), ErrCredentials)
}

// bothDemanded reports whether certificate and password are wanted together.
func (s *Service) bothDemanded(level Level, class *Class) bool {
	return class != nil && class.CertificateAndPassword || s.opts.Certificates.BothFrom != LevelNone && level.Allows(s.opts.Certificates.BothFrom)
}

// bothHold is ErrCertificate where certificate and password are wanted together and one of them is
// missing. Tokens and passkeys are neither, and go on.
func (s *Service) bothHold(class *Class, acc *Account, a *attachment) error {
	switch {
	case a.creds.Grant != nil, !s.bothDemanded(acc.Level, class):
		return nil
	case a.method == MethodExternal:
		return ErrCertificate
	case a.method.strong(), a.cert != nil:
		return nil
	}
	return ErrCertificate
}

// certificateUsed notes that a certificate of the account's list was used.
func (s *Service) certificateUsed(c *claim, at time.Time) {
	if c.cert == nil || c.cert.vouched || c.cert.released {
		return
	}
	row := CertificateRow{User: c.acc.ID, Fingerprint: c.cert.fingerprint, UsedAt: at.UTC().Truncate(timeUnit),
		UsedProtocol: c.ses.protocol, UsedRemote: remoteText(c.ses)}
	s.behind.push(func(ctx context.Context, w StoreWriter) error {
		err := w.UseCertificate(ctx, row)
		if errors.Is(err, ErrNotFound) {
			return nil // it was removed meanwhile
		}
		return err
	})
}

// certificateDetail is what the audit log says of a log-in's certificate.
func (c *claim) certificateDetail() string {
	switch {
	case c.cert != nil:
		return "certificate " + c.cert.fingerprint
	case c.login.Method == MethodExternal && len(c.login.Certificate) > 0:
		return "certificate " + CertificateFingerprint(c.login.Certificate[0].Raw)
	}
	return ""
}

// text of several details.
func details(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}
