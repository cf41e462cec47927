package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

const nsAdmin = "http://jabber.org/protocol/admin"

// maxAccounts is how many accounts one command takes.
const maxAccounts = 100

// Accounts is what administration needs of identity.
type Accounts interface {
	User(ctx context.Context, name string) (identity.Account, error)
	Users(ctx context.Context, f identity.UserFilter) ([]identity.Account, error)
	CountUsers(ctx context.Context, f identity.UserFilter) (int, error)
	AddUser(ctx context.Context, by identity.Actor, n identity.NewUser) (identity.Account, error)
	SetUser(ctx context.Context, by identity.Actor, name string, c identity.UserChange) (identity.Account, error)
	SetPassword(ctx context.Context, by identity.Actor, name string, password identity.Secret, keep *identity.Session) error
	RemoveUser(ctx context.Context, by identity.Actor, name string) error
	Announce(ctx context.Context, by identity.Actor, n identity.NewAnnouncement) (identity.Announcement, error)
}

// Sessions is what commands need of identity's list of sessions.
type Sessions interface {
	List(f identity.Filter) []identity.Info
	End(id string, why identity.Reason) error
}

// admin are the commands of service administration (XEP-0133).
type admin struct {
	accounts Accounts
	sessions Sessions
}

// Admin are the commands of XEP-0133. They are for administrators; what one may do to whom identity
// decides.
func Admin(a Accounts, s Sessions) []Command {
	d := &admin{a, s}
	cmd := func(short, name string, start Step) Command {
		return Command{Node: nsAdmin + "#" + short, Name: name, Least: identity.LevelAdmin, Resource: identity.Resource("xmpp:command:" + short), Start: start}
	}
	return []Command{
		cmd("add-user", "Add a user", d.addUser),
		cmd("delete-user", "Remove users", d.each("Remove users", "Their logins stay reserved, their files stay.", d.remove)),
		cmd("disable-user", "Disable users", d.each("Disable users", "They are logged out everywhere at once.", d.state(identity.UserDisabled))),
		cmd("reenable-user", "Enable users again", d.each("Enable users again", "", d.state(identity.UserActive))),
		cmd("end-user-session", "End sessions in chat", d.each("End sessions in chat", "An address with a resource is one session, one without is all of the user.", d.end)),
		cmd("change-user-password", "Change a user's password", d.password),
		cmd("get-user-roster", "Show a user's contacts", d.one("Show a user's contacts", "accountjids", d.roster)),
		cmd("get-user-lastlogin", "Show when a user logged in last", d.one("Show when a user logged in last", "accountjids", d.lastLogin)),
		cmd("user-stats", "Show what a user has open in chat", d.one("Show what a user has open in chat", "accountjid", d.stats)),
		cmd("get-registered-users-num", "Count users", d.count("", "registeredusersnum", "Users")),
		cmd("get-disabled-users-num", "Count disabled users", d.count(identity.UserDisabled, "disabledusersnum", "Disabled users")),
		cmd("get-online-users-num", "Count users who are in chat", d.countOnline),
		cmd("get-registered-users-list", "List users", d.list("List users", "registereduserjids", d.registered(""))),
		cmd("get-disabled-users-list", "List disabled users", d.list("List disabled users", "disableduserjids", d.registered(identity.UserDisabled))),
		cmd("get-online-users-list", "List users who are in chat", d.list("List users who are in chat", "onlineuserjids", d.online)),
		cmd("announce", "Tell all who are in chat", d.announce),
	}
}

func invalid(text string) error { return &problem{identity.ErrInvalid, text} }

// problem is an error in the words for the person; errors.Is finds its kind.
type problem struct {
	kind error
	text string
}

func (p *problem) Error() string { return p.text }
func (p *problem) Unwrap() error { return p.kind }

// form is a page with a form of administration.
func form(title, instructions string, next Step, fields ...xmpp.Field) *Page {
	return &Page{Form: &xmpp.Form{Type: xmpp.FormOpen, Kind: nsAdmin, Title: title, Instructions: instructions, Fields: fields}, Next: next}
}

// account reads an address of ours, with or without resource, as its account.
func (d *admin) account(ctx context.Context, c *Call, text string) (identity.Account, jid.JID, error) {
	j, err := jid.Parse(text)
	if err != nil || j.Localpart() == "" {
		return identity.Account{}, j, invalid(fmt.Sprintf("%q is not the address of a user.", text))
	}
	none := &problem{identity.ErrNotFound, fmt.Sprintf("There is no user %s.", j.Bare())}
	if !c.Router.Ours(j.Domainpart()) {
		return identity.Account{}, j, none
	}
	acc, err := d.accounts.User(ctx, j.Bare().String())
	if errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrInvalid) {
		err = none
	}
	return acc, j, err
}

func name(a identity.Account) string { return string(a.Login) + "@" + a.Domain }

// above refuses to show what belongs to somebody who does not stand below who asks.
func above(by identity.Actor, a identity.Account) error {
	if own := by.User == string(a.Login) || by.User == name(a); own || by.Level == identity.LevelRoot || a.Level < by.Level {
		return nil
	}
	return &problem{identity.ErrRefused, name(a) + " does not stand below your level."}
}

// secret reads a password that was entered twice.
func secret(v Values) (identity.Secret, error) {
	var text string
	if len(v["password"]) > 0 {
		text = v["password"][0]
	}
	if again, ok := v["password-verify"]; ok && (len(again) != 1 || again[0] != text) {
		return identity.Secret{}, invalid("The two passwords are not the same.")
	}
	return identity.NewSecret(text), nil
}

// addUser is section 4.1.
func (d *admin) addUser(context.Context, *Call) (*Page, error) {
	return form("Add a user", "", func(ctx context.Context, c *Call) (*Page, error) {
		j, err := jid.Parse(c.Values.One("accountjid"))
		if err != nil || j.Localpart() == "" || !c.Router.Ours(j.Domainpart()) {
			return nil, invalid(fmt.Sprintf("%q is not an address of this server.", c.Values.One("accountjid")))
		}
		password, err := secret(c.Values)
		if err != nil {
			return nil, err
		}
		n := identity.NewUser{Login: j.Bare().String(), Profile: identity.Profile{Email: c.Values.One("email"),
			Name: strings.TrimSpace(c.Values.One("given_name") + " " + c.Values.One("surname"))}}
		if password.Reveal() != "" {
			n.Password = password
		}
		acc, err := d.accounts.AddUser(ctx, c.Actor(), n)
		if err != nil {
			return nil, err
		}
		if n.Password.IsZero() {
			return done(name(acc) + " was added. Without a password only app passwords work.")
		}
		return done(name(acc) + " was added.")
	},
		xmpp.Field{Var: "accountjid", Type: "jid-single", Label: "Address of the new user", Required: true},
		xmpp.Field{Var: "password", Type: "text-private", Label: "Password"},
		xmpp.Field{Var: "password-verify", Type: "text-private", Label: "Password again"},
		xmpp.Field{Var: "email", Type: "text-single", Label: "E-mail"},
		xmpp.Field{Var: "given_name", Type: "text-single", Label: "Given name"},
		xmpp.Field{Var: "surname", Type: "text-single", Label: "Family name"},
	), nil
}

// password is section 4.7.
func (d *admin) password(context.Context, *Call) (*Page, error) {
	return form("Change a user's password", "All of the user's sessions end.", func(ctx context.Context, c *Call) (*Page, error) {
		acc, _, err := d.account(ctx, c, c.Values.One("accountjid"))
		if err != nil {
			return nil, err
		}
		password, err := secret(c.Values)
		if err != nil {
			return nil, err
		}
		if password.Reveal() == "" {
			return nil, invalid("The password is missing.")
		}
		if err := d.accounts.SetPassword(ctx, c.Actor(), name(acc), password, c.By.Session()); err != nil {
			return nil, err
		}
		return done("The password of " + name(acc) + " was changed.")
	},
		xmpp.Field{Var: "accountjid", Type: "jid-single", Label: "Address of the user", Required: true},
		xmpp.Field{Var: "password", Type: "text-private", Label: "New password", Required: true},
		xmpp.Field{Var: "password-verify", Type: "text-private", Label: "New password again"},
	), nil
}

// each asks for addresses and does something with each. Of one address its error is the answer; of
// more the answer tells which were left as they are.
func (d *admin) each(title, instructions string, do func(ctx context.Context, c *Call, a identity.Account, j jid.JID) error) Step {
	next := func(ctx context.Context, c *Call) (*Page, error) {
		list := c.Values.Lines("accountjids")
		switch {
		case len(list) == 0:
			return nil, invalid("There is no address in the form.")
		case len(list) > maxAccounts:
			return nil, invalid(fmt.Sprintf("These are more than %d addresses; do some of them at a time.", maxAccounts))
		}
		var failed []string
		for _, text := range list {
			acc, j, err := d.account(ctx, c, text)
			if err == nil {
				err = do(ctx, c, acc, j)
			}
			switch {
			case err == nil:
			case len(list) == 1:
				return nil, err
			case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrInvalid), errors.Is(err, identity.ErrRefused):
				failed = append(failed, text+": "+err.Error())
			default:
				return nil, fmt.Errorf("%s: %w", text, err)
			}
		}
		if len(failed) > 0 {
			return &Page{Warn: true, Note: fmt.Sprintf("Done for %d of %d. Not for %s", len(list)-len(failed), len(list), strings.Join(failed, "; "))}, nil
		}
		return done("Done.")
	}
	return func(context.Context, *Call) (*Page, error) {
		return form(title, instructions, next, xmpp.Field{Var: "accountjids", Type: "jid-multi", Label: "Addresses", Required: true}), nil
	}
}

// remove is section 4.2.
func (d *admin) remove(ctx context.Context, c *Call, a identity.Account, _ jid.JID) error {
	return d.accounts.RemoveUser(ctx, c.Actor(), name(a))
}

// state is sections 4.3 and 4.4.
func (d *admin) state(s identity.UserState) func(context.Context, *Call, identity.Account, jid.JID) error {
	return func(ctx context.Context, c *Call, a identity.Account, _ jid.JID) error {
		_, err := d.accounts.SetUser(ctx, c.Actor(), name(a), identity.UserChange{State: &s})
		return err
	}
}

// end is section 4.5. One's own session goes by logging out.
func (d *admin) end(_ context.Context, c *Call, a identity.Account, j jid.JID) error {
	by := c.Actor()
	if err := above(by, a); err != nil {
		return err
	}
	found := j.Resourcepart() == ""
	for _, i := range d.chat(a.ID) {
		switch {
		case i.ID == c.By.Session().ID():
		case j.Resourcepart() != "" && (i.JID == nil || *i.JID != j.String()):
		default:
			found = true
			if err := d.sessions.End(i.ID, identity.Reason{Code: identity.ReasonEnded, Text: "ended by an administrator", By: &by}); err != nil && !errors.Is(err, identity.ErrNotFound) {
				return err
			}
		}
	}
	if !found {
		return &problem{identity.ErrNotFound, fmt.Sprintf("There is no session %s.", j)}
	}
	return nil
}

// chat are the sessions of an account on this road.
func (d *admin) chat(id identity.UserID) []identity.Info {
	return d.sessions.List(identity.Filter{Owner: id, Protocol: identity.ProtocolXMPP})
}

// one asks for an address and shows something of its account. The field is called what the command's
// section calls it; of several addresses, which accountjids could be, none is taken.
func (d *admin) one(title, field string, show func(ctx context.Context, c *Call, a identity.Account, f *xmpp.Form) error) Step {
	typ := "jid-single"
	if field == "accountjids" {
		typ = "jid-multi"
	}
	next := func(ctx context.Context, c *Call) (*Page, error) {
		list := c.Values.Lines(field)
		if len(list) != 1 {
			return nil, invalid("Give one address.")
		}
		acc, _, err := d.account(ctx, c, list[0])
		if err == nil {
			err = above(c.Actor(), acc)
		}
		if err != nil {
			return nil, err
		}
		f := &xmpp.Form{Title: title, Kind: nsAdmin, Type: xmpp.FormResult, Fields: []xmpp.Field{{Var: field, Type: typ, Label: "User", Values: []string{name(acc)}}}}
		if err := show(ctx, c, acc, f); err != nil {
			return nil, err
		}
		return &Page{Form: f}, nil
	}
	return func(context.Context, *Call) (*Page, error) {
		return form(title, "", next, xmpp.Field{Var: field, Type: typ, Label: "Address of the user", Required: true}), nil
	}
}

// lastLogin is section 4.9.
func (d *admin) lastLogin(_ context.Context, _ *Call, a identity.Account, f *xmpp.Form) error {
	at := "never"
	if !a.LastLogin.IsZero() {
		at = a.LastLogin.UTC().Format(time.RFC3339)
	}
	f.Fields = append(f.Fields, xmpp.Field{Var: "lastlogin", Type: "text-single", Label: "Last log-in", Values: []string{at}})
	return nil
}
