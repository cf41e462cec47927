// Package invite makes people contacts by invitation: who shows the code of one in a subscription
// request is let in at once (XEP-0379 0.3.3), and who makes an account by one has its inviter in the
// contact list (XEP-0401 0.6.0).
package invite

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

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

// Contact is one of an account's, as pages show it.
type Contact struct {
	JID    string
	Name   string // the handle; "" where none was given
	State  xmpp.Subscription
	Asks   bool // to be one, and waits for the answer
	Online bool // as far as the owner of the list may see it, and the contact is one of ours
}

// List is the contact list of an account, by name. It is empty where chat is off.
func (c *Contacts) List(ctx context.Context, a identity.Account) ([]Contact, error) {
	if c.router == nil {
		return nil, nil
	}
	roster, err := c.router.Roster(ctx, owner(a))
	if err != nil {
		return nil, err
	}
	list := make([]Contact, 0, len(roster.Contacts))
	for _, x := range roster.Contacts {
		if asks := x.State.Has(xmpp.PendingIn); x.Listed || asks {
			list = append(list, Contact{JID: x.JID, Name: x.Name, State: x.State, Asks: asks,
				Online: x.State.Has(xmpp.SubscriptionTo) && c.router.Online(ctx, x.JID, owner(a))})
		}
	}
	slices.SortFunc(list, func(a, b Contact) int {
		return cmp.Or(strings.Compare(strings.ToLower(cmp.Or(a.Name, a.JID)), strings.ToLower(cmp.Or(b.Name, b.JID))), strings.Compare(a.JID, b.JID))
	})
	return list, nil
}

// Rename, Remove, Ask and Answer change the contact list of an account, as its chat clients would, which
// are told.
func (c *Contacts) Rename(ctx context.Context, a identity.Account, jid, name string) error {
	return c.router.NameContact(ctx, owner(a), jid, name)
}

// Remove removes a contact.
func (c *Contacts) Remove(ctx context.Context, a identity.Account, jid string) error {
	return c.router.DropContact(ctx, owner(a), jid)
}

// Ask asks somebody to be a contact.
func (c *Contacts) Ask(ctx context.Context, a identity.Account, jid string) error {
	return c.router.AskContact(ctx, owner(a), jid)
}

// Answer answers who asks.
func (c *Contacts) Answer(ctx context.Context, a identity.Account, jid string, yes bool) error {
	return c.router.AnswerContact(ctx, owner(a), jid, yes)
}

func owner(a identity.Account) xmpp.Owner {
	return xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID}
}
