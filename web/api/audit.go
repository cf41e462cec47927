package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"trivium/identity"
)

func (a *API) registerAudit() {
	handle(a, identity.LevelStaff, http.MethodGet, "/audit", "list-audit", "Read the audit log, newest first; with after= follow it, oldest first", a.audit)
	handle(a, identity.LevelStaff, http.MethodGet, "/audit/export", "export-audit", "Export what a filter chooses, as CSV or JSON; the export stands in the log", a.auditExport)
	handle(a, identity.LevelStaff, http.MethodGet, "/audit/events", "list-audit-events", "The names of events that are in the log", a.auditEvents)
	handle(a, identity.LevelStaff, http.MethodGet, "/audit/head", "audit-head", "Where the log ends, to be noted down or followed from", a.auditHead)
	handle(a, identity.LevelAdmin, http.MethodGet, "/audit/verify", "verify-audit", "Check that no row of the log was changed, removed, added or moved", a.auditVerify)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/activity", "list-activity", "What the audit log has about your own account: log-ins of the last 30 days, and every change; newest first", a.activity)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/audit/own", "list-own-logins", "One's own log-in attempts of the last 30 days, newest first", a.auditOwn)
}

// AuditFilterIn is the filter in a query.
type AuditFilterIn struct {
	Since    time.Time `query:"since" doc:"from then on"`
	Until    time.Time `query:"until" doc:"before then"`
	Event    string    `query:"event" doc:"exact, or a prefix that ends in .*"`
	Subject  string    `query:"subject"`
	Actor    string    `query:"actor"`
	Protocol string    `query:"protocol"`
	From     string    `query:"from" doc:"an address or a prefix such as 192.0.2.0/24"`
	Result   string    `query:"result" doc:"ok, failed for all others, or exact"`
	Text     string    `query:"text" maxLength:"200" doc:"part of any field, in any case"`
	Limit    int       `query:"limit" minimum:"0" maximum:"1000000" doc:"0: 200 of a list, all of an export; a list has at most 10000"`
}

const maxAuditList = 10_000

func (in AuditFilterIn) filter() (identity.AuditFilter, error) {
	f := identity.AuditFilter{Since: in.Since, Until: in.Until, Event: in.Event, Subject: in.Subject, Actor: in.Actor,
		Protocol: identity.Protocol(in.Protocol), Result: in.Result, Text: in.Text, Limit: in.Limit}
	var err error
	f.From, err = identity.ParseFrom(in.From)
	return f, err
}

type auditOut struct {
	Link string `header:"Link" doc:"rel=next: the page of older rows, or with after of later ones"`
	Body []identity.AuditOut
}

func outOf(list []identity.AuditEvent) []identity.AuditOut {
	out := make([]identity.AuditOut, len(list))
	for i := range list {
		out[i] = list[i].Out()
	}
	return out
}

type auditIn struct {
	AuditFilterIn
	Cursor string `query:"cursor" doc:"of the page before, from its Link"`
	After  string `query:"after" doc:"follow: rows later than that of this id, oldest first"`
	Wait   int    `query:"wait" minimum:"0" maximum:"60" doc:"with after: seconds to wait until there is one"`
	raw    url.Values
}

// Resolve keeps the query for the link to the next page.
func (in *auditIn) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.raw = u.Query()
	return nil
}

func (in *auditIn) next(name, value string) string {
	q := in.raw
	q.Set(name, value)
	return "<" + Prefix + "/audit?" + q.Encode() + `>; rel="next"`
}

func (a *API) audit(ctx context.Context, in *auditIn) (*auditOut, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	f.Limit = min(f.Limit, maxAuditList)
	if in.After != "" {
		return a.followAudit(ctx, in, f)
	}
	if f.Before, err = identity.ParseAuditCursor(in.Cursor); err != nil {
		return nil, err
	}
	list, err := a.id.Audit(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &auditOut{Body: outOf(list)}
	if most := f.Limit; len(list) > 0 && len(list) >= most && (most > 0 || len(list) == 200) {
		out.Link = in.next("cursor", list[len(list)-1].Cursor().String())
	}
	return out, nil
}

func (a *API) followAudit(ctx context.Context, in *auditIn, f identity.AuditFilter) (*auditOut, error) {
	var err error
	if f.After, err = strconv.ParseInt(in.After, 10, 64); err != nil || f.After < 0 {
		return nil, invalid("after is the id of a row, or 0")
	}
	list, err := a.id.FollowAudit(ctx, f, time.Duration(in.Wait)*time.Second)
	if err != nil {
		return nil, err
	}
	after := in.After
	if len(list) > 0 {
		after = strconv.FormatInt(list[len(list)-1].ID, 10)
	}
	return &auditOut{Link: in.next("after", after), Body: outOf(list)}, nil
}

func (a *API) auditExport(ctx context.Context, in *struct {
	AuditFilterIn
	Format string `query:"format" enum:"csv,json" default:"csv"`
}) (*huma.StreamResponse, error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	by, format := who(ctx).actor, identity.AuditFormat(in.Format)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		kind := map[identity.AuditFormat]string{identity.AuditCSV: "text/csv; charset=utf-8; header=present", identity.AuditJSON: "application/json"}[format]
		hc.SetHeader("Content-Type", kind)
		hc.SetHeader("Content-Disposition", `attachment; filename="audit.`+in.Format+`"`)
		if err := a.id.ExportAudit(hc.Context(), by, f, format, hc.BodyWriter()); err != nil && hc.Context().Err() == nil {
			a.log.ErrorContext(hc.Context(), "exporting the audit log", "event", "audit.export", "err", err)
			panic(http.ErrAbortHandler) // so that half an export is not taken for a whole one
		}
	}}, nil
}

func (a *API) auditEvents(ctx context.Context, _ *struct{}) (*struct{ Body []string }, error) {
	list, err := a.id.AuditEvents(ctx)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []string{}
	}
	return &struct{ Body []string }{list}, nil
}

// AuditHead is where the log ends.
type AuditHead struct {
	ID   int64  `json:"id" doc:"of the newest row; 0: there is none"`
	Head string `json:"head" doc:"to be noted down: verify proves later that the log still holds every row up to it"`
}

func (a *API) auditHead(ctx context.Context, _ *struct{}) (*struct{ Body AuditHead }, error) {
	h, err := a.id.AuditHead(ctx)
	if err != nil {
		return nil, err
	}
	out := AuditHead{ID: h.ID}
	if len(h.MAC) > 0 {
		out.Head = h.String()
	}
	return &struct{ Body AuditHead }{out}, nil
}

func (a *API) auditVerify(ctx context.Context, in *struct {
	Head []string `query:"head" maxItems:"100" doc:"heads that were noted down earlier"`
}) (*struct{ Body identity.AuditProof }, error) {
	var heads []identity.AuditHead
	for _, text := range in.Head {
		h, err := identity.ParseAuditHead(text)
		if err != nil {
			return nil, err
		}
		heads = append(heads, h)
	}
	p, err := a.id.VerifyAudit(ctx, heads...)
	if err != nil {
		return nil, err
	}
	return &struct{ Body identity.AuditProof }{p}, nil
}

// ownLogins is how far back one's own attempts are shown.
const ownLogins = 30 * 24 * time.Hour

func (a *API) auditOwn(ctx context.Context, in *struct {
	Limit int `query:"limit" minimum:"0" maximum:"1000" doc:"0: 200"`
}) (*struct{ Body []identity.AuditOut }, error) {
	c := who(ctx)
	if c.actor.User == "" {
		return &struct{ Body []identity.AuditOut }{[]identity.AuditOut{}}, nil
	}
	list, err := a.id.Audit(ctx, identity.AuditFilter{Event: "login.*", Subject: c.actor.User, Since: a.now().Add(-ownLogins), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &struct{ Body []identity.AuditOut }{outOf(list)}, nil
}

// activityRows are how many rows one answer has.
const activityRows = 200

func (a *API) activity(ctx context.Context, in *struct {
	Event  string `query:"event" enum:"login.*,session.*,device.*,user.*,level.*,password.*,factor.*,token.*,link.*,certificate.*,notice.*" doc:"one family of events; absent: all"`
	Before string `query:"before" maxLength:"64" doc:"the cursor of the page before"`
}) (*auditOut, error) {
	if _, err := person(ctx); err != nil {
		return nil, err
	}
	before, err := identity.ParseAuditCursor(in.Before)
	if err != nil {
		return nil, err
	}
	c := who(ctx)
	list, next, err := a.id.OwnLog(ctx, identity.Credentials{UserID: c.owner, User: c.actor.User}, in.Event, before, activityRows)
	if err != nil {
		return nil, err
	}
	out := &auditOut{Body: outOf(list)}
	if next != (identity.AuditCursor{}) {
		out.Link = "<" + Prefix + "/activity?" + url.Values{"event": {in.Event}, "before": {next.String()}}.Encode() + `>; rel="next"`
	}
	return out, nil
}
