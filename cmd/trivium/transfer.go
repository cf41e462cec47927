package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// transfer is what a session moves, as the API lists it.
type transfer struct {
	Verb      string    `json:"verb"`
	Path      string    `json:"path"`
	Bytes     int64     `json:"bytes"`
	Size      int64     `json:"size"`
	Rate      int64     `json:"rate"`
	StartedAt time.Time `json:"started_at"`
}

// done is how far it is, in percent; "-" where nobody knows the size.
func (t *transfer) done() string {
	if t.Size <= 0 {
		return "-"
	}
	return strconv.FormatInt(min(int64(float64(t.Bytes)/float64(t.Size)*100), 100), 10) + "%"
}

// left is how long it may still take; "-" where nobody knows.
func (t *transfer) left() string {
	if t.Size <= 0 || t.Rate <= 0 {
		return "-"
	}
	return span(time.Duration(max(t.Size-t.Bytes, 0)/t.Rate) * time.Second)
}

// doing is a transfer in one column: "STOR /a.iso 43% 10.5 MB/s"; "" for none.
func (t *transfer) doing() string {
	if t == nil {
		return ""
	}
	how := size(t.Bytes)
	if t.Size > 0 {
		how = t.done()
	}
	return fmt.Sprintf("%s %s %s %s/s", t.Verb, t.Path, how, size(t.Rate))
}

type transferCmd struct {
	List transferListCmd `cmd:"" aliases:"ls" help:"List running transfers."`
	Stop transferStopCmd `cmd:"" help:"Stop the transfer of a session; the session goes on."`
}

type transferListCmd struct {
	User  string `name:"user" placeholder:"LOGIN" help:"Only those of this account."`
	Watch bool   `name:"watch" help:"Show them anew every two seconds, until Ctrl-C."`
}

// Run lists transfers.
func (c *transferListCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	return s.anew(c.Watch, func() error { return c.show(s) })
}

func (c *transferListCmd) show(s *shell) error {
	var list []struct {
		Session    string  `json:"session"`
		User       *string `json:"user"`
		Protocol   string  `json:"protocol"`
		RemoteAddr string  `json:"remote_addr"`
		transfer
	}
	if shown, err := s.fetch("/transfers", query("user", c.User), &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{x.Session, text(x.User), x.Protocol, host(x.RemoteAddr), x.Verb, x.Path, x.done(), size(x.Bytes), size(x.Rate) + "/s", x.left(), span(time.Since(x.StartedAt))})
	}
	return s.table("No transfers.", []string{"ID", "USER", "PROTO", "ADDRESS", "VERB", "PATH", "DONE", "BYTES", "RATE", "LEFT", "SINCE"}, rows, "DONE", "BYTES", "RATE", "LEFT")
}

type transferStopCmd struct {
	ID string `arg:"" name:"id" help:"Id of the session that transfers."`
}

// Run stops a transfer.
func (c *transferStopCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/transfers"+at(c.ID), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"session": c.ID, "stopped": true}, "Stopped the transfer of session %s.", c.ID)
}
