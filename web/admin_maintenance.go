package web

import (
	"net/http"
	"strconv"
	"time"

	"trivium/identity"
)

// maintenanceView is the switch that keeps people out.
type maintenanceView struct {
	page
	On           bool
	Text, By     string
	Since, Until stamp
	Message, For field
	End          bool
	Others       int // sessions that are there now, of all roads
}

// aheadTimes are the lengths of time that forms offer, in seconds; 0 is one that nobody knows.
var aheadTimes = []struct {
	seconds int
	label   string
}{{0, "admin_maintenance.nobody_knows"}, {900, "admin_bans.15_minutes"}, {3600, "admin_bans.1_hour"}, {6 * 3600, "admin_bans.6_hours"}, {24 * 3600, "admin_bans.1_day"}}

func newMaintenanceView() *maintenanceView {
	view := &maintenanceView{
		Message: field{ID: "message", Name: "message", Label: "admin_maintenance.message", Type: "text", Autocomplete: "off", Help: "admin_maintenance.one_line_that_people_are_told"},
		For:     field{ID: "for", Name: "for", Label: "admin_maintenance.how_long", Help: "admin_maintenance.it_does_not_end_by_itself"},
	}
	for _, t := range aheadTimes {
		view.For.Options = append(view.For.Options, option{Value: strconv.Itoa(t.seconds), Label: t.label})
	}
	view.For = view.For.choose("0")
	return view
}

func (s *Server) getMaintenance(v *visit) error {
	view := newMaintenanceView()
	view.Message.Value = s.opt.Identity.Maintenance().Message
	return s.showMaintenance(v, http.StatusOK, view)
}

func (s *Server) showMaintenance(v *visit, status int, view *maintenanceView) error {
	m := s.opt.Identity.Maintenance()
	view.On, view.Text, view.By, view.Others = m.On, m.Message, m.By, s.opt.Registry.Count(identity.Filter{})
	v.fill(&view.page, "admin.maintenance", "admin_maintenance.maintenance")
	if m.On {
		view.Since = view.Stamp(m.Since)
	}
	if !m.Until.IsZero() {
		view.Until = view.Stamp(m.Until)
	}
	return s.write(v, status, "admin_maintenance", view)
}

// postMaintenanceOn begins a maintenance, or changes what is told.
func (s *Server) postMaintenanceOn(v *visit) error {
	view := newMaintenanceView()
	view.Message.Value, view.End = v.text("message"), v.form("end") == "1"
	view.For = view.For.choose(v.form("for"))
	c := identity.MaintenanceChange{On: true, Message: view.Message.Value, End: view.End}
	if n, err := strconv.Atoi(v.form("for")); err == nil && n > 0 && n <= 366*24*3600 {
		c.Until = s.now().Add(time.Duration(n) * time.Second)
	}
	_, ended, err := s.opt.Identity.SetMaintenance(v.ctx(), v.actor(), c)
	switch a := answerTo(err); {
	case err != nil && a.status != http.StatusUnprocessableEntity:
		return err
	case err != nil:
		view.trouble(&view.Message, a.words(v.words, err))
		return s.showMaintenance(v, a.status, view)
	case c.End:
		return v.done("/admin/maintenance", "admin_maintenance.on_and_sessions_ended", ended)
	}
	return v.done("/admin/maintenance", "admin_maintenance.nobody_else_logs_in_now")
}

func (s *Server) postMaintenanceOff(v *visit) error {
	if _, _, err := s.opt.Identity.SetMaintenance(v.ctx(), v.actor(), identity.MaintenanceChange{}); err != nil {
		return err
	}
	return v.done("/admin/maintenance", "admin_maintenance.the_server_is_open_again")
}
