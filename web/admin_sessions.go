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
			wrong("from", "The address is not understood. Write one such as 192.0.2.1, or a prefix such as 192.0.2.0/24.")
		}
	}
	if text := value("level"); text != "" {
		l, err := identity.ParseLevel(text)
		if err != nil {
			wrong("level", "There is no such level.")
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
	view.Columns = v.columns("/admin/sessions", cmp.Or(by, "-active"), column{key: "state", label: "State"}, column{key: "user", label: "User"}, column{key: "protocol", label: "Protocol"}, column{key: "client", label: "Client, doing"},
		column{key: "address", label: "Address"}, column{key: "started", label: "Since", down: true}, column{key: "active", label: "Active", down: true}, column{key: "in", label: "In / out", down: true, class: "num"})
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
	v.fill(&view.page, "admin.sessions", "Sessions")
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
	view.Protocols = options(string(f.Protocol), "", "All protocols", "ftp", "FTP", "web", "Web", "dav", "WebDAV", "api", "API", "xmpp", "XMPP", "s2s", "XMPP server")
	view.Roads = options(string(f.Road), "", "All roads", "ftp", "Files (FTP)", "web", "Web, WebDAV, API", "xmpp", "Chat (XMPP)")
	level := ""
	if f.Level != nil {
		level = levelNumber(*f.Level)
	}
	levels := []string{"", "All levels"}
	for _, l := range matrixLevels() {
		levels = append(levels, levelNumber(l), levelLabel(view.words, l))
	}
	view.Levels = options(level, levels...)
	states := []string{"", "All states"}
	for _, st := range []identity.State{identity.StateConnected, identity.StateLogin, identity.StateReady, identity.StateTransfer, identity.StateAnonymous, identity.StateLoggedIn,
		identity.StateUnauthed, identity.StateAuthenticated, identity.StateAvailable, identity.StateDetached} {
		states = append(states, string(st), stateWords[st][0])
	}
	view.States = options(string(f.State), states...)
	view.Sorting = options(by, "", "Last active first", "-started", "Newest", "started", "Oldest", "user", "User", "-level", "Level", "protocol", "Protocol", "address", "Address",
		"class", "Class", "state", "State", "-in", "Most received", "-out", "Most sent")
	view.More = f.Road != "" || f.Class != "" || f.From.IsValid() || f.Level != nil || len(view.Problems) > 0
}

// postAdminEnd ends any session whose level is below the actor's; the actor's own, too.
func (s *Server) postAdminEnd(v *visit) error {
	i, ok := s.sessionAt(v)
	if !ok {
		return v.refused("/admin/sessions", "Nothing was ended.", errGone)
	}
	if i.ID == v.browser.ID() {
		return s.postLogout(v)
	}
	if !v.mayEnd(&i) {
		return v.refused("/admin/sessions", "The session was not ended.", identity.ErrRefused)
	}
	if err := s.end(v, i, v.text("reason")); err != nil {
		return v.refused("/admin/sessions", "The session was not ended.", err)
	}
	to := v.backTo("/admin/sessions")
	if strings.HasPrefix(to, pathOf("admin", "sessions", i.ID)) {
		to = "/admin/sessions" // its own page is gone
	}
	return v.done(to, "Session of %s over %s ended.", whoOf(&i), sessionRow{Info: i}.Label())
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
func whoOf(i *identity.Info) string {
	switch {
	case i.User != nil:
		return *i.User
	case i.Level == identity.LevelAnonymous:
		return "somebody anonymous"
	}
	return i.RemoteAddr
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
