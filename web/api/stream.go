package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"trivium/identity"
)

// Bounds of the streams of events.
const (
	streamsOfOne = 10
	streamsOfAll = 500
	streamBatch  = 64
	streamBeat   = 15 * time.Second // keeps proxies sure that it lives, and finds readers that are gone
	streamWrite  = 30 * time.Second // a reader who takes nothing for so long is cut off
)

// SessionEvent is the data of an event of the stream.
type SessionEvent struct {
	Kind    string         `json:"kind" enum:"opened,upgraded,changed,downgraded,ended,lagged"`
	At      time.Time      `json:"at"`
	Session *identity.Info `json:"session" doc:"as it is after it, or was at its end; null with lagged"`
	Reason  string         `json:"reason,omitempty" doc:"of an end: ended, disabled, revoked, expired, policy, idle, replaced, shutdown or closed"`
	Text    string         `json:"text,omitempty"`
}

func (a *API) registerStream() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/sessions/events", "watch-sessions",
		"Stream what happens to sessions (server-sent events): one's own; for staff, and tokens with scope introspect, everybody's. Last-Event-ID goes on where a stream ended; after lagged the list is to be read again", a.watchSessions)
}

// Stop ends the streams, which would keep a server from stopping.
func (a *API) Stop() { a.streams.stop.Do(func() { close(a.streams.stopped) }) }

// watchSessions streams. The state of the list is not sent: who wants it begins the stream, waits for
// its first event, hello, and then reads the list.
func (a *API) watchSessions(ctx context.Context, in *struct {
	After string `header:"Last-Event-ID" maxLength:"64"`
	User  string `query:"user" doc:"staff: only those of this account"`
}) (*huma.StreamResponse, error) {
	c := who(ctx)
	all := c.allows(identity.LevelStaff) || a.mayIntrospect(ctx, c) == nil
	owner := identity.UserID("")
	if !all {
		owner = c.owner
	}
	if in.User != "" {
		id, err := a.sessionOwner(ctx, c, in.User)
		if err != nil {
			return nil, err
		}
		owner = id
	}
	leave, err := a.streams.enter(c.asker())
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer leave()
		w, ok := h.BodyWriter().(http.ResponseWriter)
		if !ok {
			return
		}
		s := &sessionStream{stream: newStream(w), owner: owner, still: func() bool {
			return c.session == nil || a.stillMay(h.Context(), c, all && in.User == "")
		}}
		s.run(h.Context(), a, in.After)
	}}, nil
}

// stillMay reports whether the caller may still see what the stream tells of.
func (a *API) stillMay(ctx context.Context, c caller, all bool) bool {
	select {
	case <-c.session.Ended():
		return false
	default:
	}
	c.actor.Level = c.session.Level()
	return c.actor.Level.Allows(identity.LevelLoggedIn) && (!all || c.allows(identity.LevelStaff) || a.mayIntrospect(ctx, c) == nil)
}

// sessionStream is one reader of what happens to sessions.
type sessionStream struct {
	stream
	owner identity.UserID // "": everybody's
	still func() bool
}

func (s *sessionStream) run(ctx context.Context, a *API, after string) {
	ctx, cancel := s.begin(ctx, a.streams)
	defer cancel()
	feed := a.id.Registry.Feed(after)
	defer feed.Close()
	if !s.send("hello", feed.Last(), []byte("{}")) {
		return
	}
	for {
		wait, done := context.WithTimeout(ctx, streamBeat)
		events := feed.Next(wait, streamBatch)
		done()
		if ctx.Err() != nil || !s.still() {
			return
		}
		if events == nil && !s.comment() {
			return
		}
		for _, e := range events {
			if e.Session != nil && s.owner != "" && e.Session.Owner != s.owner {
				continue
			}
			data, err := json.Marshal(SessionEvent{Kind: string(e.Kind), At: e.At.UTC(), Session: e.Session, Reason: string(e.Reason.Code), Text: e.Reason.Text})
			if err != nil || !s.send(string(e.Kind), e.ID, data) {
				return
			}
		}
	}
}

// stream is an answer of server-sent events, which has no end of its own.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func newStream(w http.ResponseWriter) stream { return stream{w, http.NewResponseController(w)} }

// begin writes the head; what it returns ends with the streams, too.
func (s *stream) begin(ctx context.Context, o *openStreams) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-o.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = s.rc.SetReadDeadline(time.Time{})
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	return ctx, cancel
}

// send writes one event; false where the reader is gone or takes nothing.
func (s *stream) send(kind, id string, data []byte) bool {
	return s.write(fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n\n", kind, id, data))
}

func (s *stream) comment() bool { return s.write([]byte(": beat\n\n")) }

func (s *stream) write(b []byte) bool {
	if err := s.rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return false
	}
	if _, err := s.w.Write(b); err != nil {
		return false
	}
	err := s.rc.Flush()
	return err == nil || errors.Is(err, http.ErrNotSupported)
}

// openStreams counts the streams of each asker.
type openStreams struct {
	stop    sync.Once
	stopped chan struct{}

	mu  sync.Mutex // guards what follows
	by  map[string]int
	all int
}

func newOpenStreams() *openStreams {
	return &openStreams{stopped: make(chan struct{}), by: map[string]int{}}
}

// enter counts a stream until leave, or says that there are too many.
func (o *openStreams) enter(who string) (leave func(), err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by[who] >= streamsOfOne || o.all >= streamsOfAll {
		p := newProblem(http.StatusTooManyRequests, codeTooMany, "Too many streams are open.", "")
		p.header = http.Header{"Retry-After": {"60"}}
		return nil, p
	}
	o.by[who]++
	o.all++
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.all--
		if o.by[who]--; o.by[who] <= 0 {
			delete(o.by, who)
		}
	}, nil
}
