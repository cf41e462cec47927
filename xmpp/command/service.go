package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// Greetings are what people are told when they come; kind is "motd" or "welcome".
type Greetings interface {
	// Greeting is what is told now; "" for nothing.
	Greeting(ctx context.Context, kind string) (string, error)
	// SetGreeting changes it; "" for nothing. With anew those are told, too, who were told the last one.
	SetGreeting(ctx context.Context, by identity.Actor, kind, text string, anew bool) error
}

// Process is the server itself.
type Process interface {
	// Stop ends the process when so much time has gone by, after all that it does has been brought to
	// its end; again starts it anew then. identity.ErrBusy where it is ending already.
	Stop(ctx context.Context, by identity.Actor, again bool, after time.Duration) error
}

// Service are the commands of XEP-0133 that concern the server as a whole. The list of administrators and
// the process are for ROOT alone.
func Service(a Accounts, s Sessions, g Greetings, p Process) []Command {
	d := &service{&admin{a, s}, g, p}
	cmd := func(short, name string, least identity.Level, start Step) Command {
		return Command{Node: nsAdmin + "#" + short, Name: name, Least: least, Resource: identity.Resource("xmpp:command:" + short), Start: start}
	}
	const admin, root = identity.LevelAdmin, identity.LevelRoot
	return []Command{
		cmd("get-active-users-num", "Count users who are active in chat", admin, d.countActive(true)),
		cmd("get-idle-users-num", "Count users who are idle in chat", admin, d.countActive(false)),
		cmd("get-active-users", "List users who are active in chat", admin, d.list("List users who are active in chat", "activeuserjids", d.activity(true))),
		cmd("get-idle-users", "List users who are idle in chat", admin, d.list("List users who are idle in chat", "idleuserjids", d.activity(false))),
		cmd("set-motd", "Set the message of the day", admin, d.greeting("motd", "Set the message of the day", "Everybody gets it once: who is in chat now, and the others when they come.", true)),
		cmd("edit-motd", "Correct the message of the day", admin, d.greeting("motd", "Correct the message of the day", "Who has had it does not get it again.", false)),
		cmd("delete-motd", "Delete the message of the day", admin, d.ungreet("motd", "The message of the day was deleted.")),
		cmd("set-welcome", "Set the welcome message", admin, d.greeting("welcome", "Set the welcome message", "Who gets an account from now on gets it when they come for the first time.", false)),
		cmd("delete-welcome", "Delete the welcome message", admin, d.ungreet("welcome", "The welcome message was deleted.")),
		cmd("edit-admin", "Edit the list of administrators", root, d.editAdmins),
		cmd("restart", "Restart the server", root, d.stop("Restart the server", "All roads are closed: chat, web and FTP. They come back in a moment.", true)),
		cmd("shutdown", "Shut down the server", root, d.stop("Shut down the server", "All roads are closed: chat, web and FTP. It takes somebody at the machine to start it.", false)),
	}
}

type service struct {
	*admin
	greetings Greetings
	process   Process
}

// idleAfter is the silence after which somebody who is in chat counts as idle.
const idleAfter = 10 * time.Minute

// activity are the addresses of those in chat who are active, or idle, sorted. Somebody is active with one
// client that is there, not away, and has sent something of late (sections 4.21 and 4.22).
func (d *service) activity(active bool) func(context.Context, int) ([]string, error) {
	return func(context.Context, int) ([]string, error) {
		people := map[string]bool{}
		now := time.Now()
		for _, i := range d.sessions.List(identity.Filter{Protocol: identity.ProtocolXMPP}) {
			if i.Owner == "" || i.JID == nil {
				continue
			}
			show := text(i.Presence)
			busy := i.State == identity.StateAvailable && show != "away" && show != "xa" && now.Sub(i.LastActivity) < idleAfter
			address, _, _ := strings.Cut(*i.JID, "/")
			people[address] = people[address] || busy
		}
		var list []string
		for address, is := range people {
			if is == active {
				list = append(list, address)
			}
		}
		slices.Sort(list)
		return list, nil
	}
}

// countActive is sections 4.16 and 4.17.
func (d *service) countActive(active bool) Step {
	field, label := "idleusersnum", "Users who are idle in chat"
	if active {
		field, label = "activeusersnum", "Users who are active in chat"
	}
	return func(ctx context.Context, _ *Call) (*Page, error) {
		list, err := d.activity(active)(ctx, 0)
		if err != nil {
			return nil, err
		}
		return number(field, label, len(list)), nil
	}
}

// greeting is sections 4.24, 4.25 and 4.27: the form has what is told now, unless it is to be told anew.
func (d *service) greeting(kind, title, instructions string, anew bool) Step {
	next := func(ctx context.Context, c *Call) (*Page, error) {
		text := strings.TrimSpace(strings.Join(c.Values[kind], "\n"))
		if text == "" {
			return nil, invalid("The message is empty.")
		}
		if err := d.greetings.SetGreeting(ctx, c.Actor(), kind, text, anew); err != nil {
			return nil, err
		}
		return done("Done.")
	}
	return func(ctx context.Context, _ *Call) (*Page, error) {
		f := xmpp.Field{Var: kind, Type: "text-multi", Label: "Message", Required: true}
		if !anew {
			text, err := d.greetings.Greeting(ctx, kind)
			if err != nil {
				return nil, err
			}
			if text != "" {
				f.Values = strings.Split(text, "\n")
			}
		}
		return form(title, instructions, next, f), nil
	}
}

// ungreet is sections 4.26 and 4.28.
func (d *service) ungreet(kind, note string) Step {
	return func(ctx context.Context, c *Call) (*Page, error) {
		if text, err := d.greetings.Greeting(ctx, kind); err != nil {
			return nil, err
		} else if text == "" {
			return done("There was none.")
		}
		if err := d.greetings.SetGreeting(ctx, c.Actor(), kind, "", false); err != nil {
			return nil, err
		}
		return done(note)
	}
}

// admins are the accounts of level ADMIN, by address.
func (d *service) admins(ctx context.Context) ([]string, error) {
	level := identity.LevelAdmin
	as, err := d.accounts.Users(ctx, identity.UserFilter{Level: &level, Limit: maxAccounts + 1})
	if err != nil {
		return nil, err
	}
	var list []string
	for _, a := range as {
		list = append(list, name(a))
	}
	if len(list) > maxAccounts {
		return nil, &problem{identity.ErrRefused, fmt.Sprintf("There are more than %d administrators; edit their levels one by one.", maxAccounts)}
	}
	return list, nil
}

// editAdmins is section 4.29. Who comes into the list gets level ADMIN, who is taken out level USER. The
// form is compared with what it showed, so that nobody loses what they were given meanwhile.
func (d *service) editAdmins(ctx context.Context, _ *Call) (*Page, error) {
	shown, err := d.admins(ctx)
	if err != nil {
		return nil, err
	}
	next := func(ctx context.Context, c *Call) (*Page, error) {
		wanted := c.Values.Lines("adminjids")
		if len(wanted) > maxAccounts {
			return nil, invalid(fmt.Sprintf("These are more than %d addresses.", maxAccounts))
		}
		var up, down []identity.Account
		kept := map[string]bool{}
		for _, text := range wanted { // all are found before one is changed
			acc, _, err := d.account(ctx, c, text)
			if err != nil {
				return nil, err
			}
			kept[name(acc)] = true
			if acc.Level < identity.LevelAdmin {
				up = append(up, acc)
			}
		}
		for _, text := range shown {
			if kept[text] {
				continue
			}
			acc, _, err := d.account(ctx, c, text)
			switch {
			case errors.Is(err, identity.ErrNotFound): // it was removed meanwhile
			case err != nil:
				return nil, err
			case acc.Level == identity.LevelAdmin:
				down = append(down, acc)
			}
		}
		for _, change := range []struct {
			list []identity.Account
			to   identity.Level
		}{{up, identity.LevelAdmin}, {down, identity.LevelUser}} {
			for _, acc := range change.list {
				if _, err := d.accounts.SetUser(ctx, c.Actor(), name(acc), identity.UserChange{Level: &change.to}); err != nil {
					return nil, err
				}
			}
		}
		return done(fmt.Sprintf("%d were added, %d were taken out.", len(up), len(down)))
	}
	return form("Edit the list of administrators", "These are those of level ADMIN; those of level ROOT are not in the list. Who is taken out has level USER then.", next,
		xmpp.Field{Var: "adminjids", Type: "jid-multi", Label: "Administrators", Values: shown}), nil
}

// maxDelay bounds the time until a stop, in seconds.
const maxDelay = 3600

// stop is sections 4.30 and 4.31.
func (d *service) stop(title, instructions string, again bool) Step {
	next := func(ctx context.Context, c *Call) (*Page, error) {
		delay, err := strconv.Atoi(c.Values.One("delay"))
		if err != nil || delay < 0 || delay > maxDelay {
			return nil, invalid(fmt.Sprintf("%q is no number of seconds from 0 to %d.", c.Values.One("delay"), maxDelay))
		}
		text := strings.TrimSpace(strings.Join(c.Values["announcement"], "\n"))
		if len(text) > maxAnnouncement {
			return nil, invalid(fmt.Sprintf("The announcement is longer than %d bytes.", maxAnnouncement))
		}
		// The answer is on its way before the stop begins.
		if err := d.process.Stop(ctx, c.Actor(), again, max(time.Duration(delay)*time.Second, time.Second)); err != nil {
			return nil, err
		}
		if text != "" {
			if _, err := d.tell(ctx, c, text); err != nil {
				return nil, err
			}
		}
		return done(fmt.Sprintf("The server stops in %d seconds.", delay))
	}
	var options []xmpp.Option
	for _, o := range [][2]string{{"now", "0"}, {"30 seconds", "30"}, {"60 seconds", "60"}, {"90 seconds", "90"}, {"2 minutes", "120"}, {"3 minutes", "180"}, {"4 minutes", "240"}, {"5 minutes", "300"}} {
		options = append(options, xmpp.Option{Label: o[0], Value: o[1]})
	}
	return func(context.Context, *Call) (*Page, error) {
		return form(title, instructions, next,
			xmpp.Field{Var: "delay", Type: "list-single", Label: "When", Values: []string{"60"}, Options: options, Required: true},
			xmpp.Field{Var: "announcement", Type: "text-multi", Label: "Announcement to all who are in chat"}), nil
	}
}

// tell sends a headline to all who are in chat, and says how many they are.
func (d *admin) tell(ctx context.Context, c *Call, text string) (told int, err error) {
	from := c.To.Domain().String()
	for _, to := range d.bare() {
		b := xmpp.AppendAttr([]byte("<message type='headline'"), "from", from)
		b = xmpp.AppendAttr(b, "to", to)
		b = append(append(b, "><subject>Announcement</subject><body>"...), xmpp.Escape(xmpp.CleanText(text))...)
		b = append(b, "</body></message>"...)
		st, err := xmpp.ParseStanza(b)
		if err == nil {
			err = c.Router.Send(ctx, st)
		}
		if err != nil {
			return told, fmt.Errorf("telling %s: %w", to, err)
		}
		told++
	}
	return told, nil
}
