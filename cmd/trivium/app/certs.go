package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"path/filepath"
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

// The three roads share one certificate and are kept apart by ALPN: each listener refuses the
// protocol of another (ALPACA).
func ftpTLS(src *certs.Source) *tls.Config  { return src.Config("ftp") }
func webTLS(src *certs.Source) *tls.Config  { return src.Config("h2", "http/1.1") }
func xmppTLS(src *certs.Source) *tls.Config { return src.Config("xmpp-client") }
