package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"trivium/identity"
)

const (
	liveEvery = 2 * time.Second  // at most so often a page is told to look again
	liveBeat  = 15 * time.Second // keeps proxies and the visitor sure that the stream lives
	liveQueue = 64
)

// getSessionEvents streams "the list has changed" (server-sent events) for a page that then
// fetches its rows. The stream ends with the session, with its level, and with the server.
func (s *Server) getSessionEvents(v *visit) error {
	ctx, cancel := context.WithCancel(v.ctx())
	defer cancel()
	v.long()
	h := v.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	v.Response().WriteHeader(http.StatusOK)
	if v.Request().Method == http.MethodHead {
		return nil
	}
	all := v.route.Path == "/admin/sessions/events"
	events := s.opt.Registry.Watch(ctx, liveQueue)
	rc := http.NewResponseController(v.Response().Writer)
	send := func(kind string) bool {
		_ = rc.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := fmt.Fprintf(v.Response(), "event: %s\ndata: %d\n\n", kind, s.now().Unix())
		return err == nil && rc.Flush() == nil
	}
	if !send("ready") {
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
		case e, ok := <-events:
			if !ok {
				return nil
			}
			if !all && e.Kind != identity.EventLagged && e.Session.Owner != v.creds.UserID {
				continue
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
		case <-beat.C:
		}
		if !s.still(v) {
			return nil
		}
		if told {
			pause, pending = time.After(liveEvery), false
		}
		if !send(map[bool]string{true: "changed", false: "beat"}[told]) {
			return nil
		}
	}
}

// still reports whether the visitor may still see what the stream tells of.
func (s *Server) still(v *visit) bool {
	c, ok := v.browser.Credentials()
	return ok && c.UserID == v.creds.UserID && v.browser.Level().Allows(s.need(v.route, v.route.Path))
}
