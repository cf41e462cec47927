package web

import (
	"net/http"

	"trivium/identity"
)

// ownGroupsView is the groups that a person is in; of those that they manage with members.
type ownGroupsView struct {
	page
	Rows []ownGroup
}

type ownGroup struct {
	Name, Path, Files string // Files: its folder; "" where it has none
	GID               uint32
	Manager           bool
	Members           []identity.Member
	Roster, Room      bool
}

func (s *Server) getOwnGroups(v *visit) error {
	list, err := s.opt.Identity.GroupsOf(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	view := &ownGroupsView{}
	for _, g := range list {
		r := ownGroup{Name: s.display(g.Name, g.Domain), GID: g.GID, Manager: g.ManagedBy(v.creds.UserID), Roster: !g.NoRoster, Room: g.Room}
		r.Path = pathOf("groups", r.Name)
		if !g.NoFolder {
			r.Files = filesHref("/groups/" + string(g.Name))
		}
		if r.Manager {
			r.Members = g.Members
		}
		view.Rows = append(view.Rows, r)
	}
	v.fill(&view.page, "groups", "groups.my_groups")
	return s.write(v, http.StatusOK, "groups", view)
}

// managed refuses a group that the visitor does not manage as one that there is not.
func (s *Server) managed(v *visit) error {
	g, err := s.opt.Identity.Group(v.ctx(), v.param("name"))
	if err != nil || !g.ManagedBy(v.creds.UserID) {
		return errAbsent
	}
	return nil
}

func (s *Server) postOwnGroupAdd(v *visit) error {
	if err := s.managed(v); err != nil {
		return err
	}
	who := names(v.form("users"))
	if err := s.opt.Identity.AddMembers(v.ctx(), v.actor(), v.param("name"), who, false); err != nil {
		return v.refused("/groups", v.T("groups.nobody_was_added_to", v.param("name")), absentAs(err, errNoUser))
	}
	return v.done("/groups", "groups.users_joined_the_group", len(who), v.param("name"))
}

func (s *Server) postOwnGroupRemove(v *visit) error {
	if err := s.managed(v); err != nil {
		return err
	}
	if err := s.opt.Identity.RemoveMembers(v.ctx(), v.actor(), v.param("name"), []string{v.form("user")}); err != nil {
		return v.refused("/groups", v.T("groups.nobody_left", v.param("name")), absentAs(err, errNoUser))
	}
	return v.done("/groups", "groups.left_the_group", v.form("user"), v.param("name"))
}
