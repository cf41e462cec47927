package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cable is a way to the server that a test can cut: a client that goes by it loses its connection
// as it would lose a network.
type cable struct {
	addr string // where clients dial

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// lay makes a cable to addr, which stays until the test ends.
func lay(t *testing.T, addr string) *cable {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: ln.Addr().String(), conns: map[net.Conn]struct{}{}}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", addr)
			if err != nil {
				_ = near.Close()
				continue
			}
			c.add(near, far)
			wg.Go(func() { c.carry(near, far) })
			wg.Go(func() { c.carry(far, near) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		c.cut()
		wg.Wait()
	})
	return c
}

func (c *cable) add(conns ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range conns {
		c.conns[conn] = struct{}{}
	}
}

// carry copies one way until either end has gone, and takes the other with it.
func (c *cable) carry(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, to)
	delete(c.conns, from)
}

// cut breaks all connections that go by the cable now, with a reset and without a word of TLS or
// XMPP. New ones find it whole again. It returns how many it has cut.
func (c *cable) cut() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	return len(c.conns) / 2
}
