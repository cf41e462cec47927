package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/internal/acme"
	"trivium/internal/certs"
	"trivium/web"
)

// certificateCheck is how often a self-signed certificate is looked at: it is made anew long
// before its end.
const certificateCheck = 24 * time.Hour

func newCerts(lc fx.Lifecycle, cfg *config.Config, log *slog.Logger) (*certs.Source, error) {
	src, err := certs.Load(certOptions(cfg, log))
	if err != nil {
		return nil, err
	}
	background(lc, func(ctx context.Context) {
		tick := time.NewTicker(certificateCheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := src.Reload(); err != nil {
					log.Error("the certificate was not read again; the old one stays in use", "err", err)
				}
			}
		}
	})
	return src, nil
}

// certOptions say where the certificates come from.
func certOptions(cfg *config.Config, log *slog.Logger) certs.Options {
	cert, key := cfg.TLS.Paths()
	o := certs.Options{CertFile: cert, KeyFile: key, Dir: filepath.Join(cfg.DataDir, "tls"), Folder: cfg.TLS.Folder,
		Domains: append([]string{cfg.Domain}, cfg.Domains...), Log: log}
	if cfg.TLS.ACME == "on" {
		o.Automatic = cfg.ACMENames()
	}
	return o
}

// automatic gets certificates by ACME; nil where that is off. It asks nobody before Run.
func automatic(cfg *config.Config, src *certs.Source, v buildVersion, log *slog.Logger) (*acme.Manager, error) {
	if cfg.TLS.ACME != "on" {
		return nil, nil
	}
	roots, err := authorities(cfg.TLS.ACMECA)
	if err != nil {
		return nil, err
	}
	http, tls := cfg.ACMEAnswers()
	bound := acme.Binding{KeyID: cfg.TLS.ACMEEABKid, Key: func() []byte {
		key, _ := cfg.TLS.ACMEEABKey() // which the configuration has checked
		return key
	}}
	m, err := acme.New(acme.Options{Directory: cfg.TLS.ACMEDirectory, Email: cfg.TLS.ACMEEmail, Binding: bound, Names: cfg.ACMENames(),
		Dir: filepath.Join(cfg.DataDir, "tls", certs.AutomaticDir), Certificates: src, HTTP: http, TLS: tls, Roots: roots, Version: string(v), Log: log})
	if err != nil {
		return nil, err
	}
	src.Use(m)
	return m, nil
}

// newACME runs beside the servers, which answer for it: it begins after they have opened, and ends before
// they close.
func newACME(lc fx.Lifecycle, m *acme.Manager) {
	if m != nil {
		background(lc, m.Run)
	}
}

// authorities are those of a PEM file; nil for "".
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("reading tls.acme_ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("the file %s of tls.acme_ca holds no certificate; it is PEM with a BEGIN CERTIFICATE line", file)
	}
	return pool, nil
}

// challenges are the answers of ACME to the pages' listeners; nil where it is off.
func challenges(m *acme.Manager) web.Challenges {
	if m == nil {
		return nil
	}
	return m.Answers()
}

// givenCerts are those of the running server.
func givenCerts(src *certs.Source) certificates {
	return func() (*certs.Source, error) { return src, nil }
}

// offlineCerts are those that a server would use; nil where the first start would make one.
func offlineCerts(cfg *config.Config) certificates {
	return sync.OnceValues(func() (*certs.Source, error) {
		o := certOptions(cfg, nil)
		if _, err := os.Stat(o.Dir); err != nil && o.CertFile == "" {
			return nil, nil
		}
		src, err := certs.Load(o)
		if err != nil {
			return nil, err
		}
		_, err = automatic(cfg, src, "", slog.New(slog.DiscardHandler)) // says how it stood when the server ran
		return src, err
	})
}

// The three roads share one certificate and are kept apart by ALPN: each listener refuses the
// protocol of another (ALPACA).
func ftpTLS(src *certs.Source) *tls.Config  { return src.Config("ftp") }
func webTLS(src *certs.Source) *tls.Config  { return src.Config("h2", "http/1.1") }
func xmppTLS(src *certs.Source) *tls.Config { return src.Config("xmpp-client") }
