package web

import (
	"net/http"
	"slices"
	"strings"

	"trivium/identity"
)

type allSessionsView struct {
	page
	Rows        []sessionRow
	Total       int
	Query       string
	User        string
	Protocols   []option
	Filtered    bool
	Page, Pages int
	Prev, Next  string // addresses; "" where there is none
}

// perPage is how many rows of a table a page has.
const perPage = 50

func (s *Server) getAllSessions(v *visit) error {
	view := &allSessionsView{Query: v.QueryParam("q"), User: v.QueryParam("user")}
	protocol := identity.Protocol(v.QueryParam("protocol"))
	view.Protocols = []option{{Value: "", Label: "All protocols"}, {Value: "ftp", Label: "FTP"}, {Value: "web", Label: "Web"},
		{Value: "dav", Label: "WebDAV"}, {Value: "api", Label: "API"}, {Value: "xmpp", Label: "XMPP"}}
	for i := range view.Protocols {
		view.Protocols[i].Selected = view.Protocols[i].Value == string(protocol)
	}
	view.Filtered = view.Query+view.User+string(protocol) != ""
	view.Total = len(s.opt.Registry.List(identity.Filter{}))
	list := s.opt.Registry.List(identity.Filter{Protocol: protocol, User: view.User})
	if view.Query != "" {
		list = slices.DeleteFunc(list, func(i identity.Info) bool {
			return !containsFold(strings.Join([]string{deref(i.User), i.RemoteAddr, deref(i.UserAgent), deref(i.JID), deref(i.Class)}, " "), view.Query)
		})
	}
	newestFirst(list)
	first, last, pages, at := pager(v.QueryParam("page"), len(list))
	view.Page, view.Pages = at, pages
	view.Prev, view.Next = v.pageLink(at-1, pages), v.pageLink(at+1, pages)
	v.fill(&view.page, "admin.sessions", "Sessions")
	view.Live = "/admin/sessions/events"
	view.Rows = s.sessionRows(v, &view.page, list[first:last], "/admin/sessions")
	return s.write(v, http.StatusOK, "admin_sessions", view)
}

// postAdminEnd ends any session whose level is below the actor's; the actor's own, too.
func (s *Server) postAdminEnd(v *visit) error {
	list := s.opt.Registry.List(identity.Filter{ID: v.param("id")})
	if len(list) != 1 {
		return v.refused("/admin/sessions", "Nothing was ended.", errGone)
	}
	i := list[0]
	if i.ID == v.browser.ID() {
		return s.postLogout(v)
	}
	if i.Owner != v.creds.UserID && !v.outranks(i.Level) {
		return v.refused("/admin/sessions", "The session was not ended.", identity.ErrRefused)
	}
	if err := s.end(v, i); err != nil {
		return v.refused("/admin/sessions", "The session was not ended.", err)
	}
	who := deref(i.User)
	if who == "" {
		who = i.RemoteAddr
	}
	return v.done(v.backTo("/admin/sessions"), "Session of %s over %s ended.", who, sessionRow{Info: i}.Label())
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
