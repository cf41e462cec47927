package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"trivium/config"
	"trivium/identity"
)

// Group is a group as JSON.
type Group struct {
	GID    uint32 `json:"gid"`
	Name   string `json:"name"`
	Domain string `json:"domain"`
	Quota  int64  `json:"quota_bytes" doc:"of its folder; 0: the server's default, -1: none"`
	Files  int64  `json:"quota_files" doc:"files and folders of its folder; 0: the server's default, -1: none"`

	Folder      bool           `json:"folder" doc:"it has a folder below /groups"`
	Roster      bool           `json:"roster" doc:"its members are in each other's rosters"`
	Room        bool           `json:"room" doc:"it has a chat room, when rooms are on"`
	MemberLevel identity.Level `json:"member_level" doc:"of an account that is made in it; 0: the server's default"`
	MemberBytes int64          `json:"member_quota_bytes" doc:"likewise"`
	MemberFiles int64          `json:"member_quota_files" doc:"likewise"`

	Members []Member `json:"members" doc:"supplementary members, by login"`
	Primary []string `json:"primary" doc:"the users whose primary group it is"`
}

// Member is a user in a group.
type Member struct {
	User    string `json:"user"`
	Manager bool   `json:"manager" doc:"may change the group's members"`
}

func (a *API) groupOf(g identity.GroupInfo) Group {
	out := Group{GID: g.GID, Name: a.display(g.Name, g.Domain), Domain: g.Domain, Quota: g.QuotaBytes, Files: g.QuotaFiles,
		Folder: !g.NoFolder, Roster: !g.NoRoster, Room: g.Room, MemberLevel: g.MemberLevel, MemberBytes: g.MemberBytes, MemberFiles: g.MemberFiles, Members: []Member{}, Primary: []string{}}
	for _, m := range g.Members {
		out.Members = append(out.Members, Member{a.display(m.Login, g.Domain), m.Manager})
	}
	for _, n := range g.Primary {
		out.Primary = append(out.Primary, a.display(n, g.Domain))
	}
	return out
}

type groupOut struct{ Body Group }

// GroupNamed is a group in a path.
type GroupNamed struct {
	Name string `path:"name"`
}

func (a *API) registerGroups() {
	handle(a, identity.LevelStaff, http.MethodGet, "/groups", "list-groups", "List groups by name", a.listGroups)
	handle(a, identity.LevelAdmin, http.MethodPost, "/groups", "add-group", "Make a group", a.addGroup)
	handle(a, identity.LevelStaff, http.MethodGet, "/groups/{name}", "show-group", "Show a group", a.showGroup)
	tagged(a, identity.LevelAdmin, http.MethodPatch, "/groups/{name}", "set-group", "Change a group: its name, gid, quota, what it is, and what accounts get that are made in it", a.groupIn, a.setGroup)
	tagged(a, identity.LevelAdmin, http.MethodDelete, "/groups/{name}", "remove-group", "Remove a group that is nobody's primary one", a.groupIn, a.removeGroup)
	// Managers are asked by the operations themselves.
	tagged(a, identity.LevelLoggedIn, http.MethodPost, "/groups/{name}/members", "add-members", "Add members, as an administrator or a manager of the group", a.groupIn, a.addMembers)
	tagged(a, identity.LevelLoggedIn, http.MethodPost, "/groups/{name}/members/remove", "remove-members", "Remove members, likewise", a.groupIn, a.removeMembers)
	tagged(a, identity.LevelLoggedIn, http.MethodDelete, "/groups/{name}/members/{user}", "remove-member", "Remove one member, likewise", a.groupIn, a.removeMember)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me/groups", "list-own-groups", "List the groups that the caller is a member of; of those that they manage with members", a.listOwnGroups)
}

// listOwnGroups shows the members of those groups alone that the caller may change.
func (a *API) listOwnGroups(ctx context.Context, _ *struct{}) (*struct{ Body []Group }, error) {
	c := who(ctx)
	out := &struct{ Body []Group }{Body: []Group{}}
	if c.owner == "" { // the machine's owner is in none
		return out, nil
	}
	list, err := a.id.GroupsOf(ctx, c.owner)
	if err != nil {
		return nil, err
	}
	for _, g := range list {
		j := a.groupOf(g)
		if !g.ManagedBy(c.owner) && !c.allows(identity.LevelStaff) {
			j.Members, j.Primary = []Member{}, []string{}
		}
		out.Body = append(out.Body, j)
	}
	return out, nil
}

// mayManage hides a group from who neither manages it nor sees all of them: it looks as if it were not
// there.
func (a *API) mayManage(ctx context.Context, name string) error {
	c := who(ctx)
	if c.allows(identity.LevelStaff) {
		return nil
	}
	g, err := a.id.Group(ctx, name)
	if err == nil && g.ManagedBy(c.owner) {
		return nil
	}
	if err != nil && !errors.Is(err, identity.ErrNotFound) && !errors.Is(err, identity.ErrInvalid) {
		return err
	}
	return notFound("group", name, "")
}

// manyGroups is how many accounts, most of which have a group of their own, are too many to read all
// groups for a mistake.
const manyGroups = 20_000

// noGroup gives an ErrNotFound about a group its name.
func (a *API) noGroup(ctx context.Context, name string, err error) error {
	if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	var names []string
	if n, cerr := a.id.CountUsers(ctx, identity.UserFilter{Limit: manyGroups}); cerr == nil && n < manyGroups {
		if list, lerr := a.id.Groups(ctx); lerr == nil {
			for _, g := range list {
				names = append(names, a.display(g.Name, g.Domain))
			}
		}
	}
	return notFound("group", name, config.Nearest(name, names))
}

func (a *API) readGroup(ctx context.Context, name string) (identity.GroupInfo, error) {
	g, err := a.id.Group(ctx, name)
	if errors.Is(err, identity.ErrInvalid) {
		err = identity.ErrNotFound
	}
	if err != nil {
		return g, a.noGroup(ctx, name, err)
	}
	return g, nil
}

func (a *API) listGroups(ctx context.Context, _ *struct{}) (*struct{ Body []Group }, error) {
	list, err := a.id.Groups(ctx)
	if err != nil {
		return nil, err
	}
	return listed(list, a.groupOf), nil
}

func (a *API) showGroup(ctx context.Context, in *GroupNamed) (*groupOut, error) {
	g, err := a.readGroup(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &groupOut{a.groupOf(g)}, nil
}

type addGroupIn struct {
	Body struct {
		Name string `json:"name"`
		GID  uint32 `json:"gid,omitempty" doc:"absent: the next free one"`
	}
}

type addGroupOut struct {
	Status int
	Body   Group
}

func (a *API) addGroup(ctx context.Context, in *addGroupIn) (*addGroupOut, error) {
	g, err := a.id.AddGroup(ctx, who(ctx).actor, in.Body.Name, in.Body.GID)
	if err != nil {
		return nil, err
	}
	return &addGroupOut{http.StatusCreated, a.groupOf(identity.GroupInfo{Group: g})}, nil
}

type setGroupIn struct {
	GroupNamed
	Body struct {
		Name *string `json:"name,omitempty"`
		GID  *uint32 `json:"gid,omitempty"`

		QuotaBytes *int64 `json:"quota_bytes,omitempty" minimum:"-1"`
		QuotaFiles *int64 `json:"quota_files,omitempty" minimum:"-1"`

		Folder      *bool  `json:"folder,omitempty"`
		Roster      *bool  `json:"roster,omitempty"`
		Room        *bool  `json:"room,omitempty"`
		MemberLevel *Level `json:"member_level,omitempty"`
		MemberBytes *int64 `json:"member_quota_bytes,omitempty" minimum:"-1"`
		MemberFiles *int64 `json:"member_quota_files,omitempty" minimum:"-1"`
	}
}

func (a *API) setGroup(ctx context.Context, in *setGroupIn) (*groupOut, error) {
	if _, err := a.readGroup(ctx, in.Name); err != nil {
		return nil, err
	}
	c := identity.GroupChange{Name: in.Body.Name, GID: in.Body.GID, QuotaBytes: in.Body.QuotaBytes, QuotaFiles: in.Body.QuotaFiles,
		Folder: in.Body.Folder, Roster: in.Body.Roster, Room: in.Body.Room, MemberBytes: in.Body.MemberBytes, MemberFiles: in.Body.MemberFiles}
	if l := in.Body.MemberLevel; l != nil {
		c.MemberLevel = &l.Level
	}
	g, err := a.id.SetGroup(ctx, who(ctx).actor, in.Name, c)
	if err != nil {
		return nil, err
	}
	return a.showGroup(ctx, &GroupNamed{a.display(g.Name, g.Domain)})
}

func (a *API) removeGroup(ctx context.Context, in *GroupNamed) (*nothing, error) {
	if _, err := a.readGroup(ctx, in.Name); err != nil {
		return nil, err
	}
	return nil, a.id.RemoveGroup(ctx, who(ctx).actor, in.Name)
}

type membersIn struct {
	GroupNamed
	Body struct {
		Users   []string `json:"users" minItems:"1"`
		Manager bool     `json:"manager,omitempty"`
	}
}

func (a *API) addMembers(ctx context.Context, in *membersIn) (*groupOut, error) {
	if err := a.knowMembers(ctx, in.Name, in.Body.Users); err != nil {
		return nil, err
	}
	if err := a.id.AddMembers(ctx, who(ctx).actor, in.Name, in.Body.Users, in.Body.Manager); err != nil {
		return nil, err
	}
	return a.showGroup(ctx, &in.GroupNamed)
}

type removeMembersIn struct {
	GroupNamed
	Body struct {
		Users []string `json:"users" minItems:"1"`
	}
}

func (a *API) removeMembers(ctx context.Context, in *removeMembersIn) (*groupOut, error) {
	if err := a.knowMembers(ctx, in.Name, in.Body.Users); err != nil {
		return nil, err
	}
	if err := a.id.RemoveMembers(ctx, who(ctx).actor, in.Name, in.Body.Users); err != nil {
		return nil, err
	}
	return a.showGroup(ctx, &in.GroupNamed)
}

type memberIn struct {
	GroupNamed
	User string `path:"user"`
}

func (a *API) removeMember(ctx context.Context, in *memberIn) (*nothing, error) {
	if err := a.mayManage(ctx, in.Name); err != nil {
		return nil, err
	}
	g, err := a.readGroup(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	acc, err := a.account(ctx, in.User)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(g.Members, func(m identity.Member) bool { return m.User == acc.ID }) {
		return nil, notFound("member", in.User, "")
	}
	return nil, a.id.RemoveMembers(ctx, who(ctx).actor, in.Name, []string{in.User})
}

// knowMembers says which name is wrong before anything is changed.
func (a *API) knowMembers(ctx context.Context, group string, users []string) error {
	if err := a.mayManage(ctx, group); err != nil {
		return err
	}
	if _, err := a.readGroup(ctx, group); err != nil {
		return err
	}
	for _, u := range users {
		if _, err := a.account(ctx, u); err != nil {
			return err
		}
	}
	return nil
}
