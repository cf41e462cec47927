package main

import (
	"cmp"
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

	Last *delivery `json:"last_delivery"`
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
	ID      int64     `json:"id"`
	Message string    `json:"webhook_id"`
	Event   string    `json:"event"`
	At      time.Time `json:"at"`
	Status  int       `json:"status"`
	Millis  int64     `json:"took_ms"`
	Error   string    `json:"error"`
	Attempt int       `json:"attempt"`
}

// result says when one was tried and what came of it; "" of none.
func (d *delivery) result() string {
	if d == nil {
		return ""
	}
	return d.At.Local().Format(time.DateTime) + " " + cmp.Or(d.Error, "taken")
}

type webhookCmd struct {
	List   webhookListCmd   `cmd:"" aliases:"ls" help:"List webhooks."`
	Add    webhookAddCmd    `cmd:"" help:"Tell an address what happens from now on; prints the secret of the signatures, once."`
	Set    webhookSetCmd    `cmd:"" help:"Change a webhook, or switch it on or off."`
	Remove webhookRemoveCmd `cmd:"" aliases:"rm" help:"Remove a webhook."`
	Test   webhookTestCmd   `cmd:"" help:"Send webhook.ping now, and say what came of it."`
	Log    webhookLogCmd    `cmd:"" help:"List the last tries of a webhook, the newest first."`
	Rotate webhookRotateCmd `cmd:"" help:"Give a webhook another secret, and print it, once."`
	Resend webhookResendCmd `cmd:"" help:"Send what a try of the log told once more, now."`
	Events webhookEventsCmd `cmd:"" help:"List the events that a webhook can be told of."`
}

type webhookListCmd struct{}

// Run lists webhooks.
func (c *webhookListCmd) Run(s *shell) error {
	return tableOf(s, "/webhooks", nil, "No webhooks.", []string{"ID", "URL", "EVENTS", "STATE", "LAST"}, func(w webhook) []string {
		return []string{w.ID, w.URL, cmp.Or(strings.Join(w.Events, ","), "all"), w.state(), w.Last.result()}
	})
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
	if shown, err := s.submit(http.MethodPost, "/webhooks", nil, body, &w); shown || err != nil {
		return err
	}
	return w.showSecret(s)
}

// showSecret prints the secret of one that was made or rotated.
func (w *webhook) showSecret(s *shell) error {
	if err := s.say("Webhook %s. Its secret, which is not shown again:", w.ID); err != nil {
		return err
	}
	return s.say("%s", w.Secret)
}

type webhookRotateCmd struct {
	ID string `arg:"" name:"id" help:"As listed."`
}

// Run gives a webhook another secret.
func (c *webhookRotateCmd) Run(s *shell) error {
	var w webhook
	if shown, err := s.submit(http.MethodPost, "/webhooks"+at(c.ID, "secret"), nil, map[string]any{}, &w); shown || err != nil {
		return err
	}
	return w.showSecret(s)
}

type webhookSetCmd struct {
	ID    string   `arg:"" name:"id" help:"As listed."`
	URL   string   `name:"url" placeholder:"URL" help:"Where events go."`
	Event []string `name:"event" placeholder:"NAME" help:"As add; all of them anew."`
	Note  string   `name:"note" placeholder:"TEXT" help:"What it is for."`
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
	if c.Note != "" {
		body["note"] = c.Note
	}
	if c.On || c.Off {
		body["active"] = c.On
	}
	var w webhook
	if shown, err := s.submit(http.MethodPatch, "/webhooks"+at(c.ID), nil, body, &w); shown || err != nil {
		return err
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
	return tryWebhook(s, "the ping", "/webhooks"+at(c.ID, "test"))
}

type webhookResendCmd struct {
	ID       string `arg:"" name:"id" help:"As listed."`
	Delivery int64  `arg:"" name:"delivery" help:"The number of the try, as webhook log lists it."`
}

// Run sends a delivery again.
func (c *webhookResendCmd) Run(s *shell) error {
	return tryWebhook(s, "the event", "/webhooks"+at(c.ID, "deliveries", strconv.FormatInt(c.Delivery, 10), "send"))
}

// tryWebhook has something sent now, and says what came of it.
func tryWebhook(s *shell, what, path string) error {
	var d delivery
	if shown, err := s.submit(http.MethodPost, path, nil, map[string]any{}, &d); shown || err != nil {
		return err
	}
	if d.Error != "" {
		return &failure{exit: exitFailed, code: "not_taken", message: what + " was not taken: " + d.Error}
	}
	return s.say("Taken with %d after %d ms.", d.Status, d.Millis)
}

type webhookEventsCmd struct{}

// Run lists the catalogue.
func (c *webhookEventsCmd) Run(s *shell) error {
	type family struct {
		Name   string   `json:"name"`
		Events []string `json:"events"`
	}
	return tableOf(s, "/webhooks/events", nil, "No events.", []string{"FAMILY", "EVENTS"}, func(f family) []string {
		return []string{f.Name, strings.Join(f.Events, " ")}
	})
}

type webhookLogCmd struct {
	ID string `arg:"" name:"id" help:"As listed."`
}

// Run lists the last tries.
func (c *webhookLogCmd) Run(s *shell) error {
	return tableOf(s, "/webhooks"+at(c.ID, "deliveries"), nil, "No deliveries.", []string{"ID", "TIME", "EVENT", "TRY", "STATUS", "MS", "RESULT"}, func(d delivery) []string {
		return []string{strconv.FormatInt(d.ID, 10), d.At.Local().Format(time.DateTime), d.Event, strconv.Itoa(d.Attempt), strconv.Itoa(d.Status),
			strconv.FormatInt(d.Millis, 10), cmp.Or(d.Error, "taken")}
	}, "ID", "TRY", "STATUS", "MS")
}
