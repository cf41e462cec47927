package app

import (
	"context"
	"io"
	"log/slog"

	"go.uber.org/fx"
)

// server is what every road is: Listen binds and fails at start, Serve blocks until Shutdown,
// Shutdown stops accepting, tells the clients, waits, then cuts.
type server interface {
	Listen(ctx context.Context) error
	Serve() error
	Shutdown(ctx context.Context) error
}

// run puts a server on fx's lifecycle. A Serve that fails while the process should run ends the
// whole process: never half of it goes on.
func run(lc fx.Lifecycle, f *failure, log *slog.Logger, name string, s server) {
	served := make(chan struct{})
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			if err := s.Listen(ctx); err != nil {
				return err
			}
			go func() {
				defer close(served)
				if err := s.Serve(); err != nil {
					log.Error("a server failed", "server", name, "err", err)
					f.set(err)
				}
			}()
			return nil
		},
		OnStop: func(ctx context.Context) error {
			err := s.Shutdown(ctx)
			<-served
			return err
		},
	})
}

// background runs fn from start to stop; stop waits for it to return.
func background(lc fx.Lifecycle, fn func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	lc.Append(fx.Hook{
		OnStart: func(context.Context) error {
			go func() {
				defer close(done)
				fn(ctx)
			}()
			return nil
		},
		OnStop: func(context.Context) error {
			cancel()
			<-done
			return nil
		},
	})
}

// closeWith closes c when the server has stopped using it.
func closeWith(lc fx.Lifecycle, c io.Closer) {
	lc.Append(fx.Hook{OnStop: func(context.Context) error { return c.Close() }})
}

// failure is the first error of a server that should still run; it ends the process.
type failure struct {
	once chan error
}

func newFailure() *failure { return &failure{once: make(chan error, 1)} }

func (f *failure) set(err error) {
	select {
	case f.once <- err:
	default:
	}
}
