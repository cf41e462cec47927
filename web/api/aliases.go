package api

import (
	"context"
	"errors"
	"net/http"

	"trivium/config"
	"trivium/identity"
)

// Alias is a further login name of an account.
type Alias struct {
	Alias  string `json:"alias"`
	User   string `json:"user"`
	Domain string `json:"domain"`
}

func (a *API) aliasOf(al identity.Alias) Alias {
	return Alias{a.display(al.Name, al.Domain), a.display(al.Login, al.Domain), al.Domain}
}

func (a *API) registerAliases() {
	handle(a, identity.LevelStaff, http.MethodGet, "/aliases", "list-aliases", "List aliases by name", a.listAliases)
	handle(a, identity.LevelAdmin, http.MethodPost, "/aliases", "add-alias", "Give an account a further login name", a.addAlias)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/aliases/{alias}", "remove-alias", "Remove an alias", a.removeAlias)
}

func (a *API) listAliases(ctx context.Context, _ *struct{}) (*struct{ Body []Alias }, error) {
	list, err := a.id.Aliases(ctx)
	if err != nil {
		return nil, err
	}
	return listed(list, a.aliasOf), nil
}

type addAliasIn struct {
	Body struct {
		Alias string `json:"alias"`
		User  string `json:"user"`
	}
}

type addAliasOut struct {
	Status int
	Body   Alias
}

func (a *API) addAlias(ctx context.Context, in *addAliasIn) (*addAliasOut, error) {
	if _, err := a.account(ctx, in.Body.User); err != nil {
		return nil, err
	}
	al, err := a.id.AddAlias(ctx, who(ctx).actor, in.Body.Alias, in.Body.User)
	if err != nil {
		return nil, err
	}
	return &addAliasOut{http.StatusCreated, a.aliasOf(al)}, nil
}

func (a *API) removeAlias(ctx context.Context, in *struct {
	Alias string `path:"alias"`
}) (*nothing, error) {
	err := a.id.RemoveAlias(ctx, who(ctx).actor, in.Alias)
	if !errors.Is(err, identity.ErrNotFound) {
		return nil, err
	}
	var names []string
	if list, lerr := a.id.Aliases(ctx); lerr == nil {
		for _, al := range list {
			names = append(names, a.display(al.Name, al.Domain))
		}
	}
	return nil, notFound("alias", in.Alias, config.Nearest(in.Alias, names))
}
