package ftp

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"trivium/config"
)

// Resolver is what this road needs of the DNS; *net.Resolver meets it.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// lookupTimeout bounds how long a PASV waits for the DNS.
	lookupTimeout = 2 * time.Second
	// lookupLife is how long an answer of the DNS counts, and lookupPause how soon the next
	// question follows one that failed.
	lookupLife  = time.Minute
	lookupPause = 5 * time.Second
)

// announcer knows what PASV says of the server's address, which behind NAT is not the one that
// the connection came to.
type announcer struct {
	rows     []config.Announced // the first whose network holds the client counts
	public   string             // else this: auto, an address or a host name
	resolver Resolver
	now      func() time.Time

	mu    sync.Mutex // guards what follows
	known map[string]lookup
}

// lookup is what the DNS said of a name.
type lookup struct {
	addr  netip.Addr
	err   error
	until time.Time
}

func newAnnouncer(c config.FTP, r Resolver) *announcer {
	return &announcer{rows: c.AnnouncedTo(), public: c.PublicAddress, resolver: r, now: time.Now, known: map[string]lookup{}}
}

// to is the address for a client that came to local. An IPv6 address, which PASV cannot say,
// counts as auto.
func (a *announcer) to(ctx context.Context, client, local netip.Addr) (netip.Addr, error) {
	text := a.public
	for _, row := range a.rows {
		if row.Network.Contains(client) {
			text = row.Address
			break
		}
	}
	if text == "" || text == "auto" {
		return local, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		addr, err = a.resolve(ctx, text)
	}
	if addr = addr.Unmap(); err == nil && !addr.Is4() {
		addr = local
	}
	return addr, err
}

// resolve looks a name up. Where the DNS fails, the last answer counts on.
func (a *announcer) resolve(ctx context.Context, name string) (netip.Addr, error) {
	a.mu.Lock()
	was, found := a.known[name]
	a.mu.Unlock()
	if found && a.now().Before(was.until) {
		return was.addr, was.err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	all, err := a.resolver.LookupNetIP(ctx, "ip4", name)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s has no IPv4 address", name)
	}
	is := lookup{err: err, until: a.now().Add(lookupPause)}
	switch {
	case err == nil:
		is = lookup{addr: all[0], until: a.now().Add(lookupLife)}
	case was.addr.IsValid():
		is.addr, is.err = was.addr, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[name] = is
	return is.addr, is.err
}
