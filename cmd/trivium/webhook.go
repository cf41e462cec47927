package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

type webhook struct {
	ID       string   `json:"id"`
	URL      string   `json:"url"`
	Events   []string `json:"events"`
	Active   bool     `json:"active"`
	Failures int      `json:"failures"`
	Why      string   `json:"why"`
	Secret   string   `json:"secret"`
}

func (w webhook) state() string {
	switch {
	case !w.Active && w.Why != "":
		return w.Why
	case !w.Active:
		return "off"
	case w.Failures > 0:
		return "failing, " + strconv.Itoa(w.Failures) + " tries"
	}
	return "on"
}

type delivery struct {
	Message string    `json:"webhook_id"`
	Event   string    `json:"event"`
	At      time.Time `json:"at"`
	Status  int       `json:"status"`
	Millis  int64     `json:"took_ms"`
	Error   string    `json:"error"`
	Attempt int       `json:"attempt"`
}

type webhookCmd struct {
	List   webhookListCmd   `cmd:"" aliases:"ls" help:"List webhooks."`
	Add    webhookAddCmd    `cmd:"" help:"Tell an address what happens from now on; prints the secret of the signatures, once."`
	Set    webhookSetCmd    `cmd:"" help:"Change a webhook, or switch it on or off."`
	Remove webhookRemoveCmd `cmd:"" aliases:"rm" help:"Remove a webhook."`
	Test   webhookTestCmd   `cmd:"" help:"Send webhook.ping now, and say what came of it."`
	Log    webhookLogCmd    `cmd:"" help:"List the last tries of a webhook, the newest first."`
}

type webhookListCmd struct{}

// Run lists webhooks.
func (c *webhookListCmd) Run(s *shell) error {
	var list []webhook
	if shown, err := s.fetch("/webhooks", nil, &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, w := range list {
		events := strings.Join(w.Events, ",")
		if events == "" {
			events = "all"
		}
		rows = append(rows, []string{w.ID, w.URL, events, w.state()})
	}
	return s.table("No webhooks.", []string{"ID", "URL", "EVENTS", "STATE"}, rows)
}

type webhookAddCmd struct {
	URL   string   `arg:"" name:"url" help:"Where events go: https://…"`
	Event []string `name:"event" placeholder:"NAME" help:"A name of the audit log, or a beginning such as user.*; more than one may be given. Without any: all."`
	Note  string   `name:"note" placeholder:"TEXT" help:"What it is for."`
}

// Run adds a webhook.
func (c *webhookAddCmd) Run(s *shell) error {
	var w webhook
	body := map[string]any{"url": c.URL, "note": c.Note}
	if len(c.Event) > 0 {
		body["events"] = c.Event
	}
	text, err := s.send(http.MethodPost, "/webhooks", nil, body, &w)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(text)
	}
	if err := s.say("Webhook %s. Its secret, which is not shown again:", w.ID); err != nil {
		return err
	}
	return s.say("%s", w.Secret)
}

type webhookSetCmd struct {
	ID    string   `arg:"" name:"id" help:"As listed."`
	URL   string   `name:"url" placeholder:"URL" help:"Where events go."`
	Event []string `name:"event" placeholder:"NAME" help:"As add; all of them anew."`
	On    bool     `name:"on" xor:"state" help:"Switch it on; it goes on where it was."`
	Off   bool     `name:"off" xor:"state" help:"Switch it off."`
}

// Run changes a webhook.
func (c *webhookSetCmd) Run(s *shell) error {
	body := map[string]any{}
	if c.URL != "" {
		body["url"] = c.URL
	}
	if len(c.Event) > 0 {
		body["events"] = c.Event
	}
	if c.On || c.Off {
		body["active"] = c.On
	}
	var w webhook
	text, err := s.send(http.MethodPatch, "/webhooks"+at(c.ID), nil, body, &w)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(text)
	}
	return s.say("%s: %s.", w.ID, w.state())
}

type webhookRemoveCmd struct {
	ID string `arg:"" name:"id" help:"As listed."`
}

// Run removes a webhook.
func (c *webhookRemoveCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodDelete, "/webhooks"+at(c.ID), nil, nil); err != nil {
		return err
	}
	return s.say("Removed.")
}

type webhookTestCmd struct {
	ID string `arg:"" name:"id" help:"As listed."`
}

// Run sends a ping.
func (c *webhookTestCmd) Run(s *shell) error {
	var d delivery
	text, err := s.send(http.MethodPost, "/webhooks"+at(c.ID, "test"), nil, map[string]any{}, &d)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(text)
	}
	if d.Error != "" {
		return &failure{exit: exitFailed, code: "not_taken", message: "the ping was not taken: " + d.Error}
	}
	return s.say("Taken with %d after %d ms.", d.Status, d.Millis)
}

type webhookLogCmd struct {
	ID string `arg:"" name:"id" help:"As listed."`
}

// Run lists the last tries.
func (c *webhookLogCmd) Run(s *shell) error {
	var list []delivery
	if shown, err := s.fetch("/webhooks"+at(c.ID, "deliveries"), nil, &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, d := range list {
		what := d.Error
		if what == "" {
			what = "taken"
		}
		rows = append(rows, []string{d.At.Local().Format(time.DateTime), d.Event, strconv.Itoa(d.Attempt), strconv.Itoa(d.Status), strconv.FormatInt(d.Millis, 10), what})
	}
	return s.table("No deliveries.", []string{"TIME", "EVENT", "TRY", "STATUS", "MS", "RESULT"}, rows, "TRY", "STATUS", "MS")
}
