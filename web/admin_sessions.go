package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"trivium/identity"
)

type allSessionsView struct {
	page
	sessionList
	Total                                     int // sessions of all
	Found                                     int // that the filter chooses
	Query, User, Class, From                  string
	Protocols, Roads, Levels, States, Sorting []option
	Filtered, More                            bool
	EndAll                                    string // where those that the filter chooses can be ended
	Page, Pages                               int
	Prev, Next                                string // addresses; "" where there is none
}

// sessionList is the rows of a table of sessions. Order is which rows the page has, of which a page that
// follows the list asks for those alone that changed.
type sessionList struct {
	Rows   []sessionRow
	Order  string
	Select bool // rows can be ticked

	Columns []sortHead // that the table is sorted by; none: the usual heads
}

// cut leaves the rows that a page has asked for by name: what it does not name, it has.
func (l *sessionList) cut(v *visit) (part bool) {
	ids := make([]string, len(l.Rows))
	for i, r := range l.Rows {
		ids[i] = r.ID
	}
	l.Order = strings.Join(ids, " ")
	if v.Request().Header.Get(partHeader) != partRows || !v.Request().URL.Query().Has("only") {
		return false
	}
	only := strings.Fields(v.QueryParam("only"))
	l.Rows = slices.DeleteFunc(l.Rows, func(r sessionRow) bool { return !slices.Contains(only, r.ID) })
	return true
}

// perPage is how many rows of a table a page has.
const perPage = 50

// filterFields are the names of the filter in a query and in a form.
var filterFields = []string{"q", "user", "protocol", "road", "class", "from", "level", "state", "node"}

// sessionFilter reads the filter; what cannot be read is a problem of the page.
func (s *Server) sessionFilter(p *page, value func(string) string) identity.Filter {
	f := identity.Filter{Text: clip(strings.TrimSpace(value("q")), maxAuditText), User: strings.TrimSpace(value("user")), Protocol: identity.Protocol(value("protocol")),
		Road: identity.Road(value("road")), Class: strings.TrimSpace(value("class")), State: identity.State(value("state"))}
	wrong := func(field, text string) { p.Problems = append(p.Problems, problem{Field: field, Text: text}) }
	if from := strings.TrimSpace(value("from")); from != "" {
		var err error
		if f.From, err = identity.ParseFrom(from); err != nil {
			wrong("from", "admin_sessions.the_address_is_not_understood_write")
		}
	}
	if text := value("level"); text != "" {
		l, err := identity.ParseLevel(text)
		if err != nil {
			wrong("level", "admin_sessions.there_is_no_such_level")
		}
		f.Level = &l
	}
	return f
}

func (s *Server) getAllSessions(v *visit) error {
	view := &allSessionsView{}
	f := s.sessionFilter(&view.page, v.QueryParam)
	status, by := http.StatusOK, v.QueryParam("sort")
	key, down, err := identity.ParseSort(by)
	if err != nil || by == "" { // somebody has changed the address: those that were heard of last, first
		by, key, down = "", identity.SortActive, true
	}
	view.Total = s.opt.Registry.Count(identity.Filter{})
	var found identity.Page
	if len(view.Problems) > 0 {
		status = http.StatusUnprocessableEntity
	} else if found = s.opt.Registry.Page(f, key, down, 0, 1); v.elsewhere(found.Sessions) {
		found = identity.Page{}
	}
	first, last, pages, at := pager(v.QueryParam("page"), found.Total)
	if found.Total > 0 {
		found = s.opt.Registry.Page(f, key, down, first, last-first)
	}
	view.Found, view.Page, view.Pages = found.Total, at, pages
	view.Prev, view.Next = v.pageLink(at-1, pages), v.pageLink(at+1, pages)
	view.Query, view.User, view.Class, view.From = f.Text, f.User, f.Class, v.QueryParam("from")
	view.choices(f, by)
	view.Columns = v.columns("/admin/sessions", cmp.Or(by, "-active"), column{key: "state", label: "common.state"}, column{key: "user", label: "common.user"}, column{key: "protocol", label: "common.protocol"}, column{key: "client", label: "admin_sessions.client_doing"},
		column{key: "address", label: "common.address"}, column{key: "started", label: "common.since", down: true}, column{key: "active", label: "admin_sessions.active", down: true}, column{key: "in", label: "admin_sessions.in_out", down: true, class: "num"})
	q := url.Values{}
	for _, name := range filterFields {
		if x := strings.TrimSpace(v.QueryParam(name)); x != "" {
			q.Set(name, x)
		}
	}
	view.Filtered = len(q) > 0
	if view.Filtered && view.Found > 0 {
		view.EndAll = "/admin/sessions/end?" + q.Encode()
	}
	v.fill(&view.page, "admin.sessions", "admin_sessions.all")
	view.Live = "/admin/sessions/events"
	view.Rows, view.Select = s.sessionRows(v, &view.page, found.Sessions, "/admin/sessions"), true
	if view.cut(v) {
		return s.writePart(v, "admin_sessions", "session-part", view)
	}
	return s.write(v, status, "admin_sessions", view)
}

// elsewhere reports whether another node is asked for than that of the sessions: each lists its own.
func (v *visit) elsewhere(list []identity.Info) bool {
	node := v.QueryParam("node")
	return node != "" && len(list) > 0 && list[0].Node != node
}

// choices are what the selects offer.
func (view *allSessionsView) choices(f identity.Filter, by string) {
	view.Protocols = options(string(f.Protocol), "", "admin_sessions.all_protocols", "ftp", "FTP", "web", "Web", "dav", "WebDAV", "api", "API", "xmpp", "XMPP", "s2s", "admin_sessions.xmpp_server")
	view.Roads = options(string(f.Road), "", "admin_sessions.all_roads", "ftp", "admin_sessions.files_ftp", "web", "admin_sessions.web_webdav_api", "xmpp", "admin_sessions.chat_xmpp")
	level := ""
	if f.Level != nil {
		level = levelNumber(*f.Level)
	}
	levels := []string{"", "admin_sessions.all_levels"}
	for _, l := range matrixLevels() {
		levels = append(levels, levelNumber(l), levelLabel(view.words, l))
	}
	view.Levels = options(level, levels...)
	states := []string{"", "admin_sessions.all_states"}
	for _, st := range []identity.State{identity.StateConnected, identity.StateLogin, identity.StateReady, identity.StateTransfer, identity.StateAnonymous, identity.StateLoggedIn,
		identity.StateUnauthed, identity.StateAuthenticated, identity.StateAvailable, identity.StateDetached} {
		states = append(states, string(st), stateWords[st][0])
	}
	view.States = options(string(f.State), states...)
	view.Sorting = options(by, "", "admin_sessions.last_active_first", "-started", "admin_sessions.newest", "started", "admin_sessions.oldest", "user", "common.user", "-level", "common.level", "protocol", "common.protocol", "address", "common.address",
		"class", "admin_sessions.class", "state", "common.state", "-in", "admin_sessions.most_received", "-out", "admin_sessions.most_sent")
	view.More = f.Road != "" || f.Class != "" || f.From.IsValid() || f.Level != nil || len(view.Problems) > 0
}

// postAdminEnd ends any session whose level is below the actor's; the actor's own, too.
func (s *Server) postAdminEnd(v *visit) error {
	i, ok := s.sessionAt(v)
	if !ok {
		return v.refused("/admin/sessions", "admin_sessions.nothing_was_ended", errGone)
	}
	if i.ID == v.browser.ID() {
		return s.postLogout(v)
	}
	if !v.mayEnd(&i) {
		return v.refused("/admin/sessions", "admin_sessions.the_session_was_not_ended", identity.ErrRefused)
	}
	if err := s.end(v, i, v.text("reason")); err != nil {
		return v.refused("/admin/sessions", "admin_sessions.the_session_was_not_ended", err)
	}
	to := v.backTo("/admin/sessions")
	if strings.HasPrefix(to, pathOf("admin", "sessions", i.ID)) {
		to = "/admin/sessions" // its own page is gone
	}
	return v.done(to, "admin_sessions.session_of_over_ended", v.whoOf(&i), sessionRow{Info: i}.Label())
}

// sessionAt is the session that the path names.
func (s *Server) sessionAt(v *visit) (identity.Info, bool) {
	list := s.opt.Registry.List(identity.Filter{ID: v.param("id")})
	if len(list) != 1 {
		return identity.Info{}, false
	}
	return list[0], true
}

// mayEnd reports whether the visitor may end a session: their own, and those below their level.
func (v *visit) mayEnd(i *identity.Info) bool {
	return i.Owner != "" && i.Owner == v.creds.UserID || v.outranks(i.Level)
}

// whoOf names whose session it is: by its address where nobody has logged in.
func (v *visit) whoOf(i *identity.Info) string {
	switch {
	case i.User != nil:
		return *i.User
	case i.Level == identity.LevelAnonymous:
		return v.T("admin_sessions.somebody_anonymous")
	}
	return i.RemoteAddr
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
