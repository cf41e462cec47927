package api

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"trivium/identity"
)

func (a *API) registerBans() {
	handle(a, identity.LevelStaff, http.MethodGet, "/bans", "list-bans", "List banned addresses, the newest first or as sort says", a.listBans)
	handle(a, identity.LevelModerator, http.MethodPost, "/bans", "add-ban", "Ban an address or block; moderators single addresses for a day at most", a.addBan)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/bans/{prefix}", "lift-ban", "Lift a ban", a.liftBan)
	handle(a, identity.LevelStaff, http.MethodGet, "/bans/check/{address}", "check-ban", "Say whether an address is banned, and why", a.checkBan)
	handle(a, identity.LevelStaff, http.MethodGet, "/bans/allow", "list-ban-allows", "List what is never banned", a.listAllows)
	handle(a, identity.LevelAdmin, http.MethodPost, "/bans/allow", "add-ban-allow", "Let an address or block never be banned", a.addAllow)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/bans/allow/{prefix}", "remove-ban-allow", "Take an address or block off the list of those that are never banned", a.removeAllow)
}

type bansIn struct {
	Kind   string `query:"kind" enum:"guessing,widened,manual"`
	Text   string `query:"text" maxLength:"200" doc:"part of prefix, reason or who has set it; or an address that it holds"`
	Sort   string `query:"sort" doc:"since, until, prefix, count, hits, reason or by; a minus sign before it: the other way round"`
	Offset int    `query:"offset" minimum:"0" doc:"how many to leave out"`
	PageIn
}

type bansOut struct {
	Total int `header:"X-Total-Count" doc:"how many the filter chooses"`
	Body  []identity.Ban
}

func (a *API) listBans(ctx context.Context, in *bansIn) (*bansOut, error) {
	key, down, err := identity.ParseBanSort(in.Sort)
	if err != nil {
		return nil, err
	}
	x := who(ctx).exchange
	start := max(in.Offset, x.page.from.index)
	list, total, err := a.id.BanPage(ctx, identity.BanFilter{Kind: identity.BanKind(in.Kind), Text: in.Text}, key, down, start, x.page.limit)
	if err != nil {
		return nil, err
	}
	if start+len(list) < total {
		x.next(place{index: start + len(list)})
	}
	if list == nil {
		list = []identity.Ban{}
	}
	return &bansOut{total, list}, nil
}

// newBan is the body of a ban to be made.
type newBan struct {
	Prefix  string `json:"prefix" doc:"an address or CIDR block"`
	For     int64  `json:"for,omitempty" minimum:"0" maximum:"315360000" doc:"seconds; 0: a day"`
	Reason  string `json:"reason,omitempty" maxLength:"200"`
	Confirm bool   `json:"confirm,omitempty" doc:"also where it holds one's own address, or most of the internet"`
}

func (a *API) addBan(ctx context.Context, in *struct{ Body newBan }) (*struct{ Body identity.Ban }, error) {
	b, err := a.id.AddBan(ctx, who(ctx).actor, identity.NewBan{Prefix: in.Body.Prefix, For: time.Duration(in.Body.For) * time.Second,
		Reason: in.Body.Reason, Confirm: in.Body.Confirm})
	if err != nil {
		return nil, err
	}
	return &struct{ Body identity.Ban }{b}, nil
}

func (a *API) checkBan(ctx context.Context, in *struct {
	Address string `path:"address"`
}) (*struct{ Body identity.BanCheck }, error) {
	c, err := a.id.CheckBan(ctx, in.Address)
	if err != nil {
		return nil, err
	}
	return &struct{ Body identity.BanCheck }{c}, nil
}

// BanPrefixIn is a prefix in a path.
type BanPrefixIn struct {
	Prefix string `path:"prefix" doc:"an address or prefix, its slash as %2F"`
}

func (a *API) liftBan(ctx context.Context, in *BanPrefixIn) (*nothing, error) {
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

func (a *API) listAllows(ctx context.Context, _ *struct{}) (*struct{ Body []identity.BanAllow }, error) {
	list, err := a.id.BanAllows(ctx)
	if err != nil {
		return nil, err
	}
	if list == nil {
		list = []identity.BanAllow{}
	}
	return &struct{ Body []identity.BanAllow }{list}, nil
}

func (a *API) addAllow(ctx context.Context, in *struct {
	Body struct {
		Prefix string `json:"prefix" doc:"an address or CIDR block"`
		Reason string `json:"reason,omitempty" maxLength:"200"`
	}
}) (*struct{ Body identity.BanAllow }, error) {
	x, err := a.id.AddBanAllow(ctx, who(ctx).actor, in.Body.Prefix, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &struct{ Body identity.BanAllow }{x}, nil
}

func (a *API) removeAllow(ctx context.Context, in *BanPrefixIn) (*nothing, error) {
	return nil, a.id.RemoveBanAllow(ctx, who(ctx).actor, in.Prefix)
}

// banned finds the ban that s names: its prefix, or of those that hold an address the narrowest.
func banned(list []identity.Ban, s string) (string, bool) {
	want, err := prefixes([]string{s})
	if err != nil {
		return "", false
	}
	best, bits := "", -1
	for _, b := range list {
		have, err := netip.ParsePrefix(b.Prefix)
		switch {
		case err != nil:
		case have == want[0]:
			return b.Prefix, true
		case want[0].IsSingleIP() && have.Contains(want[0].Addr()) && have.Bits() > bits:
			best, bits = b.Prefix, have.Bits()
		}
	}
	return best, best != ""
}
