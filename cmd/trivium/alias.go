package main

import "net/http"

type alias struct {
	Alias string `json:"alias"`
	User  string `json:"user"`
}

type aliasCmd struct {
	List   aliasListCmd   `cmd:"" aliases:"ls" help:"List aliases."`
	Add    aliasAddCmd    `cmd:"" help:"Give an account a further login name."`
	Remove aliasRemoveCmd `cmd:"" aliases:"rm" help:"Remove an alias."`
}

type aliasListCmd struct{}

// Run lists aliases.
func (c *aliasListCmd) Run(s *shell) error {
	return tableOf(s, "/aliases", nil, "No aliases.", []string{"ALIAS", "USER"}, func(a alias) []string {
		return []string{a.Alias, a.User}
	})
}

type aliasAddCmd struct {
	Alias string `arg:"" name:"alias" help:"The further name."`
	User  string `arg:"" name:"user" help:"Whose."`
}

// Run adds an alias.
func (c *aliasAddCmd) Run(s *shell) error {
	var a alias
	if shown, err := s.submit(http.MethodPost, "/aliases", nil, map[string]any{"alias": c.Alias, "user": c.User}, &a); shown || err != nil {
		return err
	}
	return s.say("%s now logs in as %s.", a.Alias, a.User)
}

type aliasRemoveCmd struct {
	Alias string `arg:"" name:"alias" help:"The further name."`
}

// Run removes an alias.
func (c *aliasRemoveCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodDelete, "/aliases"+at(c.Alias), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"alias": c.Alias}, "Removed the alias %s.", c.Alias)
}
