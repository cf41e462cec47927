package web

import (
	"net/http"
	"sort"
	"strings"
	"time"

	"trivium/identity"
)

type transfersView struct {
	page
	Rows []transferRow
}

// transferRow is a running transfer of a session.
type transferRow struct {
	sessionRow
	Move     *identity.TransferInfo
	In       bool // it comes to the server
	Percent  int  // -1: nobody knows
	Left     string
	Begun    stamp
	StopPath string // "" where one may not
}

// uploadVerbs are the verbs by which files come to the server.
const uploadVerbs = " STOR STOU APPE PUT POST PATCH "

// getTransfers lists what all roads move now.
func (s *Server) getTransfers(v *visit) error {
	view := &transfersView{}
	v.fill(&view.page, "admin.transfers", v.T("transfers.title"))
	view.Live = "/admin/transfers/events"
	var list []identity.Info
	for _, i := range s.opt.Registry.List(identity.Filter{}) {
		if i.Transfer != nil {
			list = append(list, i)
		}
	}
	sort.Slice(list, func(a, b int) bool { return list[a].Transfer.StartedAt.Before(list[b].Transfer.StartedAt) })
	for _, r := range s.sessionRows(v, &view.page, list, "/admin/sessions") {
		x := r.Transfer
		row := transferRow{sessionRow: r, Move: x, In: strings.Contains(uploadVerbs, " "+x.Verb+" "), Percent: -1, Begun: view.Stamp(x.StartedAt)}
		if x.Size > 0 {
			row.Percent = percent(x.Bytes, x.Size)
			if x.Rate > 0 {
				row.Left = timeLeft(v, time.Duration(max(x.Size-x.Bytes, 0)/x.Rate)*time.Second)
			}
		}
		if r.EndPath != "" {
			row.StopPath = pathOf("admin", "transfers", r.ID, "stop")
		}
		if !v.level.Allows(identity.LevelAdmin) {
			row.sessionRow.Path = "" // the page of a session is the administrators'
		}
		view.Rows = append(view.Rows, row)
	}
	return s.write(v, http.StatusOK, "admin_transfers", view)
}

// timeLeft is how long something may still take.
func timeLeft(v *visit, d time.Duration) string {
	switch {
	case d < time.Minute:
		return v.T("time.seconds", int(d/time.Second))
	case d < time.Hour:
		return v.T("time.minutes", int(d.Round(time.Minute)/time.Minute))
	}
	return v.T("time.hours", int(d.Round(time.Hour)/time.Hour))
}

// postStopTransfer breaks off what a session moves; the session goes on.
func (s *Server) postStopTransfer(v *visit) error {
	i, ok := s.sessionAt(v)
	if !ok {
		return v.refused("/admin/transfers", v.T("transfers.not_stopped"), errGone)
	}
	if !v.mayEnd(&i) {
		return v.refused("/admin/transfers", v.T("transfers.not_stopped"), identity.ErrRefused)
	}
	if err := s.opt.Identity.StopTransfer(v.actor(), i.ID); err != nil {
		return v.refused("/admin/transfers", v.T("transfers.not_stopped"), errGone)
	}
	return v.done("/admin/transfers", "transfers.stopped", v.whoOf(&i))
}
