package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"trivium/config"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb"
	xmppstore "trivium/xmpp/sqlstore"
)

// clientCertificates are the rules of config for certificates of clients.
func clientCertificates(cfg *config.Config) (identity.ClientCertificates, error) {
	var out identity.ClientCertificates
	i := cfg.Identity
	switch i.CertificateAndPassword {
	case "everyone":
		out.BothFrom = identity.LevelLoggedIn
	case "nobody", "":
	default:
		out.BothFrom = level(i.CertificateAndPassword)
	}
	for _, text := range i.ClientNames {
		n, err := identity.ParseCertificateName(text)
		if err != nil {
			return out, err // config has checked it
		}
		out.Names = append(out.Names, n)
	}
	if i.ClientCA != "" {
		text, err := os.ReadFile(filepath.Clean(i.ClientCA))
		if err != nil {
			return out, fmt.Errorf("reading identity.client_ca: %w", err)
		}
		out.Roots = x509.NewCertPool()
		if !out.Roots.AppendCertsFromPEM(text) {
			return out, fmt.Errorf("%s, which identity.client_ca names, holds no certificate in PEM", i.ClientCA)
		}
	}
	var err error
	out.Revoked, err = revokedCertificates(i.ClientRevoked)
	return out, err
}

// revokedCertificates reads a file of fingerprints; # begins a remark.
func revokedCertificates(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("reading identity.client_revoked: %w", err)
	}
	var all []string
	n := 0
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		n++
		line, _, _ := strings.Cut(lines.Text(), "#")
		if line = identity.CleanFingerprint(line); line == "" {
			continue
		}
		if b, err := hex.DecodeString(line); err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("identity.client_revoked: %s:%d is no SHA-256 fingerprint, which has 64 hexadecimal digits", path, n)
		}
		all = append(all, line)
	}
	return all, nil
}

// moveCertificates takes the client certificates over that chat kept before there was one list for all
// roads. What cannot be read any more, or whose account is gone, is left out.
func moveCertificates(ctx context.Context, db *sqldb.DB, log *slog.Logger) error {
	old := xmppstore.New(db)
	list, err := old.OldCertificates(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	to := identitystore.New(db)
	for _, c := range list {
		row := identity.CertificateRow{User: c.Owner, Fingerprint: identity.CertificateFingerprint(c.DER), Label: c.Name, DER: c.DER,
			Manages: c.Manages, AddedAt: c.Added}
		err := to.Write(ctx, func(w identity.StoreWriter) error { return w.AddCertificate(ctx, row) })
		switch {
		case errors.Is(err, identity.ErrExists), errors.Is(err, identity.ErrNotFound):
			log.Info("an old certificate was not moved", "user", string(c.Owner), "fingerprint", row.Fingerprint, "error", err)
		case err != nil:
			return err
		}
	}
	return old.ForgetOldCertificates(ctx)
}
