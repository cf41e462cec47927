package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// Passwords makes app passwords.
type Passwords interface {
	// Issue makes one for an account, for the roads and for as long as ttl says (0: for ever).
	Issue(ctx context.Context, by identity.Actor, login, label string, roads []identity.Road, ttl time.Duration) (identity.Secret, error)
}

// nsOwn begins the nodes of commands that are Trivium's own.
const nsOwn = "urn:trivium:commands"

// own are the commands that everybody has for their own account.
type own struct {
	sessions  Sessions
	passwords Passwords
}

// Own are the commands by which people manage their own account: their sessions on all roads, and
// app passwords.
func Own(s Sessions, p Passwords) []Command {
	o := &own{s, p}
	cmd := func(short, name string, start Step) Command {
		return Command{Node: nsOwn + "#" + short, Name: name, Least: identity.LevelLoggedIn, Password: true,
			Resource: identity.Resource("xmpp:command:" + short), Start: start}
	}
	return []Command{
		cmd("sessions", "Show where I am logged in", o.list),
		cmd("end-sessions", "Log me out elsewhere", o.end),
		cmd("app-password", "Make an app password", o.appPassword),
	}
}

// mine are the sessions of who asks, on all roads.
func (o *own) mine(c *Call) []identity.Info {
	return o.sessions.List(identity.Filter{Owner: c.By.Owner().ID})
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// client says in a few words what a session is.
func client(i identity.Info) string {
	switch {
	case i.UserAgent != nil:
		return *i.UserAgent
	case i.Resource != nil:
		return *i.Resource
	}
	return string(i.Protocol)
}

func (o *own) list(_ context.Context, c *Call) (*Page, error) {
	f := &xmpp.Form{Title: "Where you are logged in", Type: xmpp.FormResult, Columns: []xmpp.Field{
		{Var: "protocol", Label: "By"}, {Var: "client", Label: "Client"}, {Var: "from", Label: "From"}, {Var: "resource", Label: "Resource"},
		{Var: "since", Label: "Since"}, {Var: "active", Label: "Last active"},
	}}
	for _, i := range o.mine(c) {
		protocol := string(i.Protocol)
		if i.ID == c.By.Session().ID() {
			protocol += " (this one)"
		}
		f.Rows = append(f.Rows, []string{protocol, client(i), i.RemoteAddr, text(i.Resource), stamp(i.StartedAt), stamp(i.LastActivity)})
	}
	return &Page{Form: f}, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// everySession is the choice of all but the one that asks.
const everySession = "all"

func (o *own) end(_ context.Context, c *Call) (*Page, error) {
	options := []xmpp.Option{{Label: "all but this one", Value: everySession}}
	for _, i := range o.mine(c) {
		if i.ID != c.By.Session().ID() {
			options = append(options, xmpp.Option{
				Label: fmt.Sprintf("%s: %s from %s since %s", i.Protocol, client(i), i.RemoteAddr, stamp(i.StartedAt)), Value: i.ID,
			})
		}
	}
	if len(options) == 1 {
		return done("You are logged in nowhere else.")
	}
	return &Page{Form: &xmpp.Form{Type: xmpp.FormOpen, Title: "Log out elsewhere", Instructions: "What knows your password can log in again: change it if you have lost a device.",
		Fields: []xmpp.Field{{Var: "sessions", Type: "list-multi", Label: "Sessions", Required: true, Options: options}}}, Next: o.endChosen}, nil
}

func (o *own) endChosen(_ context.Context, c *Call) (*Page, error) {
	chosen := c.Values.Lines("sessions")
	if len(chosen) == 0 {
		return nil, invalid("No session is chosen.")
	}
	by, n := c.Actor(), 0
	for _, i := range o.mine(c) {
		if i.ID == c.By.Session().ID() || !slices.Contains(chosen, everySession) && !slices.Contains(chosen, i.ID) {
			continue
		}
		err := o.sessions.End(i.ID, identity.Reason{Code: identity.ReasonEnded, Text: "ended from chat", By: &by})
		if err == nil {
			n++
		} else if !errors.Is(err, identity.ErrNotFound) {
			return nil, err
		}
	}
	if n == 1 {
		return done("One session was ended.")
	}
	return done(fmt.Sprintf("%d sessions were ended.", n))
}

// lives are how long an app password may be good, by name.
func lives() map[string]time.Duration {
	const day = 24 * time.Hour
	return map[string]time.Duration{"never": 0, "30": 30 * day, "365": 365 * day}
}

func (o *own) appPassword(context.Context, *Call) (*Page, error) {
	return &Page{Form: &xmpp.Form{Type: xmpp.FormOpen, Title: "Make an app password", Instructions: "A client logs in by it in the place of your password. It cannot manage your account, and you can revoke it.",
		Fields: []xmpp.Field{
			{Var: "label", Type: "text-single", Label: "What it is for", Required: true},
			{Var: "roads", Type: "list-multi", Label: "Opens", Values: []string{string(identity.RoadXMPP)}, Options: []xmpp.Option{
				{Label: "chat", Value: string(identity.RoadXMPP)}, {Label: "files by FTP", Value: string(identity.RoadFTP)}, {Label: "files by WebDAV", Value: string(identity.RoadWeb)}}},
			{Var: "expires", Type: "list-single", Label: "Ends", Values: []string{"never"}, Options: []xmpp.Option{
				{Label: "never", Value: "never"}, {Label: "after 30 days", Value: "30"}, {Label: "after a year", Value: "365"}}},
		}}, Next: o.issue}, nil
}

func (o *own) issue(ctx context.Context, c *Call) (*Page, error) {
	label := c.Values.One("label")
	if label == "" {
		return nil, invalid("Say what the app password is for.")
	}
	ttl, ok := lives()[c.Values.One("expires")]
	if c.Values.One("expires") != "" && !ok {
		return nil, invalid(fmt.Sprintf("%q is no end of an app password.", c.Values.One("expires")))
	}
	var roads []identity.Road
	for _, r := range c.Values.Lines("roads") {
		switch road := identity.Road(r); road {
		case identity.RoadXMPP, identity.RoadFTP, identity.RoadWeb:
			roads = append(roads, road)
		default:
			return nil, invalid(fmt.Sprintf("%q is nothing that an app password opens.", r))
		}
	}
	if len(roads) == 0 {
		return nil, invalid("Choose what the app password opens.")
	}
	secret, err := o.passwords.Issue(ctx, c.Actor(), c.By.Owner().String(), label, roads, ttl)
	if err != nil {
		return nil, err
	}
	return &Page{Note: "Copy it now: it is not shown again.", Form: &xmpp.Form{Title: "Your new app password", Type: xmpp.FormResult,
		Fields: []xmpp.Field{{Var: "password", Type: "text-single", Label: label, Values: []string{secret.Reveal()}}}}}, nil
}
