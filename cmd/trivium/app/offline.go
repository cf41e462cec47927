package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/internal/control"
	"trivium/web/api"
)

// Client carries the requests of a command to the API: of the running server over the control
// socket, or of the same handler in this process when there is none.
type Client struct {
	live  bool
	do    func(*http.Request) (*http.Response, error)
	close func() error
}

// Live reports whether a server is running.
func (c *Client) Live() bool { return c.live }

// Do sends one request; its URL's host does not matter.
func (c *Client) Do(r *http.Request) (*http.Response, error) { return c.do(r) }

// Close ends the connection, or stops what stood in the server's place.
func (c *Client) Close() error { return c.close() }

// lockRetry is how long a command waits for another one that holds the data directory, and
// lockPause how long between two tries.
const (
	lockRetry = 5 * time.Second
	lockPause = 50 * time.Millisecond
)

// Control finds the server of cfg's data directory. Without one the data directory is locked and
// opened here, so that the command works on the same store with the same rules.
func Control(ctx context.Context, cfg *config.Config, version string) (*Client, error) {
	deadline := time.Now().Add(lockRetry)
	for {
		conn, err := control.Dial(ctx, cfg.DataDir)
		if err == nil {
			_ = conn.Close()
			return overSocket(cfg.DataDir), nil
		}
		if !errors.Is(err, control.ErrNotRunning) {
			return nil, err
		}
		c, err := offline(ctx, cfg, version)
		if !errors.Is(err, control.ErrLocked) || time.Now().After(deadline) {
			return c, err
		}
		select { // a server that is starting, or another command
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func overSocket(dir string) *Client {
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return control.Dial(ctx, dir) }}
	return &Client{live: true, do: t.RoundTrip, close: func() error { t.CloseIdleConnections(); return nil }}
}

func offline(ctx context.Context, cfg *config.Config, version string) (*Client, error) {
	if err := control.Dir(cfg.DataDir); err != nil {
		return nil, err
	}
	release, err := control.Lock(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	db, err := openStore(ctx, cfg, log)
	if err != nil {
		release()
		return nil, err
	}
	var a *api.API
	app := fx.New(
		fx.Supply(cfg, log, db, newFailure(), liveSource{}, buildVersion(version), serving(false)), fx.NopLogger,
		core(), fx.Provide(newOfflineStatus, offlineCerts, noTester, newAPI), fx.Populate(&a),
	)
	undo := func(err error) error {
		err = errors.Join(err, db.Close())
		release()
		return err
	}
	if err := app.Start(ctx); err != nil {
		return nil, undo(plain(err))
	}
	h := a.Control(localActor())
	return &Client{
		do:    func(r *http.Request) (*http.Response, error) { return serveLocally(h, r), nil },
		close: func() error { return undo(app.Stop(context.WithoutCancel(ctx))) },
	}, nil
}
