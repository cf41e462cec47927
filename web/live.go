package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	liveEvery = 2 * time.Second  // at most so often a page is told to look again
	liveBeat  = 15 * time.Second // keeps proxies and the visitor sure that the stream lives
	liveQueue = 64
	liveMost  = 10 // streams of one session: open pages are few, and each costs a queue
)

// getSessionEvents streams which sessions of a page's list have changed, by their IDs.
func (s *Server) getSessionEvents(v *visit) error {
	owner := v.creds.UserID
	if v.route.Page != "sessions" { // of administrators
		owner = ""
	}
	return s.stream(v, func(ctx context.Context) (<-chan struct{}, func() string, error) {
		f := s.hub.follow(owner)
		context.AfterFunc(ctx, func() { s.hub.leave(f) })
		return f.wake, func() string {
			ids, all := s.hub.take(f)
			if all {
				return "*"
			}
			return strings.Join(ids, " ")
		}, nil
	})
}

// getAuditEvents streams "there are new rows" for the page of the audit log.
func (s *Server) getAuditEvents(v *visit) error {
	return s.stream(v, func(ctx context.Context) (<-chan struct{}, func() string, error) {
		changed, err := s.opt.Identity.AuditChanged(ctx)
		return changed, func() string { return "*" }, err
	})
}

// stream tells a page by server-sent events that it should fetch rows again, whenever the channel
// that watch returns says so, and which: what the func returns, the IDs of rows or "*". The stream ends
// with the session, with its level, and with the server. Each stream tells of unread notifications too; a nil
// watch tells of nothing else.
func (s *Server) stream(v *visit, watch func(context.Context) (<-chan struct{}, func() string, error)) error {
	if !s.streams.enter(v.browser.ID()) {
		v.Response().Header().Set("Retry-After", "60")
		return errStreams
	}
	defer s.streams.leave(v.browser.ID())
	ctx, cancel := context.WithCancel(v.ctx())
	defer cancel()
	var events <-chan struct{}
	var which func() string
	if watch != nil {
		var err error
		if events, which, err = watch(ctx); err != nil {
			return err
		}
	}
	notices := s.opt.Identity.WatchNotifications(ctx, v.creds.UserID)
	v.long()
	h := v.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	v.Response().WriteHeader(http.StatusOK)
	if v.Request().Method == http.MethodHead {
		return nil
	}
	rc := http.NewResponseController(v.Response().Writer)
	send := func(kind, data string) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := fmt.Fprintf(v.Response(), "event: %s\ndata: %s\n\n", kind, data)
		return err == nil && rc.Flush() == nil
	}
	if !send("ready", "*") {
		return nil
	}
	var pause <-chan time.Time // runs while the page may not be told again
	pending := false
	beat := time.NewTicker(liveBeat)
	defer beat.Stop()
	for {
		told := false
		select {
		case <-ctx.Done():
			return nil
		case <-s.stopping:
			return nil
		case <-v.browser.Ended():
			return nil
		case _, ok := <-events:
			if !ok {
				return nil
			}
			if pause != nil {
				pending = true
				continue
			}
			told = true
		case <-pause:
			pause = nil
			if !pending {
				continue
			}
			told = true
		case <-notices:
			n, err := s.opt.Identity.Unseen(ctx, v.creds.UserID)
			if err != nil || !s.still(v) || !send("notices", strconv.Itoa(n)) {
				return nil
			}
			continue
		case <-beat.C:
		}
		if !s.still(v) {
			return nil
		}
		if !told {
			if !send("beat", "-") {
				return nil
			}
			continue
		}
		pause, pending = time.After(liveEvery), false
		if !send("changed", which()) {
			return nil
		}
	}
}

// still reports whether the visitor may still see what the stream tells of.
func (s *Server) still(v *visit) bool {
	c, ok := v.browser.Credentials()
	return ok && c.UserID == v.creds.UserID && v.browser.Level().Allows(s.need(v.session(), v.route, v.route.Path))
}

// errStreams is what one live page too many gets.
var errStreams = errors.New("too many live pages of one session")

// streams counts the open event streams of each session.
type streams struct {
	mu sync.Mutex // guards by
	by map[string]int
}

func newStreams() *streams { return &streams{by: map[string]int{}} }

func (c *streams) enter(session string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[session] >= liveMost {
		return false
	}
	c.by[session]++
	return true
}

func (c *streams) leave(session string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[session]--; c.by[session] <= 0 {
		delete(c.by, session)
	}
}
