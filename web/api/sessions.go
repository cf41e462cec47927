package api

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"trivium/config"
	"trivium/identity"
)

type sessionsOut struct{ Body []identity.Info }

type sessionOut struct{ Body identity.Info }

// Doing is what a session is at, for people; it is no member of a session.
type Doing struct {
	ID    string `json:"id"`
	Doing string `json:"doing"`
}

type sessionFilter struct {
	User     string `query:"user" doc:"login, alias or login@domain"`
	Protocol string `query:"protocol" enum:"ftp,web,dav,api,xmpp,s2s,component"`
	Class    string `query:"class"`
}

// SessionIn is a session in a path.
type SessionIn struct {
	ID string `path:"id"`
}

func (a *API) registerSessions() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions", "list-sessions", "List live sessions, oldest first: one's own; for staff everybody's", a.listSessions)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions/doing", "list-doing", "What the listed sessions are at", a.listDoing)
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions/{id}", "show-session", "Show a session", a.showSession)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/sessions/{id}", "end-session", "End a session", a.endSession)
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/sessions/end", "end-sessions", "End sessions by id or all of a user: one's own; for moderators those below their level", a.endSessions)
}

// sessions are those that the caller may see and the filter chooses.
func (a *API) sessions(ctx context.Context, in sessionFilter) ([]identity.Info, error) {
	c := who(ctx)
	f := identity.Filter{Protocol: identity.Protocol(in.Protocol)}
	if in.User != "" {
		owner, err := a.sessionOwner(ctx, c, in.User)
		if err != nil {
			return nil, err
		}
		f.Owner = owner
	}
	if !c.allows(identity.LevelStaff) {
		f.Owner = c.owner // never "": the guard lets nobody anonymous through
	}
	out := []identity.Info{}
	for _, i := range a.id.Registry.List(f) {
		if in.Class == "" || i.Class != nil && strings.EqualFold(*i.Class, in.Class) {
			out = append(out, i)
		}
	}
	return out, nil
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

func (a *API) listSessions(ctx context.Context, in *sessionFilter) (*sessionsOut, error) {
	list, err := a.sessions(ctx, *in)
	if err != nil {
		return nil, err
	}
	return &sessionsOut{list}, nil
}

func (a *API) listDoing(ctx context.Context, in *sessionFilter) (*struct{ Body []Doing }, error) {
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

// session reads one that the caller may see; what is another's does not exist.
func (a *API) session(c caller, id string) (identity.Info, error) {
	ses, ok := a.id.Registry.Get(id)
	if ok {
		i := ses.Info()
		if c.allows(identity.LevelStaff) || i.Owner == c.owner && c.owner != "" {
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
	_, err := a.end(ctx, []string{in.ID}, in.Reason)
	return nil, err
}

func (a *API) endSessions(ctx context.Context, in *struct {
	Body struct {
		IDs    []string `json:"ids,omitempty" maxItems:"10000"`
		User   string   `json:"user,omitempty" doc:"all sessions of this user"`
		Reason string   `json:"reason,omitempty" maxLength:"200" doc:"may be shown to the person"`
	}
}) (*sessionsOut, error) {
	b := in.Body
	if (len(b.IDs) == 0) == (b.User == "") {
		return nil, invalid("give either ids or user")
	}
	if b.User != "" {
		list, err := a.sessions(ctx, sessionFilter{User: b.User})
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			// The request's own session goes last of all: with the answer.
			if c := who(ctx); c.session == nil || c.session.ID() != i.ID {
				b.IDs = append(b.IDs, i.ID)
			}
		}
	}
	ended, err := a.end(ctx, b.IDs, b.Reason)
	if err != nil {
		return nil, err
	}
	return &sessionsOut{ended}, nil
}

// end ends all or, where one is unknown or refused, none. What has gone meanwhile is left out of
// the answer.
func (a *API) end(ctx context.Context, ids []string, reason string) ([]identity.Info, error) {
	c := who(ctx)
	var list []identity.Info
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
	ended := []identity.Info{}
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
