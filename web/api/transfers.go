package api

import (
	"context"
	"errors"
	"net/http"

	"trivium/identity"
)

// Transfer is what a session moves now.
type Transfer struct {
	Session    string            `json:"session" doc:"id of its session"`
	User       *string           `json:"user" doc:"null: nobody in particular"`
	Protocol   identity.Protocol `json:"protocol"`
	RemoteAddr string            `json:"remote_addr"`
	identity.TransferInfo
}

// transferPage chooses transfers, by their sessions and by what they move.
type transferPage struct {
	SessionFilter
	Session   string `query:"session" doc:"id of a session"`
	Path      string `query:"path" maxLength:"200" doc:"part of the path, in any case"`
	Direction string `query:"direction" enum:"in,out,here" doc:"in: to the server; out: from it; here: long work on the server, such as a checksum"`
}

// TransferIn is a transfer in a path.
type TransferIn struct {
	ID string `path:"id"`
}

func (a *API) registerTransfers() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/transfers", "list-transfers", "List running transfers, oldest first: one's own; for staff everybody's", a.listTransfers)
	handle(a, identity.LevelLoggedIn, http.MethodDelete, "/transfers/{id}", "stop-transfer", "Stop one transfer; its session goes on, and so do the session's other transfers", a.stopTransfer)
}

func (a *API) listTransfers(ctx context.Context, in *transferPage) (*struct{ Body []Transfer }, error) {
	f, err := a.filter(ctx, in.SessionFilter)
	if err != nil {
		return nil, err
	}
	f.ID = in.Session
	out := &struct{ Body []Transfer }{Body: []Transfer{}}
	for _, x := range a.id.Registry.Transfers(identity.TransferFilter{Filter: f, Path: in.Path, Direction: identity.Direction(in.Direction)}) {
		i := x.Session
		out.Body = append(out.Body, Transfer{i.ID, i.User, i.Protocol, i.RemoteAddr, x.TransferInfo})
	}
	return out, nil
}

// stopTransfer follows the rules of ending a session: what one may not see does not exist.
func (a *API) stopTransfer(ctx context.Context, in *TransferIn) (*nothing, error) {
	c, gone := who(ctx), notFound("transfer", in.ID, "")
	x, ok := a.id.Registry.Transfer(in.ID)
	if !ok || !c.sees(x.Session) {
		return nil, gone
	}
	if err := c.mayEnd(x.Session); err != nil {
		return nil, err
	}
	err := a.id.StopTransfer(c.actor, in.ID)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, gone
	}
	return nil, err
}
