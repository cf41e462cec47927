package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// token is a token as the API shows it; Text only when it was just made.
type token struct {
	ID        string     `json:"id"`
	User      string     `json:"user"`
	Label     string     `json:"label"`
	Scopes    []string   `json:"scopes"`
	Path      *string    `json:"path"`
	ExpiresAt *time.Time `json:"expires_at"`
	Expired   bool       `json:"expired"`
	LastUsed  *time.Time `json:"last_used"`
	Text      string     `json:"token"`
}

type tokenCmd struct {
	List   tokenListCmd   `cmd:"" aliases:"ls" help:"List tokens, without their secrets."`
	Issue  tokenIssueCmd  `cmd:"" help:"Make a token and print it; nothing can show it again."`
	Revoke tokenRevokeCmd `cmd:"" aliases:"rm" help:"Revoke tokens; sessions that hold them end."`
}

type tokenListCmd struct {
	User string `arg:"" optional:"" name:"user" help:"Only those of this account."`
}

// Run lists tokens.
func (c *tokenListCmd) Run(s *shell) error {
	q := query("user", c.User)
	if c.User == "" {
		q.Set("all", "true")
	}
	return tableOf(s, "/tokens", q, "No tokens.", []string{"ID", "USER", "SCOPES", "EXPIRES", "LAST USED", "LABEL"}, func(t token) []string {
		expires := day(t.ExpiresAt)
		if t.Expired {
			expires += " (expired)"
		}
		return []string{t.ID, t.User, strings.Join(t.Scopes, ","), expires, day(t.LastUsed), t.Label}
	})
}

type tokenIssueCmd struct {
	User   string   `arg:"" name:"login" help:"Whose."`
	Scopes []string `name:"scope" required:"" placeholder:"SCOPE" help:"ftp, web, xmpp, api open a road; files:read, files:write, admin."`
	TTL    duration `name:"ttl" placeholder:"90d" help:"How long it lives: 1h, 90d; else it never expires."`
	Label  string   `name:"label" placeholder:"TEXT" help:"What it is for."`
	Path   string   `name:"path" placeholder:"PATH" help:"Bound to this part of the files, such as /home/scanner/inbox."`
	From   []string `name:"from" placeholder:"CIDR" help:"Only from these addresses."`
}

// Help has the examples.
func (c *tokenIssueCmd) Help() string {
	return "Examples:\n\n  trivium token issue alice --scope ftp,xmpp --ttl 90d --label phone\n  trivium token issue backup --scope api,admin > token.txt"
}

// Run prints the token alone on stdout.
func (c *tokenIssueCmd) Run(s *shell) error {
	body := map[string]any{"user": c.User, "scopes": c.Scopes, "ttl": int64((time.Duration(c.TTL) + time.Second - 1) / time.Second)}
	put(body, "label", c.Label)
	put(body, "path", c.Path)
	if len(c.From) > 0 {
		body["from"] = c.From
	}
	var t token
	if shown, err := s.submit(http.MethodPost, "/tokens", nil, body, &t); shown || err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.stdout, t.Text)
	if terminal(s.stdout) {
		s.note("This is shown once. Revoke it with: trivium token revoke %s", t.ID)
	}
	return err
}

type tokenRevokeCmd struct {
	IDs []string `arg:"" name:"id" help:"Ids of tokens, all or none."`
}

// Run revokes.
func (c *tokenRevokeCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodPost, "/tokens/revoke", nil, map[string]any{"ids": c.IDs}); err != nil {
		return err
	}
	if s.JSON {
		return s.object(c.IDs)
	}
	for _, id := range c.IDs {
		if err := s.say("Revoked token %s.", id); err != nil {
			return err
		}
	}
	return nil
}
