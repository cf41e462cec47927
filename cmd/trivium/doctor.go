package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// report is what the doctor found.
type report struct {
	At      time.Time `json:"at"`
	Results []finding `json:"results"`
}

type finding struct {
	ID      string `json:"id"`
	Group   string `json:"group"`
	Title   string `json:"title"`
	State   string `json:"state"`
	Why     string `json:"why"`
	Fix     string `json:"fix"`
	Fixable bool   `json:"fixable"`
}

type doctorCmd struct {
	Checks  []string `arg:"" optional:"" name:"check" help:"IDs of checks, or groups of them such as ftp; else all."`
	List    bool     `name:"list" help:"List the checks."`
	Fix     bool     `name:"fix" help:"Mend what can be mended and undone; asks about each."`
	Offline bool     `name:"offline" help:"Ask no other machine, and not the DNS."`
}

// Help has the examples.
func (c *doctorCmd) Help() string {
	return "Examples:\n\n  trivium doctor\n  trivium doctor ftp certificate\n  trivium doctor --offline --json\n  trivium doctor --fix\n\n" +
		"Exit code 0: all is well, 1: something failed, 8: there are warnings alone. Without a running server it checks what can be checked."
}

// doctorWait is how long a run may take, where nobody says.
const doctorWait = 2 * time.Minute

// Run examines the server.
func (c *doctorCmd) Run(s *shell) error {
	if time.Duration(s.Timeout) == defaultTimeout {
		s.Timeout = duration(doctorWait)
	}
	if c.List {
		return c.list(s)
	}
	if s.Socket == "" {
		if _, err := s.config(); err != nil {
			return c.broken(s, err)
		}
	}
	q := url.Values{"check": {strings.Join(c.Checks, ",")}, "offline": {strconv.FormatBool(c.Offline)}}
	var r report
	body, err := s.get("/doctor", q, &r)
	if err != nil {
		return err
	}
	if c.Fix {
		if err := c.mend(s, &r); err != nil {
			return err
		}
	}
	if s.JSON && !c.Fix {
		if err := s.json(body); err != nil {
			return err
		}
	} else if err := s.examined(r); err != nil {
		return err
	}
	return r.verdict()
}

// broken says of a configuration that cannot be read that it is what is wrong.
func (c *doctorCmd) broken(s *shell, err error) error {
	var f *failure
	if !errors.As(err, &f) || s.JSON {
		return err
	}
	r := report{Results: []finding{{ID: "config.file", Group: "Configuration", Title: "the configuration is not valid", State: "failed",
		Why: "no server starts with it, and nothing else can be looked at", Fix: "trivium config check"}}}
	if err := s.examined(r); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(s.stdout, "\n"+f.message); err != nil {
		return err
	}
	return r.verdict()
}

func (c *doctorCmd) list(s *shell) error {
	var list []struct {
		ID      string `json:"id"`
		Group   string `json:"group"`
		About   string `json:"about"`
		Network bool   `json:"network"`
	}
	if shown, err := s.fetch("/doctor/checks", nil, &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, x := range list {
		network := ""
		if x.Network {
			network = "network"
		}
		rows = append(rows, []string{x.ID, x.Group, x.About, network})
	}
	return s.table("No checks.", []string{"ID", "GROUP", "ABOUT", "NEEDS"}, rows)
}

// mend asks about each thing that can be mended, and puts what is then found in the report.
func (c *doctorCmd) mend(s *shell, r *report) error {
	any := false
	for i, x := range r.Results {
		if !x.Fixable {
			continue
		}
		any = true
		err := s.confirm(fmt.Sprintf("%s: %s. Do that: %s?", x.ID, x.Title, x.Fix), "left as it is")
		var f *failure
		if errors.As(err, &f) && f.code == "not_confirmed" && !s.NoInput && terminal(s.stdin) {
			continue
		}
		if err != nil {
			return err
		}
		var now finding
		if _, err := s.send(http.MethodPost, "/doctor/fixes", nil, map[string]string{"id": x.ID}, &now); err != nil {
			return err
		}
		if now.ID == "" { // what was found is gone with its cause
			now = finding{ID: x.ID, Group: x.Group, Title: x.Title + ": mended", State: "ok"}
		}
		r.Results[i] = now
	}
	if !any {
		s.note("There is nothing that can be mended from here.")
	}
	return nil
}

// sign is how a state looks.
func (s *shell) sign(state string) string {
	switch state {
	case "ok":
		return s.paint(s.stdout, green, "✓")
	case "warning":
		return s.paint(s.stdout, yellow, "!")
	case "failed":
		return s.paint(s.stdout, red, "✗")
	}
	return "–"
}

// Where the columns of a report begin, and how wide it gets.
const (
	groupColumn = 16
	whyColumn   = 20
	lineWidth   = 100
)

// examined prints a report: what is well side by side, what is not with its reason below.
func (s *shell) examined(r report) error {
	if s.Plain {
		var rows [][]string
		for _, x := range r.Results {
			rows = append(rows, []string{x.ID, x.State, x.Title, x.Why, x.Fix})
		}
		return s.table("", nil, rows)
	}
	var b strings.Builder
	group, width := "", 0
	for _, x := range r.Results {
		text := printable(x.Title)
		if x.State == "skipped" {
			text += ": skipped, " + printable(x.Why)
		}
		n := columns(text) + 2
		switch bad := x.State == "failed" || x.State == "warning"; {
		case x.Group != group:
			if group != "" {
				b.WriteByte('\n')
			}
			group, width = x.Group, groupColumn
			b.WriteString(x.Group + strings.Repeat(" ", max(1, groupColumn-columns(x.Group))))
		case width+3+n > lineWidth || bad && width > groupColumn:
			b.WriteString("\n" + strings.Repeat(" ", groupColumn))
			width = groupColumn
		case width > groupColumn:
			b.WriteString("   ")
			width += 3
		}
		b.WriteString(s.sign(x.State) + " " + text)
		width += n
		if x.State != "failed" && x.State != "warning" {
			continue
		}
		for _, line := range [][2]string{{"why", x.Why}, {"fix", x.Fix}} {
			if line[1] != "" {
				b.WriteString("\n" + strings.Repeat(" ", whyColumn) + line[0] + "  " + printable(line[1]))
			}
		}
		width = lineWidth // nothing stands beside it
	}
	if group != "" {
		b.WriteByte('\n')
	}
	b.WriteString(r.summary() + "\n")
	_, err := s.stdout.Write([]byte(b.String()))
	return err
}

func (r report) count(state string) (n int) {
	for _, x := range r.Results {
		if x.State == state {
			n++
		}
	}
	return n
}

// summary is "1 failed, 2 warnings, 2 skipped".
func (r report) summary() string {
	var parts []string
	if n := r.count("failed"); n > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", n))
	}
	switch n := r.count("warning"); {
	case n == 1:
		parts = append(parts, "1 warning")
	case n > 1:
		parts = append(parts, fmt.Sprintf("%d warnings", n))
	}
	if n := r.count("skipped"); n > 0 {
		parts = append(parts, fmt.Sprintf("%d skipped", n))
	}
	if r.count("failed")+r.count("warning") == 0 {
		parts = append([]string{"All is well"}, parts...)
	}
	return strings.Join(parts, ", ")
}

// verdict is the exit code.
func (r report) verdict() error {
	switch {
	case r.count("failed") > 0:
		return &failure{exit: exitFailed, said: true, message: "checks failed"}
	case r.count("warning") > 0:
		return &failure{exit: exitWarnings, said: true, message: "there are warnings"}
	}
	return nil
}
