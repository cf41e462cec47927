package xmpp

import (
	"context"
	"errors"

	xstanza "mellium.im/xmpp/stanza"
)

// subscription handles presence that manages subscriptions (RFC 6121 section 3). Nobody is told
// of anything before it is durable.
func (r *router) subscription(ctx context.Context, s *stream, st *stanza, req request) {
	if s.res.owner == "" {
		r.refuse(s, st)
		return
	}
	switch r.targetOf(s, st.to) {
	case targetForeign:
		r.fail(s, st, xstanza.RemoteServerNotFound, xstanza.Cancel)
		return
	case targetSelf, targetServer:
		return // one sees one's own presence anyway; the server has none
	}
	to := addressOf(st.to) // section 3.1.2: it is between bare JIDs, whatever was written
	if to == s.res.address {
		return
	}
	them, err := r.party(ctx, to)
	if err != nil {
		r.broken(s, st, err)
		return
	}
	x := &exchange{r: r, me: s.party(), them: them}
	body := st.rewritten(s.res.address.String(), to.String())
	defer r.lock(x.me.address, to)()
	err = r.store.Write(ctx, func(w StoreWriter) error {
		if err := x.load(ctx, w); err != nil {
			return err
		}
		if err := x.send(ctx, w, req, body); err != nil {
			return err
		}
		return x.save(ctx, w)
	})
	switch {
	case errors.Is(err, errFull):
		r.fail(s, st, xstanza.PolicyViolation, xstanza.Modify)
	case err != nil:
		r.broken(s, st, err)
	default:
		x.announce()
	}
}
