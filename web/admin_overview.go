package web

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"trivium/doctor"
	"trivium/identity"
	"trivium/internal/series"
)

type adminView struct {
	page
	Attention []notice
	Checklist []step
	Counters  []counter
	Ranges    []rangeLink
	Range     series.Range
	Charts    []chart
	Plotter   bool // the script that draws is there
	Listeners []Bound
	Audit     []auditRow
}

// notice is what somebody should look at.
type notice struct {
	Failed     bool // else it is a warning
	ID         string
	Text, Fix  string
	Href, Link string
	Since      stamp
	Known      bool // Since is one
}

type step struct {
	Done             bool
	Text, Href, Link string
}

// counter is a number of the overview. Where Sum is not empty, a script keeps it: it is the sum of the
// newest points of these series.
type counter struct {
	Value, Label, Href, Sum string
}

type rangeLink struct {
	Label, Href string
	Here        bool
}

// overview is what the page counts in the store: however many look, it is counted once in a while. It
// also has the newest point in the form in which all of its readers get it.
type overview struct {
	series *series.Recorder

	mu    sync.Mutex // guards what follows; held while the store is asked, so that others wait for it
	at    time.Time
	facts facts

	pointMu sync.Mutex // guards what follows
	pointAt int64
	text    string
}

// factsFor is how old the counts may be.
const factsFor = 20 * time.Second

// lately is how many rows the counters look at; more than that is "many" anyway.
const lately = 1000

type facts struct {
	users, day, week, month int
	admins                  int
	invited                 bool
	refused                 int
	held, files             int64
}

// count reads the facts, at most so often.
func (s *Server) count(ctx context.Context) (facts, error) {
	o := &s.overview
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := s.now(); now.Sub(o.at) < factsFor && !now.Before(o.at) {
		return o.facts, nil
	}
	f, err := s.ask(ctx)
	if err == nil {
		o.at, o.facts = s.now(), f
	}
	return f, err
}

func (s *Server) ask(ctx context.Context) (f facts, err error) {
	id, now := s.opt.Identity, s.now()
	if f.users, err = id.CountUsers(ctx, identity.UserFilter{}); err != nil {
		return f, err
	}
	const day = 24 * time.Hour
	for _, x := range []struct {
		n     *int
		since time.Duration
	}{{&f.day, day}, {&f.week, 7 * day}, {&f.month, 30 * day}} {
		if *x.n, err = id.CountUsers(ctx, identity.UserFilter{SeenSince: now.Add(-x.since)}); err != nil {
			return f, err
		}
	}
	if f.admins, err = s.administrators(ctx); err != nil {
		return f, err
	}
	for _, event := range []string{identity.EventLoginFail, identity.EventLoginThrottled} {
		rows, err := id.Audit(ctx, identity.AuditFilter{Event: event, Since: now.Add(-time.Hour), Limit: lately})
		if err != nil {
			return f, err
		}
		f.refused += len(rows)
	}
	invites, err := id.Audit(ctx, identity.AuditFilter{Event: "invite.add", Limit: 1})
	if err != nil {
		return f, err
	}
	f.invited = f.users > 1 || len(invites) > 0
	f.held, f.files, err = s.opt.Files.Stored(ctx)
	return f, err
}

// administrators counts those who may log in as such; more than two are two.
func (s *Server) administrators(ctx context.Context) (n int, err error) {
	for _, l := range identity.Levels() {
		if !l.Holdable() || !l.Allows(identity.LevelAdmin) || n > 1 {
			continue
		}
		more, err := s.opt.Identity.CountUsers(ctx, identity.UserFilter{Level: &l, State: identity.UserActive, Limit: 2})
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}

func (s *Server) getAdmin(v *visit) error {
	f, err := s.count(v.ctx())
	if err != nil {
		return err
	}
	latest, err := s.opt.Identity.Audit(v.ctx(), identity.AuditFilter{Limit: 10})
	if err != nil {
		return err
	}
	view := &adminView{Range: series.RangeOf(v.QueryParam("range")), Listeners: s.opt.Listeners(), Plotter: s.assets.vendor("uplot.min.js") != ""}
	v.fill(&view.page, "admin", v.T("overview.title"))
	for _, e := range latest {
		view.Audit = append(view.Audit, auditRow{e})
	}
	for _, g := range series.Ranges() {
		view.Ranges = append(view.Ranges, rangeLink{Label: v.T("overview.range_" + g.Name), Href: "/admin?range=" + g.Name, Here: g == view.Range})
	}
	if s.opt.Series != nil {
		view.Live = "/admin/events"
	}
	view.Charts = s.charts(&view.page, view.Range)
	view.Counters = s.counters(&view.page, f)
	report := s.report(v.ctx())
	view.Attention = s.attention(&view.page, report, f)
	view.Checklist = s.checklist(&view.page, report, f)
	return s.write(v, http.StatusOK, "admin", view)
}

// report is what the server found when it looked at itself last; zero where it has not.
func (s *Server) report(ctx context.Context) doctor.Report {
	if s.opt.Doctor == nil {
		return doctor.Report{}
	}
	return s.opt.Doctor.Newest(ctx)
}

// counters are the numbers above the charts.
func (s *Server) counters(p *page, f facts) []counter {
	n := s.opt.Registry.CountByProtocol()
	total, sum := 0, ""
	var by []counter
	for _, l := range charts(p.words)[0].Lines {
		protocol := identity.Protocol(strings.TrimPrefix(l.ID, "sessions."))
		total += n[protocol]
		sum += l.ID + " "
		if n[protocol] > 0 {
			by = append(by, counter{Value: p.number(n[protocol]), Label: p.T("overview.over", l.Label), Href: "/admin/sessions?protocol=" + string(protocol), Sum: l.ID})
		}
	}
	refused := p.number(f.refused)
	if f.refused >= lately {
		refused = p.number(lately) + "+"
	}
	list := append([]counter{{Value: p.number(total), Label: p.T("overview.now"), Href: "/admin/sessions", Sum: sum}}, by...)
	return append(list,
		counter{Value: p.number(f.users), Label: p.T("overview.users"), Href: "/admin/users"},
		counter{Value: p.number(f.day) + " / " + p.number(f.week) + " / " + p.number(f.month), Label: p.T("overview.active"), Href: "/admin/users"},
		counter{Value: p.words.Bytes(f.held), Label: p.T("overview.stored", f.files)},
		counter{Value: refused, Label: p.T("overview.refused"), Href: "/admin/audit?event=login.fail"})
}

// number is a count as the visitor's language writes it.
func (p *page) number(n int) string { return p.words.Number(int64(n)) }

// attention is what failed, then what is warned of, each with where to mend it.
func (s *Server) attention(p *page, report doctor.Report, f facts) (list []notice) {
	for _, r := range report.Attention() {
		n := notice{Failed: r.State == doctor.Failed, ID: r.ID, Text: p.words.Echo("finding", r.Title), Fix: p.words.Echo("finding", cmp.Or(r.Fix, r.Why)), Since: p.Stamp(r.Since), Known: !r.Since.IsZero()}
		if p.May("/admin/doctor") {
			n.Href, n.Link = "/admin/doctor#"+r.ID, p.T("overview.details")
		}
		list = append(list, n)
	}
	if !report.At.IsZero() && len(report.Results) > 0 {
		return list
	}
	// Nobody has looked yet: what can be seen from here.
	encrypted := false
	for _, b := range s.opt.Listeners() {
		encrypted = encrypted || b.Name == "https"
		if b.TLS == "none" && b.Name != "web" {
			list = append(list, notice{Text: p.T("overview.plain_listener", b.Name, b.Addr), Href: "/admin/config?q=tls", Link: p.T("overview.configuration")})
		}
	}
	if !encrypted {
		list = append(list, notice{Text: p.T("overview.plain_pages"), Href: "/admin/config?q=web.", Link: p.T("overview.configuration")})
	}
	if f.admins == 1 {
		list = append(list, notice{Text: p.T("overview.one_admin"), Href: "/admin/users#new", Link: p.T("overview.add_admin")})
	}
	return list
}

// checklist is what is to do on a new server; nil when all of it is done.
func (s *Server) checklist(p *page, report doctor.Report, f facts) []step {
	encrypted := false
	for _, b := range s.opt.Listeners() {
		encrypted = encrypted || b.Name == "https"
	}
	link := func(href, label, otherwise string) (string, string) {
		if p.May(href) {
			return href, label
		}
		return otherwise, p.T("overview.configuration")
	}
	certificate, backup := encrypted, false
	for _, r := range report.Results {
		switch r.Group {
		case doctor.Certificates:
			certificate = certificate && !r.Bad()
		case doctor.Backups:
			backup = backup || r.State == doctor.OK
		}
	}
	steps := []step{
		{Done: true, Text: p.T("overview.step_admin")},
		{Done: f.invited, Text: p.T("overview.step_invite"), Href: "/admin/invites", Link: p.T("overview.invitations")},
		{Done: certificate, Text: p.T("overview.step_certificate")},
		{Done: f.admins > 1, Text: p.T("overview.step_second"), Href: "/admin/users#new", Link: p.T("overview.new_user")},
	}
	steps[2].Href, steps[2].Link = link("/admin/certificates", p.T("overview.certificates"), "/admin/config?q=tls")
	if p.May("/admin/backups") {
		steps = append(steps, step{Done: backup, Text: p.T("overview.step_backup"), Href: "/admin/backups", Link: p.T("overview.backups")})
	}
	for _, x := range steps {
		if !x.Done {
			return steps
		}
	}
	return nil
}

// point is the newest point for the streams of all pages: it is put into words once.
func (o *overview) point() string {
	at, values := o.series.Last()
	if values == nil {
		return "-"
	}
	o.pointMu.Lock()
	defer o.pointMu.Unlock()
	if at == o.pointAt && o.text != "" {
		return o.text
	}
	b := strconv.AppendInt([]byte(`{"t":`), at, 10)
	b = append(b, `,"v":{`...)
	for i, d := range o.series.Defs() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, d.ID), ':')
		b = appendPoint(b, values[i])
	}
	o.pointAt, o.text = at, string(append(b, "}}"...))
	return o.text
}
