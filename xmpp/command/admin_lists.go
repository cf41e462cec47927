package command

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// roster is section 4.8.
func (d *admin) roster(ctx context.Context, c *Call, a identity.Account, f *xmpp.Form) error {
	roster, err := c.Router.Roster(ctx, xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID})
	if err != nil {
		return err
	}
	b := []byte("<query xmlns='jabber:iq:roster'>")
	for _, contact := range roster.Contacts {
		if contact.Listed {
			b = contact.AppendItem(b)
		}
	}
	f.Extra = string(append(b, "</query>"...))
	return nil
}

// stats is section 4.10.
func (d *admin) stats(ctx context.Context, c *Call, a identity.Account, f *xmpp.Form) error {
	roster, err := c.Router.Roster(ctx, xmpp.Owner{Address: xmpp.NewAddress(string(a.Login), a.Domain), ID: a.ID})
	if err != nil {
		return err
	}
	size := 0
	for i := range roster.Contacts {
		if roster.Contacts[i].Listed {
			size++
		}
	}
	var addresses, resources []string
	for _, i := range d.chat(a.ID) {
		if from, err := netip.ParseAddrPort(i.RemoteAddr); err == nil && !slices.Contains(addresses, from.Addr().String()) {
			addresses = append(addresses, from.Addr().String())
		}
		if i.Resource != nil {
			resources = append(resources, *i.Resource)
		}
	}
	f.Fields = append(f.Fields,
		xmpp.Field{Var: "ipaddresses", Type: "text-multi", Label: "Addresses that it is connected from", Values: addresses},
		xmpp.Field{Var: "rostersize", Type: "text-single", Label: "Contacts", Values: []string{strconv.Itoa(size)}},
		xmpp.Field{Var: "onlineresources", Type: "text-multi", Label: "Resources", Values: resources})
	return nil
}

// pageSize is how many accounts a list shows.
const pageSize = 1000

// count is sections 4.13 and 4.14.
func (d *admin) count(state identity.UserState, field, label string) Step {
	return func(ctx context.Context, _ *Call) (*Page, error) {
		n, err := d.accounts.CountUsers(ctx, identity.UserFilter{State: state})
		if err != nil {
			return nil, err
		}
		return number(field, label, n), nil
	}
}

func number(field, label string, n int) *Page {
	return &Page{Form: &xmpp.Form{Kind: nsAdmin, Type: xmpp.FormResult, Fields: []xmpp.Field{{Var: field, Type: "text-single", Label: label, Values: []string{strconv.Itoa(n)}}}}}
}

// countOnline is section 4.15.
func (d *admin) countOnline(context.Context, *Call) (*Page, error) {
	return number("onlineusersnum", "Users who are in chat", len(d.bare())), nil
}

// bare are the addresses of all who are in chat, sorted.
func (d *admin) bare() []string {
	seen := map[string]bool{}
	for _, i := range d.sessions.List(identity.Filter{Protocol: identity.ProtocolXMPP}) {
		if i.Owner == "" || i.JID == nil {
			continue
		}
		address, _, _ := strings.Cut(*i.JID, "/")
		seen[address] = true
	}
	list := make([]string, 0, len(seen))
	for a := range seen {
		list = append(list, a)
	}
	slices.Sort(list)
	return list
}

// list is sections 4.18 to 4.20: it asks how many are to be shown.
func (d *admin) list(title, field string, read func(ctx context.Context, most int) ([]string, error)) Step {
	const all = pageSize // what "none" stands for: an answer that clients still show
	next := func(ctx context.Context, c *Call) (*Page, error) {
		most := all
		if v := c.Values.One("max_items"); v != "" && v != "none" {
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 {
				return nil, invalid(fmt.Sprintf("%q is no number of users.", v))
			}
			most = min(n, all)
		}
		list, err := read(ctx, most+1)
		if err != nil {
			return nil, err
		}
		page := &Page{Form: &xmpp.Form{Title: title, Kind: nsAdmin, Type: xmpp.FormResult}}
		if len(list) > most {
			list, page.Note = list[:most], fmt.Sprintf("These are the first %d; there are more.", most)
		}
		page.Form.Fields = []xmpp.Field{{Var: field, Type: "jid-multi", Label: "Users", Values: list}}
		return page, nil
	}
	options := make([]xmpp.Option, 0, 7)
	for _, n := range []string{"25", "50", "75", "100", "150", "200"} {
		options = append(options, xmpp.Option{Label: n, Value: n})
	}
	options = append(options, xmpp.Option{Label: "as many as there are", Value: "none"})
	return func(context.Context, *Call) (*Page, error) {
		return form(title, "", next, xmpp.Field{Var: "max_items", Type: "list-single", Label: "At most", Values: []string{"100"}, Options: options}), nil
	}
}

func (d *admin) registered(state identity.UserState) func(context.Context, int) ([]string, error) {
	return func(ctx context.Context, most int) ([]string, error) {
		as, err := d.accounts.Users(ctx, identity.UserFilter{State: state, Limit: most})
		var list []string
		for _, a := range as {
			list = append(list, name(a))
		}
		return list, err
	}
}

func (d *admin) online(context.Context, int) ([]string, error) { return d.bare(), nil }

// maxAnnouncement bounds a message to all, in bytes.
const maxAnnouncement = identity.MaxAnnouncement

// announced is for how long an announcement to those who are in chat holds: whoever has no client yet that
// gets messages is told within that time.
const announced = time.Minute

// announce is section 4.23: an announcement like those of the pages, to those who are in chat.
func (d *admin) announce(context.Context, *Call) (*Page, error) {
	return form("Tell all who are in chat", "", func(ctx context.Context, c *Call) (*Page, error) {
		text := strings.TrimSpace(strings.Join(c.Values["announcement"], "\n"))
		switch {
		case text == "":
			return nil, invalid("The announcement is empty.")
		case len(text) > maxAnnouncement:
			return nil, invalid(fmt.Sprintf("The announcement is longer than %d bytes.", maxAnnouncement))
		}
		told := len(d.bare())
		at := c.Router.Now()
		_, err := d.accounts.Announce(ctx, c.Actor(), identity.NewAnnouncement{Text: text, Audience: identity.Audience{Kind: identity.AudienceOnline},
			Places: []identity.Place{identity.PlaceChat}, From: at, Until: at.Add(announced)})
		if err != nil {
			return nil, err
		}
		return done(fmt.Sprintf("%d users were told.", told))
	}, xmpp.Field{Var: "announcement", Type: "text-multi", Label: "Announcement", Required: true}), nil
}
