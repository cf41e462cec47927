package api

import (
	"context"
	"errors"
	"net/http"

	"trivium/identity"
)

// Transfer is what a session moves now.
type Transfer struct {
	Session    string            `json:"session" doc:"the session's id, by which it is stopped"`
	User       *string           `json:"user" doc:"null: nobody in particular"`
	Protocol   identity.Protocol `json:"protocol"`
	RemoteAddr string            `json:"remote_addr"`
	identity.TransferInfo
}

func (a *API) registerTransfers() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/transfers", "list-transfers", "List running transfers: one's own; for staff everybody's", a.listTransfers)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/transfers/{id}", "stop-transfer", "Stop what a session transfers; the session goes on", a.stopTransfer)
}

func (a *API) listTransfers(ctx context.Context, in *SessionFilter) (*struct{ Body []Transfer }, error) {
	list, err := a.sessions(ctx, *in)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body []Transfer }{Body: []Transfer{}}
	for _, i := range list {
		if i.Transfer != nil {
			out.Body = append(out.Body, Transfer{i.ID, i.User, i.Protocol, i.RemoteAddr, *i.Transfer})
		}
	}
	return out, nil
}

// stopTransfer follows the rules of ending a session.
func (a *API) stopTransfer(ctx context.Context, in *SessionIn) (*nothing, error) {
	c := who(ctx)
	i, err := a.session(c, in.ID)
	if err != nil {
		return nil, err
	}
	if err := c.mayEnd(i); err != nil {
		return nil, err
	}
	err = a.id.StopTransfer(c.actor, in.ID)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, notFound("transfer", in.ID, "")
	}
	return nil, err
}
