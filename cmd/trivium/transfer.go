package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// transfer is what a session moves, as the API lists it.
type transfer struct {
	ID        string    `json:"id"`
	Verb      string    `json:"verb"`
	Direction string    `json:"direction"`
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
	if t.Direction == "here" { // work on the server, whose bytes nobody counts
		return t.Verb + " " + t.Path
	}
	how := size(t.Bytes)
	if t.Size > 0 {
		how = t.done()
	}
	return fmt.Sprintf("%s %s %s %s/s", t.Verb, t.Path, how, size(t.Rate))
}

type transferCmd struct {
	List transferListCmd `cmd:"" aliases:"ls" help:"List running transfers."`
	Stop transferStopCmd `cmd:"" help:"Stop one transfer; its session goes on."`
}

type transferListCmd struct {
	User      string `name:"user" placeholder:"LOGIN" help:"Only those of this account."`
	From      string `name:"from" placeholder:"CIDR" help:"Only those from this address or block."`
	Path      string `name:"path" placeholder:"TEXT" help:"Only those with this in their path, in any case."`
	Direction string `name:"direction" placeholder:"DIRECTION" enum:"in,out,here," default:"" help:"in: to the server; out: from it; here: long work on the server, such as a checksum."`
	Protocol  string `name:"protocol" placeholder:"PROTOCOL" enum:"ftp,web,dav,api,xmpp," default:"" help:"ftp, web, dav, api or xmpp."`
	Watch     bool   `name:"watch" help:"Show them anew every two seconds, until Ctrl-C."`
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
	if shown, err := s.fetch("/transfers", query("user", c.User, "from", c.From, "path", c.Path, "direction", c.Direction, "protocol", c.Protocol), &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{x.ID, text(x.User), x.Protocol, host(x.RemoteAddr), x.Verb, x.Path, x.done(), size(x.Bytes), size(x.Rate) + "/s", x.left(), span(time.Since(x.StartedAt))})
	}
	return s.table("No transfers.", []string{"ID", "USER", "PROTO", "ADDRESS", "VERB", "PATH", "DONE", "BYTES", "RATE", "LEFT", "SINCE"}, rows, "DONE", "BYTES", "RATE", "LEFT")
}

type transferStopCmd struct {
	ID string `arg:"" name:"id" help:"Id of the transfer, as transfer list has it."`
}

// Run stops a transfer.
func (c *transferStopCmd) Run(s *shell) error {
	if err := s.live(); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/transfers"+at(c.ID), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"id": c.ID, "stopped": true}, "Stopped transfer %s; its session goes on.", c.ID)
}
