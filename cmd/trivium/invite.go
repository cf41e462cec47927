package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"trivium/internal/qr"
)

// invitation is one as the API shows it.
type invitation struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	State     string    `json:"state"`
	User      *string   `json:"user"`
	Level     *int      `json:"level"`
	Groups    []string  `json:"groups"`
	Note      string    `json:"note"`
	Uses      int       `json:"uses"`
	Used      int       `json:"used"`
	CreatedBy string    `json:"created_by"`
	ExpiresAt time.Time `json:"expires_at"`
	Link      string    `json:"link"`
	UsedBy    []struct {
		User string `json:"user"`
	} `json:"used_by"`
}

type inviteCmd struct {
	Add    inviteAddCmd    `cmd:"" help:"Make a link by which somebody makes an account."`
	List   inviteListCmd   `cmd:"" aliases:"ls" help:"List invitations."`
	Revoke inviteRevokeCmd `cmd:"" aliases:"rm" help:"Make an invitation void."`
}

type inviteAddCmd struct {
	Uses    int      `name:"uses" default:"1" placeholder:"N" help:"How many people may use it."`
	Expires duration `name:"expires" default:"7d" placeholder:"7d" help:"How long it is good."`
	Level   string   `name:"level" placeholder:"LEVEL" help:"Of the new accounts, by name or number."`
	Groups  []string `name:"group" sep:"none" placeholder:"GROUP" help:"A group that they join; may come again."`
	Note    string   `name:"note" placeholder:"TEXT" help:"For the list, such as who it is for."`
	Contact bool     `name:"contact" help:"Who joins and you become contacts in chat; with the token of a person."`
	Email   string   `name:"email" placeholder:"ADDRESS" help:"Send the link there, where the server sends mails."`
	QR      bool     `name:"qr" help:"Print it as a QR code too."`
}

// Help has the examples.
func (c *inviteAddCmd) Help() string {
	return "Examples:\n\n  trivium invite add --note \"for Kim\"\n  trivium invite add --uses 30 --expires 14d --group choir --qr"
}

// Run makes an invitation.
func (c *inviteAddCmd) Run(s *shell) error {
	body := map[string]any{"uses": c.Uses, "ttl": int64(time.Duration(c.Expires) / time.Second)}
	put(body, "level", c.Level)
	put(body, "note", c.Note)
	put(body, "email", c.Email)
	if len(c.Groups) > 0 {
		body["groups"] = c.Groups
	}
	if c.Contact {
		body["contact"] = true
	}
	return s.invite(body, c.QR, "Send this link; it works until %s:")
}

// invite makes an invitation and prints its link, which nothing shows a second time.
func (s *shell) invite(body map[string]any, picture bool, text string) error {
	var inv invitation
	if shown, err := s.submit(http.MethodPost, "/invites", nil, body, &inv); shown || err != nil {
		return err
	}
	s.note(text, day(&inv.ExpiresAt))
	if _, err := fmt.Fprintln(s.stdout, inv.Link); err != nil || !picture {
		return err
	}
	drawn, err := qr.Text(inv.Link)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.stdout, drawn)
	return err
}

type inviteListCmd struct{}

// Run lists invitations.
func (c *inviteListCmd) Run(s *shell) error {
	return tableOf(s, "/invites", nil, "No invitations.", []string{"CODE", "FOR", "GROUPS", "STATE", "USED", "UNTIL", "BY", "USED BY", "NOTE"}, func(i invitation) []string {
		what := i.Kind
		if i.User != nil {
			what += " " + *i.User
		}
		if i.Level != nil {
			what += " " + level(*i.Level)
		}
		var by []string
		for _, u := range i.UsedBy {
			by = append(by, u.User)
		}
		return []string{i.ID, what, strings.Join(i.Groups, ","), i.State, strconv.Itoa(i.Used) + "/" + strconv.Itoa(i.Uses), day(&i.ExpiresAt), i.CreatedBy, strings.Join(by, ","), i.Note}
	})
}

type inviteRevokeCmd struct {
	Code string `arg:"" name:"code" help:"As listed, or the whole code."`
}

// Run revokes.
func (c *inviteRevokeCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodDelete, "/invites"+at(c.Code), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"code": c.Code}, "Revoked the invitation %s.", c.Code)
}
