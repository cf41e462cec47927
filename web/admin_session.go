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
		return v.refused("/admin/sessions", "The session is not shown.", errGone)
	}
	return s.showSession(v, http.StatusOK, &i, field{})
}

func (s *Server) showSession(v *visit, status int, i *identity.Info, text field) error {
	view := &sessionView{Reason: field{ID: "reason", Name: "reason", Label: "Reason", Type: "text", Autocomplete: "off", Help: "May stay empty. It may be shown to the person."}}
	view.Text = field{ID: "text", Name: "text", Label: "Message", Rows: 3, Value: text.Value, Help: messageHelp(i.Protocol)}
	if text.Error != "" {
		view.trouble(&view.Text, text.Error)
	}
	v.fill(&view.page, "admin.sessions", "Session of "+whoOf(i))
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
		more("End all of "+user, "user", user, identity.Filter{User: user})
	}
	if class := deref(i.Class); class != "" {
		more("End all of class "+class, "class", class, identity.Filter{Class: class})
	}
	if a, err := netip.ParseAddrPort(i.RemoteAddr); err == nil {
		host := a.Addr().Unmap().WithZone("")
		more("End all from "+host.String(), "from", host.String(), identity.Filter{From: netip.PrefixFrom(host, host.BitLen())})
		view.Ban = "/admin/bans?" + url.Values{"prefix": {host.String()}}.Encode() + "#new"
	}
	return s.write(v, status, "admin_session", view)
}

// sessionFacts lists what a session says of itself; what it does not say is left out.
func (s *Server) sessionFacts(v *visit, i *identity.Info) (list []fact) {
	add := func(label, value string) {
		if value != "" {
			list = append(list, fact{label, value})
		}
	}
	number := func(n *uint32) string {
		if n == nil {
			return ""
		}
		return strconv.FormatUint(uint64(*n), 10)
	}
	add("Name as it was sent", deref(i.OrigUser))
	add("Anonymous as", deref(i.AnonUser))
	add("Ident says", deref(i.IdentUser))
	if ses, ok := s.opt.Registry.Get(i.ID); ok {
		add("Logged in by", string(ses.Method()))
	}
	add("App password", deref(i.TokenID))
	add("uid", number(i.UID))
	if i.GID != nil {
		add("gid", strings.TrimSpace(number(i.GID)+" "+deref(i.Group)))
	}
	add("Groups", strings.Join(i.Groups, ", "))
	add("Class", deref(i.Class))
	add("Address", i.RemoteAddr)
	add("Location", deref(i.Location))
	add("Listener", i.LocalAddr)
	add("TLS", deref(i.TLS))
	add("Client", deref(i.UserAgent))
	add("Language", deref(i.Lang))
	add("JID", deref(i.JID))
	if i.Priority != nil {
		add("Priority", strconv.Itoa(int(*i.Priority)))
	}
	add("Presence", deref(i.Presence))
	if i.Interested != nil && *i.Interested {
		add("Contact list", "asked for")
	}
	add("Doing", sessionRow{Info: *i, words: v.words}.At())
	add("Received, sent", v.words.Bytes(i.BytesIn)+" / "+v.words.Bytes(i.BytesOut))
	add("Node", i.Node)
	add("ID", i.ID)
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
		return "It comes as a chat message from the server."
	}
	return "It stands on the next page that the browser opens."
}

func (s *Server) postMessage(v *visit) error {
	i, ok := s.sessionAt(v)
	if !ok || !s.canTell(&i) {
		return v.refused("/admin/sessions", "Nothing was said.", errGone)
	}
	text := v.text("text")
	if fault := messageFault(text); fault != "" {
		return s.showSession(v, http.StatusUnprocessableEntity, &i, field{Value: text, Error: fault})
	}
	here := pathOf("admin", "sessions", i.ID)
	if err := s.say(v, &i, text); err != nil {
		return v.refused(here, "The message was not sent.", err)
	}
	return v.done(here, "The message to %s was sent.", whoOf(&i))
}

func messageFault(text string) string {
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "Write what is to be said."
	case n > maxMessage || !utf8.ValidString(text):
		return "A message has at most " + plural(maxMessage, "character", "characters") + "."
	}
	return ""
}

// say brings a message to a session, and notes it in the audit log, without the text.
func (s *Server) say(v *visit, i *identity.Info, text string) error {
	by := v.actor()
	if i.Protocol == identity.ProtocolWeb {
		s.flashes.put(i.ID, flash{Kind: flashInfo, Text: "Message from " + by.User + ": " + text})
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
		Subject: whoOf(i), Session: i.ID, Protocol: i.Protocol, Result: "ok"})
}
