package xmpp

import (
	"context"
	"errors"

	xstanza "mellium.im/xmpp/stanza"
)

// subscription handles presence that manages subscriptions (RFC 6121 section 3). Nobody is told
// of anything before it is durable.
func (r *Router) subscription(ctx context.Context, s *Stream, st *Stanza, req request) {
	if s.res.owner == "" {
		r.refuse(s, st)
		return
	}
	switch r.targetOf(s, st.To) {
	case ToForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
		return
	case ToSelf, ToServer:
		return // one sees one's own presence anyway; the server has none
	}
	to := addressOf(st.To) // section 3.1.2: it is between bare JIDs, whatever was written
	if to == s.res.Address {
		return
	}
	them, err := r.party(ctx, to)
	if err != nil {
		r.broken(s, st, err)
		return
	}
	if r.blocked(s.Owner(), to, "") {
		r.failBlocked(s, st)
		return
	}
	x := &exchange{r: r, me: s.party(), them: them}
	body := st.Rewritten(s.res.Address.String(), to.String())
	admitted := req == subscribe && r.preauthorized(ctx, x.me, them, st)
	defer r.lock(x.me.Address, to)()
	if x.mine.group, err = r.byGroup(ctx, x.me.owner(), to); err != nil {
		r.broken(s, st, err)
		return
	}
	if x.mine.group != nil {
		r.together(s, st, req, to)
		return
	}
	err = x.change(ctx, func(w StoreWriter) error {
		if admitted {
			return x.admit(ctx, w, body)
		}
		return x.send(ctx, w, req, body)
	})
	switch {
	case errors.Is(err, errFull):
		r.fail(s, st, xstanza.PolicyViolation, xstanza.Modify)
	case err != nil:
		r.broken(s, st, err)
	default:
		x.announce(ctx)
		x.related(ctx)
	}
}
