package web

import (
	"errors"
	"net/http"
	"strconv"

	"trivium/identity"
	"trivium/web/text"
)

// What a group form may be wrong about, beyond identity's own errors.
var (
	errNoGroup = errors.New("there is no such group")
	errNoUser  = errors.New("there is no such user")
)

type groupsView struct {
	page
	Rows          []groupRow
	Name          field
	Shared        int      // rows that are not personal
	PersonalNames []string // groups of one person
}

type groupRow struct {
	Name, Path           string
	GID                  uint32
	Members              []string
	Primary              []string
	Folder, Roster, Room bool
	Levels               []option // what accounts get that are made in it
	Personal             bool     // of one person's own, with the same name and nobody else in it
}

func (s *Server) getGroups(v *visit) error {
	return s.showGroups(v, http.StatusOK, newGroupsView())
}

func newGroupsView() *groupsView {
	return &groupsView{Name: field{ID: "name", Name: "name", Label: "admin_groups.group_name", Type: "text", Autocomplete: "off", Required: true}}
}

func (s *Server) showGroups(v *visit, status int, view *groupsView) error {
	list, err := s.opt.Identity.Groups(v.ctx())
	if err != nil {
		return err
	}
	for _, g := range list {
		r := groupRow{Name: s.display(g.Name, g.Domain), GID: g.GID}
		r.Path = pathOf("admin", "groups", r.Name)
		r.Folder, r.Roster, r.Room = !g.NoFolder, !g.NoRoster, g.Room
		r.Levels = memberLevels(v.words, g.MemberLevel, v.level)
		for _, m := range g.Members {
			r.Members = append(r.Members, string(m.Login))
		}
		for _, p := range g.Primary {
			r.Primary = append(r.Primary, string(p))
		}
		r.Personal = len(r.Members) == 0 && len(r.Primary) == 1 && r.Primary[0] == string(g.Name)
		if r.Personal {
			view.PersonalNames = append(view.PersonalNames, r.Name)
		} else {
			view.Shared++
		}
		view.Rows = append(view.Rows, r)
	}
	v.fill(&view.page, "admin.groups", "common.groups")
	return s.write(v, status, "admin_groups", view)
}

func (s *Server) postNewGroup(v *visit) error {
	view := newGroupsView()
	view.Name.Value = v.text("name")
	g, err := s.opt.Identity.AddGroup(v.ctx(), v.actor(), view.Name.Value, 0)
	if err != nil {
		a := answerTo(err)
		if a.fallback {
			return err
		}
		view.trouble(&view.Name, a.words(v.words, err))
		return s.showGroups(v, a.status, view)
	}
	return v.done("/admin/groups", "admin_groups.the_group_was_created", s.display(g.Name, g.Domain))
}

// memberLevels are the levels that the visitor may have a group give, and the one that it gives.
func memberLevels(words *text.Language, now, by identity.Level) []option {
	out := []option{{Value: "0", Label: "admin_groups.the_servers_default", Selected: now == identity.LevelNone}}
	for _, l := range identity.Levels() {
		if l.Holdable() && (l < by || by == identity.LevelRoot || l == now) {
			out = append(out, option{Value: strconv.Itoa(int(l)), Label: levelWord(words, l) + " " + levelNumber(l), Selected: l == now})
		}
	}
	return out
}

// postGroupSettings changes what a group is, and what accounts get that are made in it.
func (s *Server) postGroupSettings(v *visit) error {
	on := func(name string) *bool { is := v.form(name) == "1"; return &is }
	c := identity.GroupChange{Folder: on("folder"), Roster: on("roster"), Room: on("room")}
	if text := v.form("member_level"); text != "" {
		l, err := identity.ParseLevel(text)
		if err != nil {
			return v.refused("/admin/groups", "admin_groups.the_group_was_not_changed", err)
		}
		c.MemberLevel = &l
	}
	if _, err := s.opt.Identity.SetGroup(v.ctx(), v.actor(), v.param("name"), c); err != nil {
		return v.refused("/admin/groups", "admin_groups.the_group_was_not_changed", absentAs(err, errNoGroup))
	}
	return v.done("/admin/groups", "admin_groups.the_group_was_changed", v.param("name"))
}

func (s *Server) postGroupAdd(v *visit) error {
	who := names(v.form("users"))
	if err := s.opt.Identity.AddMembers(v.ctx(), v.actor(), v.param("name"), who, v.form("manager") == "1"); err != nil {
		return v.refused("/admin/groups", v.T("admin_groups.nobody_was_added_to", v.param("name")), absentAs(err, errNoUser))
	}
	return v.done("/admin/groups", "admin_groups.users_joined_the_group", len(who), v.param("name"))
}

func (s *Server) postGroupRemove(v *visit) error {
	if err := s.opt.Identity.RemoveMembers(v.ctx(), v.actor(), v.param("name"), []string{v.form("user")}); err != nil {
		return v.refused("/admin/groups", v.T("admin_groups.nobody_left", v.param("name")), absentAs(err, errNoUser))
	}
	return v.done("/admin/groups", "admin_groups.left_the_group", v.form("user"), v.param("name"))
}

func (s *Server) postGroupDelete(v *visit) error {
	if err := s.opt.Identity.RemoveGroup(v.ctx(), v.actor(), v.param("name")); err != nil {
		return v.refused("/admin/groups", "admin_groups.the_group_was_not_deleted", absentAs(err, errNoGroup))
	}
	return v.done("/admin/groups", "admin_groups.the_group_was_deleted", v.param("name"))
}
