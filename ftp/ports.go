package ftp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// ports is where passive listeners may stand. A port that one of ours stands on is not tried
// again, so a used-up range is known at once; which comes next nobody can foresee (RFC 2577
// section 8).
type ports struct {
	open bool // the system chooses

	mu   sync.Mutex // guards what follows
	free []uint16
}

// parsePorts reads "50000-50999".
func parsePorts(text string) (*ports, error) {
	if text == "" || text == "0" || text == "0-0" {
		return &ports{open: true}, nil
	}
	a, b, ok := strings.Cut(text, "-")
	if !ok {
		b = a
	}
	low, err := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	high, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	if err = errors.Join(err, err2); err != nil || low > high {
		return nil, fmt.Errorf("ftp.passive_ports %q is no range of ports such as 50000-50999", text)
	}
	p := &ports{}
	for n := low; n <= high; n++ {
		p.free = append(p.free, uint16(n))
	}
	return p, nil
}

// take gives a port that none of ours stands on; 0 lets the system choose.
func (p *ports) take() (uint16, bool) {
	if p.open {
		return 0, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.free) - 1
	if last < 0 {
		return 0, false
	}
	i := rand.IntN(last + 1)
	n := p.free[i]
	p.free[i] = p.free[last]
	p.free = p.free[:last]
	return n, true
}

func (p *ports) give(all ...uint16) {
	if p.open {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, all...)
}

// errNoPort is the answer where all ports of the range are in use.
var errNoPort = errors.New("all ports of ftp.passive_ports are in use")

// listen opens a listener on local. Ports that other programs stand on are passed over.
func (p *ports) listen(ctx context.Context, local netip.Addr) (*passive, error) {
	var taken []uint16
	defer func() { p.give(taken...) }()
	for {
		port, ok := p.take()
		if !ok {
			return nil, errNoPort
		}
		ln, err := plainListen(ctx, netip.AddrPortFrom(local, port))
		if err == nil {
			return &passive{TCPListener: ln, port: address(ln.Addr()).Port(), ports: p, owned: port}, nil
		}
		taken = append(taken, port)
		if !errors.Is(err, syscall.EADDRINUSE) || p.open {
			return nil, err
		}
	}
}

// plainListen opens a socket without keep-alive probes, which a data connection has no use for
// beside the stall limits, and without Multipath TCP, which has no sendfile.
func plainListen(ctx context.Context, at netip.AddrPort) (*net.TCPListener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", at.String())
	if err != nil {
		return nil, err
	}
	t, ok := ln.(*net.TCPListener)
	if !ok {
		_ = ln.Close()
		return nil, fmt.Errorf("listening on %s gave a %T", at, ln)
	}
	return t, nil
}

// passive is a listener for data connections, one after the other.
type passive struct {
	*net.TCPListener
	port  uint16
	ports *ports
	owned uint16 // of the range; 0: the system's
	uses  int

	once sync.Once
}

// Close gives the port back; closing twice is fine.
func (p *passive) Close() error {
	var err error
	p.once.Do(func() {
		err = p.TCPListener.Close()
		p.ports.give(p.owned)
	})
	return err
}

// passiveUses is how many data connections one port serves in turn: a client's own ports towards
// it would run out otherwise.
const passiveUses = 64

// again makes the listener ready for one more connection: whoever has come since the last is sent
// away. False: it is used up.
func (p *passive) again() bool {
	p.uses++
	return p.uses < passiveUses && emptyBacklog(p.TCPListener)
}

// shut closes the listener, if there is one.
func (p *passive) shut() {
	if p != nil {
		_ = p.Close() // the port is given back either way
	}
}
