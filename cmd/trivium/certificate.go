package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// certificate is a client certificate as the API shows it.
type certificate struct {
	Fingerprint  string     `json:"fingerprint"`
	Label        string     `json:"label"`
	Subject      string     `json:"subject"`
	Names        []string   `json:"names"`
	NotAfter     time.Time  `json:"not_after"`
	LastUsed     *time.Time `json:"last_used"`
	LastProtocol string     `json:"last_protocol"`
	LastRemote   string     `json:"last_remote"`
}

type certificateCmd struct {
	List   certificateListCmd   `cmd:"" aliases:"ls" help:"List the client certificates of an account."`
	Add    certificateAddCmd    `cmd:"" help:"Let whoever has the key of a certificate log in as an account."`
	Remove certificateRemoveCmd `cmd:"" aliases:"rm" help:"Remove a certificate; what was logged in by it ends."`
}

type certificateListCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
}

// Run lists certificates.
func (c *certificateListCmd) Run(s *shell) error {
	return tableOf(s, "/users"+at(c.Login, "certificates"), nil, "No certificates.", []string{"FINGERPRINT", "NAME", "SUBJECT", "NAMES", "UNTIL", "LAST USED", "BY", "FROM"}, func(x certificate) []string {
		const short = 16 // of 64 digits; --json has them all
		return []string{x.Fingerprint[:min(short, len(x.Fingerprint))], x.Label, x.Subject, strings.Join(x.Names, " "), day(&x.NotAfter), day(x.LastUsed), x.LastProtocol, x.LastRemote}
	})
}

type certificateAddCmd struct {
	Login   string `arg:"" name:"login" help:"Login, alias or login@domain."`
	File    string `arg:"" name:"file" help:"The certificate in PEM, without its key; - is the standard input."`
	Label   string `name:"name" help:"What to call it; else the name in the certificate."`
	Manages bool   `help:"A log-in by it alone may add and remove certificates."`
}

// Run adds one.
func (c *certificateAddCmd) Run(s *shell) error {
	const most = 64 << 10
	in := s.stdin
	if c.File != "-" {
		f, err := os.Open(filepath.Clean(c.File))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, most))
	if err != nil {
		return err
	}
	answer, err := s.call(http.MethodPost, "/users"+at(c.Login, "certificates"), nil, map[string]any{"pem": string(text), "label": c.Label, "manages": c.Manages})
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(answer)
	}
	var added certificate
	if err := json.Unmarshal(answer, &added); err != nil {
		return err
	}
	return s.done(map[string]any{"user": c.Login, "fingerprint": added.Fingerprint}, "Added the certificate %q (%s) to %s. It is good until %s.", added.Label, added.Fingerprint, c.Login, day(&added.NotAfter))
}

type certificateRemoveCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
	Which string `arg:"" name:"certificate" help:"Its fingerprint, or the name that it has in the list."`
}

// Run removes after a question.
func (c *certificateRemoveCmd) Run(s *shell) error {
	if err := s.confirm("Remove the certificate "+c.Which+" of "+c.Login+"? What is logged in by it ends.", "nothing was removed"); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/users"+at(c.Login, "certificates", c.Which), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"user": c.Login, "certificate": c.Which}, "Removed the certificate %s of %s.", c.Which, c.Login)
}
