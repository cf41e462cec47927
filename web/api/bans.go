package api

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"trivium/identity"
)

// bans is what identity says of the addresses that may not connect.
type bans interface {
	Bans(ctx context.Context) ([]identity.Ban, error)
	LiftBan(ctx context.Context, by identity.Actor, prefix string) error
}

func (a *API) bans() (bans, error) {
	b, ok := any(a.id).(bans)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return b, nil
}

func (a *API) registerBans() {
	handle(a, identity.LevelStaff, http.MethodGet, "/bans", "list-bans", "List banned addresses", a.listBans)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/bans/{prefix}", "lift-ban", "Lift a ban", a.liftBan)
}

func (a *API) listBans(ctx context.Context, _ *struct{}) (*struct{ Body []identity.Ban }, error) {
	b, err := a.bans()
	if err != nil {
		return nil, err
	}
	list, err := b.Bans(ctx)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []identity.Ban{}
	}
	return &struct{ Body []identity.Ban }{list}, nil
}

func (a *API) liftBan(ctx context.Context, in *struct {
	Prefix string `path:"prefix" doc:"an address or prefix, its slash as %2F"`
}) (*nothing, error) {
	b, err := a.bans()
	if err != nil {
		return nil, err
	}
	list, err := b.Bans(ctx)
	if err != nil {
		return nil, err
	}
	prefix, ok := banned(list, in.Prefix)
	if !ok {
		return nil, notFound("ban of", in.Prefix, "")
	}
	return nil, b.LiftBan(ctx, who(ctx).actor, prefix)
}

// banned finds the ban that s names: its prefix, or an address in it.
func banned(list []identity.Ban, s string) (string, bool) {
	want, err := prefixes([]string{s})
	if err != nil {
		return "", false
	}
	for _, b := range list {
		have, err := netip.ParsePrefix(b.Prefix)
		if err != nil {
			if addr, aerr := netip.ParseAddr(b.Prefix); aerr == nil {
				have = netip.PrefixFrom(addr, addr.BitLen())
			}
		}
		if have.IsValid() && (have == want[0] || want[0].IsSingleIP() && have.Contains(want[0].Addr())) {
			return b.Prefix, true
		}
	}
	return "", false
}
