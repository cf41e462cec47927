package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"trivium/identity"
)

// activityPage is how many rows the page has.
const activityPage = 50

// activityView is a person's own part of the audit log.
type activityView struct {
	page
	Rows     []auditRow
	Kinds    []option
	Filtered bool
	Older    string
	CSVHref  string
}

// activityEvent is what is chosen; what is none of the choices is all.
func activityEvent(v *visit) string {
	if e := v.QueryParam("event"); slices.Contains(identity.OwnFamilies(), e) {
		return e
	}
	return ""
}

func (s *Server) getActivity(v *visit) error {
	event := activityEvent(v)
	before, err := identity.ParseAuditCursor(v.QueryParam("before"))
	if err != nil {
		before = identity.AuditCursor{} // somebody has changed the address: the newest then
	}
	list, next, err := s.opt.Identity.OwnLog(v.ctx(), v.creds, event, before, activityPage)
	if err != nil {
		return err
	}
	view := &activityView{Filtered: event != "", CSVHref: "/activity/export?event=" + queryEscape(event)}
	v.fill(&view.page, "activity", "activity.title")
	for _, e := range list {
		view.Rows = append(view.Rows, auditRow{e})
	}
	if next != (identity.AuditCursor{}) {
		view.Older = "/activity?" + url.Values{"event": {event}, "before": {next.String()}}.Encode()
	}
	view.Kinds = []option{{Value: "", Label: "activity.all", Selected: event == ""}}
	for _, f := range identity.OwnFamilies() {
		view.Kinds = append(view.Kinds, option{Value: f, Label: "activity.kind_" + strings.TrimSuffix(f, ".*"), Selected: f == event})
	}
	return s.write(v, http.StatusOK, "activity", view)
}

func (s *Server) getActivityExport(v *visit) error {
	v.long()
	h := v.Response().Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="activity-`+s.now().UTC().Format("20060102-150405")+`.csv"`)
	if v.Request().Method == http.MethodHead {
		return nil
	}
	err := s.opt.Identity.ExportOwnLog(v.ctx(), v.creds, activityEvent(v), identity.AuditCSV, deadlined{v, http.NewResponseController(v.Response().Writer)})
	if err != nil && v.Response().Committed {
		panic(http.ErrAbortHandler) // so that half a file is not taken for a whole one
	}
	return err
}
