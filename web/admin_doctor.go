package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"trivium/doctor"
	"trivium/identity"
)

// doctorView is what the doctor found.
type doctorView struct {
	page
	At                              stamp
	Took                            string
	Groups                          []checkGroup
	Failed, Warnings, OK, Skipped   int
	Text                            string // all of it, to be copied
	MayFix                          bool
	Now                             string // the server's clock, for the browser to compare
	Remote, Scheme, Proxied, Socket string // what this request came as, and where chat over WebSocket is
}

// checkGroup are the rows of one group.
type checkGroup struct {
	Name string
	Rows []checkRow
}

type checkRow struct {
	doctor.Result
	Word, Icon, Tone string
	Began            stamp
}

// checkWords are how the state of a check looks: its word, picture and badge.
func checkWords(s doctor.State) (word, icon, tone string) {
	switch s {
	case doctor.OK:
		return "ok", "check", "ok"
	case doctor.Warning:
		return "warning", "warn", "warn"
	case doctor.Failed:
		return "failed", "stop", "bad"
	}
	return "skipped", "minus", ""
}

// getDoctor shows the last run; before there was one it makes it.
func (s *Server) getDoctor(v *visit) error {
	view := &doctorView{MayFix: v.level.Allows(identity.LevelRoot), Now: s.now().UTC().Format(time.RFC3339Nano)}
	v.fill(&view.page, "admin.doctor", "admin_doctor.doctor")
	if s.opt.Doctor != nil {
		r := s.opt.Doctor.Latest()
		if r.At.IsZero() {
			r = s.opt.Doctor.Run(v.ctx())
		}
		view.read(r)
	}
	view.Remote, view.Scheme = s.remote(v.Request()).Addr().String(), "http"
	if s.secure(v.Request()) {
		view.Scheme = "https"
	}
	if len(s.opt.Config.TrustedProxies)+len(s.opt.Config.ProxyFrom) == 0 {
		for _, h := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"} {
			if v.Request().Header.Get(h) != "" {
				view.Proxied = h
			}
		}
	}
	for _, l := range s.opt.Links {
		if l.Scheme == "wss" {
			view.Socket = l.Path
		}
	}
	return s.write(v, http.StatusOK, "admin_doctor", view)
}

func (d *doctorView) read(r doctor.Report) {
	d.At, d.Took = d.Stamp(r.At), d.words.Decimal(float64(r.Took)/1000, 1)+" s"
	d.Failed, d.Warnings, d.OK, d.Skipped = r.Count(doctor.Failed), r.Count(doctor.Warning), r.Count(doctor.OK), r.Count(doctor.Skipped)
	var text strings.Builder
	fmt.Fprintf(&text, "Trivium %s, %s\n", d.Version, r.At.UTC().Format(time.RFC3339))
	for _, x := range r.Results {
		if n := len(d.Groups); n == 0 || d.Groups[n-1].Name != x.Group {
			d.Groups = append(d.Groups, checkGroup{Name: x.Group})
		}
		row := checkRow{Result: x, Began: d.Stamp(x.Since)}
		row.Word, row.Icon, row.Tone = checkWords(x.State)
		g := &d.Groups[len(d.Groups)-1]
		g.Rows = append(g.Rows, row)
		fmt.Fprintf(&text, "%-8s %s: %s\n", x.State, x.ID, x.Title)
		if x.State != doctor.OK {
			for _, line := range [][2]string{{"why", x.Why}, {"fix", x.Fix}} {
				if line[1] != "" {
					fmt.Fprintf(&text, "         %s: %s\n", line[0], line[1])
				}
			}
		}
	}
	d.Text = text.String()
}

// postDoctor looks again.
func (s *Server) postDoctor(v *visit) error {
	if s.opt.Doctor == nil {
		return v.see("/admin/doctor")
	}
	r := s.opt.Doctor.Run(v.ctx())
	return v.done("/admin/doctor", "admin_doctor.looked_at_everything", v.words.Decimal(float64(r.Took)/1000, 1), r.Count(doctor.Failed), r.Count(doctor.Warning))
}

// postDoctorFix mends one thing.
func (s *Server) postDoctorFix(v *visit) error {
	if s.opt.Doctor == nil {
		return v.see("/admin/doctor")
	}
	id, by := v.form("id"), v.actor()
	r, err := s.opt.Doctor.Fix(v.ctx(), id)
	e := identity.AuditEvent{Event: "doctor.fix", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: id, Result: "ok"}
	if err != nil {
		e.Result, e.Detail = "failed", err.Error()
	}
	if rerr := s.opt.Identity.Record(v.ctx(), e); rerr != nil {
		return rerr
	}
	if err != nil {
		v.flash(flash{Kind: flashError, Text: v.T("admin_doctor.it_was_not_mended", v.found(err.Error()))})
		return v.see("/admin/doctor")
	}
	if r.Bad() {
		v.flash(flash{Kind: flashError, Text: v.T("admin_doctor.it_is_not_well_yet", v.found(r.Title))})
		return v.see("/admin/doctor")
	}
	return v.done("/admin/doctor", "admin_doctor.mended", id)
}

// patchEcho answers nothing: the page sees by it whether what is in front passes PATCH on.
func (s *Server) patchEcho(v *visit) error { return v.NoContent(http.StatusNoContent) }
