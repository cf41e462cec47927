package main

import (
	"fmt"
	"runtime"
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

type statusCmd struct{}

// Run prints problems first.
func (c *statusCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	var st status
	if shown, err := s.fetch("/status", nil, &st); shown || err != nil {
		return err
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

type versionCmd struct{}

// Run prints this program's version.
func (c *versionCmd) Run(s *shell) error {
	if s.JSON {
		return s.object(struct {
			Version string `json:"version"`
			Go      string `json:"go"`
			OS      string `json:"os"`
			Arch    string `json:"arch"`
		}{version, runtime.Version(), runtime.GOOS, runtime.GOARCH})
	}
	_, err := fmt.Fprintln(s.stdout, "trivium "+version)
	return err
}

type setupLinkCmd struct {
	URLOnly bool `name:"url-only" help:"Print the address alone."`
}

// Run prints the link.
func (c *setupLinkCmd) Run(s *shell) error {
	var link struct {
		URL string `json:"url"`
	}
	body, err := s.get("/setup-link", nil, &link)
	if err != nil {
		return err
	}
	switch {
	case s.JSON:
		return s.json(body)
	case c.URLOnly || s.Quiet || s.Plain:
		_, err = fmt.Fprintln(s.stdout, link.URL)
		return err
	}
	s.note("No administrator yet. Open this link to create one; it works once:")
	if _, err := fmt.Fprintln(s.stdout, link.URL); err != nil {
		return err
	}
	if c, err := s.connect(); err == nil && !c.Live() {
		s.note("The server is not running; start it with: trivium serve")
	}
	return nil
}
