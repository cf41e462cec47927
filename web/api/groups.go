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
	GID     uint32   `json:"gid"`
	Name    string   `json:"name"`
	Domain  string   `json:"domain"`
	Quota   int64    `json:"quota_bytes" doc:"of its folder; 0: the server's default, -1: none"`
	Files   int64    `json:"quota_files" doc:"files and folders of its folder; 0: the server's default, -1: none"`
	Members []Member `json:"members" doc:"supplementary members, by login"`
	Primary []string `json:"primary" doc:"the users whose primary group it is"`
}

// Member is a user in a group.
type Member struct {
	User    string `json:"user"`
	Manager bool   `json:"manager" doc:"may change the group's members"`
}

func (a *API) groupOf(g identity.GroupInfo) Group {
	out := Group{GID: g.GID, Name: a.display(g.Name, g.Domain), Domain: g.Domain, Quota: g.QuotaBytes, Files: g.QuotaFiles, Members: []Member{}, Primary: []string{}}
	for _, m := range g.Members {
		out.Members = append(out.Members, Member{a.display(m.Login, g.Domain), m.Manager})
	}
	for _, n := range g.Primary {
		out.Primary = append(out.Primary, a.display(n, g.Domain))
	}
	return out
}

type groupOut struct{ Body Group }

type groupsOut struct{ Body []Group }

// GroupNamed is a group in a path.
type GroupNamed struct {
	Name string `path:"name"`
}

func (a *API) registerGroups() {
	handle(a, identity.LevelStaff, http.MethodGet, "/groups", "list-groups", "List groups by name", a.listGroups)
	handle(a, identity.LevelAdmin, http.MethodPost, "/groups", "add-group", "Make a group", a.addGroup)
	handle(a, identity.LevelStaff, http.MethodGet, "/groups/{name}", "show-group", "Show a group", a.showGroup)
	handle(a, identity.LevelAdmin, http.MethodPatch, "/groups/{name}", "set-group", "Change a group: its name, gid, quota", a.setGroup)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/groups/{name}", "remove-group", "Remove a group that is nobody's primary one", a.removeGroup)
	handle(a, identity.LevelAdmin, http.MethodPost, "/groups/{name}/members", "add-members", "Add members", a.addMembers)
	handle(a, identity.LevelAdmin, http.MethodPost, "/groups/{name}/members/remove", "remove-members", "Remove members", a.removeMembers)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/groups/{name}/members/{user}", "remove-member", "Remove one member", a.removeMember)
}

// noGroup gives an ErrNotFound about a group its name.
func (a *API) noGroup(ctx context.Context, name string, err error) error {
	if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	var names []string
	if list, lerr := a.id.Groups(ctx); lerr == nil {
		for _, g := range list {
			names = append(names, a.display(g.Name, g.Domain))
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

func (a *API) listGroups(ctx context.Context, _ *struct{}) (*groupsOut, error) {
	list, err := a.id.Groups(ctx)
	if err != nil {
		return nil, err
	}
	out := &groupsOut{Body: make([]Group, 0, len(list))}
	for _, g := range list {
		out.Body = append(out.Body, a.groupOf(g))
	}
	return out, nil
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
	}
}

func (a *API) setGroup(ctx context.Context, in *setGroupIn) (*groupOut, error) {
	if _, err := a.readGroup(ctx, in.Name); err != nil {
		return nil, err
	}
	g, err := a.id.SetGroup(ctx, who(ctx).actor, in.Name, identity.GroupChange{
		Name: in.Body.Name, GID: in.Body.GID, QuotaBytes: in.Body.QuotaBytes, QuotaFiles: in.Body.QuotaFiles})
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
