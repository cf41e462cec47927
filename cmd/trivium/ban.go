package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

type ban struct {
	Prefix string    `json:"prefix"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Count  int       `json:"count"`
}

type banCmd struct {
	List   banListCmd   `cmd:"" aliases:"ls" help:"List banned addresses."`
	Remove banRemoveCmd `cmd:"" aliases:"rm" help:"Lift a ban."`
}

type banListCmd struct{}

// Run lists bans.
func (c *banListCmd) Run(s *shell) error {
	var list []ban
	body, err := s.get("/bans", nil, &list)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(body)
	}
	var rows [][]string
	for _, b := range list {
		rows = append(rows, []string{b.Prefix, day(&b.Since), day(&b.Until), strconv.Itoa(b.Count), b.Reason})
	}
	return s.table("No bans.", []string{"ADDRESS", "SINCE", "UNTIL", "COUNT", "REASON"}, rows, "COUNT")
}

type banRemoveCmd struct {
	Address string `arg:"" name:"address" help:"The address or prefix."`
}

// Run lifts a ban.
func (c *banRemoveCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodDelete, "/bans"+at(c.Address), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"prefix": c.Address}, "Lifted the ban of %s.", c.Address)
}

type auditRow struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"`
	Actor   string    `json:"actor"`
	Via     string    `json:"via"`
	Subject string    `json:"subject"`
	Remote  string    `json:"remote"`
	Result  string    `json:"result"`
	Detail  string    `json:"detail"`
}

type auditCmd struct {
	Since   string `name:"since" placeholder:"TIME" help:"1h, 7d, 2030-01-31 or a time with zone (RFC 3339)."`
	Event   string `name:"event" placeholder:"EVENT" help:"An event such as login.fail, or 'login.*'."`
	Actor   string `name:"actor" placeholder:"LOGIN" help:"Who did it."`
	Subject string `name:"subject" placeholder:"NAME" help:"To whom or what."`
	Limit   int    `name:"limit" placeholder:"N" help:"How many rows, the newest; else 200."`
}

// Run prints the log.
func (c *auditCmd) Run(s *shell) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	q := query("since", since, "event", c.Event, "actor", c.Actor, "subject", c.Subject)
	if c.Limit > 0 {
		q.Set("limit", strconv.Itoa(c.Limit))
	}
	var list []auditRow
	body, err := s.get("/audit", q, &list)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(body)
	}
	var rows [][]string
	for _, r := range list {
		actor := r.Actor
		if r.Via != "" {
			actor = strings.TrimPrefix(actor+" via "+r.Via, " ")
		}
		rows = append(rows, []string{r.Time.Local().Format(time.DateTime), r.Event, actor, r.Subject, host(r.Remote), r.Result, r.Detail})
	}
	return s.table("Nothing is recorded.", []string{"TIME", "EVENT", "ACTOR", "SUBJECT", "ADDRESS", "RESULT", "DETAIL"}, rows)
}

// parseSince reads a moment, or how long ago it was.
func parseSince(s string, now time.Time) (string, error) {
	if s == "" {
		return "", nil
	}
	if d, err := parseDuration(s); err == nil {
		return now.Add(-d).UTC().Format(time.RFC3339), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return t.UTC().Format(time.RFC3339), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC().Format(time.RFC3339), nil
	}
	return "", usage("--since takes 1h, 7d, 2030-01-31 or a time such as 2030-01-31T12:00:00Z, not %q", s)
}
