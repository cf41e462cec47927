package api

import (
	"context"
	"net/http"
	"strings"

	"trivium/doctor"
	"trivium/identity"
)

func (a *API) registerDoctor() {
	handle(a, identity.LevelAdmin, http.MethodGet, "/doctor", "doctor", "Look at the server: configuration, names, certificates, roads, storage, accounts", a.examine)
	handle(a, identity.LevelAdmin, http.MethodGet, "/doctor/checks", "list-checks", "List the checks of the doctor", a.listChecks)
	handle(a, identity.LevelRoot, http.MethodPost, "/doctor/fixes", "fix-check", "Let the server mend what one check found, where that can be undone", a.fixCheck)
}

type examineIn struct {
	Check   string `query:"check" maxLength:"1000" doc:"IDs or their beginnings with commas between (ftp, storage.space); empty: all"`
	Offline bool   `query:"offline" doc:"without the checks that ask other machines"`
	Latest  bool   `query:"latest" doc:"what the last run of all checks found, without a new one where there was one"`
}

func (a *API) examine(ctx context.Context, in *examineIn) (*struct{ Body doctor.Report }, error) {
	d := a.o.Doctor
	if r := d.Latest(); in.Latest && !r.At.IsZero() {
		return &struct{ Body doctor.Report }{r}, nil
	}
	var ids []string
	for id := range strings.SplitSeq(in.Check, ",") {
		if id = strings.TrimSpace(id); id != "" {
			ids = append(ids, id)
		}
	}
	if no := d.Unknown(ids...); len(no) > 0 {
		return nil, notFound("check", no[0], "")
	}
	run := d.Run
	if in.Offline {
		run = d.Offline
	}
	return &struct{ Body doctor.Report }{run(ctx, ids...)}, nil
}

// Check is one look that the doctor takes.
type Check struct {
	ID      string `json:"id"`
	Group   string `json:"group"`
	About   string `json:"about"`
	Network bool   `json:"network" doc:"it asks other machines, or this one by its public name"`
	Slow    bool   `json:"slow" doc:"made once a day, unless it is asked for by its ID"`
	Fixes   bool   `json:"fixes" doc:"it can mend something by itself"`
}

func (a *API) listChecks(context.Context, *struct{}) (*struct{ Body []Check }, error) {
	d := a.o.Doctor
	list := []Check{}
	for _, c := range d.Checks() {
		list = append(list, Check{c.ID, c.Group, c.About, c.Network, c.Slow, c.Fix != nil})
	}
	return &struct{ Body []Check }{list}, nil
}

type fixIn struct {
	Body struct {
		ID string `json:"id" doc:"of a result that is fixable"`
	}
}

func (a *API) fixCheck(ctx context.Context, in *fixIn) (*struct{ Body doctor.Result }, error) {
	d := a.o.Doctor
	r, err := d.Fix(ctx, in.Body.ID)
	by := who(ctx).actor
	e := identity.AuditEvent{Event: "doctor.fix", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: in.Body.ID, Result: "ok"}
	if err != nil {
		e.Result, e.Detail = "failed", err.Error()
	}
	if rerr := a.id.Record(ctx, e); rerr != nil {
		return nil, rerr
	}
	if err != nil {
		return nil, newProblem(http.StatusConflict, codeFailed, err.Error(), "")
	}
	return &struct{ Body doctor.Result }{r}, nil
}

// troubles are what the last look at the server found; what costs next to nothing is looked at anew.
func (a *API) troubles(ctx context.Context) []Trouble {
	var list []Trouble
	for _, r := range a.o.Doctor.Newest(ctx).Attention() {
		if r.ID == "accounts.none" {
			continue // which the status says in its own words
		}
		severity := "warning"
		if r.State == doctor.Failed {
			severity = "failure"
		}
		list = append(list, Trouble{Severity: severity, Text: r.Title, Hint: "trivium doctor " + r.ID})
	}
	return list
}
