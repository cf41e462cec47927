// Package notice tells people things from the server, as a message from its domain. It is of type
// normal, so that it waits for who is away (RFC 6121 section 8.5.2.2).
package notice

import (
	"context"
	"errors"

	"trivium/xmpp"
)

// Notices is the module.
type Notices struct{ router *xmpp.Router }

// New makes the module.
func New() *Notices { return &Notices{} }

// Register implements xmpp.Module.
func (n *Notices) Register(reg *xmpp.Registrar) { n.router = reg.Router }

// Tell sends a message to the account of a login; it returns when the message has been delivered or
// is kept for the person.
func (n *Notices) Tell(ctx context.Context, domain, login, subject, text string) error {
	if n.router == nil {
		return errors.New("chat is off")
	}
	b := xmpp.AppendAttr([]byte("<message type='normal'"), "from", domain)
	b = xmpp.AppendAttr(b, "to", login+"@"+domain)
	b = append(append(b, "><subject>"...), xmpp.Escape(xmpp.CleanText(subject))...)
	b = append(append(b, "</subject><body>"...), xmpp.Escape(xmpp.CleanText(text))...)
	st, err := xmpp.ParseStanza(append(b, "</body></message>"...))
	if err != nil {
		return err
	}
	return n.router.Send(ctx, st)
}
