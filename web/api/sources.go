package api

import (
	"context"
	"net/http"
	"time"

	"trivium/identity"
)

func (a *API) registerSources() {
	handle(a, identity.LevelAdmin, http.MethodGet, "/sources", "list-sources", "List the directories that check passwords", a.listSources)
	handle(a, identity.LevelAdmin, http.MethodPost, "/sources/{source}/test", "test-source", "Ask a directory whether it can be reached, and who somebody is", a.testSource)
	handle(a, identity.LevelAdmin, http.MethodPost, "/sources/{source}/sync", "sync-source", "Read everybody of a directory", a.syncSource)
	tagged(a, identity.LevelAdmin, http.MethodPut, "/users/{name}/source", "set-user-source", "Say which directory keeps an account's password", a.userIn, a.setUserSource)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/links", "list-links", "List who an account is at providers of OpenID Connect", a.listLinks)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/links/remove", "remove-link", "Remove such a link", a.removeLink)
}

func (a *API) listSources(ctx context.Context, _ *struct{}) (*struct{ Body []identity.DirectoryState }, error) {
	list, err := a.id.Directories(ctx)
	if err != nil {
		return nil, err
	}
	return &struct{ Body []identity.DirectoryState }{list}, nil
}

// SourcePerson is what a directory knows of somebody.
type SourcePerson struct {
	Subject  string   `json:"subject"`
	Login    string   `json:"login"`
	Email    string   `json:"email"`
	Display  string   `json:"display"`
	Phone    string   `json:"phone"`
	UID      uint32   `json:"uid"`
	GID      uint32   `json:"gid"`
	Group    string   `json:"group"`
	Groups   []string `json:"groups"`
	Disabled bool     `json:"disabled"`
}

// SourceTest is what a directory has answered.
type SourceTest struct {
	Source string        `json:"source"`
	Person *SourcePerson `json:"person" doc:"null where nobody was asked about"`
}

func (a *API) testSource(ctx context.Context, in *struct {
	Source string `path:"source"`
	Body   struct {
		Login string `json:"login,omitempty" doc:"who is to be found; empty: nobody"`
	}
}) (*struct{ Body SourceTest }, error) {
	p, err := a.id.TestDirectory(ctx, who(ctx).actor, in.Source, in.Body.Login)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body SourceTest }{SourceTest{Source: in.Source}}
	if p != nil {
		out.Body.Person = &SourcePerson{Subject: p.Subject, Login: p.Login, Email: p.Email, Display: p.Name, Phone: p.Phone, UID: p.UID, GID: p.GID,
			Group: p.Group, Groups: append([]string{}, p.Groups...), Disabled: p.Disabled}
	}
	return out, nil
}

func (a *API) syncSource(ctx context.Context, in *struct {
	Source string `path:"source"`
	Body   struct {
		DryRun bool `json:"dry_run,omitempty" doc:"nothing is written"`
		Force  bool `json:"force,omitempty" doc:"disable more than half of the accounts, too"`
	}
}) (*struct{ Body identity.SyncReport }, error) {
	r, err := a.id.SyncDirectory(ctx, who(ctx).actor, in.Source, in.Body.DryRun, in.Body.Force)
	if err != nil {
		return nil, err
	}
	return &struct{ Body identity.SyncReport }{r}, nil
}

func (a *API) setUserSource(ctx context.Context, in *struct {
	Named
	Body struct {
		Source string `json:"source" doc:"the name of a directory; empty: none, and the account needs a password of its own"`
	}
}) (*struct{ Body User }, error) {
	if _, err := a.account(ctx, in.Name); err != nil {
		return nil, err
	}
	set := func() (identity.Account, error) { return a.id.AttachUser(ctx, who(ctx).actor, in.Name, in.Body.Source) }
	if in.Body.Source == "" {
		set = func() (identity.Account, error) { return a.id.DetachUser(ctx, who(ctx).actor, in.Name) }
	}
	acc, err := set()
	if err != nil {
		return nil, err
	}
	return &struct{ Body User }{a.user(acc)}, nil
}

// Link is who an account is at a provider.
type Link struct {
	Source   string     `json:"source"`
	Issuer   string     `json:"issuer"`
	Subject  string     `json:"subject"`
	Label    string     `json:"label"`
	LinkedAt time.Time  `json:"linked_at"`
	UsedAt   *time.Time `json:"used_at"`
}

// whose is the account that a caller means: their own where they name none.
func (a *API) whose(ctx context.Context, name string) (identity.Account, error) {
	c := who(ctx)
	if name == "" {
		name = c.actor.User
	}
	if name == "" {
		return identity.Account{}, invalid("user is missing: whose links are meant?")
	}
	return a.mine(ctx, c, name)
}

func (a *API) listLinks(ctx context.Context, in *struct {
	User string `query:"user" doc:"absent: one's own"`
}) (*struct{ Body []Link }, error) {
	acc, err := a.whose(ctx, in.User)
	if err != nil {
		return nil, err
	}
	ls, err := a.id.Links(ctx, a.display(acc.Login, acc.Domain))
	if err != nil {
		return nil, err
	}
	return listed(ls, func(l identity.Link) Link {
		return Link{l.Source, l.Issuer, l.Subject, l.Label, l.LinkedAt, moment(l.UsedAt)}
	}), nil
}

func (a *API) removeLink(ctx context.Context, in *struct {
	Body struct {
		User    string `json:"user,omitempty" doc:"absent: one's own"`
		Issuer  string `json:"issuer"`
		Subject string `json:"subject"`
	}
}) (*nothing, error) {
	c := who(ctx)
	if c.grant != nil && !c.grant.Admin {
		return nil, hidden() // an app password does not change how its owner logs in
	}
	acc, err := a.whose(ctx, in.Body.User)
	if err != nil {
		return nil, err
	}
	return nil, a.id.RemoveLink(ctx, c.actor, a.display(acc.Login, acc.Domain), in.Body.Issuer, in.Body.Subject)
}
