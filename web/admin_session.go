package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"trivium/identity"
)

// sessionView is all that is known of one session, and what can be done with it and its like.
type sessionView struct {
	page
	Row                   sessionRow
	Facts                 []fact
	More                  []endMore
	Ban                   string // where its address is banned; "" where it has none
	Reason, Text          field
	MessagePath, EndPath  string // "" where that cannot be done
	Password, TokenNotice bool
}

type fact struct{ Label, Value string }

// endMore leads to ending all sessions that have something in common.
type endMore struct{ Label, Href string }

// maxMessage is the length of a message to a session, in characters.
const maxMessage = 1000

func (s *Server) getSession(v *visit) error {
	i, ok := s.sessionAt(v)
	if !ok {
		return v.refused("/admin/sessions", "admin_session.the_session_is_not_shown", errGone)
	}
	return s.showSession(v, http.StatusOK, &i, field{})
}

func (s *Server) showSession(v *visit, status int, i *identity.Info, text field) error {
	view := &sessionView{Reason: field{ID: "reason", Name: "reason", Label: "admin_session.reason", Type: "text", Autocomplete: "off", Help: "admin_session.may_stay_empty_it_may_be"}}
	view.Text = field{ID: "text", Name: "text", Label: "admin_session.message", Rows: 3, Value: text.Value, Help: messageHelp(i.Protocol)}
	if text.Error != "" {
		view.trouble(&view.Text, text.Error)
	}
	v.fill(&view.page, "admin.sessions", v.T("admin_session.session_of", v.whoOf(i)))
	view.Row = s.sessionRows(v, &view.page, []identity.Info{*i}, "/admin/sessions")[0]
	view.EndPath = view.Row.EndPath
	view.Facts = s.sessionFacts(v, i)
	if s.canTell(i) {
		view.MessagePath = pathOf("admin", "sessions", i.ID, "message")
	}
	more := func(label, name, value string, f identity.Filter) {
		if n := s.opt.Registry.Count(f); n > 0 && value != "" {
			view.More = append(view.More, endMore{fmt.Sprintf("%s (%d)", label, n), "/admin/sessions/end?" + url.Values{name: {value}}.Encode()})
		}
	}
	if user := deref(i.User); user != "" {
		more(v.T("admin_session.end_all_of", user), "user", user, identity.Filter{User: user})
	}
	if class := deref(i.Class); class != "" {
		more(v.T("admin_session.end_all_of_class", class), "class", class, identity.Filter{Class: class})
	}
	if a, err := netip.ParseAddrPort(i.RemoteAddr); err == nil {
		host := a.Addr().Unmap().WithZone("")
		more(v.T("admin_session.end_all_from", host.String()), "from", host.String(), identity.Filter{From: netip.PrefixFrom(host, host.BitLen())})
		view.Ban = "/admin/bans?" + url.Values{"prefix": {host.String()}}.Encode() + "#new"
	}
	return s.write(v, status, "admin_session", view)
}

// sessionFacts lists what a session says of itself; what it does not say is left out.
func (s *Server) sessionFacts(v *visit, i *identity.Info) (list []fact) {
	add := func(label, value string) {
		if value != "" {
			list = append(list, fact{v.T(label), v.T(value)})
		}
	}
	number := func(n *uint32) string {
		if n == nil {
			return ""
		}
		return strconv.FormatUint(uint64(*n), 10)
	}
	add("admin_session.name_as_it_was_sent", deref(i.OrigUser))
	add("admin_session.anonymous_as", deref(i.AnonUser))
	add("admin_session.ident_says", deref(i.IdentUser))
	if ses, ok := s.opt.Registry.Get(i.ID); ok {
		add("admin_session.logged_in_by", string(ses.Method()))
	}
	add("admin_session.app_password", deref(i.TokenID))
	add("uid", number(i.UID))
	if i.GID != nil {
		add("gid", strings.TrimSpace(number(i.GID)+" "+deref(i.Group)))
	}
	add("common.groups", strings.Join(i.Groups, ", "))
	add("admin_session.class", deref(i.Class))
	add("common.address", i.RemoteAddr)
	add("admin_session.location", deref(i.Location))
	add("admin_session.listener", i.LocalAddr)
	add("admin_session.tls", deref(i.TLS))
	add("common.client", deref(i.UserAgent))
	add("admin_session.language", deref(i.Lang))
	add("admin_session.jid", deref(i.JID))
	if i.Priority != nil {
		add("admin_session.priority", strconv.Itoa(int(*i.Priority)))
	}
	add("admin_session.presence", deref(i.Presence))
	if i.Interested != nil && *i.Interested {
		add("admin_session.contact_list", "admin_session.asked_for")
	}
	add("admin_session.doing", sessionRow{Info: *i, words: v.words}.At())
	add("admin_session.received_sent", v.words.Bytes(i.BytesIn)+" / "+v.words.Bytes(i.BytesOut))
	add("admin_session.node", i.Node)
	add("admin_session.id", i.ID)
	return list
}

// canTell reports whether a message reaches who is at a session: a page shows it, and chat does. Other
// roads have no way to say anything unasked.
func (s *Server) canTell(i *identity.Info) bool {
	switch i.Protocol {
	case identity.ProtocolWeb:
		return true
	case identity.ProtocolXMPP:
		return s.opt.Tell != nil && i.Owner != ""
	}
	return false
}

func messageHelp(p identity.Protocol) string {
	if p == identity.ProtocolXMPP {
		return "admin_session.it_comes_as_a_chat_message"
	}
	return "admin_session.it_stands_on_the_next_page"
}

func (s *Server) postMessage(v *visit) error {
	i, ok := s.sessionAt(v)
	if !ok || !s.canTell(&i) {
		return v.refused("/admin/sessions", "admin_session.nothing_was_said", errGone)
	}
	text := v.text("text")
	if fault := messageFault(text); fault != "" {
		return s.showSession(v, http.StatusUnprocessableEntity, &i, field{Value: text, Error: fault})
	}
	here := pathOf("admin", "sessions", i.ID)
	if err := s.say(v, &i, text); err != nil {
		return v.refused(here, "admin_session.the_message_was_not_sent", err)
	}
	return v.done(here, "admin_session.the_message_to_was_sent", v.whoOf(&i))
}

func messageFault(text string) string {
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "admin_session.say"
	case n > maxMessage || !utf8.ValidString(text):
		return "admin_session.too_long"
	}
	return ""
}

// say brings a message to a session, and notes it in the audit log, without the text.
func (s *Server) say(v *visit, i *identity.Info, text string) error {
	by := v.actor()
	if i.Protocol == identity.ProtocolWeb {
		s.flashes.put(i.ID, flash{Kind: flashInfo, From: by.User, Text: text})
	} else {
		a, err := s.opt.Identity.UserByID(v.ctx(), i.Owner)
		if err != nil {
			return err
		}
		if err := s.opt.Tell(v.ctx(), a.Domain, string(a.Login), "Message from "+by.User, text); err != nil {
			return err
		}
	}
	return s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: "session.message", Actor: by.User, Via: by.Via, Remote: by.Remote,
		Subject: v.whoOf(i), Session: i.ID, Protocol: i.Protocol, Result: "ok"})
}
