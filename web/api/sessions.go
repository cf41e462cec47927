package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"trivium/config"
	"trivium/identity"
)

type sessionsOut struct {
	Total int `header:"X-Total-Count" doc:"how many the filter chooses"`
	Body  []identity.Info
}

type sessionOut struct{ Body identity.Info }

// Doing is what a session is at, for people; it is no member of a session.
type Doing struct {
	ID    string `json:"id"`
	Doing string `json:"doing"`
}

// SessionFilter chooses sessions; what is not given chooses all.
type SessionFilter struct {
	User     string `query:"user" doc:"login, alias or login@domain"`
	Protocol string `query:"protocol" enum:"ftp,web,dav,api,xmpp,s2s,component"`
	Road     string `query:"road" enum:"ftp,web,xmpp"`
	Class    string `query:"class" doc:"name of a class; - for no class"`
	From     string `query:"from" doc:"address or CIDR block that it comes from"`
	Level    string `query:"level" doc:"exactly this level, by name or number"`
	State    string `query:"state" doc:"such as ready, logged_in or available"`
	Token    string `query:"token" doc:"ID of the token that opened it"`
	Text     string `query:"text" maxLength:"200" doc:"part of user, address, client, JID, class or state"`
	Idle     int64  `query:"idle" minimum:"0" maximum:"31536000" doc:"not heard of for so many seconds"`
}

type sessionPage struct {
	SessionFilter
	Sort   string `query:"sort" doc:"started, user, level, protocol, client, address, class, state, active, in or out; a minus sign before it: the other way round"`
	Offset int    `query:"offset" minimum:"0" doc:"how many to leave out"`
	PageIn
}

// SessionIn is a session in a path.
type SessionIn struct {
	ID string `path:"id"`
}

func (a *API) registerSessions() {
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/sessions/sign-out", "sign-out", "End all sessions of an account, one's own or of those below an administrator's level, and make void what browsers and chat clients keep", a.signOut)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions", "list-sessions", "List live sessions, oldest first: one's own; for staff everybody's", a.listSessions)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions/doing", "list-doing", "What the listed sessions are at", a.listDoing)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions/{id}", "show-session", "Show a session", a.showSession)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/sessions/{id}", "end-session", "End a session", a.endSession)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/sessions/end", "end-sessions", "End sessions by id, user, class, address, protocol or road: one's own; for moderators those below their level", a.endSessions)
}

// filter is what the caller asks for, of what the caller may see.
func (a *API) filter(ctx context.Context, in SessionFilter) (identity.Filter, error) {
	c := who(ctx)
	f := identity.Filter{Protocol: identity.Protocol(in.Protocol), Road: identity.Road(in.Road), Class: in.Class,
		State: identity.State(in.State), Text: in.Text, Token: in.Token}
	if in.User != "" {
		owner, err := a.sessionOwner(ctx, c, in.User)
		if err != nil {
			return f, err
		}
		f.Owner = owner
	}
	if in.From != "" {
		p, err := prefixes([]string{in.From})
		if err != nil {
			return f, err
		}
		f.From = p[0]
	}
	if in.Level != "" {
		l, err := identity.ParseLevel(in.Level)
		if err != nil {
			return f, err
		}
		f.Level = &l
	}
	if in.Idle > 0 {
		f.Idle = a.now().Add(-time.Duration(in.Idle) * time.Second)
	}
	if !c.allows(identity.LevelStaff) {
		f.Owner = c.owner // never "": the guard lets nobody anonymous through
	}
	return f, nil
}

// sessions are those that the caller may see and the filter chooses, oldest first.
func (a *API) sessions(ctx context.Context, in SessionFilter) ([]identity.Info, error) {
	f, err := a.filter(ctx, in)
	if err != nil {
		return nil, err
	}
	return a.id.Registry.List(f), nil
}

// sessionOwner finds whose sessions are meant. Below staff there is only oneself.
func (a *API) sessionOwner(ctx context.Context, c caller, name string) (identity.UserID, error) {
	if c.allows(identity.LevelStaff) {
		acc, err := a.account(ctx, name)
		return acc.ID, err
	}
	acc, err := a.mine(ctx, c, name)
	return acc.ID, err
}

func (a *API) listSessions(ctx context.Context, in *sessionPage) (*sessionsOut, error) {
	f, err := a.filter(ctx, in.SessionFilter)
	if err != nil {
		return nil, err
	}
	key, down, err := identity.ParseSort(in.Sort)
	if err != nil {
		return nil, err
	}
	x := who(ctx).exchange
	start := max(in.Offset, x.page.from.index)
	page := a.id.Registry.Page(f, key, down, start, x.page.limit)
	if start+len(page.Sessions) < page.Total {
		x.next(place{index: start + len(page.Sessions)})
	}
	return &sessionsOut{page.Total, page.Sessions}, nil
}

func (a *API) listDoing(ctx context.Context, in *SessionFilter) (*struct{ Body []Doing }, error) {
	list, err := a.sessions(ctx, *in)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body []Doing }{Body: []Doing{}}
	for _, i := range list {
		if i.Doing != "" {
			out.Body = append(out.Body, Doing{i.ID, i.Doing})
		}
	}
	return out, nil
}

// sees reports whether the caller may see a session: their own, and staff all.
func (c caller) sees(i identity.Info) bool {
	return c.allows(identity.LevelStaff) || i.Owner == c.owner && c.owner != ""
}

// session reads one that the caller may see; what is another's does not exist.
func (a *API) session(c caller, id string) (identity.Info, error) {
	ses, ok := a.id.Registry.Get(id)
	if ok {
		i := ses.Info()
		if c.sees(i) {
			return i, nil
		}
	}
	hint := ""
	if c.allows(identity.LevelStaff) {
		var ids []string
		for _, i := range a.id.Registry.List(identity.Filter{}) {
			ids = append(ids, i.ID)
		}
		hint = config.Nearest(id, ids)
	}
	return identity.Info{}, notFound("session", id, hint)
}

func (a *API) showSession(ctx context.Context, in *SessionIn) (*sessionOut, error) {
	i, err := a.session(who(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &sessionOut{i}, nil
}

// mayEnd: one's own always; others' from moderator up, and only below one's own level.
func (c caller) mayEnd(i identity.Info) error {
	if i.Owner != "" && i.Owner == c.owner {
		return nil
	}
	if c.actor.Level == identity.LevelRoot || c.allows(identity.LevelModerator) && i.Level < c.actor.Level {
		return nil
	}
	return newProblem(http.StatusForbidden, codeRefused, "The session "+i.ID+" is not below your level.", "")
}

func (a *API) endSession(ctx context.Context, in *struct {
	SessionIn
	Reason string `query:"reason" maxLength:"200"`
}) (*nothing, error) {
	list, err := a.named(ctx, []string{in.ID})
	if err != nil {
		return nil, err
	}
	_, err = a.end(ctx, list, in.Reason)
	return nil, err
}

// endIn chooses sessions by ids or by what they have in common.
type endIn struct {
	IDs      []string `json:"ids,omitempty" maxItems:"10000"`
	User     string   `json:"user,omitempty" doc:"all sessions of this user"`
	Class    string   `json:"class,omitempty" doc:"all of a class of addresses; - for no class"`
	From     string   `json:"from,omitempty" doc:"all from an address or CIDR block"`
	Protocol string   `json:"protocol,omitempty" enum:"ftp,web,dav,api,xmpp,s2s,component" doc:"all that speak it"`
	Road     string   `json:"road,omitempty" enum:"ftp,web,xmpp" doc:"all of a road"`
	Reason   string   `json:"reason,omitempty" maxLength:"200" doc:"may be shown to the person"`
	DryRun   bool     `json:"dry_run,omitempty" doc:"only tell which would end"`
}

func (a *API) endSessions(ctx context.Context, in *struct{ Body endIn }) (*sessionsOut, error) {
	b := in.Body
	by := SessionFilter{User: b.User, Class: b.Class, From: b.From, Protocol: b.Protocol, Road: b.Road}
	if (len(b.IDs) == 0) == (by == SessionFilter{}) {
		return nil, invalid("give either ids, or some of user, class, from, protocol and road")
	}
	list, err := a.named(ctx, b.IDs)
	if len(b.IDs) == 0 {
		list, err = a.chosen(ctx, by)
	}
	if err != nil {
		return nil, err
	}
	if !b.DryRun {
		if list, err = a.end(ctx, list, b.Reason); err != nil {
			return nil, err
		}
	}
	return &sessionsOut{len(list), list}, nil
}

// chosen are the sessions that a filter chooses and the caller may end; the request's own is not
// among them. What a filter meets and the caller may not end is passed over, unless a user was named.
func (a *API) chosen(ctx context.Context, by SessionFilter) ([]identity.Info, error) {
	all, err := a.sessions(ctx, by)
	if err != nil {
		return nil, err
	}
	c, list := who(ctx), []identity.Info{}
	for _, i := range all {
		if c.session != nil && c.session.ID() == i.ID {
			continue
		}
		switch err := c.mayEnd(i); {
		case err == nil:
			list = append(list, i)
		case by.User != "":
			return nil, err
		}
	}
	return list, nil
}

// named are the sessions with these ids, all of them or, where one is unknown or refused, none.
func (a *API) named(ctx context.Context, ids []string) ([]identity.Info, error) {
	c, list := who(ctx), []identity.Info{}
	for _, id := range ids {
		i, err := a.session(c, id)
		if err != nil {
			return nil, err
		}
		if err := c.mayEnd(i); err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// SignedOut says how many sessions ended.
type SignedOut struct {
	Ended int `json:"ended"`
}

func (a *API) signOut(ctx context.Context, in *struct {
	Body struct {
		User string `json:"user,omitempty" doc:"absent: oneself"`
		Keep bool   `json:"keep,omitempty" doc:"the session of this request goes on"`
	}
}) (*struct{ Body SignedOut }, error) {
	c, name := who(ctx), in.Body.User
	if name == "" {
		name = c.actor.User
	} else if acc, err := a.mineOr(ctx, c, name); err != nil {
		return nil, err
	} else {
		name = string(acc.Login) + "@" + acc.Domain
	}
	if name == "" {
		return nil, invalid("say whose sessions: user")
	}
	var keep *identity.Session
	if in.Body.Keep {
		keep = c.session
	}
	n, err := a.id.SignOut(ctx, c.actor, name, keep)
	if err != nil {
		return nil, err
	}
	return &struct{ Body SignedOut }{SignedOut{n}}, nil
}

// mineOr reads an account: for administrators anybody's, else one's own.
func (a *API) mineOr(ctx context.Context, c caller, name string) (identity.Account, error) {
	if c.allows(identity.LevelAdmin) {
		return a.account(ctx, name)
	}
	return a.mine(ctx, c, name)
}

// end ends sessions. What has gone meanwhile is left out of the answer.
func (a *API) end(ctx context.Context, list []identity.Info, reason string) ([]identity.Info, error) {
	c, ended := who(ctx), []identity.Info{}
	for _, i := range list {
		err := a.id.Registry.End(i.ID, identity.Reason{Code: identity.ReasonEnded, Text: reason, By: &c.actor})
		if errors.Is(err, identity.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ended = append(ended, i)
	}
	return ended, nil
}
