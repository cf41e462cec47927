package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of the certificates of one account.
const (
	maxCertificates     = 20
	maxCertificateLabel = 128     // bytes
	maxCertificateDER   = 8 << 10 // bytes
)

// The events of certificates in the audit log.
const (
	EventCertificateAdd    = "certificate.add"
	EventCertificateRemove = "certificate.remove"
)

// CertificateRow is a client certificate of an account, as it is stored.
type CertificateRow struct {
	User        UserID
	Fingerprint string // SHA-256 of DER in hexadecimal, small letters
	Label       string // in the owner's words; each account has it once
	DER         []byte
	Manages     bool // whoever logs in by it alone may change the list (XEP-0257 section 2.1)
	AddedAt     time.Time

	UsedAt       time.Time // zero: never
	UsedProtocol Protocol
	UsedRemote   string // a host address
}

// Certificate is what lists show of a client certificate.
type Certificate struct {
	Fingerprint  string     `json:"fingerprint"` // SHA-256 in hexadecimal
	Label        string     `json:"label"`
	Subject      string     `json:"subject"`
	Issuer       string     `json:"issuer"`
	Names        []string   `json:"names"` // that it gives its owner (subject alternative names)
	NotBefore    time.Time  `json:"not_before"`
	NotAfter     time.Time  `json:"not_after"`
	Manages      bool       `json:"manages"` // a log-in by it alone may change the list
	AddedAt      time.Time  `json:"added_at"`
	LastUsed     *time.Time `json:"last_used"`
	LastProtocol Protocol   `json:"last_protocol"`
	LastRemote   string     `json:"last_remote"`

	DER []byte `json:"-"`
}

func (r CertificateRow) shown() Certificate {
	c := Certificate{Fingerprint: r.Fingerprint, Label: r.Label, Manages: r.Manages, AddedAt: r.AddedAt, Names: []string{},
		LastProtocol: r.UsedProtocol, LastRemote: r.UsedRemote, DER: r.DER}
	if !r.UsedAt.IsZero() {
		at := r.UsedAt
		c.LastUsed = &at
	}
	cert, err := x509.ParseCertificate(r.DER)
	if err != nil {
		return c // it was one when it was added
	}
	c.Subject, c.Issuer = plain(clip(cert.Subject.String(), maxHeader)), plain(clip(cert.Issuer.String(), maxHeader))
	c.NotBefore, c.NotAfter = cert.NotBefore, cert.NotAfter
	for _, n := range namesOf(cert) {
		c.Names = append(c.Names, plain(clip(string(n.kind)+":"+n.text, maxHeader)))
	}
	return c
}

// CertificateFingerprint is by what a certificate is known: its SHA-256 in hexadecimal.
func CertificateFingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// ErrCertificateRoom is the answer where an account has all the certificates that it may have. It
// wraps ErrRefused.
var ErrCertificateRoom error = &fault{ErrRefused, "the account has 20 certificates, which is all it may have; remove one first"}

// ParseCertificatePEM finds the one certificate in a PEM text, or takes the text for DER. The error
// wraps ErrInvalid, and says what is wrong.
func ParseCertificatePEM(text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		if _, err := x509.ParseCertificate(text); err != nil {
			return nil, faultf(ErrInvalid, "that is no certificate: it is a text that begins with -----BEGIN CERTIFICATE-----")
		}
		return text, nil
	}
	var der []byte
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch {
		case strings.Contains(block.Type, "PRIVATE KEY"):
			return nil, faultf(ErrInvalid, "that holds a private key, which nobody but you should have; give the certificate alone")
		case block.Type == "CERTIFICATE" && der == nil:
			der = block.Bytes // those behind it are of authorities
		}
	}
	if der == nil {
		return nil, faultf(ErrInvalid, "there is no certificate in that")
	}
	return der, nil
}

// NewCertificate is a certificate that somebody adds.
type NewCertificate struct {
	Label   string // "": its common name
	DER     []byte
	Manages bool
}

// row checks it; every error wraps ErrInvalid.
func (n NewCertificate) row(id UserID, now time.Time) (CertificateRow, error) {
	if len(n.DER) > maxCertificateDER {
		return CertificateRow{}, faultf(ErrInvalid, "the certificate is larger than %d bytes", maxCertificateDER)
	}
	cert, err := x509.ParseCertificate(n.DER)
	switch {
	case err != nil:
		return CertificateRow{}, faultf(ErrInvalid, "that is no X.509 certificate")
	case now.After(cert.NotAfter):
		return CertificateRow{}, faultf(ErrInvalid, "the certificate expired on %s", cert.NotAfter.UTC().Format(time.DateOnly))
	}
	label := n.Label
	if label == "" {
		label = strings.TrimSpace(plain(clip(cert.Subject.CommonName, maxCertificateLabel)))
	}
	if label == "" {
		label = "certificate of " + now.UTC().Format(time.DateOnly)
	}
	if len(label) > maxCertificateLabel || !utf8.ValidString(label) || label != strings.TrimSpace(label) ||
		strings.ContainsFunc(label, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return CertificateRow{}, faultf(ErrInvalid, "a name of a certificate is one line of at most %d bytes", maxCertificateLabel)
	}
	return CertificateRow{User: id, Fingerprint: CertificateFingerprint(n.DER), Label: label, DER: n.DER, Manages: n.Manages,
		AddedAt: now.UTC().Truncate(timeUnit)}, nil
}

// Certificates lists the client certificates of an account (login or login@domain), by label.
func (s *Service) Certificates(ctx context.Context, name string) ([]Certificate, error) {
	acc, err := s.find(ctx, s.store, name)
	if err != nil {
		return nil, err
	}
	rows, err := s.store.Certificates(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Certificate, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.shown())
	}
	return out, nil
}

// AddCertificate lets whoever has the key of a certificate log in as an account. Those of the account
// that have expired go. The error wraps ErrInvalid or ErrExists, or is ErrCertificateRoom.
func (s *Service) AddCertificate(ctx context.Context, by Actor, name string, n NewCertificate) (Certificate, error) {
	var row CertificateRow
	var acc Account
	err := s.edit(ctx, by, func(e *edit) error {
		var err error
		if acc, err = s.find(ctx, e, name); err != nil {
			return err
		}
		if err := s.mayChange(by, acc.User, true); err != nil {
			return err
		}
		now := s.now()
		if row, err = n.row(acc.ID, now); err != nil {
			return err
		}
		list, err := e.Certificates(ctx, acc.ID)
		if err != nil {
			return err
		}
		var over []string
		for _, old := range list {
			if cert, err := x509.ParseCertificate(old.DER); err != nil || now.After(cert.NotAfter) {
				over = append(over, old.Fingerprint)
				e.note(EventCertificateRemove, s.display(acc.Login, acc.Domain), shownCertificate(old), fields{})
			}
		}
		if len(list)-len(over) >= maxCertificates {
			return ErrCertificateRoom
		}
		if err := e.RemoveCertificates(ctx, acc.ID, over...); err != nil {
			return err
		}
		if err := e.AddCertificate(ctx, row); err != nil {
			if errors.Is(err, ErrExists) {
				err = faultf(ErrExists, "the account has this certificate already, or another one of that name")
			}
			return err
		}
		e.note(EventCertificateAdd, s.display(acc.Login, acc.Domain), nil, shownCertificate(row))
		e.concern(acc.ID)
		return nil
	})
	if err != nil {
		return Certificate{}, err
	}
	told := s.about(NoticeFactor, &acc)
	told.What, told.By, told.Remote = "client certificate "+row.Label, by.User, by.Remote
	s.notify(ctx, told)
	return row.shown(), nil
}

// shownCertificate is what the audit log says of a certificate.
func shownCertificate(r CertificateRow) fields {
	c := r.shown()
	return fields{"fingerprint": c.Fingerprint, "label": c.Label, "subject": c.Subject, "not_after": c.NotAfter.UTC().Format(time.RFC3339)}
}

// RemoveCertificate takes a certificate, by its fingerprint or label, out of the list of an account.
// The sessions that were opened by it end before it returns; with keep they stay.
func (s *Service) RemoveCertificate(ctx context.Context, by Actor, name, which string, keep bool) (Certificate, error) {
	var gone CertificateRow
	var acc Account
	var undo []func()
	err := s.edit(ctx, by, func(e *edit) error {
		var err error
		if acc, err = s.find(ctx, e, name); err != nil {
			return err
		}
		if err := s.mayChange(by, acc.User, true); err != nil {
			return err
		}
		list, err := e.Certificates(ctx, acc.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(r CertificateRow) bool { return r.Fingerprint == CleanFingerprint(which) })
		if i < 0 {
			i = slices.IndexFunc(list, func(r CertificateRow) bool { return r.Label == which })
		}
		if i < 0 {
			return faultf(ErrNotFound, "%q has no certificate %q", name, which)
		}
		gone = list[i]
		if err := e.RemoveCertificates(ctx, acc.ID, gone.Fingerprint); err != nil {
			return err
		}
		if keep {
			for _, ses := range s.Registry.ofOwner(acc.ID) {
				if a, ok := ses.attached(); ok && a.cert.is(gone.Fingerprint) {
					undo = append(undo, s.release(ses, acc.ID))
				}
			}
		}
		e.note(EventCertificateRemove, s.display(acc.Login, acc.Domain), shownCertificate(gone), fields{})
		e.concern(acc.ID)
		return nil
	})
	if err != nil {
		for _, f := range undo {
			f()
		}
		return Certificate{}, err
	}
	told := s.about(NoticeFactor, &acc)
	told.What, told.Removed, told.By, told.Remote = "client certificate "+gone.Label, true, by.User, by.Remote
	s.notify(ctx, told)
	return gone.shown(), nil
}

// release lets a session live on without its certificate, and undo takes that back.
func (s *Service) release(ses *Session, id UserID) (undo func()) {
	was, ok := ses.attached()
	if !ok {
		return func() {}
	}
	s.adoptAs(ses, id, func(a *attachment) {
		a.cert = &certified{released: true}
	})
	return func() { s.adoptAs(ses, id, func(a *attachment) { a.cert = was.cert }) }
}

// CleanFingerprint is a SHA-256 as people write it, in the form in which it is kept: hexadecimal in
// small letters, without colons or blanks.
func CleanFingerprint(text string) string {
	return strings.ToLower(strings.NewReplacer(":", "", " ", "", "\t", "").Replace(strings.TrimSpace(text)))
}

// forgetCertificates removes those of an account that goes.
func forgetCertificates(ctx context.Context, w StoreWriter, id UserID) error {
	list, err := w.Certificates(ctx, id)
	if err != nil || len(list) == 0 {
		return err
	}
	all := make([]string, len(list))
	for i, c := range list {
		all[i] = c.Fingerprint
	}
	return w.RemoveCertificates(ctx, id, all...)
}

// MayManageCertificates says by nil that a session may change the certificates of its account. Who
// adds one adds a key to the account: a token does not suffice for that, nor a certificate that was
// added without that right (XEP-0257 section 6).
func (s *Service) MayManageCertificates(ses *Session) error {
	a, ok := ses.attached()
	switch {
	case !ok || a.creds.Anonymous():
		return ErrEnded
	case a.creds.Grant != nil:
		return faultf(ErrRefused, "an app password cannot change the list; log in with your password")
	case a.method == MethodExternal && (a.cert == nil || !a.cert.manages):
		return faultf(ErrRefused, "this client's certificate does not allow it to change the list")
	}
	return nil
}

// Certificate is the fingerprint of the client certificate by which a session logged in, alone or
// beside a password; "" where there was none.
func (s *Session) Certificate() string {
	if a := s.had(); a != nil && a.cert != nil {
		return a.cert.fingerprint
	}
	return ""
}

// Delegated reports whether the session was opened by what the account's owner has given a client in
// the place of the password: an app password, or a certificate that stands in the account's list.
func (s *Session) Delegated() bool {
	a := s.had()
	return a != nil && (a.creds.Grant != nil || a.method == MethodExternal && (a.cert == nil || !a.cert.vouched))
}
