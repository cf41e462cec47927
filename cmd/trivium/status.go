package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

type status struct {
	Version   string         `json:"version"`
	Domain    string         `json:"domain"`
	Uptime    int64          `json:"uptime"`
	Listeners []listener     `json:"listeners"`
	Sessions  map[string]int `json:"sessions"`
	Total     int            `json:"sessions_total"`
	Problems  []struct {
		Severity string `json:"severity"`
		Text     string `json:"text"`
		Hint     string `json:"hint"`
	} `json:"problems"`
}

type listener struct {
	Name     string `json:"name"`
	Addr     string `json:"addr"`
	TLS      string `json:"tls"`
	Sessions int    `json:"sessions"`
	State    string `json:"state"`
}

type statusCmd struct {
	Watch bool `name:"watch" help:"Show it anew every two seconds, until Ctrl-C."`
}

// Help has the examples.
func (c *statusCmd) Help() string {
	return "Examples:\n\n  trivium status\n  trivium status --watch\n  trivium status --json"
}

// watchPause is how long what is watched stands before it is asked for again.
const watchPause = 2 * time.Second

// Run prints problems first.
func (c *statusCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	return s.anew(c.Watch, func() error {
		var st status
		body, err := s.get("/status", nil, &st)
		if err != nil {
			return err
		}
		return s.showStatus(st, body)
	})
}

func (s *shell) showStatus(st status, body []byte) error {
	if s.JSON {
		return s.json(body)
	}
	for _, p := range st.Problems {
		sign := s.paint(s.stdout, yellow, "!")
		if p.Severity == "failure" {
			sign = s.paint(s.stdout, red, "✗")
		}
		line := sign + " " + printable(p.Text)
		if p.Hint != "" {
			line += "   → " + printable(p.Hint)
		}
		if _, err := fmt.Fprintln(s.stdout, line); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(s.stdout, "trivium %s · up %s · %s · %s\n", st.Version, span(time.Duration(st.Uptime)*time.Second), st.Domain, st.count()); err != nil {
		return err
	}
	var rows [][]string
	for _, l := range st.Listeners {
		rows = append(rows, []string{l.Name, l.Addr, l.TLS, strconv.Itoa(l.Sessions), l.State})
	}
	return s.table("No listeners.", []string{"LISTENER", "ADDRESS", "TLS", "SESSIONS", "STATE"}, rows, "SESSIONS")
}

// count is "3 sessions (ftp 1, xmpp 2)".
func (st status) count() string {
	var parts []string
	for p, n := range st.Sessions {
		parts = append(parts, p+" "+strconv.Itoa(n))
	}
	slices.Sort(parts)
	text := strconv.Itoa(st.Total) + " sessions"
	if st.Total == 1 {
		text = "1 session"
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}
