package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/goleak"
)

// steps notes what happens in which order.
type steps struct {
	mu   sync.Mutex
	list []string
}

func (s *steps) add(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, what)
}

// fakeServer is a server that notes its three verbs.
type fakeServer struct {
	name   string
	steps  *steps
	listen error
	stop   chan error
}

func newFake(name string, s *steps) *fakeServer {
	return &fakeServer{name: name, steps: s, stop: make(chan error, 1)}
}

func (f *fakeServer) Listen(context.Context) error {
	f.steps.add("listen " + f.name)
	return f.listen
}

func (f *fakeServer) Serve() error { return <-f.stop }

func (f *fakeServer) Shutdown(context.Context) error {
	f.steps.add("shutdown " + f.name)
	f.stop <- nil
	return nil
}

func compose(s *steps, fail *failure, servers ...*fakeServer) *fx.App {
	return fx.New(fx.NopLogger, fx.Invoke(func(lc fx.Lifecycle) {
		background(lc, func(ctx context.Context) {
			<-ctx.Done()
			s.add("background ends")
		})
		for _, srv := range servers {
			run(lc, fail, slog.New(slog.DiscardHandler), srv.name, srv)
		}
	}))
}

func TestOrderOfStartAndStop(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &steps{}
	app := compose(s, newFailure(), newFake("ftp", s), newFake("web", s), newFake("xmpp", s))
	if err := errors.Join(app.Start(t.Context()), app.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	// What stands below stops last: background work writes what the roads leave behind.
	want := []string{"listen ftp", "listen web", "listen xmpp", "shutdown xmpp", "shutdown web", "shutdown ftp", "background ends"}
	if !slices.Equal(s.list, want) {
		t.Errorf("got  %q\nwant %q", s.list, want)
	}
}

func TestListenThatFailsUndoesTheRest(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &steps{}
	web := newFake("web", s)
	web.listen = errors.New("in use")
	app := compose(s, newFailure(), newFake("ftp", s), web, newFake("xmpp", s))
	if err := app.Start(t.Context()); !errors.Is(err, web.listen) {
		t.Fatalf("got %v", err)
	}
	want := []string{"listen ftp", "listen web", "shutdown ftp", "background ends"}
	if !slices.Equal(s.list, want) {
		t.Errorf("got  %q\nwant %q", s.list, want)
	}
}

func TestServeThatFailsEndsTheProcess(t *testing.T) {
	defer goleak.VerifyNone(t)
	s, fail, ftp := &steps{}, newFailure(), newFake("ftp", nil)
	ftp.steps = s
	app := compose(s, fail, ftp, newFake("web", s))
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("accept: broken")
	ftp.stop <- broken
	select {
	case err := <-fail.once:
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody heard of the failure")
	}
	if err := app.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
