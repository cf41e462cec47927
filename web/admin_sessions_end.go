package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"trivium/identity"
	"trivium/web/text"
)

// endView asks before several sessions are ended, or told something, and says how many.
type endView struct {
	page
	Verb    string // end or message
	Rows    []sessionRow
	Count   int // of those that it is about
	Beyond  int // that are chosen and stay as they are
	Hidden  int // rows that are not shown
	Own     bool
	What    string // what they have in common
	Fields  []hiddenField
	Reason  field
	Text    field
	Cancel  string
	Ticked  bool // they were ticked, not chosen by what they have in common
	Several bool
}

// maxTicked is how many sessions one form may name; maxListed how many of those chosen a page shows.
const (
	maxTicked = 1000
	maxListed = 50
)

// chosen are the sessions that a form or a query means.
type chosen struct {
	list   []identity.Info // that may be ended
	beyond int             // those that may not
	own    bool            // the visitor's own is among those that were meant, and left out
}

// choose finds the sessions that are named, or that the filter chooses; nobody ends the session that
// they sit at, nor one that is not below their level.
func (s *Server) choose(v *visit, ids []string, f identity.Filter) chosen {
	var all []identity.Info
	if len(ids) > 0 {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			all = append(all, s.opt.Registry.List(identity.Filter{ID: id})...)
		}
	} else {
		all = s.opt.Registry.List(f)
	}
	var c chosen
	for _, i := range all {
		switch {
		case i.ID == v.browser.ID():
			c.own = true
		case !v.mayEnd(&i):
			c.beyond++
		default:
			c.list = append(c.list, i)
		}
	}
	return c
}

// getEndSessions asks whether all that the filter of the address chooses shall end.
func (s *Server) getEndSessions(v *visit) error {
	q := v.Request().URL.Query()
	return s.askSessions(v, "end", nil, q.Get)
}

// postEndSessions ends what was ticked or chosen, or says something to it, once that was confirmed.
func (s *Server) postEndSessions(v *visit) error {
	form := v.Request().PostForm
	verb, ids := v.form("do"), form["id"]
	if verb != "message" {
		verb = "end"
	}
	if len(ids) > maxTicked {
		return errTooLarge
	}
	if v.form("ticked") != "" && len(ids) == 0 {
		return v.sorry(v.backTo("/admin/sessions"), "admin_sessions_end.nothing_was_selected_tick_one_or")
	}
	if v.form("sure") != "1" {
		return s.askSessions(v, verb, ids, form.Get)
	}
	var p page
	f := s.sessionFilter(&p, form.Get)
	if len(p.Problems) > 0 || len(ids) == 0 && chooses(v.words, form.Get) == "" {
		return v.sorry("/admin/sessions", "admin_sessions_end.nothing_was_ended_it_is_not")
	}
	c := s.choose(v, ids, f)
	if verb == "message" {
		return s.sayAll(v, c, ids, form.Get)
	}
	n := 0
	for _, i := range c.list {
		if s.end(v, i, v.text("reason")) == nil {
			n++
		}
	}
	if n == 0 {
		return v.sorry("/admin/sessions", "admin_sessions_end.no_session_was_ended_they_had")
	}
	return v.done("/admin/sessions", "admin_sessions_end.sessions_ended", n)
}

func (s *Server) sayAll(v *visit, c chosen, ids []string, value func(string) string) error {
	if messageFault(v.text("text")) != "" {
		return s.askSessions(v, "message", ids, value)
	}
	n, told := 0, map[identity.UserID]bool{}
	for _, i := range c.list {
		if !s.canTell(&i) || i.Protocol == identity.ProtocolXMPP && told[i.Owner] { // chat reaches all of a person's apps
			continue
		}
		if err := s.say(v, &i, v.text("text")); err != nil {
			s.log.Warn("a message was not sent", "request", requestID(v.Request()), "sess", i.ID, "err", err)
			continue
		}
		told[i.Owner] = told[i.Owner] || i.Protocol == identity.ProtocolXMPP
		n++
	}
	if n == 0 {
		return v.sorry("/admin/sessions", "admin_sessions_end.nothing_was_sent_only_pages_and")
	}
	return v.done("/admin/sessions", "admin_sessions_end.the_message_was_sent_to_sessions", n)
}

// chooses is what the sessions of a filter have in common, in words; "" where it chooses all.
func chooses(words *text.Language, value func(string) string) string {
	var list []string
	for _, name := range filterFields {
		x := strings.TrimSpace(value(name))
		if x == "" {
			continue
		}
		list = append(list, words.T("admin_sessions_end.which_"+name, x))
	}
	return strings.Join(list, ", ")
}

func (s *Server) askSessions(v *visit, verb string, ids []string, value func(string) string) error {
	view := &endView{Verb: verb, Cancel: "/admin/sessions", Ticked: len(ids) > 0,
		Reason: field{ID: "reason", Name: "reason", Label: "admin_sessions_end.reason", Type: "text", Autocomplete: "off", Help: "admin_sessions_end.may_stay_empty_it_may_be"},
		Text:   field{ID: "text", Name: "text", Label: "admin_sessions_end.message", Rows: 3, Value: strings.TrimSpace(value("text")), Help: "admin_sessions_end.pages_show_it_when_they_are"}}
	f := s.sessionFilter(&view.page, value)
	if len(ids) == 0 {
		if view.What = chooses(v.words, value); view.What == "" {
			return v.sorry("/admin/sessions", "admin_sessions_end.nothing_was_ended_say_which_sessions")
		}
	}
	if len(view.Problems) > 0 {
		return v.sorry("/admin/sessions", view.Problems[0].Text)
	}
	c := s.choose(v, ids, f)
	if verb == "message" {
		c.list = slices.DeleteFunc(c.list, func(i identity.Info) bool { return !s.canTell(&i) })
		if v.form("sure") == "1" {
			view.trouble(&view.Text, messageFault(view.Text.Value))
		}
	}
	view.Count, view.Beyond, view.Own, view.Several = len(c.list), c.beyond, c.own, len(c.list) != 1
	q := url.Values{}
	for _, name := range filterFields {
		if x := strings.TrimSpace(value(name)); x != "" && len(ids) == 0 {
			q.Set(name, x)
			view.Fields = append(view.Fields, hiddenField{name, x})
		}
	}
	for _, i := range c.list {
		if len(ids) > 0 {
			view.Fields = append(view.Fields, hiddenField{"id", i.ID})
		}
	}
	if len(q) > 0 {
		view.Cancel += "?" + q.Encode()
	}
	newestFirst(c.list)
	if len(c.list) > maxListed {
		view.Hidden, c.list = len(c.list)-maxListed, c.list[:maxListed]
	}
	title := v.T("admin_sessions_end.title_end", view.Count)
	if verb == "message" {
		title = v.T("admin_sessions_end.title_message", view.Count)
	}
	v.fill(&view.page, "admin.sessions", title)
	view.Rows = s.sessionRows(v, &view.page, c.list, "/admin/sessions")
	status := http.StatusOK
	if len(view.Problems) > 0 {
		status = http.StatusUnprocessableEntity
	}
	return s.write(v, status, "admin_sessions_end", view)
}
