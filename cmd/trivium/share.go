package main

import (
	"net/http"
	"strconv"
	"time"
)

type share struct {
	ID        string     `json:"id"`
	User      string     `json:"user"`
	Path      string     `json:"path"`
	Kind      string     `json:"kind"`
	Password  bool       `json:"password"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	Limit     int        `json:"limit"`
	Count     int        `json:"count"`
	Over      bool       `json:"over"`
}

// uses is how often it was used, of how often it may be.
func (x share) uses() string {
	if x.Limit > 0 {
		return strconv.Itoa(x.Count) + "/" + strconv.Itoa(x.Limit)
	}
	return strconv.Itoa(x.Count)
}

type shareCmd struct {
	List shareListCmd `cmd:"" aliases:"ls" help:"List links, of everybody or one account."`
	End  shareEndCmd  `cmd:"" aliases:"rm" help:"Take links back: they open nothing any more."`
}

type shareListCmd struct {
	User string `name:"user" placeholder:"LOGIN" help:"Only those of this account."`
}

// Run lists shares.
func (c *shareListCmd) Run(s *shell) error {
	return tableOf(s, "/shares", query("user", c.User), "No links.", []string{"ID", "USER", "KIND", "PATH", "STATE", "USED", "CREATED", "EXPIRES"}, func(x share) []string {
		state, expires := "active", "never"
		if x.Over {
			state = "over"
		}
		if x.ExpiresAt != nil {
			expires = day(x.ExpiresAt)
		}
		return []string{x.ID, x.User, x.Kind, x.Path, state, x.uses(), day(&x.CreatedAt), expires}
	}, "USED")
}

type shareEndCmd struct {
	ID []string `arg:"" name:"id" help:"Ids of the links, as the list has them."`
}

// Run ends shares, one after the other.
func (c *shareEndCmd) Run(s *shell) error {
	for _, id := range c.ID {
		if _, err := s.call(http.MethodDelete, "/shares"+at(id), nil, nil); err != nil {
			return err
		}
		if err := s.done(map[string]any{"id": id, "ended": true}, "Ended the link %s.", id); err != nil {
			return err
		}
	}
	return nil
}
