package api

import (
	"context"
	"net/http"

	"trivium/identity"
)

type factorsOut struct{ Body []identity.Factor }

type factorIn struct {
	Named
	ID string `path:"id" doc:"of the factor"`
}

// registerFactors are the second factors of accounts. They are set up on the web pages alone: whoever
// holds a token must not be able to give the account another way in.
func (a *API) registerFactors() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/me/factors", "my-factors", "List one's own second factors", a.myFactors)
	handle(a, identity.LevelAdmin, http.MethodGet, "/users/{name}/factors", "list-factors", "List the second factors of an account", a.listFactors)
	tagged(a, identity.LevelAdmin, http.MethodDelete, "/users/{name}/factors", "remove-factors", "Remove all second factors of an account, for who has lost them", a.userIn, a.removeFactors)
	tagged(a, identity.LevelAdmin, http.MethodDelete, "/users/{name}/factors/{id}", "remove-factor", "Remove a second factor of an account", a.userIn, a.removeFactor)
}

func (a *API) myFactors(ctx context.Context, _ *struct{}) (*factorsOut, error) {
	acc, err := a.own(ctx)
	if err != nil {
		return nil, err
	}
	return a.factorsOf(ctx, acc)
}

func (a *API) listFactors(ctx context.Context, in *Named) (*factorsOut, error) {
	acc, err := a.account(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return a.factorsOf(ctx, acc)
}

func (a *API) factorsOf(ctx context.Context, acc identity.Account) (*factorsOut, error) {
	list, err := a.id.Factors(ctx, string(acc.Login)+"@"+acc.Domain)
	return &factorsOut{list}, err
}

func (a *API) removeFactors(ctx context.Context, in *Named) (*nothing, error) {
	return a.dropFactor(ctx, in.Name, "")
}

func (a *API) removeFactor(ctx context.Context, in *factorIn) (*nothing, error) {
	return a.dropFactor(ctx, in.Name, in.ID)
}

func (a *API) dropFactor(ctx context.Context, name, id string) (*nothing, error) {
	acc, err := a.account(ctx, name)
	if err != nil {
		return nil, err
	}
	if c := who(ctx); c.grant != nil && acc.ID == c.owner {
		return nil, wider("the second factors of its owner")
	}
	return nil, a.id.RemoveFactor(ctx, who(ctx).actor, string(acc.Login)+"@"+acc.Domain, id, nil)
}
