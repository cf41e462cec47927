package main

import (
	"net/http"
	"strings"
	"time"
)

type announcement struct {
	ID    string     `json:"id"`
	Text  string     `json:"text"`
	To    string     `json:"to"`
	Where []string   `json:"where"`
	From  time.Time  `json:"from"`
	Until *time.Time `json:"until"`
	State string     `json:"state"`
}

type announceCmd struct {
	Send announceSendCmd `cmd:"" default:"withargs" help:"Tell people something on all roads."`
	List announceListCmd `cmd:"" aliases:"ls" help:"List announcements, the newest first."`
	End  announceEndCmd  `cmd:"" help:"Tell an announcement nobody any more."`
}

type announceSendCmd struct {
	Text  string   `arg:"" name:"text" help:"What people are told."`
	To    string   `name:"to" placeholder:"WHO" default:"all" help:"all, online (those who are logged in now), level:20, level:staff or group:NAME."`
	Where []string `name:"where" placeholder:"ROAD" enum:"web,xmpp,ftp" help:"web, xmpp or ftp; more than one may be given. Without any: everywhere."`
	From  string   `name:"from" placeholder:"TIME" help:"When it begins, else now: 2h from now, or a time with zone (RFC 3339)."`
	Until string   `name:"until" placeholder:"TIME" help:"When it is over, as --from; else when it is ended."`
	Lang  []string `name:"lang" sep:"none" placeholder:"TAG=TEXT" help:"The text in another language, such as de=Hallo; may come again."`
}

// Help has the examples.
func (c *announceSendCmd) Help() string {
	return "Examples:\n\n  trivium announce \"Down at 22:00 for an hour\" --until 3h\n  trivium announce \"New files for the choir\" --to group:choir --where web"
}

// Run publishes an announcement.
func (c *announceSendCmd) Run(s *shell) error {
	body := map[string]any{"text": c.Text, "to": c.To}
	if len(c.Where) > 0 {
		body["where"] = c.Where
	}
	now := time.Now()
	for _, f := range []struct{ flag, member, text string }{{"--from", "from", c.From}, {"--until", "until", c.Until}} {
		if f.text == "" {
			continue
		}
		at, err := parseAhead(f.flag, f.text, now)
		if err != nil {
			return err
		}
		body[f.member] = at
	}
	texts := map[string]string{}
	for _, l := range c.Lang {
		tag, text, ok := strings.Cut(l, "=")
		if !ok {
			return usage("--lang: %q is not TAG=TEXT, such as de=Hallo", l)
		}
		texts[tag] = text
	}
	if len(texts) > 0 {
		body["texts"] = texts
	}
	var a announcement
	if shown, err := s.submit(http.MethodPost, "/announcements", nil, body, &a); shown || err != nil {
		return err
	}
	return s.say("Announcement %s is %s, for %s: %s.", a.ID, a.State, a.To, strings.Join(a.Where, ", "))
}

type announceListCmd struct{}

// Run lists announcements.
func (c *announceListCmd) Run(s *shell) error {
	return tableOf(s, "/announcements", nil, "No announcements.", []string{"ID", "STATE", "TO", "WHERE", "FROM", "UNTIL", "TEXT"}, func(a announcement) []string {
		first, more, cut := strings.Cut(a.Text, "\n")
		if cut && more != "" {
			first += " …"
		}
		return []string{a.ID, a.State, a.To, strings.Join(a.Where, ","), day(&a.From), day(a.Until), first}
	})
}

type announceEndCmd struct {
	ID string `arg:"" name:"id" help:"As listed."`
}

// Run ends an announcement.
func (c *announceEndCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodPost, "/announcements"+at(c.ID, "end"), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]string{"id": c.ID}, "Announcement %s has ended.", c.ID)
}
