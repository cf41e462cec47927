package web

import (
	"net/http"
	"sort"
	"time"

	"trivium/identity"
	"trivium/web/text"
)

// attemptsFor is how far back a person's log-in attempts are shown.
const attemptsFor = 30 * 24 * time.Hour

type sessionsView struct {
	page
	sessionList
	Attempts []auditRow
	Others   int
}

// sessionRow is a session in a table.
type sessionRow struct {
	identity.Info
	Who        string // user, or "anonymous", or "—"
	Client     string
	Word       string // of the state
	Icon       string
	This, Mine bool
	New        bool   // from a device that the account had not met
	Path       string // of its page; "" on pages of one's own
	EndPath    string // where its End button leads; "" where one may not
	Since      stamp
	Heard      stamp
	words      *text.Language
}

var stateWords = map[identity.State][2]string{
	identity.StateConnected: {"sessions.connected", "half"}, identity.StateLogin: {"sessions.logging_in", "ring"}, identity.StateReady: {"sessions.ready", "dot"},
	identity.StateTransfer: {"sessions.transfer", "dot"}, identity.StateAnonymous: {"sessions.anonymous", "ring"}, identity.StateLoggedIn: {"sessions.logged_in", "dot"},
	identity.StateUnauthed: {"sessions.connecting", "ring"}, identity.StateAuthenticated: {"sessions.authenticated", "half"}, identity.StateAvailable: {"sessions.available", "dot"},
	identity.StateDetached: {"sessions.connection_lost_may_come_back", "ring"},
}

// sessionRows prepares a list for a page; prefix is where the End buttons lead.
func (s *Server) sessionRows(v *visit, p *page, list []identity.Info, prefix string) []sessionRow {
	rows := make([]sessionRow, 0, len(list))
	for _, i := range list {
		r := sessionRow{Info: i, words: v.words, Who: deref(i.User), Client: identity.ClientName(deref(i.UserAgent)), Since: p.Stamp(i.StartedAt), Heard: p.Stamp(i.LastActivity)}
		if r.Who == "" && i.Level == identity.LevelAnonymous {
			r.Who = "anonymous"
		}
		if res := deref(i.Resource); res != "" && clientOf(&i) == "" {
			r.Client = "/" + res
		}
		if w, ok := stateWords[i.State]; ok {
			r.Word, r.Icon = w[0], w[1]
		} else {
			r.Word, r.Icon = string(i.State), "ring"
		}
		r.This = v.browser != nil && i.ID == v.browser.ID()
		r.Mine = i.Owner != "" && i.Owner == v.creds.UserID
		if v.mayEnd(&i) {
			r.EndPath = prefix + pathOf(i.ID, "end")
		}
		if prefix == "/admin/sessions" {
			r.Path = prefix + pathOf(i.ID)
		}
		rows = append(rows, r)
	}
	return rows
}

// outranks reports whether the visitor may act on a session of that level: one's own is another
// matter.
func (v *visit) outranks(l identity.Level) bool {
	return v.level == identity.LevelRoot || v.level.Allows(identity.LevelAdmin) && l < v.level
}

func deref(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// At is what the session is at: a transfer with how far and how fast it is.
func (r sessionRow) At() string {
	x := r.Transfer
	if x == nil || x.Direction == identity.DirectionHere {
		return r.Doing
	}
	done := r.words.Bytes(x.Bytes)
	if x.Size > 0 {
		done = r.words.T("sessions.bytes_of", done, r.words.Bytes(x.Size), percent(x.Bytes, x.Size))
	}
	return x.Verb + " " + x.Path + ", " + done + ", " + r.words.Bytes(x.Rate) + "/s"
}

// UserPath is the page of the session's account.
func (r sessionRow) UserPath() string { return userPath(deref(r.User)) }

// Label is the protocol as people know it.
func (r sessionRow) Label() string {
	switch {
	case r.Protocol == identity.ProtocolFTP && r.TLS != nil:
		return "FTPS"
	case r.Protocol == identity.ProtocolDAV:
		return "WebDAV"
	case r.Protocol == identity.ProtocolWeb:
		return "Web"
	case r.Protocol == identity.ProtocolS2S:
		return "XMPP server"
	}
	return map[identity.Protocol]string{identity.ProtocolFTP: "FTP", identity.ProtocolAPI: "API", identity.ProtocolXMPP: "XMPP",
		identity.ProtocolComponent: "Component"}[r.Protocol]
}

func (s *Server) getSessions(v *visit) error {
	list := s.opt.Registry.List(identity.Filter{Owner: v.creds.UserID})
	newestFirst(list)
	view := &sessionsView{Others: len(list) - 1}
	v.fill(&view.page, "sessions", "common.sessions")
	view.Live = "/sessions/events"
	view.Rows = s.sessionRows(v, &view.page, list, "/sessions")
	fresh, err := s.newDevices(v)
	if err != nil {
		return err
	}
	for i := range view.Rows {
		view.Rows[i].New = fresh[view.Rows[i].ID]
	}
	if view.cut(v) {
		return s.writePart(v, "sessions", "session-part", view)
	}
	if view.Attempts, err = s.loginAttempts(v, v.creds.User); err != nil {
		return err
	}
	return s.write(v, http.StatusOK, "sessions", view)
}

// newDevices are the sessions that devices have opened which the account had not met before.
func (s *Server) newDevices(v *visit) (map[string]bool, error) {
	rows, err := s.opt.Identity.Audit(v.ctx(), identity.AuditFilter{Event: identity.EventDeviceNew, Subject: v.creds.User, Since: s.now().Add(-attemptsFor), Limit: lately})
	if err != nil {
		return nil, err
	}
	fresh := map[string]bool{}
	for _, r := range rows {
		fresh[r.Session] = true
	}
	return fresh, nil
}

func newestFirst(list []identity.Info) {
	sort.SliceStable(list, func(i, j int) bool { return list[i].LastActivity.After(list[j].LastActivity) })
}

// postEndSession ends one of the visitor's own.
func (s *Server) postEndSession(v *visit) error {
	list := s.opt.Registry.List(identity.Filter{Owner: v.creds.UserID, ID: v.param("id")})
	if len(list) != 1 {
		return v.refused("/sessions", "sessions.nothing_was_ended", errGone)
	}
	if list[0].ID == v.browser.ID() {
		return s.postLogout(v)
	}
	if err := s.end(v, list[0]); err != nil {
		return v.refused("/sessions", "sessions.the_session_was_not_ended", err)
	}
	return v.done("/sessions", "sessions.session_over_ended", sessionRow{Info: list[0]}.Label())
}

// postSignOut ends all of the visitor's sessions, with the one that they sit at where they want that, and
// what browsers and chat apps keep to come back.
func (s *Server) postSignOut(v *visit) error {
	keep := v.browser.Session
	if v.form("keep") != "1" {
		keep = nil
	}
	if v.form("tokens") == "1" {
		if _, err := s.revokeTokens(v, v.actor(), v.creds.User); err != nil {
			return v.refused("/sessions", "sessions.nothing_was_ended_the_app_passwords", err)
		}
	}
	if keep == nil { // first, so that the browser gets a cookie that says where it is
		owner, name, by := v.creds.UserID, v.creds.User, v.actor()
		n := len(s.opt.Registry.List(identity.Filter{Owner: owner}))
		if err := s.downgrade(v); err != nil {
			return err
		}
		if _, err := s.opt.Identity.SignOut(v.ctx(), by, name, nil); err != nil {
			return v.refused("/login", "sessions.you_are_logged_out_here_but", err)
		}
		return v.done("/login", "sessions.you_are_signed_out_everywhere_sessions", n)
	}
	n, err := s.opt.Identity.SignOut(v.ctx(), v.actor(), v.creds.User, keep)
	if err != nil {
		return v.refused("/sessions", "sessions.nothing_was_ended", err)
	}
	if n == 0 {
		return v.done("/sessions", "sessions.there_was_no_other_session_what")
	}
	return v.done("/sessions", "sessions.other_sessions_ended_what_browsers_and", n)
}

// end ends a session; identity writes who did it into the audit log.
func (s *Server) end(v *visit, i identity.Info, reason ...string) error {
	by := v.actor()
	text := "ended by " + by.User
	if len(reason) > 0 && reason[0] != "" {
		text = clip(reason[0], maxReason)
	}
	return s.opt.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded, Text: text, By: &by})
}

// maxReason bounds the reason of an end, in bytes.
const maxReason = 200
