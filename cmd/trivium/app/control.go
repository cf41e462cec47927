package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"trivium/config"
	"trivium/internal/control"
)

// controlServer serves the API on the control socket, to the machine's owner.
type controlServer struct {
	dir  string
	http *http.Server
	ln   net.Listener
}

func newControlServer(cfg *config.Config, h http.Handler) *controlServer {
	return &controlServer{dir: cfg.DataDir, http: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10}}
}

// Listen implements server; the caller holds the lock of the data directory.
func (c *controlServer) Listen(context.Context) (err error) {
	c.ln, err = control.Listen(c.dir)
	return err
}

// Serve implements server.
func (c *controlServer) Serve() error {
	if err := c.http.Serve(c.ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown implements server.
func (c *controlServer) Shutdown(ctx context.Context) error {
	if err := c.http.Shutdown(ctx); err != nil {
		return c.http.Close() // a follower of a stream does not end by itself
	}
	return nil
}
