package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// found is where a name leads, as seen from here.
type found struct {
	host  string
	addrs []netip.Addr
	err   error
}

// public reports whether any of the addresses is one that the whole network can reach.
func (f found) public() bool { return slices.ContainsFunc(f.addrs, public) }

func (f found) has(a netip.Addr) bool { return slices.Contains(f.addrs, a.Unmap()) }

// String lists the addresses.
func (f found) String() string {
	list := make([]string, len(f.addrs))
	for i, a := range f.addrs {
		list[i] = a.String()
	}
	return strings.Join(list, ", ")
}

// maxAddrs is how many addresses of a name are tried.
const maxAddrs = 4

// lookup asks the DNS for the addresses of a host, which may be an address itself.
func (t *Target) lookup(ctx context.Context, host string) found {
	f := found{host: host}
	if a, err := netip.ParseAddr(host); err == nil {
		f.addrs = []netip.Addr{a.Unmap()}
		return f
	}
	list, err := t.resolver().LookupNetIP(ctx, "ip", host)
	for _, a := range list {
		if a = a.Unmap().WithZone(""); !f.has(a) && len(f.addrs) < maxAddrs {
			f.addrs = append(f.addrs, a)
		}
	}
	// IPv4 first: it is what PASV can say.
	slices.SortStableFunc(f.addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	if f.err = err; err == nil && len(f.addrs) == 0 {
		f.err = errors.New("the name has no address")
	}
	return f
}

func (t *Target) resolver() Resolver {
	if t.Resolver != nil {
		return t.Resolver
	}
	return net.DefaultResolver
}

// public reports whether an address is reachable from everywhere.
func public(a netip.Addr) bool {
	a = a.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10) // RFC 6598
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

// here reports whether an address is one of this machine's.
func here(a netip.Addr) bool {
	if a = a.Unmap(); a.IsLoopback() {
		return true
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(list, func(n net.Addr) bool {
		p, err := netip.ParsePrefix(n.String())
		return err == nil && p.Addr().Unmap() == a
	})
}

// Here reports whether a host is an address of this machine, written as such.
func Here(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && here(a)
}

// reached is a connection, and how it came about.
type reached struct {
	net.Conn
	own  bool // at the listener's own address: the name did not lead here
	from found
}

// addr is the address that was connected to.
func (c reached) addr() netip.Addr { return addrOf(c.RemoteAddr()) }

func addrOf(a net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// dial connects to host and port as a client does, to each address of the name at once; the first in the
// order of the addresses that answers is taken. Where none does and the listener has an address of its
// own, it is tried; the step says so. The error is one that blame can explain.
func (t *Target) dial(ctx context.Context, s *Step, host, port, own string) (reached, error) {
	f := t.lookup(ctx, host)
	conns, errs := dialAll(ctx, f.addrs, port)
	var deaf []string
	var got net.Conn
	for i, c := range conns {
		switch {
		case c == nil:
			deaf = append(deaf, f.addrs[i].String())
		case got == nil:
			got = c
		default:
			_ = c.Close()
		}
	}
	if got != nil {
		s.Detail = fmt.Sprintf("%s answers", net.JoinHostPort(addrOf(got.RemoteAddr()).String(), port))
		if len(deaf) > 0 {
			s.warn(fmt.Sprintf("%s leads to %s too, where nothing answers: clients that try it first wait.", host, strings.Join(deaf, ", ")),
				"Let the server listen there, or take the address out of the DNS.")
		}
		return reached{Conn: got, from: f}, nil
	}
	why := f.err
	if why == nil {
		why = errors.Join(errs...)
	}
	if own == "" {
		return reached{}, why
	}
	ctx, cancel := context.WithTimeout(ctx, perDial)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", own)
	if err != nil {
		if f.err != nil {
			return reached{}, err // the name is not to blame
		}
		return reached{}, why
	}
	s.Detail = fmt.Sprintf("tried at the listener's own address %s", own)
	if f.err != nil {
		s.warn(fmt.Sprintf("This machine finds no address for %s: %s.", host, reason(f.err)),
			"If clients find it, all is well. Else give the name an A or AAAA record.")
	} else {
		s.warn(fmt.Sprintf("%s leads to %s, and from here nothing answers there on port %s (%s). Behind a router that does not lead its own public address back inside, this is to be expected.", host, f, port, reason(why)),
			fmt.Sprintf("Try once with a client outside of this network. If that fails too, forward port %s/tcp to this machine.", port))
	}
	return reached{Conn: c, own: true, from: f}, nil
}

// dialAll connects to all addresses at once; what failed has no connection and an error.
func dialAll(ctx context.Context, addrs []netip.Addr, port string) ([]net.Conn, []error) {
	ctx, cancel := context.WithTimeout(ctx, perDial)
	defer cancel()
	conns, errs := make([]net.Conn, len(addrs)), make([]error, len(addrs))
	type result struct {
		i   int
		c   net.Conn
		err error
	}
	results := make(chan result, len(addrs))
	for i, a := range addrs {
		go func() {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(a.String(), port))
			results <- result{i, c, err}
		}()
	}
	for range addrs {
		r := <-results
		conns[r.i], errs[r.i] = r.c, r.err
	}
	return conns, errs
}

// refused says that a connection did not come about.
func (s *Step) refused(err error, what, host, port string) {
	at := net.JoinHostPort(host, port)
	if host == "" {
		at = port
	}
	s.Detail = fmt.Sprintf("%s: %s", at, reason(err))
	s.State = Failed
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		s.Why = "Nothing listens there, so no client gets in."
		s.Fix = fmt.Sprintf("See that %s is on and its listener open (trivium status), and that port %s/tcp leads to it.", what, port)
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		s.Why = "The packets are lost on the way: a firewall drops them, or a router does not forward the port."
		s.Fix = fmt.Sprintf("Open port %s/tcp in the firewall and forward it to this machine.", port)
	default:
		s.Why = "No client that gets the same answer gets in."
		s.Fix = fmt.Sprintf("See that the name %s leads to this server, and that %s is on (trivium status).", host, what)
	}
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// reason is an error in few words.
func reason(err error) string {
	var dns *net.DNSError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name is not known"
	case errors.As(err, &dns):
		return "the DNS did not answer"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no way there"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was cut"
	}
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 && len(text) > maxLine {
		text = text[i+2:]
	}
	return clean(text)
}
