package certs

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// noProtocol stands in NextProtos of a listener that names no ALPN: no client offers it, so each
// client that offers any is refused, as an empty list would not do.
const noProtocol = "trivium/none"

// soon is how long before its end a certificate is spoken of in the log.
const soon = 14 * 24 * time.Hour

// Options say where the certificate comes from.
type Options struct {
	// CertFile (the certificate, then the chain) and KeyFile are PEM files; both or neither.
	CertFile, KeyFile string
	// Dir is where a self-signed certificate is kept when there are no files. It is made, with
	// mode 0700, if need be.
	Dir string
	// Folder holds further pairs, each for the names in it: NAME.crt with NAME.key, or NAME/fullchain.pem
	// with NAME/privkey.pem. "" is none.
	Folder string
	// Automatic are the names whose certificates come by ACME, in the form of the DNS; nil: it is off.
	Automatic []string
	// Domains are the server's own, first the default one.
	Domains []string
	// Log hears of names that the certificate lacks, of its coming end, and of a new one.
	Log *slog.Logger
}

// Source is the certificates in use: the main one, and those of the folder for their names. Its methods
// may be called from any goroutine.
type Source struct {
	opt Options
	now func() time.Time
	mu  sync.Mutex // one Reload at a time

	orders Orders // who gets certificates by ACME; nil: nobody does
	set    atomic.Pointer[set]
}

// Load reads the certificate files, or where Options names none reads or makes the self-signed
// certificate. Its error is one line that names the file and what to do.
func Load(opt Options) (*Source, error) {
	return load(opt, time.Now)
}

func load(opt Options, now func() time.Time) (*Source, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Source{opt: opt, now: now}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the files again; connections made from then on get the new certificate. After an
// error the old one stays in use. It also renews a self-signed certificate near its end, so it is
// worth calling once a day.
func (s *Source) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cert, err := s.fetch()
	if err != nil {
		return err
	}
	others, err := s.folder(cert)
	if err != nil {
		return err
	}
	now := newSet(cert, others)
	old := s.set.Swap(now) // sessions that run keep theirs
	news := false
	for _, c := range append([]*pair{cert}, others...) {
		if !old.has(c.Leaf) {
			s.remark(c.Leaf)
			news = true
		}
	}
	for _, d := range s.opt.Domains {
		if name := ascii(d); news && now.of(name).Leaf.VerifyHostname(name) != nil {
			s.opt.Log.Warn("certificate lacks a domain; clients will refuse it there", "domain", d)
		}
	}
	return nil
}

// fetch reads the main pair: that of the files, else the uploaded one, else that which came by ACME for the
// first domain, else the self-signed.
func (s *Source) fetch() (*pair, error) {
	o := s.opt
	switch {
	case o.CertFile != "" && o.KeyFile != "":
		cert, err := readPair(o.CertFile, o.KeyFile)
		if err != nil {
			return nil, err
		}
		if end := cert.Leaf.NotAfter; s.now().After(end) {
			return nil, fmt.Errorf("the certificate in %s expired on %s. Renew it, or unset tls.cert and tls.key to use a self-signed one",
				o.CertFile, end.UTC().Format(time.DateOnly))
		}
		return &pair{Certificate: cert, name: mainName, file: o.CertFile}, nil
	case o.CertFile != "":
		return nil, errors.New("tls.cert is set and tls.key is not: set both, or neither for a self-signed certificate")
	case o.KeyFile != "":
		return nil, errors.New("tls.key is set and tls.cert is not: set both, or neither for a self-signed certificate")
	case o.Dir == "":
		return nil, errors.New("there is no certificate and no folder to keep a self-signed one in: set tls.cert and tls.key, or data_dir")
	}
	if up := s.uploadedMain(); up != nil {
		return up, nil
	}
	if name := s.dnsName(mainName); s.ordered(name) {
		if c := s.issued(name); c != nil {
			c.name = mainName
			return c, nil
		}
	}
	cert, err := s.selfSigned()
	if err != nil {
		return nil, err
	}
	return &pair{Certificate: cert, name: mainName, file: filepath.Join(o.Dir, certName)}, nil
}

// remark logs what a person should know of a certificate that came into use.
func (s *Source) remark(leaf *x509.Certificate) {
	s.opt.Log.Info("certificate in use", "subject", leaf.Subject.String(), "names", leaf.DNSNames,
		"not_after", leaf.NotAfter.UTC(), "sha256", fingerprint(leaf))
	now := s.now()
	if now.Before(leaf.NotBefore) {
		s.opt.Log.Warn("certificate is not valid yet; look at the clock", "not_before", leaf.NotBefore.UTC())
	}
	if leaf.NotAfter.Sub(now) < soon {
		s.opt.Log.Warn("certificate ends soon; renew it", "not_after", leaf.NotAfter.UTC())
	}
}

// Config answers the TLS configuration of one listener. alpn are the protocols it speaks: a client
// that offers others only is refused in the handshake (RFC 7301 section 3.2), one that offers none
// is let in; without alpn every offer is refused. The certificate follows Reload. Each call makes
// its own configuration, so that no session ticket of one road resumes on another.
func (s *Source) Config(alpn ...string) *tls.Config {
	protos := append([]string(nil), alpn...)
	if len(protos) == 0 {
		protos = []string{noProtocol}
	}
	return &tls.Config{
		MinVersion:    tls.VersionTLS12,
		NextProtos:    protos,
		Renegotiation: tls.RenegotiateNever,
		// A name that no certificate has gets the main one: a client that asked for it finds out by
		// itself, with a better message than an alert.
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.set.Load().of(hello.ServerName).Certificate, nil
		},
	}
}

// Leaf is the main certificate in use, without its chain. It must not be changed.
func (s *Source) Leaf() *x509.Certificate { return s.set.Load().main.Leaf }

// Has reports whether a certificate is one of those in use.
func (s *Source) Has(leaf *x509.Certificate) bool { return s.set.Load().has(leaf) }

// Fingerprint is the SHA-256 of the main certificate in use as clients show it: AB:CD:…
func (s *Source) Fingerprint() string { return fingerprint(s.Leaf()) }

func fingerprint(leaf *x509.Certificate) string {
	sum := sha256.Sum256(leaf.Raw)
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}
