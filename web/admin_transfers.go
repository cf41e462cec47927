package web

import (
	"net/http"
	"strings"
	"time"

	"trivium/identity"
)

type transfersView struct {
	page
	Rows                  []transferRow
	User, From, Path      string
	Protocols, Directions []option
	Filtered              bool
}

// transferRow is a running transfer of a session.
type transferRow struct {
	sessionRow
	Move     identity.TransferInfo
	Percent  int // -1: nobody knows
	Left     string
	Begun    stamp
	StopPath string // "" where one may not
}

// In reports whether it comes to the server.
func (r transferRow) In() bool { return r.Move.Direction == identity.DirectionIn }

// Here reports whether it is work on the server alone.
func (r transferRow) Here() bool { return r.Move.Direction == identity.DirectionHere }

// Speed is how much it moves a second; of work on the server nobody knows.
func (r transferRow) Speed() string {
	if r.Here() {
		return "—"
	}
	return r.words.Bytes(r.Move.Rate) + "/s"
}

// transferFilter reads the filter; what cannot be read is a problem of the page.
func (view *transfersView) transferFilter(v *visit) identity.TransferFilter {
	view.User, view.From = strings.TrimSpace(v.QueryParam("user")), strings.TrimSpace(v.QueryParam("from"))
	view.Path = clip(strings.TrimSpace(v.QueryParam("path")), maxAuditText)
	protocol, way := v.QueryParam("protocol"), v.QueryParam("direction")
	view.Protocols = options(protocol, "", "admin_sessions.all_protocols", "ftp", "FTP", "web", "Web", "dav", "WebDAV")
	view.Directions = options(way, "", "transfers.both", string(identity.DirectionIn), "transfers.to_server", string(identity.DirectionOut), "transfers.from_server", string(identity.DirectionHere), "transfers.on_server")
	view.Filtered = view.User+view.From+view.Path+protocol+way != ""
	f := identity.TransferFilter{Filter: identity.Filter{User: view.User, Protocol: identity.Protocol(protocol)}, Path: view.Path, Direction: identity.Direction(way)}
	var err error
	if f.From, err = identity.ParseFrom(view.From); err != nil {
		view.Problems = append(view.Problems, problem{Field: "from", Text: "admin_sessions.the_address_is_not_understood_write"})
	}
	return f
}

// getTransfers lists what all roads move now.
func (s *Server) getTransfers(v *visit) error {
	view := &transfersView{}
	status, f := http.StatusOK, view.transferFilter(v)
	v.fill(&view.page, "admin.transfers", v.T("transfers.title"))
	view.Live = "/admin/transfers/events"
	var list []identity.Transfer
	if len(view.Problems) > 0 {
		status = http.StatusUnprocessableEntity
	} else {
		list = s.opt.Registry.Transfers(f)
	}
	of := make([]identity.Info, len(list))
	for i := range list {
		of[i] = list[i].Session
	}
	for i, r := range s.sessionRows(v, &view.page, of, "/admin/sessions") {
		x := list[i].TransferInfo
		row := transferRow{sessionRow: r, Move: x, Percent: -1, Begun: view.Stamp(x.StartedAt)}
		if x.Size > 0 {
			row.Percent = percent(x.Bytes, x.Size)
			if x.Rate > 0 {
				row.Left = timeLeft(v, time.Duration(max(x.Size-x.Bytes, 0)/x.Rate)*time.Second)
			}
		}
		if r.EndPath != "" {
			row.StopPath = pathOf("admin", "transfers", x.ID, "stop")
		}
		if !v.level.Allows(identity.LevelAdmin) {
			row.sessionRow.Path = "" // the page of a session is the administrators'
		}
		view.Rows = append(view.Rows, row)
	}
	return s.write(v, status, "admin_transfers", view)
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

// postStopTransfer breaks off one transfer; its session goes on.
func (s *Server) postStopTransfer(v *visit) error {
	to := v.backTo("/admin/transfers") // with its filter
	x, ok := s.opt.Registry.Transfer(v.param("id"))
	if !ok {
		return v.refused(to, v.T("transfers.not_stopped"), errGone)
	}
	if !v.mayEnd(&x.Session) {
		return v.refused(to, v.T("transfers.not_stopped"), identity.ErrRefused)
	}
	if err := s.opt.Identity.StopTransfer(v.actor(), x.ID); err != nil {
		return v.refused(to, v.T("transfers.not_stopped"), errGone)
	}
	return v.done(to, "transfers.stopped", x.Path, v.whoOf(&x.Session))
}
