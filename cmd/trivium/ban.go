package main

import (
	"net/http"
	"strconv"
	"time"
)

type ban struct {
	Prefix string    `json:"prefix"`
	Kind   string    `json:"kind"`
	Reason string    `json:"reason"`
	Actor  string    `json:"actor"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Count  int       `json:"count"`
	Hits   int64     `json:"hits"`
}

type banCmd struct {
	List   banListCmd   `cmd:"" aliases:"ls" help:"List banned addresses."`
	Add    banAddCmd    `cmd:"" help:"Ban an address or block."`
	Remove banRemoveCmd `cmd:"" aliases:"rm" help:"Lift a ban."`
	Check  banCheckCmd  `cmd:"" help:"Say whether an address is banned, and why."`
	Allow  banAllowCmd  `cmd:"" help:"Addresses that are never banned."`
}

type banListCmd struct {
	Text string `name:"text" placeholder:"TEXT" help:"Only those with this in address, reason or name; or that hold this address."`
	Kind string `name:"kind" placeholder:"KIND" enum:"guessing,widened,manual," default:"" help:"guessing, widened or manual."`
	Sort string `name:"sort" placeholder:"KEY" help:"since, until, prefix, count, hits, reason or by; -KEY the other way round."`
}

// Run lists bans.
func (c *banListCmd) Run(s *shell) error {
	return tableOf(s, "/bans", query("text", c.Text, "kind", c.Kind, "sort", c.Sort), "No bans.", []string{"ADDRESS", "KIND", "SINCE", "UNTIL", "COUNT", "HITS", "BY", "REASON"}, func(b ban) []string {
		return []string{b.Prefix, b.Kind, day(&b.Since), day(&b.Until), strconv.Itoa(b.Count), strconv.FormatInt(b.Hits, 10), b.Actor, b.Reason}
	}, "COUNT", "HITS")
}

type banAddCmd struct {
	Address string   `arg:"" name:"address" help:"The address or CIDR block; of IPv6 an address stands for its /64."`
	For     duration `name:"for" placeholder:"1d" default:"24h" help:"How long."`
	Reason  string   `name:"reason" placeholder:"TEXT" help:"Why, for the list and the audit log."`
}

// Run bans; --yes stands for the second word that most of the internet asks for.
func (c *banAddCmd) Run(s *shell) error {
	body := map[string]any{"prefix": c.Address, "for": int64(time.Duration(c.For) / time.Second)}
	put(body, "reason", c.Reason)
	if s.Yes {
		body["confirm"] = true
	}
	var b ban
	if shown, err := s.submit(http.MethodPost, "/bans", nil, body, &b); shown || err != nil {
		return err
	}
	return s.say("Banned %s until %s.", b.Prefix, day(&b.Until))
}

type banCheckCmd struct {
	Address string `arg:"" name:"address" help:"The address."`
}

// Run says what holds for an address.
func (c *banCheckCmd) Run(s *shell) error {
	var x struct {
		Address  string    `json:"address"`
		Banned   bool      `json:"banned"`
		Ban      *ban      `json:"ban"`
		Allowed  *banAllow `json:"allowed"`
		Familiar bool      `json:"familiar"`
		Failures int       `json:"failures"`
	}
	if shown, err := s.fetch("/bans/check"+at(c.Address), nil, &x); shown || err != nil {
		return err
	}
	pairs := []string{"address", x.Address}
	switch {
	case x.Ban != nil:
		pairs = append(pairs, "banned", "yes", "by", x.Ban.Prefix+" ("+x.Ban.Kind+")", "until", day(&x.Ban.Until), "reason", x.Ban.Reason)
	case x.Allowed != nil:
		pairs = append(pairs, "banned", "never", "because of", x.Allowed.Prefix, "reason", x.Allowed.Reason)
	default:
		pairs = append(pairs, "banned", "no")
	}
	if x.Familiar {
		pairs = append(pairs, "tokens", "one was right from there lately: they pass a ban for guessing")
	}
	return s.fields(append(pairs, "failures", strconv.Itoa(x.Failures))...)
}

type banAllow struct {
	Prefix string    `json:"prefix"`
	Reason string    `json:"reason"`
	Actor  string    `json:"actor"`
	Since  time.Time `json:"since"`
}

type banAllowCmd struct {
	Add    banAllowAddCmd    `cmd:"" help:"Never ban an address or block."`
	List   banAllowListCmd   `cmd:"" aliases:"ls" help:"List what is never banned."`
	Remove banAllowRemoveCmd `cmd:"" aliases:"rm" help:"Take an address or block off the list."`
}

type banAllowAddCmd struct {
	Address string `arg:"" name:"address" help:"The address or CIDR block."`
	Reason  string `name:"reason" placeholder:"TEXT" help:"Why, for the list."`
}

// Run adds to the list.
func (c *banAllowAddCmd) Run(s *shell) error {
	body := map[string]any{"prefix": c.Address}
	put(body, "reason", c.Reason)
	var a banAllow
	if shown, err := s.submit(http.MethodPost, "/bans/allow", nil, body, &a); shown || err != nil {
		return err
	}
	return s.say("%s is never banned.", a.Prefix)
}

type banAllowListCmd struct{}

// Run lists what is never banned.
func (c *banAllowListCmd) Run(s *shell) error {
	return tableOf(s, "/bans/allow", nil, "Nothing is excepted from bans.", []string{"ADDRESS", "SINCE", "BY", "REASON"}, func(a banAllow) []string {
		return []string{a.Prefix, day(&a.Since), a.Actor, a.Reason}
	})
}

type banAllowRemoveCmd struct {
	Address string `arg:"" name:"address" help:"The address or CIDR block."`
}

// Run takes something off the list.
func (c *banAllowRemoveCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodDelete, "/bans/allow"+at(c.Address), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"prefix": c.Address}, "%s may be banned again.", c.Address)
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

// parseSince reads a moment, or how long ago it was.
func parseSince(flag, s string, now time.Time) (string, error) {
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
	return "", usage("%s takes 1h, 7d, 2030-01-31 or a time such as 2030-01-31T12:00:00Z, not %q", flag, s)
}
