package xmpp

import "context"

// resource is what the router keeps of a bound stream.
type resource struct{}

// router knows the bound streams of this node and moves stanzas between them.
type router struct{}

func newRouter(o Options) *router { return &router{} }

// bind registers s under its full JID before the client knows that it is bound. It is called with
// s.mu held: it must not block and must not put into s. Where another stream has the JID, it
// takes its place and the other one comes back; the caller ends that one with conflict and calls
// unbind for it before s reads its first stanza.
func (r *router) bind(ctx context.Context, s *stream) (old *stream, err error) { return nil, nil }

// unbind takes s out, exactly once, after its last stanza was handled. Where s still has its JID
// it is freed; unavailable presence goes to whom it is owed. why is a few words for the presence
// status, or empty.
func (r *router) unbind(s *stream, why string) {}

// handle routes one stanza that s sent, in the goroutine of s alone, in the order of arrival.
func (r *router) handle(ctx context.Context, s *stream, st *stanza) {}

// features are the stream features that belong beside bind, as whole elements.
func (r *router) features() []byte { return nil }
