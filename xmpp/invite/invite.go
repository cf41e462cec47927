// Package invite makes people contacts by invitation: who shows the code of one in a subscription
// request is let in at once (XEP-0379 0.3.3), and who makes an account by one has its inviter in the
// contact list (XEP-0401 0.6.0).
package invite

import (
	"context"
	"errors"

	"trivium/identity"
	"trivium/xmpp"
)

// Codes is what the module needs of identity.
type Codes interface {
	// Approve uses the code of an invitation of the inviter for who, a bare JID. A code that is not good is
	// identity.ErrNotFound or identity.ErrExpired.
	Approve(ctx context.Context, inviter identity.UserID, code, who string) error
}

// Contacts is the module.
type Contacts struct {
	codes  Codes
	router *xmpp.Router
}

// New makes the module.
func New(codes Codes) *Contacts { return &Contacts{codes: codes} }

// Register implements xmpp.Module.
func (c *Contacts) Register(reg *xmpp.Registrar) {
	c.router = reg.Router
	reg.Preauth(c.good)
}

// good is XEP-0379 section 4.1: a token that is none is as if there were none.
func (c *Contacts) good(ctx context.Context, owner xmpp.Owner, who, token string) bool {
	err := c.codes.Approve(ctx, owner.ID, token, who)
	if err != nil && !errors.Is(err, identity.ErrNotFound) && !errors.Is(err, identity.ErrExpired) {
		c.router.Log().Error("an invitation was not looked up", "user", owner.String(), "error", err)
	}
	return err == nil
}

// Joined makes who has joined by an invitation and who invited contacts of each other. The account is
// there whatever comes of it.
func (c *Contacts) Joined(ctx context.Context, inviter, joined identity.Account) {
	if err := c.router.Befriend(ctx, owner(inviter), owner(joined)); err != nil {
		c.router.Log().Error("who was invited has not become a contact", "user", string(joined.Login), "error", err)
	}
}

func owner(a identity.Account) xmpp.Owner {
	return xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID}
}
