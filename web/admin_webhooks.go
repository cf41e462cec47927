package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"trivium/identity"
	"trivium/webhooks"
)

// webhooksPath is where the pages are.
const webhooksPath = "/admin/webhooks"

// webhooksView lists the webhooks, and makes another.
type webhooksView struct {
	page
	Rows []webhookRow
	Form webhookForm
}

// webhookRow is one in the list.
type webhookRow struct {
	webhooks.Hook
	Host   string // of the address, which may have a secret in its path
	Path   string
	Word   string // of the state
	Tone   string
	Icon   string
	Next   stamp // of a try; empty: none is waited for
	Last   *webhooks.Delivery
	LastAt stamp
}

// webhookView is one, with its latest deliveries.
type webhookView struct {
	page
	Row     webhookRow
	Created stamp
	Form    webhookForm
	Secret  identity.Secret // made just now: shown once
	Tries   []deliveryRow
}

type deliveryRow struct {
	webhooks.Delivery
	When     stamp
	Taken    bool
	SendPath string
}

// webhookForm is what is chosen of one.
type webhookForm struct {
	URL, Note, More field
	Families        []eventFamily
}

// eventFamily is a part of the catalogue with what is ticked in it.
type eventFamily struct {
	Name   string
	Events []eventBox
	Chosen int
}

type eventBox struct {
	Value, ID string
	Whole     bool // the family, with what it is to have one day
	Checked   bool
}

func newWebhookForm(h webhooks.Hook) webhookForm {
	f := webhookForm{
		URL:  field{ID: "url", Name: "url", Label: "admin_webhooks.url", Type: "url", Value: h.URL, Required: true, Autocomplete: "off", Help: "admin_webhooks.url_help"},
		Note: field{ID: "hook-note", Name: "note", Label: "admin_webhooks.note", Type: "text", Value: h.Note, Autocomplete: "off", Help: "admin_webhooks.note_help"},
		More: field{ID: "more", Name: "more", Label: "admin_webhooks.more", Type: "text", Autocomplete: "off", Help: "admin_webhooks.more_help"},
	}
	f.tick(h.Events)
	return f
}

// tick marks what is chosen; names that the catalogue lacks stand in the field of further ones.
func (f *webhookForm) tick(chosen []string) {
	rest := slices.Clone(chosen)
	box := func(name string) eventBox {
		b := eventBox{Value: name, ID: "event-" + strings.NewReplacer(".", "-", "*", "all").Replace(name), Checked: slices.Contains(chosen, name)}
		rest = slices.DeleteFunc(rest, func(s string) bool { return s == name })
		return b
	}
	f.Families = nil
	for _, x := range webhooks.Catalogue() {
		fam := eventFamily{Name: x.Name}
		if len(x.Events) > 1 {
			whole := box(x.Name + ".*")
			whole.Whole = true
			fam.Events = append(fam.Events, whole)
		}
		for _, e := range x.Events {
			fam.Events = append(fam.Events, box(e))
		}
		for _, e := range fam.Events {
			if e.Checked {
				fam.Chosen++
			}
		}
		f.Families = append(f.Families, fam)
	}
	f.More.Value = strings.Join(rest, " ")
}

// read takes over what was filled in.
func (f *webhookForm) read(v *visit) webhooks.NewHook {
	address, note := v.text("url"), v.text("note")
	events := slices.Concat(v.Request().PostForm["event"], names(v.text("more")))
	f.URL.Value, f.Note.Value = address, note
	f.tick(events)
	return webhooks.NewHook{URL: &address, Note: &note, Events: &events}
}

// wrong shows a fault beside the field that it is about.
func (f *webhookForm) wrong(p *page, err error) (int, error) {
	a := answerTo(err)
	if a.fallback || a.status == http.StatusNotFound {
		return 0, err
	}
	at := &f.URL
	switch own := err.Error(); {
	case strings.Contains(own, "event"):
		at = &f.More
	case strings.HasPrefix(own, "note"):
		at = &f.Note
	}
	p.trouble(at, a.words(p.words, err))
	return a.status, nil
}

// hasWebhooks says who has the pages: nobody where nothing delivers.
func (s *Server) hasWebhooks(*visit) bool { return s.opt.Webhooks != nil }

func (s *Server) getWebhooks(v *visit) error {
	return s.showWebhooks(v, http.StatusOK, &webhooksView{Form: newWebhookForm(webhooks.Hook{})})
}

func (s *Server) showWebhooks(v *visit, status int, view *webhooksView) error {
	list, err := s.opt.Webhooks.Hooks(v.ctx())
	if err != nil {
		return err
	}
	last, err := s.opt.Webhooks.Last(v.ctx())
	if err != nil {
		return err
	}
	v.fill(&view.page, "admin.webhooks", "admin_webhooks.webhooks")
	for _, h := range list {
		row := newWebhookRow(&view.page, h)
		if d, ok := last[h.ID]; ok {
			row.Last, row.LastAt = &d, view.Stamp(d.At)
		}
		view.Rows = append(view.Rows, row)
	}
	return s.write(v, status, "admin_webhooks", view)
}

func newWebhookRow(p *page, h webhooks.Hook) webhookRow {
	r := webhookRow{Hook: h, Path: webhooksPath + pathOf(h.ID), Host: h.URL, Word: "admin_webhooks.state_on", Tone: "ok", Icon: "check"}
	if u, err := url.Parse(h.URL); err == nil {
		r.Host = u.Host
	}
	switch {
	case !h.Active && h.Why != "":
		r.Word, r.Tone, r.Icon = "admin_webhooks.state_off", "bad", "stop"
	case !h.Active:
		r.Word, r.Tone, r.Icon = "admin_webhooks.state_paused", "", "ring"
	case h.Failures > 0:
		r.Word, r.Tone, r.Icon, r.Next = "admin_webhooks.state_failing", "warn", "warn", p.Stamp(h.NextAt)
	}
	return r
}

func (s *Server) getWebhook(v *visit) error {
	h, err := s.opt.Webhooks.Hook(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	return s.showWebhook(v, http.StatusOK, h, &webhookView{Form: newWebhookForm(h)})
}

func (s *Server) showWebhook(v *visit, status int, h webhooks.Hook, view *webhookView) error {
	list, err := s.opt.Webhooks.Deliveries(v.ctx(), h.ID)
	if err != nil {
		return err
	}
	v.fill(&view.page, "admin.webhooks", "admin_webhooks.webhook")
	view.Row, view.Created = newWebhookRow(&view.page, h), view.Stamp(h.CreatedAt)
	for _, d := range list {
		view.Tries = append(view.Tries, deliveryRow{Delivery: d, When: view.Stamp(d.At), Taken: d.Error == "",
			SendPath: view.Row.Path + pathOf("deliveries", strconv.FormatInt(d.ID, 10), "send")})
	}
	return s.write(v, status, "admin_webhook", view)
}

func (s *Server) postNewWebhook(v *visit) error {
	view := &webhooksView{Form: newWebhookForm(webhooks.Hook{})}
	h, secret, err := s.opt.Webhooks.Add(v.ctx(), v.actor(), view.Form.read(v))
	if err != nil {
		status, err := view.Form.wrong(&view.page, err)
		if err != nil {
			return err
		}
		return s.showWebhooks(v, status, view)
	}
	return s.showWebhook(v, http.StatusOK, h, &webhookView{Secret: secret, Form: newWebhookForm(h)})
}

func (s *Server) postWebhook(v *visit) error {
	h, err := s.opt.Webhooks.Hook(v.ctx(), v.param("id"))
	if err != nil {
		return err
	}
	view := &webhookView{Form: newWebhookForm(h)}
	if _, err := s.opt.Webhooks.Set(v.ctx(), v.actor(), h.ID, view.Form.read(v)); err != nil {
		status, err := view.Form.wrong(&view.page, err)
		if err != nil {
			return err
		}
		return s.showWebhook(v, status, h, view)
	}
	return v.done(webhooksPath+pathOf(h.ID), "admin_webhooks.changed")
}

// postWebhookSwitch pauses one, or lets it go on where it was.
func (s *Server) postWebhookSwitch(v *visit) error {
	on := v.form("on") == "1"
	path := webhooksPath + pathOf(v.param("id"))
	if _, err := s.opt.Webhooks.Set(v.ctx(), v.actor(), v.param("id"), webhooks.NewHook{Active: &on}); err != nil {
		return v.refused(path, "admin_webhooks.not_changed", err)
	}
	if on {
		return v.done(path, "admin_webhooks.goes_on")
	}
	return v.done(path, "admin_webhooks.paused")
}

func (s *Server) postWebhookSecret(v *visit) error {
	h, secret, err := s.opt.Webhooks.Rotate(v.ctx(), v.actor(), v.param("id"))
	if err != nil {
		return v.refused(webhooksPath+pathOf(v.param("id")), "admin_webhooks.not_changed", err)
	}
	return s.showWebhook(v, http.StatusOK, h, &webhookView{Secret: secret, Form: newWebhookForm(h)})
}

func (s *Server) postRemoveWebhook(v *visit) error {
	if err := s.opt.Webhooks.Remove(v.ctx(), v.actor(), v.param("id")); err != nil {
		return v.refused(webhooksPath, "admin_webhooks.not_removed", absentAs(err, errGone))
	}
	return v.done(webhooksPath, "admin_webhooks.removed")
}

func (s *Server) postWebhookTest(v *visit) error {
	d, err := s.opt.Webhooks.Test(v.ctx(), v.actor(), v.param("id"))
	return s.tried(v, "admin_webhooks.ping", d, err)
}

func (s *Server) postWebhookResend(v *visit) error {
	id, err := strconv.ParseInt(v.param("delivery"), 10, 64)
	if err != nil {
		return identity.ErrNotFound
	}
	d, err := s.opt.Webhooks.Resend(v.ctx(), v.actor(), v.param("id"), id)
	if errors.Is(err, identity.ErrNotFound) {
		err = errGone // the list was older than the log
	}
	return s.tried(v, "admin_webhooks.event", d, err)
}

// tried says what came of something that was sent just now.
func (s *Server) tried(v *visit, what string, d webhooks.Delivery, err error) error {
	path := webhooksPath + pathOf(v.param("id"))
	switch {
	case err != nil:
		return v.refused(path, "admin_webhooks.not_sent", err)
	case d.Error != "":
		return v.sorry(path, v.T("admin_webhooks.not_taken", v.T(what), v.words.Echo("service", d.Error)))
	}
	return v.done(path, "admin_webhooks.taken", v.T(what), d.Status, d.Millis)
}
