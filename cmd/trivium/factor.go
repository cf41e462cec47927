package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// factor is a second factor as the API shows it.
type factor struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind"`
	Label      string     `json:"label"`
	Left       int        `json:"left"`
	Cloned     bool       `json:"cloned"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsed   *time.Time `json:"last_used"`
	LastRemote string     `json:"last_remote"`
}

type userFactorCmd struct {
	List   userFactorListCmd   `cmd:"" aliases:"ls" help:"List the second factors of an account."`
	Remove userFactorRemoveCmd `cmd:"" aliases:"rm" help:"Remove a second factor of an account, or all, for who has lost them."`
}

type userFactorListCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
}

// Run lists factors.
func (c *userFactorListCmd) Run(s *shell) error {
	return tableOf(s, "/users"+at(c.Login, "factors"), nil, "No second factors.", []string{"ID", "KIND", "NAME", "ADDED", "LAST USED", "FROM"}, func(f factor) []string {
		return []string{f.ID, f.Kind, f.words(), day(&f.CreatedAt), day(f.LastUsed), f.LastRemote}
	})
}

// words is the name of a factor, and what there is to say of it.
func (f factor) words() string {
	switch {
	case f.Cloned:
		return f.Label + " (a copy was used)"
	case f.Kind == "recovery":
		return f.Label + " (" + strconv.Itoa(f.Left) + " left)"
	}
	return f.Label
}

type userFactorRemoveCmd struct {
	Login string `arg:"" name:"login" help:"Login, alias or login@domain."`
	ID    string `arg:"" optional:"" name:"id" help:"Of the factor; else all of them."`
}

// Run removes after a question.
func (c *userFactorRemoveCmd) Run(s *shell) error {
	what, path := "the second factor "+c.ID, at(c.Login, "factors", c.ID)
	if c.ID == "" {
		what, path = "all second factors", at(c.Login, "factors")
	}
	if err := s.confirm("Remove "+what+" of "+c.Login+"? A password alone lets in then, unless the configuration asks for more.", "nothing was removed"); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/users"+path, nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"user": c.Login, "factor": c.ID}, "Removed "+strings.ReplaceAll(what, "%", "%%")+" of %s.", c.Login)
}
