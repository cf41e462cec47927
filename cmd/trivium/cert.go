package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// serverCert is a certificate of the server itself.
type serverCert struct {
	Name       string    `json:"name"`
	Names      []string  `json:"names"`
	Issuer     string    `json:"issuer"`
	From       time.Time `json:"from"`
	Until      time.Time `json:"until"`
	Key        string    `json:"key"`
	SHA256     string    `json:"sha256"`
	SelfSigned bool      `json:"self_signed"`
	Chain      []string  `json:"chain"`
	ChainError string    `json:"chain_error"`
	File       string    `json:"file"`
	Domains    []string  `json:"domains"`
}

type certCmd struct {
	List       certListCmd       `cmd:"" aliases:"ls" help:"List the certificates of the server."`
	Show       certShowCmd       `cmd:"" help:"Show one."`
	Import     certImportCmd     `cmd:"" help:"Check a certificate and its key, and use them on all roads at once."`
	Selfsigned certSelfsignedCmd `cmd:"" help:"Make a self-signed certificate and use it."`
}

type certListCmd struct{}

// Run lists.
func (c *certListCmd) Run(s *shell) error {
	return tableOf(s, "/certificates", "No certificates.", []string{"NAME", "FOR", "UNTIL", "KEY", "STATE"}, func(x serverCert) []string {
		state := "ok"
		switch {
		case x.Until.Before(time.Now()):
			state = "expired"
		case x.SelfSigned:
			state = "self-signed"
		case x.ChainError != "":
			state = "chain not trusted here"
		}
		return []string{x.Name, strings.Join(x.Names, " "), x.Until.Format(time.DateOnly), x.Key, state}
	})
}

type certShowCmd struct {
	Name string `arg:"" name:"name" help:"main, the name of a pair, or a domain of the server."`
}

// Run shows one.
func (c *certShowCmd) Run(s *shell) error {
	var list []serverCert
	if _, err := s.get("/certificates", nil, &list); err != nil {
		return err
	}
	for _, x := range list {
		if x.Name != c.Name && !isOneOf(c.Name, x.Domains) {
			continue
		}
		if s.JSON {
			return s.object(x)
		}
		return s.fields("name", x.Name, "for", strings.Join(x.Names, ", "), "issuer", x.Issuer, "from", x.From.Format(time.DateOnly), "until", x.Until.Format(time.DateOnly),
			"key", x.Key, "chain", strings.Join(x.Chain, " → "), "trust", x.ChainError, "sha256", x.SHA256, "file", x.File)
	}
	return &failure{exit: exitNotFound, code: "not_found", message: fmt.Sprintf("no certificate %q", c.Name), hint: "trivium cert list shows them"}
}

type certImportCmd struct {
	Name string `arg:"" name:"name" help:"main, which clients get on all roads, or a name for a pair of its own."`
	Cert string `name:"cert" required:"" placeholder:"FILE" help:"The certificate and its chain, in PEM."`
	Key  string `name:"key" required:"" placeholder:"FILE" help:"Its private key, in PEM."`
}

// Run imports.
func (c *certImportCmd) Run(s *shell) error {
	cert, err := os.ReadFile(filepath.Clean(c.Cert))
	if err != nil {
		return fmt.Errorf("cannot read the certificate: %w", err)
	}
	key, err := os.ReadFile(filepath.Clean(c.Key))
	if err != nil {
		return fmt.Errorf("cannot read the key: %w", err)
	}
	var x serverCert
	if _, err := s.send(http.MethodPut, "/certificates/"+url.PathEscape(c.Name), nil, map[string]string{"certificate": string(cert), "key": string(key)}, &x); err != nil {
		return err
	}
	return s.done(x, "The certificate for %s is in use, until %s.", strings.Join(x.Names, ", "), x.Until.Format(time.DateOnly))
}

type certSelfsignedCmd struct {
	Name string `arg:"" optional:"" name:"name" default:"main" help:"main, or a domain."`
}

// Run makes one.
func (c *certSelfsignedCmd) Run(s *shell) error {
	if err := s.confirm("A self-signed certificate takes the place of "+c.Name+". Go on?", "nothing was changed"); err != nil {
		return err
	}
	var x serverCert
	if _, err := s.send(http.MethodPost, "/certificates/"+url.PathEscape(c.Name)+"/self-signed", nil, nil, &x); err != nil {
		return err
	}
	return s.done(x, "A self-signed certificate for %s is in use. SHA-256 %s", strings.Join(x.Names, ", "), x.SHA256)
}
