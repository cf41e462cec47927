package web

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/web/text"
)

// auditRow is a row of the audit log.
type auditRow struct{ identity.AuditEvent }

// OK reports whether the row tells of something that worked.
func (r auditRow) OK() bool { return r.Result == "ok" || r.Result == "" }

type auditView struct {
	page
	Rows                                                     []auditRow
	Since, Until, Event, Subject, Actor, From, Result, Query string
	Protocols, Results                                       []option
	Events                                                   []string
	Filtered, Following                                      bool
	Older, Newest, FollowHref                                string // addresses; "" where there is none
	CSVHref, JSONHref                                        string
	Kept                                                     string
}

// auditPage is how many rows the page has.
const auditPage = 100

// auditFilter reads the filter of the page; what cannot be read is a problem of the page.
func auditFilter(v *visit, p *page) identity.AuditFilter {
	f := identity.AuditFilter{Event: strings.TrimSpace(v.QueryParam("event")), Subject: strings.TrimSpace(v.QueryParam("subject")),
		Actor: strings.TrimSpace(v.QueryParam("actor")), Protocol: identity.Protocol(v.QueryParam("protocol")), Result: v.QueryParam("result"),
		Text: clip(v.QueryParam("q"), maxAuditText)}
	wrong := func(field, text string) { p.Problems = append(p.Problems, problem{Field: field, Text: text}) }
	var err error
	if f.Since, err = momentOf(v.QueryParam("since"), v.server.now(), v.zone); err != nil {
		wrong("since", "admin_audit.the_beginning_of_the_time_is")
	}
	if f.Until, err = momentOf(v.QueryParam("until"), v.server.now(), v.zone); err != nil {
		wrong("until", "admin_audit.the_end_of_the_time_is")
	}
	if f.From, err = identity.ParseFrom(strings.TrimSpace(v.QueryParam("from"))); err != nil {
		wrong("from", "admin_audit.the_address_is_not_understood_write")
	}
	return f
}

// maxAuditText bounds the text that is looked for, in bytes.
const maxAuditText = 200

// momentOf reads a moment, or how long ago it was.
func momentOf(s string, now time.Time, zone *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if zone == nil {
		zone = time.UTC
	}
	for _, form := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime} {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Parse(time.RFC3339, s)
}

func (s *Server) getAudit(v *visit) error {
	view := &auditView{}
	f := auditFilter(v, &view.page)
	f.Limit = auditPage + 1 // one more tells whether there are older ones
	status := http.StatusOK
	var err error
	if f.Before, err = identity.ParseAuditCursor(v.QueryParam("before")); err != nil {
		f.Before = identity.AuditCursor{} // somebody has changed the address: the newest then
	}
	var list []identity.AuditEvent
	if len(view.Problems) > 0 {
		status = http.StatusUnprocessableEntity
	} else if list, err = s.opt.Identity.Audit(v.ctx(), f); err != nil {
		return err
	}
	q := url.Values{}
	for _, k := range []string{"since", "until", "event", "subject", "actor", "protocol", "from", "result", "q"} {
		if x := strings.TrimSpace(v.QueryParam(k)); x != "" {
			q.Set(k, x)
		}
	}
	view.Filtered = len(q) > 0
	address := func(path string, more ...string) string {
		all := maps.Clone(q)
		for i := 0; i+1 < len(more); i += 2 {
			all.Set(more[i], more[i+1])
		}
		if len(all) == 0 {
			return path
		}
		return path + "?" + all.Encode()
	}
	if len(list) > auditPage {
		list = list[:auditPage]
		view.Older = address("/admin/audit", "before", list[auditPage-1].Cursor().String())
	}
	for _, e := range list {
		view.Rows = append(view.Rows, auditRow{e})
	}
	view.Since, view.Until, view.Event, view.Subject, view.Actor = v.QueryParam("since"), v.QueryParam("until"), f.Event, f.Subject, f.Actor
	view.From, view.Result, view.Query = v.QueryParam("from"), f.Result, f.Text
	view.Protocols = options(string(f.Protocol), "", "admin_audit.all_protocols", "ftp", "FTP", "web", "Web", "dav", "WebDAV", "api", "API", "xmpp", "XMPP")
	view.Results = options(f.Result, "", "admin_audit.all_results", "ok", "admin_audit.result_ok", "failed", "admin_audit.result_failed")
	if view.Events, err = s.auditEvents(v.ctx()); err != nil {
		return err
	}
	view.CSVHref, view.JSONHref = address("/admin/audit/export", "format", "csv"), address("/admin/audit/export", "format", "json")
	view.Kept = keptWords(v.words, s)
	v.fill(&view.page, "admin.audit", "common.audit_log")
	switch {
	case f.Before != (identity.AuditCursor{}):
		view.Newest = address("/admin/audit")
	case v.QueryParam("follow") == "1":
		view.Following, view.FollowHref, view.Live = true, address("/admin/audit"), "/admin/audit/events"
	default:
		view.FollowHref = address("/admin/audit", "follow", "1")
	}
	return s.write(v, status, "admin_audit", view)
}

// auditEvents are offered in the filter: the names of what is in the log, and their families.
func (s *Server) auditEvents(ctx context.Context) ([]string, error) {
	list, err := s.opt.Identity.AuditEvents(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, e := range list {
		all[e] = true
		if family, _, ok := strings.Cut(e, "."); ok {
			all[family+".*"] = true
		}
	}
	return slices.Sorted(maps.Keys(all)), nil
}

// options makes a list of value and label pairs, with the one that is chosen.
func options(chosen string, pairs ...string) []option {
	var list []option
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, option{Value: pairs[i], Label: pairs[i+1], Selected: pairs[i] == chosen})
	}
	return list
}

// keptWords says how long rows stay.
func keptWords(l *text.Language, s *Server) string {
	all, logins := s.opt.Identity.AuditKept()
	span := func(d time.Duration) string {
		if d%(24*time.Hour) == 0 {
			return l.T("time.days", int(d/(24*time.Hour)))
		}
		return d.String()
	}
	shorter := logins > 0 && (all == 0 || logins < all)
	switch {
	case all == 0 && shorter:
		return l.T("admin_audit.kept_for_ever_but_log_ins", span(logins))
	case all == 0:
		return l.T("admin_audit.kept_for_ever")
	case shorter:
		return l.T("admin_audit.kept_for_and_log_ins", span(all), span(logins))
	}
	return l.T("admin_audit.kept_for", span(all))
}

// getAuditExport sends what the filter chooses, as a file.
func (s *Server) getAuditExport(v *visit) error {
	var p page
	f := auditFilter(v, &p)
	format := identity.AuditFormat(v.QueryParam("format"))
	if len(p.Problems) > 0 || format != identity.AuditCSV && format != identity.AuditJSON {
		return v.Redirect(http.StatusSeeOther, "/admin/audit?"+v.Request().URL.RawQuery)
	}
	v.long()
	h := v.Response().Header()
	h.Set("Content-Type", map[identity.AuditFormat]string{identity.AuditCSV: "text/csv; charset=utf-8", identity.AuditJSON: "application/json"}[format])
	h.Set("Content-Disposition", `attachment; filename="audit-`+s.now().UTC().Format("20060102-150405")+"."+string(format)+`"`)
	if v.Request().Method == http.MethodHead {
		return nil
	}
	if err := s.opt.Identity.ExportAudit(v.ctx(), v.actor(), f, format, deadlined{v, http.NewResponseController(v.Response().Writer)}); err != nil {
		if v.Response().Committed {
			panic(http.ErrAbortHandler) // so that half a file is not taken for a whole one
		}
		return err
	}
	return nil
}

// deadlined gives each piece of a long answer the time of a short one.
type deadlined struct {
	v  *visit
	rc *http.ResponseController
}

func (d deadlined) Write(b []byte) (int, error) {
	_ = d.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	return d.v.Response().Write(b)
}
