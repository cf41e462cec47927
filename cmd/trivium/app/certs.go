package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/internal/certs"
)

// certificateCheck is how often a self-signed certificate is looked at: it is made anew long
// before its end.
const certificateCheck = 24 * time.Hour

func newCerts(lc fx.Lifecycle, cfg *config.Config, log *slog.Logger) (*certs.Source, error) {
	cert, key := cfg.TLS.Paths()
	src, err := certs.Load(certs.Options{CertFile: cert, KeyFile: key, Dir: filepath.Join(cfg.DataDir, "tls"), Folder: cfg.TLS.Folder,
		Domains: append([]string{cfg.Domain}, cfg.Domains...), Log: log})
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

// givenCerts are those of the running server.
func givenCerts(src *certs.Source) certificates {
	return func() (*certs.Source, error) { return src, nil }
}

// offlineCerts are those that a server would use; nil where the first start would make one.
func offlineCerts(cfg *config.Config) certificates {
	return sync.OnceValues(func() (*certs.Source, error) {
		cert, key := cfg.TLS.Paths()
		dir := filepath.Join(cfg.DataDir, "tls")
		if _, err := os.Stat(dir); err != nil && cert == "" {
			return nil, nil
		}
		return certs.Load(certs.Options{CertFile: cert, KeyFile: key, Dir: dir, Folder: cfg.TLS.Folder, Domains: append([]string{cfg.Domain}, cfg.Domains...)})
	})
}

// The three roads share one certificate and are kept apart by ALPN: each listener refuses the
// protocol of another (ALPACA).
func ftpTLS(src *certs.Source) *tls.Config  { return src.Config("ftp") }
func webTLS(src *certs.Source) *tls.Config  { return src.Config("h2", "http/1.1") }
func xmppTLS(src *certs.Source) *tls.Config { return src.Config("xmpp-client") }
