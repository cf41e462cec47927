package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type source struct {
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`
	Address  string      `json:"address"`
	Domain   string      `json:"domain"`
	Create   bool        `json:"create"`
	Accounts int         `json:"accounts"`
	Gone     bool        `json:"gone"`
	Fault    string      `json:"fault"`
	LastSync *syncReport `json:"last_sync"`
}

type syncReport struct {
	Source   string    `json:"source"`
	Ended    time.Time `json:"ended"`
	People   int       `json:"people"`
	Created  int       `json:"created"`
	Changed  int       `json:"changed"`
	Disabled int       `json:"disabled"`
	Enabled  int       `json:"enabled"`
	Skipped  int       `json:"skipped"`
	Notes    []string  `json:"notes"`
	Fault    string    `json:"fault"`
}

func (r *syncReport) words() string {
	return fmt.Sprintf("%d people: %d created, %d changed, %d disabled, %d enabled, %d skipped", r.People, r.Created, r.Changed, r.Disabled, r.Enabled, r.Skipped)
}

type sourceCmd struct {
	List   sourceListCmd   `cmd:"" aliases:"ls" help:"List the directories that check passwords, and how they are."`
	Test   sourceTestCmd   `cmd:"" help:"Ask a directory whether it can be reached, and who somebody is there."`
	Sync   sourceSyncCmd   `cmd:"" help:"Read everybody of a directory: make, change and disable accounts."`
	Attach sourceAttachCmd `cmd:"" help:"Let a directory keep the password of an account."`
	Detach sourceDetachCmd `cmd:"" help:"Take an account out of its directory; it needs a password of its own then."`
}

type sourceListCmd struct{}

// Run lists directories.
func (c *sourceListCmd) Run(s *shell) error {
	return tableOf(s, "/sources", nil, "No directories. They stand in the configuration: trivium config describe identity.ldap", []string{"SOURCE", "KIND", "ADDRESS", "ACCOUNTS", "SYNC", "STATE"}, func(x source) []string {
		state, last := "ok", "never"
		if x.Fault != "" {
			state = x.Fault
		}
		if x.LastSync != nil {
			last = day(&x.LastSync.Ended)
			if x.LastSync.Fault != "" {
				last += " (failed)"
			}
		}
		return []string{x.Name, x.Kind, x.Address, strconv.Itoa(x.Accounts), last, state}
	}, "ACCOUNTS")
}

type sourceTestCmd struct {
	Source string `arg:"" help:"The directory; without it each of them."  optional:""`
	Login  string `arg:"" help:"Who is to be found there." optional:""`
}

// Run asks directories.
func (c *sourceTestCmd) Run(s *shell) error {
	return s.eachSource(c.Source, func(name string) error { return c.one(s, name) })
}

// eachSource calls fn with the name of a directory, or where there is none with each of them; it goes on
// after an error, and returns the first.
func (s *shell) eachSource(name string, fn func(name string) error) error {
	if name != "" {
		return fn(name)
	}
	var list []source
	if _, err := s.get("/sources", nil, &list); err != nil {
		return err
	}
	var first error
	for _, x := range list {
		if err := fn(x.Name); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (c *sourceTestCmd) one(s *shell, name string) error {
	var t struct {
		Person *struct {
			Subject  string   `json:"subject"`
			Login    string   `json:"login"`
			Email    string   `json:"email"`
			Display  string   `json:"display"`
			Phone    string   `json:"phone"`
			UID      uint32   `json:"uid"`
			GID      uint32   `json:"gid"`
			Group    string   `json:"group"`
			Groups   []string `json:"groups"`
			Disabled bool     `json:"disabled"`
		} `json:"person"`
	}
	if shown, err := s.submit(http.MethodPost, "/sources"+at(name)+"/test", nil, map[string]any{"login": c.Login}, &t); shown || err != nil {
		return err
	}
	p := t.Person
	if p == nil {
		return s.say("The directory %s answers.", name)
	}
	state := "may log in"
	if p.Disabled {
		state = "disabled"
	}
	return s.fields("login", p.Login, "subject", p.Subject, "name", p.Display, "email", p.Email, "phone", p.Phone, "state", state,
		"uid", strconv.Itoa(int(p.UID)), "gid", strconv.Itoa(int(p.GID))+" ("+p.Group+")", "groups", strings.Join(p.Groups, "; "))
}

type sourceSyncCmd struct {
	Source string `arg:"" help:"The directory; without it each of them." optional:""`
	DryRun bool   `name:"dry-run" help:"Say what would be done, and do nothing."`
	Force  bool   `name:"force" help:"Disable more than half of the accounts, too."`
}

// Run synchronises directories.
func (c *sourceSyncCmd) Run(s *shell) error {
	return s.eachSource(c.Source, func(name string) error { return c.one(s, name) })
}

func (c *sourceSyncCmd) one(s *shell, name string) error {
	var r syncReport
	if shown, err := s.submit(http.MethodPost, "/sources"+at(name)+"/sync", nil, map[string]any{"dry_run": c.DryRun, "force": c.Force}, &r); shown || err != nil {
		return err
	}
	for _, n := range r.Notes {
		s.note("%s: %s", name, n)
	}
	would := ""
	if c.DryRun {
		would = " (dry run: nothing was written)"
	}
	return s.say("%s: %s%s", name, r.words(), would)
}

type sourceAttachCmd struct {
	User   string `arg:"" help:"The account."`
	Source string `arg:"" help:"The directory in which somebody has the same login."`
}

// Run attaches an account.
func (c *sourceAttachCmd) Run(s *shell) error {
	if shown, err := s.submit(http.MethodPut, "/users"+at(c.User)+"/source", nil, map[string]any{"source": c.Source}, nil); shown || err != nil {
		return err
	}
	return s.say("The directory %s keeps the password of %s from now on.", c.Source, c.User)
}

type sourceDetachCmd struct {
	User string `arg:"" help:"The account."`
}

// Run detaches an account.
func (c *sourceDetachCmd) Run(s *shell) error {
	if shown, err := s.submit(http.MethodPut, "/users"+at(c.User)+"/source", nil, map[string]any{"source": ""}, nil); shown || err != nil {
		return err
	}
	return s.say("%s is from no directory any more. Give it a password: trivium user passwd %s", c.User, c.User)
}
