package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"trivium/identity"
)

// Bounds of the connections that are kept.
const (
	maxIdle  = 8
	idleLife = time.Minute // a firewall forgets what is silent for longer
)

// conn is a connection, and what it goes over.
type conn struct {
	*ldap.Conn
	raw  net.Conn
	used time.Time
}

// pool keeps connections from one question to the next.
type pool struct {
	mu   sync.Mutex // guards what follows
	idle []*conn
}

// use calls fn with a connection of the pool or else of dial. A connection that was kept and turns
// out to be dead is replaced once.
func (p *pool) use(ctx context.Context, dial func(context.Context) (*conn, error), fn func(*ldap.Conn) error) error {
	for {
		c, kept := p.take(), true
		if c == nil {
			kept = false
			var err error
			if c, err = dial(ctx); err != nil {
				return err
			}
		}
		err := within(ctx, c, func() error { return fn(c.Conn) })
		switch {
		case err == nil, errors.Is(err, identity.ErrCredentials), errors.Is(err, identity.ErrNotFound):
			p.put(c)
			return err
		}
		_ = c.Close()
		if !kept || ctx.Err() != nil || !ldap.IsErrorAnyOf(err, ldap.ErrorNetwork) {
			return err
		}
	}
}

// within runs fn on a connection that is cut when ctx ends.
func within(ctx context.Context, c *conn, fn func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	err := fn()
	if !stop() && ctx.Err() != nil {
		_ = c.Close()
		return fmt.Errorf("asking the directory: %w", ctx.Err())
	}
	return err
}

func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !c.IsClosing() && time.Since(c.used) < idleLife {
			return c
		}
		_ = c.Close()
	}
	return nil
}

func (p *pool) put(c *conn) {
	c.used = time.Now()
	p.mu.Lock()
	if len(p.idle) < maxIdle && !c.IsClosing() {
		p.idle = append(p.idle, c)
		c = nil
	}
	p.mu.Unlock()
	if c != nil {
		_ = c.Close()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// dial connects to the first server that answers, each with a fair share of the time that is left.
func (s *Source) dial(ctx context.Context) (*conn, error) {
	var errs []error
	for i, x := range s.servers {
		own, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok && i < len(s.servers)-1 {
			own, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(s.servers)-i))
		}
		c, err := x.dial(own)
		cancel()
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", x.addr, err))
	}
	return nil, errors.Join(errs...)
}

func (x server) dial(ctx context.Context) (*conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", x.addr)
	if err != nil {
		return nil, err
	}
	over := raw
	if x.implicit {
		t := tls.Client(raw, x.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("TLS: %w", err)
		}
		over = t
	}
	c := &conn{Conn: ldap.NewConn(over, x.implicit), raw: raw}
	c.Start()
	if !x.startTLS {
		return c, nil
	}
	if err := within(ctx, c, func() error { return c.StartTLS(x.tls) }); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("StartTLS: %w", err)
	}
	return c, nil
}

// dialBound is dial and a bind as who searches.
func (s *Source) dialBound(ctx context.Context) (*conn, error) {
	c, err := s.dial(ctx)
	if err != nil || s.o.BindDN == "" {
		return c, err
	}
	if err := within(ctx, c, func() error { return c.Bind(s.o.BindDN, s.o.BindPassword.Reveal()) }); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("bind as %s: %w", s.o.BindDN, err)
	}
	return c, nil
}
