package main

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// session is one presence of somebody, as the API lists it.
type session struct {
	ID           string     `json:"id"`
	Protocol     string     `json:"protocol"`
	State        string     `json:"state"`
	Level        int        `json:"level"`
	User         *string    `json:"user"`
	OrigUser     *string    `json:"orig_user"`
	IdentUser    *string    `json:"ident_user"`
	AnonUser     *string    `json:"anon_user"`
	UID          *uint32    `json:"uid"`
	GID          *uint32    `json:"gid"`
	Group        *string    `json:"group"`
	Groups       []string   `json:"groups"`
	Class        *string    `json:"class"`
	RemoteAddr   string     `json:"remote_addr"`
	LocalAddr    string     `json:"local_addr"`
	TLS          *string    `json:"tls"`
	JID          *string    `json:"jid"`
	Priority     *int       `json:"priority"`
	Presence     *string    `json:"presence"`
	Interested   *bool      `json:"interested"`
	UserAgent    *string    `json:"user_agent"`
	TokenID      *string    `json:"token_id"`
	Node         string     `json:"node"`
	StartedAt    time.Time  `json:"started_at"`
	LoginAt      *time.Time `json:"login_at"`
	LastActivity time.Time  `json:"last_activity"`
	BytesIn      int64      `json:"bytes_in"`
	BytesOut     int64      `json:"bytes_out"`
	Transfer     *transfer  `json:"transfer"`
}

// name is the user, or what there is in its place.
func (x session) name() string {
	switch {
	case x.User != nil:
		return *x.User
	case x.Level == 1:
		return "anonymous"
	}
	return "-"
}

// road is "ftp over TLS".
func (x session) road() string {
	if x.TLS != nil {
		return x.Protocol + " over TLS"
	}
	return x.Protocol
}

type sessionCmd struct {
	List sessionListCmd `cmd:"" aliases:"ls" help:"List live sessions on all roads, oldest first."`
	Show sessionShowCmd `cmd:"" help:"Show a session."`
	End  sessionEndCmd  `cmd:"" aliases:"kick" help:"End sessions."`
	Out  sessionOutCmd  `cmd:"" name:"sign-out" help:"End all sessions of an account, and what its browsers and chat clients keep to come back."`
}

type sessionOutCmd struct {
	User string `arg:"" name:"login" help:"The account."`
}

// Run signs somebody out everywhere. The password and app passwords stay.
func (c *sessionOutCmd) Run(s *shell) error {
	var out struct {
		Ended int `json:"ended"`
	}
	if shown, err := s.submit(http.MethodPost, "/sessions/sign-out", nil, map[string]any{"user": c.User}, &out); shown || err != nil {
		return err
	}
	return s.say("%s is signed out everywhere; sessions that ended: %d. The password and the app passwords are as good as before.", c.User, out.Ended)
}

type sessionListCmd struct {
	User     string `name:"user" placeholder:"LOGIN" help:"Only those of this account."`
	Protocol string `name:"protocol" placeholder:"PROTOCOL" enum:"ftp,web,dav,api,xmpp,s2s,component," default:"" help:"ftp, web, dav, api, xmpp, s2s or component."`
	Class    string `name:"class" placeholder:"CLASS" help:"Only those of this class of addresses; - for none."`
	From     string `name:"from" placeholder:"CIDR" help:"Only those from this address or block."`
	Level    string `name:"level" placeholder:"LEVEL" help:"Only those of exactly this level."`
	State    string `name:"state" placeholder:"STATE" help:"Only those in this state, such as ready or available."`
	Sort     string `name:"sort" placeholder:"KEY" help:"started, user, level, protocol, client, address, class, state, active, in or out; -KEY the other way round."`
	Watch    bool   `name:"watch" help:"Then go on and print what happens, a line for each event."`
}

// query is what the list is asked for.
func (c *sessionListCmd) query() url.Values {
	return query("user", c.User, "protocol", c.Protocol, "class", c.Class, "from", c.From, "level", c.Level, "state", c.State)
}

// Run lists sessions.
func (c *sessionListCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	q := c.query()
	sorted := c.query()
	if c.Sort != "" {
		sorted.Set("sort", c.Sort)
	}
	if c.Watch {
		return s.watchSessions(c, sorted)
	}
	var list []session
	if shown, err := s.fetch("/sessions", sorted, &list); shown || err != nil {
		return err
	}
	var doing []struct{ ID, Doing string }
	if _, err := s.get("/sessions/doing", q, &doing); err != nil {
		return err
	}
	busy := map[string]string{}
	for _, d := range doing {
		busy[d.ID] = d.Doing
	}
	var rows [][]string
	for _, x := range list {
		what := busy[x.ID]
		switch {
		case x.Transfer != nil:
			what = x.Transfer.doing()
		case what == "":
			what = x.State
		}
		rows = append(rows, []string{x.ID, x.name(), level(x.Level), x.Protocol, shorten(text(x.UserAgent), 24), host(x.RemoteAddr), text(x.Class), span(time.Since(x.StartedAt)), what})
	}
	return s.table("No sessions.", []string{"ID", "USER", "LEVEL", "PROTO", "CLIENT", "ADDRESS", "CLASS", "SINCE", "DOING"}, rows)
}

// host is an address without its port.
func host(addr string) string {
	if a, err := netip.ParseAddrPort(addr); err == nil {
		return a.Addr().Unmap().String()
	}
	return addr
}

func shorten(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}

type sessionShowCmd struct {
	ID string `arg:"" name:"id" help:"Id of the session."`
}

// Run shows a session.
func (c *sessionShowCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	var x session
	if shown, err := s.fetch("/sessions"+at(c.ID), nil, &x); shown || err != nil {
		return err
	}
	pairs := []string{"id", x.ID, "protocol", x.Protocol, "state", x.State, "level", level(x.Level), "user", text(x.User), "sent as", text(x.OrigUser),
		"ident user", text(x.IdentUser), "anonymous as", text(x.AnonUser)}
	if x.UID != nil && x.GID != nil {
		pairs = append(pairs, "uid", strconv.Itoa(int(*x.UID)), "gid", strconv.Itoa(int(*x.GID))+" ("+text(x.Group)+")", "groups", strings.Join(x.Groups, ", "))
	}
	pairs = append(pairs, "class", text(x.Class), "from", x.RemoteAddr, "to", x.LocalAddr, "tls", text(x.TLS), "jid", text(x.JID))
	if x.Priority != nil {
		pairs = append(pairs, "priority", strconv.Itoa(*x.Priority), "presence", text(x.Presence))
	}
	return s.fields(append(pairs, "client", text(x.UserAgent), "transfer", x.Transfer.doing(), "token", text(x.TokenID), "since", day(&x.StartedAt), "logged in", day(x.LoginAt),
		"idle", span(time.Since(x.LastActivity)), "received", size(x.BytesIn), "sent", size(x.BytesOut), "node", x.Node)...)
}

type sessionEndCmd struct {
	IDs      []string `arg:"" optional:"" name:"id" help:"Ids of sessions, all or none."`
	User     string   `name:"user" placeholder:"LOGIN" help:"All sessions of this account."`
	Class    string   `name:"class" placeholder:"CLASS" help:"All of this class of addresses; - for none."`
	From     string   `name:"from" placeholder:"CIDR" help:"All from this address or block."`
	Protocol string   `name:"protocol" placeholder:"PROTOCOL" enum:"ftp,web,dav,api,xmpp,s2s,component," default:"" help:"All that speak it."`
	Reason   string   `name:"reason" placeholder:"TEXT" help:"May be shown to the person, and stands in the audit log."`
	DryRun   bool     `name:"dry-run" help:"Only say which would end."`
}

// Run ends sessions.
func (c *sessionEndCmd) Run(s *shell) error {
	if (len(c.IDs) == 0) == (c.User+c.Class+c.From+c.Protocol == "") {
		return usage("session end needs either ids, or some of --user, --class, --from and --protocol")
	}
	if err := s.live(); err != nil {
		return err
	}
	body := map[string]any{}
	put(body, "user", c.User)
	put(body, "class", c.Class)
	put(body, "from", c.From)
	put(body, "protocol", c.Protocol)
	put(body, "reason", c.Reason)
	if c.DryRun {
		body["dry_run"] = true
	}
	if len(c.IDs) > 0 {
		body["ids"] = c.IDs
	}
	var ended []session
	if shown, err := s.submit(http.MethodPost, "/sessions/end", nil, body, &ended); shown || err != nil {
		return err
	}
	if len(ended) == 0 && c.User != "" {
		return s.say("No sessions of %s.", c.User)
	}
	if len(ended) == 0 {
		return s.say("No such sessions.")
	}
	did := "Ended"
	if c.DryRun {
		did = "Would end"
	}
	for _, x := range ended {
		of := " of " + x.name()
		if of == " of -" {
			of = ""
		}
		if err := s.say("%s session %s%s (%s).", did, x.ID, of, x.road()); err != nil {
			return err
		}
	}
	return nil
}
