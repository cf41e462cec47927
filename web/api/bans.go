package api

import (
	"context"
	"net/http"
	"net/netip"

	"trivium/identity"
)

func (a *API) registerBans() {
	handle(a, identity.LevelStaff, http.MethodGet, "/bans", "list-bans", "List banned addresses", a.listBans)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/bans/{prefix}", "lift-ban", "Lift a ban", a.liftBan)
}

func (a *API) listBans(ctx context.Context, _ *struct{}) (*struct{ Body []identity.Ban }, error) {
	list, err := a.id.Bans(ctx)
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
	list, err := a.id.Bans(ctx)
	if err != nil {
		return nil, err
	}
	prefix, ok := banned(list, in.Prefix)
	if !ok {
		return nil, notFound("ban of", in.Prefix, "")
	}
	return nil, a.id.LiftBan(ctx, who(ctx).actor, prefix)
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
