package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
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
	ACME       bool      `json:"acme"`
}

// serverOrder is a name whose certificate comes by ACME.
type serverOrder struct {
	Name      string     `json:"name"`
	Authority string     `json:"authority"`
	Until     *time.Time `json:"until"`
	Working   bool       `json:"working"`
	Instead   bool       `json:"instead"`
	Next      *time.Time `json:"next"`
	Since     *time.Time `json:"since"`
	Failures  int        `json:"failures"`
	Trouble   string     `json:"trouble"`
	Advice    string     `json:"advice"`
	Detail    string     `json:"detail"`
}

// state says in words how it stands.
func (o serverOrder) state() string {
	switch {
	case o.Working:
		return "ordered from " + o.Authority + " right now"
	case o.Instead:
		return "none is ordered: another one is for the name"
	case o.Trouble != "":
		return o.Trouble + o.next(", tried again ")
	case o.Until == nil:
		return "not there yet" + o.next(", ordered ")
	}
	return "from " + o.Authority + o.next(", renewed ")
}

func (o serverOrder) next(before string) string {
	switch {
	case o.Next == nil:
		return ""
	case !o.Next.After(time.Now()):
		return before + "now"
	}
	return before + o.Next.Format("2006-01-02 15:04 MST")
}

type certCmd struct {
	List       certListCmd       `cmd:"" aliases:"ls" help:"List the certificates of the server."`
	Show       certShowCmd       `cmd:"" help:"Show one."`
	Import     certImportCmd     `cmd:"" help:"Check a certificate and its key, and use them on all roads at once."`
	Orders     certOrdersCmd     `cmd:"" help:"List the names whose certificates come by ACME, and how it stands with each."`
	Renew      certRenewCmd      `cmd:"" help:"Get a new certificate by ACME at once."`
	Selfsigned certSelfsignedCmd `cmd:"" help:"Make a self-signed certificate and use it."`
}

type certListCmd struct{}

// Run lists.
func (c *certListCmd) Run(s *shell) error {
	var orders []serverOrder
	if !s.JSON {
		if _, err := s.get("/certificates/acme", nil, &orders); err != nil {
			return err
		}
	}
	used := map[string]bool{}
	err := tableOf(s, "/certificates", nil, "No certificates.", []string{"NAME", "FOR", "UNTIL", "KEY", "STATE"}, func(x serverCert) []string {
		state := "ok"
		if x.ACME {
			state = "ok (ACME)"
		}
		for _, o := range orders {
			if isOneOf(o.Name, x.Names) && x.ACME && o.Trouble == "" && !o.Working {
				used[o.Name] = true
			}
		}
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
	for _, o := range orders {
		if err == nil && !used[o.Name] && !s.Plain {
			s.note("%s (ACME): %s", o.Name, o.state())
		}
	}
	return err
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
		fields, err := orderFields(s, x)
		if err != nil {
			return err
		}
		return s.fields(append([]string{"name", x.Name, "for", strings.Join(x.Names, ", "), "issuer", x.Issuer, "from", x.From.Format(time.DateOnly), "until", x.Until.Format(time.DateOnly),
			"key", x.Key, "chain", strings.Join(x.Chain, " → "), "trust", x.ChainError, "sha256", x.SHA256, "file", x.File}, fields...)...)
	}
	return &failure{exit: exitNotFound, code: "not_found", message: fmt.Sprintf("no certificate %q", c.Name), hint: "trivium cert list shows them"}
}

// orderFields say how it stands with the orders of the names that clients get a certificate for.
func orderFields(s *shell, x serverCert) ([]string, error) {
	var orders []serverOrder
	if _, err := s.get("/certificates/acme", nil, &orders); err != nil {
		return nil, err
	}
	var fields []string
	for _, o := range orders {
		if !isOneOf(o.Name, x.Names) && !isOneOf(o.Name, x.Domains) {
			continue
		}
		text := o.Name + ": " + o.state()
		if o.Advice != "" {
			text += ". " + o.Advice
		}
		if o.Detail != "" {
			text += " (" + o.Detail + ")"
		}
		fields = append(fields, "acme", text)
	}
	return fields, nil
}

type certOrdersCmd struct{}

// Run lists.
func (c *certOrdersCmd) Run(s *shell) error {
	return tableOf(s, "/certificates/acme", nil, "No certificate comes by ACME: tls.acme is off.", []string{"NAME", "UNTIL", "FAILURES", "STATE"}, func(o serverOrder) []string {
		return []string{o.Name, day(o.Until), strconv.Itoa(o.Failures), o.state()}
	}, "FAILURES")
}

type certRenewCmd struct {
	Name string `arg:"" name:"name" help:"A name of tls.acme, or main for the first domain."`
}

// Run waits for the authority.
func (c *certRenewCmd) Run(s *shell) error {
	var x serverCert
	if _, err := s.send(http.MethodPost, "/certificates/"+url.PathEscape(c.Name)+"/renew", nil, nil, &x); err != nil {
		return err
	}
	return s.done(x, "A new certificate for %s is in use, until %s.", strings.Join(x.Names, ", "), x.Until.Format(time.DateOnly))
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
