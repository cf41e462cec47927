package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"trivium/identity"
)

// ErrRestart is what Serve returns when the server has stopped, with all that it did brought to its end,
// and somebody wants it to be started anew.
var ErrRestart = errors.New("the server is to be started anew")

// ending is how the process is stopped from within.
type ending struct {
	mu    sync.Mutex
	timer *time.Timer     // nil: nobody has asked
	asked chan restarting // when the time has come
}

// restarting says whether the process comes back.
type restarting bool

func newEnding() *ending { return &ending{asked: make(chan restarting, 1)} }

// in lets the time run; false where it does so already.
func (e *ending) in(after time.Duration, again restarting) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		return false
	}
	e.timer = time.AfterFunc(after, func() { e.asked <- again })
	return true
}

// done forgets a stop that has not come yet, as the process ends for another reason.
func (e *ending) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.timer != nil {
		e.timer.Stop()
	}
}

// stopper stops the process for people who may.
type stopper struct {
	*ending
	identity *identity.Service
	log      *slog.Logger
}

// Stop implements command.Process. The stop is in the audit log before it begins.
func (s stopper) Stop(ctx context.Context, by identity.Actor, again bool, after time.Duration) error {
	if !s.in(after, restarting(again)) {
		return fmt.Errorf("the server is stopping already: %w", identity.ErrBusy)
	}
	event := "server.stop"
	if again {
		event = "server.restart"
	}
	s.log.Info("the server was asked to stop", "event", event, "actor", by.User, "after", after)
	e := identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: "server", Result: "ok", Detail: "after " + after.String()}
	if err := s.identity.Record(ctx, e); err != nil {
		s.log.Error("a stop is not in the audit log", "event", event, "error", err)
	}
	return nil
}
