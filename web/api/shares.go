package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"trivium/files"
	"trivium/identity"
)

// Share is a link that somebody has given out.
type Share struct {
	ID        string     `json:"id"`
	User      string     `json:"user" doc:"whose files it opens; empty: an account that is gone"`
	Path      string     `json:"path" doc:"as its owner sees it"`
	Kind      string     `json:"kind" enum:"file,folder,drop" doc:"drop: others add files to the folder and see nothing"`
	Link      string     `json:"link,omitempty" doc:"the address; for its owner alone"`
	Password  bool       `json:"password" doc:"it asks for one"`
	Note      string     `json:"note"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	Limit     int        `json:"limit" doc:"downloads, or files added; 0: no limit"`
	Count     int        `json:"count"`
	Over      bool       `json:"over" doc:"it has expired or is used up"`
}

// NewShare is the body of a share to be made.
type NewShare struct {
	Path     string `json:"path" doc:"of a file or folder, as a client sees it"`
	Drop     bool   `json:"drop,omitempty" doc:"a folder as a drop box"`
	Password string `json:"password,omitempty" maxLength:"256"`
	TTL      int64  `json:"ttl,omitempty" minimum:"0" maximum:"3155760000" doc:"seconds; 0: it never expires"`
	Limit    int    `json:"limit,omitempty" minimum:"0"`
	Note     string `json:"note,omitempty" maxLength:"200"`
}

func (a *API) registerShares() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/shares", "list-shares", "List the links that one has given out; administrators those of others or all", a.listShares)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/shares", "add-share", "Give out a link to a file or folder", a.addShare)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/shares/{id}", "end-share", "Take a link back; administrators anybody's", a.endShare)
}

// share is x as c sees it: a link that is not one's own is not for reading.
func (a *API) share(ctx context.Context, c caller, x files.Share) Share {
	out := Share{ID: x.ID, Path: x.Path, Kind: "file", Password: x.Locked(), Note: x.Note, CreatedAt: x.CreatedAt.UTC(), Limit: x.Limit, Count: x.Count, Over: x.Over(a.now())}
	switch {
	case x.Drop:
		out.Kind = "drop"
	case x.Dir:
		out.Kind = "folder"
	}
	if !x.ExpiresAt.IsZero() {
		at := x.ExpiresAt.UTC()
		out.ExpiresAt = &at
	}
	if acc, err := a.id.UserByID(ctx, x.Owner); err == nil {
		out.User = a.display(acc.Login, acc.Domain)
	}
	if c.owner == x.Owner {
		out.Link = a.base() + "/s/" + x.Code
	}
	return out
}

func (a *API) listShares(ctx context.Context, in *struct {
	User string `query:"user" doc:"administrators: whose; absent: one's own, on the control socket all"`
}) (*struct{ Body []Share }, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	c, owner := who(ctx), who(ctx).owner
	if in.User != "" {
		acc, err := a.mine(ctx, c, in.User)
		if err != nil {
			return nil, err
		}
		owner = acc.ID
	}
	list, err := f.Shares(ctx, owner)
	if err != nil {
		return nil, fileProblem(err, "")
	}
	return listed(list, func(x files.Share) Share {
		return a.share(ctx, c, x)
	}), nil
}

func (a *API) addShare(ctx context.Context, in *struct{ Body NewShare }) (*struct{ Body Share }, error) {
	tree, err := a.tree(ctx)
	if err != nil {
		return nil, err
	}
	o := files.ShareOptions{Drop: in.Body.Drop, Note: in.Body.Note, Password: identity.NewSecret(in.Body.Password), Limit: in.Body.Limit}
	if in.Body.TTL > 0 {
		o.ExpiresAt = a.now().Add(time.Duration(in.Body.TTL) * time.Second)
	}
	x, err := tree.Share(ctx, in.Body.Path, o)
	if errors.Is(err, files.ErrShareLimit) {
		return nil, newProblem(http.StatusConflict, codeExists, err.Error(), "end some of them first")
	}
	if err != nil {
		return nil, fileProblem(err, in.Body.Path)
	}
	if err := a.recordShare(ctx, "share.add", x); err != nil {
		return nil, err
	}
	return &struct{ Body Share }{a.share(ctx, who(ctx), x)}, nil
}

func (a *API) endShare(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*nothing, error) {
	f, err := a.files()
	if err != nil {
		return nil, err
	}
	c := who(ctx)
	owner := c.owner
	if c.allows(identity.LevelAdmin) {
		owner = ""
	}
	x, err := f.EndShare(ctx, owner, in.ID)
	if err != nil {
		return nil, fileProblem(err, in.ID)
	}
	return nil, a.recordShare(ctx, "share.end", x)
}

func (a *API) recordShare(ctx context.Context, event string, x files.Share) error {
	c := who(ctx)
	e := identity.AuditEvent{Event: event, Actor: c.actor.User, Via: c.actor.Via, Remote: c.actor.Remote, Result: "ok", Detail: "share " + x.ID + " of " + x.Canonical}
	if acc, err := a.id.UserByID(ctx, x.Owner); err == nil {
		e.Subject = a.display(acc.Login, acc.Domain)
	}
	return a.id.Record(ctx, e)
}
