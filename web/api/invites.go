package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"trivium/identity"
)

// Invitation is one as JSON. Its link is shown when it is made, and never again.
type Invitation struct {
	ID        string      `json:"id"`
	Kind      string      `json:"kind" doc:"account, first (the first password of an account), reset, or contact"`
	State     string      `json:"state" doc:"open, used, expired or revoked"`
	User      *string     `json:"user" doc:"whose password it sets"`
	Level     *int        `json:"level" doc:"of a new account"`
	Groups    []string    `json:"groups"`
	Contact   bool        `json:"contact" doc:"who joins becomes a contact of who invites"`
	Note      string      `json:"note"`
	Uses      int         `json:"uses"`
	Used      int         `json:"used"`
	UsedBy    []InviteUse `json:"used_by"`
	CreatedBy string      `json:"created_by"`
	CreatedAt time.Time   `json:"created_at"`
	ExpiresAt time.Time   `json:"expires_at"`
	RevokedAt *time.Time  `json:"revoked_at"`
	Link      string      `json:"link,omitempty" doc:"when it is made, and then alone"`
	Code      string      `json:"code,omitempty" doc:"as link"`
}

// InviteUse is one use.
type InviteUse struct {
	User   string    `json:"user"`
	Via    string    `json:"via"`
	Remote string    `json:"remote"`
	At     time.Time `json:"at"`
}

// NewInvitation is the body of one to be made.
type NewInvitation struct {
	User    string   `json:"user,omitempty" doc:"an account that there is: the link sets its password, once"`
	Level   *Level   `json:"level,omitempty" doc:"of a new account; absent: the default level"`
	Groups  []string `json:"groups,omitempty"`
	Note    string   `json:"note,omitempty"`
	Uses    int      `json:"uses,omitempty" doc:"absent: 1"`
	TTL     int64    `json:"ttl,omitempty" doc:"seconds; absent: 7 days, or 24 hours of a link that resets a password"`
	Contact bool     `json:"contact,omitempty" doc:"who joins and who invites become contacts in chat; not for the owner of the machine"`
	Domain  string   `json:"domain,omitempty" doc:"of new accounts; absent: the default one"`
	Email   string   `json:"email,omitempty" doc:"an address that the link is sent to"`
}

func (a *API) registerInvites() {
	handle(a, identity.LevelStaff, http.MethodGet, "/invites", "list-invites", "List invitations, the newest first: all for administrators, else one's own", a.listInvites)
	handle(a, identity.LevelStaff, http.MethodPost, "/invites", "add-invite", "Invite somebody, or make a link that sets a password", a.addInvite)
	handle(a, identity.LevelStaff, http.MethodGet, "/invites/{id}", "show-invite", "Show an invitation without its link", a.showInvite)
	tagged(a, identity.LevelStaff, http.MethodDelete, "/invites/{id}", "revoke-invite", "Revoke an invitation", a.inviteIn, a.revokeInvite)
	tagged(a, identity.LevelAdmin, http.MethodPut, "/users/{name}/must-change", "must-change", "Demand another password of an account, or take that back", a.userIn, a.mustChange)
}

func (a *API) invitation(ctx context.Context, inv identity.Invitation, uses []identity.InviteUse) Invitation {
	return a.inviteFrom(inv, uses, func(id identity.UserID) (identity.Account, error) { return a.id.UserByID(ctx, id) })
}

// inviteIn reads an invitation that the caller may see.
func (a *API) inviteIn(ctx context.Context, r identity.StoreReader, id string) (any, error) {
	inv, err := r.Invitation(ctx, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	if c := who(ctx); !c.allows(identity.LevelAdmin) && (c.actor.User == "" || inv.CreatedBy != c.actor.User) {
		return nil, identity.ErrNotFound
	}
	uses, err := r.InviteUses(ctx, inv.ID)
	if err != nil {
		return nil, err
	}
	return a.inviteFrom(inv, uses, func(id identity.UserID) (identity.Account, error) { return r.AccountByID(ctx, id) }), nil
}

func (a *API) showInvite(ctx context.Context, in *inviteNamed) (*struct{ Body Invitation }, error) {
	x, err := a.read(ctx, a.inviteIn, in.ID)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, notFound("invitation", in.ID, "")
	}
	if err != nil {
		return nil, err
	}
	inv, _ := x.(Invitation)
	return &struct{ Body Invitation }{inv}, nil
}

type inviteNamed struct {
	ID string `path:"id" doc:"as listed"`
}

func (n inviteNamed) target() string { return n.ID }

func (a *API) inviteFrom(inv identity.Invitation, uses []identity.InviteUse, account func(identity.UserID) (identity.Account, error)) Invitation {
	out := Invitation{ID: inv.ID, Kind: string(inv.Kind), State: inv.State(time.Now()), Groups: append([]string{}, inv.Groups...), Contact: inv.Contact,
		Note: inv.Note, Uses: inv.Uses, Used: inv.Used, UsedBy: []InviteUse{}, CreatedBy: inv.CreatedBy, CreatedAt: inv.CreatedAt,
		ExpiresAt: inv.ExpiresAt, RevokedAt: moment(inv.RevokedAt)}
	if inv.Level != identity.LevelNone {
		level := int(inv.Level)
		out.Level = &level
	}
	if inv.User != "" {
		if acc, err := account(inv.User); err == nil {
			name := a.display(acc.Login, acc.Domain)
			out.User = &name
		}
	}
	for _, u := range uses {
		out.UsedBy = append(out.UsedBy, InviteUse{User: u.Login, Via: u.Via, Remote: u.Remote, At: u.At})
	}
	return out
}

func (a *API) listInvites(ctx context.Context, _ *struct{}) (*struct{ Body []Invitation }, error) {
	list, err := a.id.Invitations(ctx, who(ctx).actor, identity.InviteFilter{})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(list))
	for i, inv := range list {
		ids[i] = inv.ID
	}
	uses, err := a.id.InviteUses(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]Invitation, len(list))
	for i, inv := range list {
		out[i] = a.invitation(ctx, inv, uses[inv.ID])
	}
	return &struct{ Body []Invitation }{out}, nil
}

type addInviteOut struct {
	Status int
	Body   Invitation
}

func (a *API) addInvite(ctx context.Context, in *struct{ Body NewInvitation }) (*addInviteOut, error) {
	b := in.Body
	n := identity.NewInvite{User: b.User, Groups: b.Groups, Note: b.Note, Uses: b.Uses, TTL: time.Duration(b.TTL) * time.Second, Contact: b.Contact,
		Domain: b.Domain, Mail: b.Email}
	if b.Level != nil {
		n.Level = b.Level.Level
	}
	if b.TTL < 0 || b.TTL > int64(366*24*time.Hour/time.Second) {
		return nil, invalid("ttl is a number of seconds up to a year")
	}
	if b.User != "" {
		acc, err := a.account(ctx, b.User)
		if err != nil {
			return nil, err
		}
		if c := who(ctx); c.grant != nil && acc.ID == c.owner {
			return nil, wider("the password of its owner")
		}
	}
	inv, code, err := a.id.Invite(ctx, who(ctx).actor, n)
	if err != nil {
		return nil, err
	}
	out := a.invitation(ctx, inv, nil)
	out.Code = code.Reveal()
	out.Link = a.base() + "/join/" + out.Code
	if inv.Kind == identity.InviteReset {
		out.Link = a.base() + "/login/reset/" + out.Code
	}
	return &addInviteOut{http.StatusCreated, out}, nil
}

type revokeInviteIn struct {
	ID string `path:"id" doc:"as listed, or the whole code"`
}

func (n revokeInviteIn) target() string { return n.ID }

func (a *API) revokeInvite(ctx context.Context, in *revokeInviteIn) (*nothing, error) {
	return nil, a.id.RevokeInvite(ctx, who(ctx).actor, in.ID)
}

func (a *API) mustChange(ctx context.Context, in *struct {
	Named
	Body struct {
		MustChange bool `json:"must_change"`
	}
}) (*nothing, error) {
	if _, err := a.account(ctx, in.Name); err != nil {
		return nil, err
	}
	return nil, a.id.RequireChange(ctx, who(ctx).actor, in.Name, in.Body.MustChange)
}
