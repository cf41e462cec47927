package main

import (
	"fmt"
	"net/http"
	"time"
)

type maintenance struct {
	On      bool       `json:"on"`
	Message string     `json:"message"`
	Until   *time.Time `json:"until"`
	Since   *time.Time `json:"since"`
	By      string     `json:"by"`
	Ended   int        `json:"ended_sessions"`
}

type maintenanceCmd struct {
	On     maintenanceOnCmd     `cmd:"" help:"Let nobody log in but those who look after the server."`
	Off    maintenanceOffCmd    `cmd:"" help:"Let everybody in again."`
	Status maintenanceStatusCmd `cmd:"" help:"Say whether there is a maintenance."`
}

type maintenanceOnCmd struct {
	Message     string `name:"message" placeholder:"TEXT" help:"One line that people are told."`
	Until       string `name:"until" placeholder:"TIME" help:"When it should be over: 2h from now, or a time with zone (RFC 3339). It does not end by itself."`
	EndSessions bool   `name:"end-sessions" help:"End those sessions, too, that are there and could not log in now."`
}

// Help has the examples.
func (c *maintenanceOnCmd) Help() string {
	return "Examples:\n\n  trivium maintenance on --message \"New disks\" --until 2h\n  trivium maintenance on --end-sessions"
}

// Run begins a maintenance, or changes what is told.
func (c *maintenanceOnCmd) Run(s *shell) error {
	body := map[string]any{"on": true, "end_sessions": c.EndSessions}
	put(body, "message", c.Message)
	if c.Until != "" {
		at, err := parseAhead("--until", c.Until, time.Now())
		if err != nil {
			return err
		}
		body["until"] = at
	}
	var m maintenance
	if shown, err := s.submit(http.MethodPut, "/maintenance", nil, body, &m); shown || err != nil {
		return err
	}
	if c.EndSessions {
		return s.say("The server is in maintenance. Only administrators log in. Sessions ended: %d.", m.Ended)
	}
	return s.say("The server is in maintenance. Only administrators log in. The sessions that are there go on.")
}

type maintenanceOffCmd struct{}

// Run ends it.
func (c *maintenanceOffCmd) Run(s *shell) error {
	var m maintenance
	if shown, err := s.submit(http.MethodPut, "/maintenance", nil, map[string]any{"on": false}, &m); shown || err != nil {
		return err
	}
	return s.say("The server is open to everybody.")
}

type maintenanceStatusCmd struct{}

// Run says whether there is one.
func (c *maintenanceStatusCmd) Run(s *shell) error {
	var m maintenance
	if shown, err := s.fetch("/maintenance", nil, &m); shown || err != nil {
		return err
	}
	if !m.On {
		return s.fields("maintenance", "off")
	}
	pairs := []string{"maintenance", "on", "since", day(m.Since)}
	if m.By != "" {
		pairs = append(pairs, "by", m.By)
	}
	if m.Until != nil {
		pairs = append(pairs, "until", day(m.Until))
	}
	if m.Message != "" {
		pairs = append(pairs, "message", m.Message)
	}
	return s.fields(pairs...)
}

// parseAhead reads a time to come: a length of time from now, or a time with zone.
func parseAhead(flag, text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	d, err := parseDuration(text)
	if err != nil {
		return time.Time{}, usage("%s: %q is neither a length of time such as 30m, 2h or 3d nor a time such as %s", flag, text, fmt.Sprint(now.Format(time.RFC3339)))
	}
	return now.Add(d).Truncate(time.Second), nil
}
