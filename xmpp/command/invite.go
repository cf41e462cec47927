package command

import (
	"context"
	"errors"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

const nsInvite = "urn:xmpp:invite"

// Inviter is what invitations need of identity.
type Inviter interface {
	User(ctx context.Context, name string) (identity.Account, error)
	MayInvite(by identity.Actor, level identity.Level) error
	Invite(ctx context.Context, by identity.Actor, n identity.NewInvite) (identity.Invitation, identity.Secret, error)
	AddUser(ctx context.Context, by identity.Actor, n identity.NewUser) (identity.Account, error)
}

// Invitations is what Invites needs.
type Invitations struct {
	Inviter Inviter
	// Join is the address of the page of an invitation, without its code.
	Join func() string
	// Register says that people make their account by invitation in the chat client (XEP-0445).
	Register bool
	// Least is the level from which on people may invite others to make an account.
	Least identity.Level
}

// Invites are the commands of XEP-0401 0.6.0: everybody invites contacts, and who may makes accounts.
func Invites(o Invitations) []Command {
	i := &inviting{o}
	return []Command{
		{Node: nsInvite + "#invite", Name: "Invite somebody", Least: identity.LevelLoggedIn, Resource: "xmpp:command:invite", Start: i.contact},
		{Node: nsInvite + "#create-account", Name: "Invite somebody to make an account", Least: o.Least, Password: true,
			Resource: "xmpp:command:create-account", Start: i.account},
	}
}

type inviting struct{ Invitations }

// contact is section 5.1. Who may invite to this server does, and who comes from elsewhere uses the
// same link; an app password makes contacts alone, as it manages no accounts.
func (i *inviting) contact(ctx context.Context, c *Call) (*Page, error) {
	by, me := c.Actor(), c.By.Owner()
	n := identity.NewInvite{Contact: true, Domain: me.Domain(), Note: "from chat"}
	accounts := i.Register && !c.Delegated() && i.Inviter.MayInvite(by, identity.LevelNone) == nil
	n.ContactOnly = !accounts
	inv, code, err := i.Inviter.Invite(ctx, by, n)
	if err != nil {
		return nil, err
	}
	uri := "xmpp:" + uriOf(me) + "?roster;preauth=" + code.Reveal()
	if accounts {
		uri += ";ibr=y"
	}
	return i.link(inv, code, uri), nil
}

// uriOf is an address in a URI (RFC 5122): local parts may have what has a meaning there.
func uriOf(a xmpp.Owner) string {
	var b strings.Builder
	for _, c := range []byte(a.String()) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~@!$*", c) >= 0:
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// link is how section 5.1 tells of an invitation.
func (i *inviting) link(inv identity.Invitation, code identity.Secret, uri string) *Page {
	f := &xmpp.Form{Type: xmpp.FormResult, Kind: nsInvite + "#invitation", Title: "Give this link to whom you invite", Fields: []xmpp.Field{
		{Var: "uri", Type: "text-single", Label: "For a chat client", Values: []string{uri}},
		{Var: "landing-url", Type: "text-single", Label: "For a browser", Values: []string{i.Join() + code.Reveal()}},
		{Var: "expire", Type: "text-single", Label: "Good until", Values: []string{inv.ExpiresAt.UTC().Format(time.RFC3339)}},
	}}
	return &Page{Form: f}
}

// account is section 5.4.
func (i *inviting) account(context.Context, *Call) (*Page, error) {
	return &Page{Next: i.create, Form: &xmpp.Form{Type: xmpp.FormOpen, Title: "Invite somebody to make an account", Fields: []xmpp.Field{
		{Var: "username", Type: "text-single", Label: "Login, if you choose it"},
		{Var: "roster-subscription", Type: "boolean", Label: "We become contacts", Values: []string{"1"}},
	}}}, nil
}

// create makes the invitation. A login that is chosen is reserved by an account that waits for its
// first password.
func (i *inviting) create(ctx context.Context, c *Call) (*Page, error) {
	by, me := c.Actor(), c.By.Owner()
	contact, _ := xmpp.ParseBool(c.Values.One("roster-subscription"))
	n := identity.NewInvite{Contact: contact, Domain: me.Domain(), Note: "from chat"}
	var reserved identity.Account
	login, to := c.Values.One("username"), me.Domain()
	if login != "" {
		j, err := jid.New(login, me.Domain(), "")
		if err != nil {
			return nil, invalid("That is no login.")
		}
		if reserved, err = i.reserve(ctx, c, j); err != nil {
			return nil, err
		}
		n.User, n.Contact, n.Domain = j.String(), false, ""
		to = uriOf(xmpp.Owner{Address: xmpp.AddressOf(j)})
	}
	inv, code, err := i.Inviter.Invite(ctx, by, n)
	if err != nil {
		return nil, err
	}
	if contact && reserved.ID != "" {
		them := xmpp.Owner{Address: xmpp.NewAddress(string(reserved.Login), reserved.Domain), ID: reserved.ID}
		if err := c.Router.Befriend(ctx, me, them); err != nil {
			return nil, err
		}
	}
	return i.link(inv, code, "xmpp:"+to+"?register;preauth="+code.Reveal()), nil
}

// reserve makes the account of an invitation, or takes the one that waits already.
func (i *inviting) reserve(ctx context.Context, c *Call, j jid.JID) (identity.Account, error) {
	acc, err := i.Inviter.AddUser(ctx, c.Actor(), identity.NewUser{Login: j.String(), Invited: true})
	if !errors.Is(err, identity.ErrExists) {
		return acc, err
	}
	if had, e := i.Inviter.User(ctx, j.String()); e == nil && had.State == identity.UserInvited {
		return had, nil
	}
	return acc, err
}
