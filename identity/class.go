package identity

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Class is a named set of client addresses, as ProFTPD's <Class>, with what it bounds. It is
// decided when the connection is accepted; the first class that matches is the session's.
type Class struct {
	Name                               string
	From                               []netip.Prefix
	Hosts                              []string // host name globs; the name must resolve back to the address
	All, Any                           []string // names of other classes: all of them, any of them
	Not                                bool     // the whole condition negated
	Roads                              []Road   // roads open to it; empty: all
	MaxLevel                           Level    // caps the held level; 0: no cap
	TLSRequired                        bool
	SecondFactor                       bool // a password alone does not let in
	CertificateAndPassword             bool // nor does a client certificate: both are wanted
	MaxSessions, MaxSessionsPerAddress int  // 0: no limit

	// Of the file road.
	TLSReuse                 string // "own", "required" or "off"; "": as the server's
	FXP                      bool   // data connections may lead to other hosts
	MaxTransfers             int    // of the whole class at once; 0: no limit
	UploadRate, DownloadRate int64  // bytes a second of one session; 0: no limit
}

// open reports whether the class may come in by road; the zero class may everywhere.
func (c *Class) open(road Road) bool {
	return c == nil || len(c.Roads) == 0 || slices.Contains(c.Roads, road)
}

func (c *Class) name() string {
	if c == nil {
		return ""
	}
	return c.Name
}

// capped is l under the class's cap.
func (c *Class) capped(l Level) Level {
	if c == nil || c.MaxLevel == LevelNone {
		return l
	}
	return l.Min(c.MaxLevel)
}

// Resolver is what classes need of the DNS.
type Resolver interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Bounds of looking up the host name of an address, which happens only where a class asks for
// one.
const (
	hostTimeout = 2 * time.Second
	hostFresh   = 5 * time.Minute
	maxHosts    = 10000
)

// classTable decides classes.
type classTable struct {
	list   []Class
	byName map[string]*Class
	dns    Resolver
	now    func() time.Time

	mu    sync.Mutex // guards hosts
	hosts map[netip.Addr]hostEntry
}

type hostEntry struct {
	names []string
	until time.Time
}

func newClassTable(list []Class, now func() time.Time) (*classTable, error) {
	t := &classTable{list: slices.Clone(list), byName: map[string]*Class{}, dns: net.DefaultResolver,
		now: now, hosts: map[netip.Addr]hostEntry{}}
	for i := range t.list {
		c := &t.list[i]
		if _, ok := t.byName[c.Name]; ok || c.Name == "" {
			return nil, fmt.Errorf("class %q: a class needs a name of its own: %w", c.Name, ErrInvalid)
		}
		for _, glob := range c.Hosts {
			if _, err := path.Match(glob, ""); err != nil {
				return nil, fmt.Errorf("class %q: %q is not a host pattern: %w", c.Name, glob, ErrInvalid)
			}
		}
		t.byName[c.Name] = c
	}
	for i := range t.list {
		if err := t.checkRefs(&t.list[i], nil); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkRefs refuses unknown names and circles.
func (t *classTable) checkRefs(c *Class, above []string) error {
	if slices.Contains(above, c.Name) {
		return fmt.Errorf("class %q is made of itself: %w", c.Name, ErrInvalid)
	}
	above = append(above, c.Name)
	for _, name := range slices.Concat(c.All, c.Any) {
		other, ok := t.byName[name]
		if !ok {
			return fmt.Errorf("class %q: there is no class %q: %w", c.Name, name, ErrInvalid)
		}
		if err := t.checkRefs(other, above); err != nil {
			return err
		}
	}
	return nil
}

// of returns the class of an address, nil where none matches.
func (t *classTable) of(ctx context.Context, a netip.Addr) *Class {
	if !a.IsValid() {
		return nil
	}
	a = a.Unmap().WithZone("")
	for i := range t.list {
		if t.matches(ctx, &t.list[i], a) {
			return &t.list[i]
		}
	}
	return nil
}

func (t *classTable) matches(ctx context.Context, c *Class, a netip.Addr) bool {
	return t.condition(ctx, c, a) != c.Not
}

func (t *classTable) condition(ctx context.Context, c *Class, a netip.Addr) bool {
	for _, p := range c.From {
		if p.Contains(a) {
			return true
		}
	}
	member := func(name string) bool { return t.matches(ctx, t.byName[name], a) }
	if slices.ContainsFunc(c.Any, member) {
		return true
	}
	if len(c.All) > 0 && !slices.ContainsFunc(c.All, func(name string) bool { return !member(name) }) {
		return true
	}
	if len(c.Hosts) == 0 {
		return false
	}
	for _, host := range t.names(ctx, a) {
		for _, glob := range c.Hosts {
			if ok, _ := path.Match(strings.ToLower(glob), host); ok {
				return true
			}
		}
	}
	return false
}

// names returns the host names of a that lead back to it, in lower case without the last dot.
func (t *classTable) names(ctx context.Context, a netip.Addr) []string {
	t.mu.Lock()
	e, ok := t.hosts[a]
	t.mu.Unlock()
	if ok && t.now().Before(e.until) {
		return e.names
	}
	ctx, cancel := context.WithTimeout(ctx, hostTimeout)
	defer cancel()
	found, err := t.dns.LookupAddr(ctx, a.String())
	var names []string
	for _, name := range found {
		back, err := t.dns.LookupNetIP(ctx, "ip", name)
		if err == nil && slices.ContainsFunc(back, func(b netip.Addr) bool { return b.Unmap() == a }) {
			names = append(names, strings.ToLower(strings.TrimSuffix(name, ".")))
		}
	}
	if err != nil && ctx.Err() != nil {
		return nil // no answer in time says nothing about the next connection
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.hosts) >= maxHosts {
		clear(t.hosts)
	}
	t.hosts[a] = hostEntry{names, t.now().Add(hostFresh)}
	return names
}
