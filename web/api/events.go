package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"trivium/identity"
	"trivium/webhooks"
)

// eventRows are how many rows of the audit log a stream reads at a time.
const eventRows = 200

func (a *API) registerEvents() {
	handle(a, identity.LevelLoggedIn, http.MethodGet, "/events", "watch-events",
		"Stream what is recorded in the audit log as it happens (server-sent events): for staff all of it, else one's own log-ins. Last-Event-ID goes on where a stream ended, as far back as the log reaches; lagged says that rows between are gone", a.watchEvents)
}

// watchEvents streams the log itself: it is the ring in which a reader who was away finds what was missed.
func (a *API) watchEvents(ctx context.Context, in *struct {
	After string `header:"Last-Event-ID" maxLength:"20" doc:"id of the last event that was read"`
	Event string `query:"event" maxLength:"1000" doc:"names, or beginnings such as user.*, with commas between; empty: all"`
}) (*huma.StreamResponse, error) {
	c := who(ctx)
	head, err := a.id.AuditHead(ctx)
	if err != nil {
		return nil, err
	}
	x := &eventStream{api: a, c: c, at: head.ID, all: c.allows(identity.LevelStaff)}
	if in.After != "" {
		if x.at, err = strconv.ParseInt(in.After, 10, 64); err != nil || x.at < 0 {
			return nil, invalid("Last-Event-ID is the id of an event of this stream")
		}
		if x.at > head.ID { // of another log
			x.at, x.lagged = head.ID, true
		}
	}
	if in.Event != "" {
		x.patterns = strings.Split(in.Event, ",")
	}
	if !x.all && c.actor.User == "" {
		return nil, hidden()
	}
	leave, err := a.streams.enter(c.asker())
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer leave()
		if w, ok := h.BodyWriter().(http.ResponseWriter); ok {
			x.run(h.Context(), w)
		}
	}}, nil
}

// eventStream is one reader of the log.
type eventStream struct {
	stream
	api      *API
	c        caller
	at       int64 // the row that was read last
	all      bool
	lagged   bool
	patterns []string
}

func (x *eventStream) run(ctx context.Context, w http.ResponseWriter) {
	x.stream = newStream(w)
	ctx, cancel := x.begin(ctx, x.api.streams)
	defer cancel()
	changed, err := x.api.id.AuditChanged(ctx)
	if err != nil || !x.send("hello", strconv.FormatInt(x.at, 10), []byte("{}")) {
		return
	}
	if x.lagged && !x.send("lagged", strconv.FormatInt(x.at, 10), []byte("{}")) {
		return
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		if !x.catchUp(ctx) {
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			if !x.may(ctx) || !x.comment() {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// may reports whether the reader may still read what it reads.
func (x *eventStream) may(ctx context.Context) bool {
	if x.c.session == nil {
		return true
	}
	return x.api.stillMay(ctx, x.c, false) && (!x.all || x.c.session.Level().Allows(identity.LevelStaff))
}

// catchUp sends what the reader has not had; false where the stream is over.
func (x *eventStream) catchUp(ctx context.Context) bool {
	for {
		rows, err := x.api.id.Audit(ctx, identity.AuditFilter{Follow: true, After: x.at, Limit: eventRows})
		if err != nil || !x.may(ctx) {
			return false
		}
		for i := range rows {
			row := rows[i].Out()
			id := strconv.FormatInt(row.ID, 10)
			if row.ID > x.at+1 && !x.send("lagged", strconv.FormatInt(row.ID-1, 10), []byte("{}")) { // rows that have expired
				return false
			}
			x.at = row.ID
			if !x.wants(row) {
				continue
			}
			data, err := json.Marshal(row)
			if err != nil || !x.send(row.Event, id, data) {
				return false
			}
		}
		if len(rows) < eventRows {
			return true
		}
	}
}

func (x *eventStream) wants(row identity.AuditOut) bool {
	if !x.all && (row.Subject != x.c.actor.User || !strings.HasPrefix(row.Event, "login.")) {
		return false
	}
	if len(x.patterns) == 0 {
		return true
	}
	for _, p := range x.patterns {
		if webhooks.Match(strings.TrimSpace(p), row.Event) {
			return true
		}
	}
	return false
}
