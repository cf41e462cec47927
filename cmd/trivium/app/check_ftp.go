package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"trivium/doctor"
	"trivium/identity"
)

// passiveOff says why there is nothing to see about passive data; "" where there is.
func (p *patient) passiveOff() string {
	f := p.cfg.FTP
	switch {
	case len(f.Listen)+len(f.TLSListen) == 0:
		return "FTP is off"
	case onlyLoopback(append(slices.Clone(f.Listen), f.TLSListen...)):
		return "FTP is open to this machine alone"
	case len(f.PublicAddresses) > 0:
		return "ftp.public_addresses says it for each network"
	}
	return ""
}

// passiveAddress says whether what PASV announces is an address for everybody.
func (p *patient) passiveAddress(context.Context) []doctor.Result {
	const id, title = "ftp.address", "passive data"
	if why := p.passiveOff(); why != "" {
		return one(skipped(id, title, why))
	}
	said := p.cfg.FTP.PublicAddress
	if said == "auto" || said == "" {
		return one(good(id, title+": PASV announces the address that the client reached"))
	}
	if a, err := netip.ParseAddr(said); err == nil && !public(a.Unmap()) {
		return one(failed(id, title+": PASV announces "+said+", a private address", "clients outside your network cannot reach it, listings hang", p.passiveFix(netip.Addr{})))
	}
	return one(good(id, title+": PASV announces "+said))
}

// passiveFix says what to set, by the address that the name leads to.
func (p *patient) passiveFix(named netip.Addr) string {
	return `set ftp.public_address = "` + exampleOf(named, "192.0.2.10") + `" and open ` + p.cfg.FTP.PassivePorts + "/tcp"
}

// passiveName compares what PASV announces with where the name leads.
func (p *patient) passiveName(ctx context.Context) []doctor.Result {
	const id, title = "ftp.address.name", "passive data and the name"
	if why := p.passiveOff(); why != "" {
		return one(skipped(id, title, why))
	}
	named := p.namedAddress(ctx)
	if !named.IsValid() || !public(named) {
		return one(skipped(id, title, p.cfg.Domain+" leads to no public IPv4 address, which is what PASV announces"))
	}
	said := p.cfg.FTP.PublicAddress
	if said == "auto" || said == "" {
		own := ownAddresses()
		if !slices.Contains(own, named) && !slices.ContainsFunc(own, public) {
			return one(warning(id, title+": PASV announces the address of this machine, which is private, and "+p.cfg.Domain+" leads to "+named.String(),
				"this machine is behind a NAT: clients outside your network cannot reach what is announced, listings hang", p.passiveFix(named)))
		}
		return one(good(id, title))
	}
	a, err := netip.ParseAddr(said)
	if err != nil { // a name
		found, err := p.lookUp(ctx, said)
		if err != nil || len(found) == 0 {
			return one(failed(id, title+": ftp.public_address is "+said+", which has no address", "PASV has nothing to announce, listings fail", p.passiveFix(named)))
		}
		a = found[0]
	}
	if a = a.Unmap(); a != named {
		return one(warning(id, title+": PASV announces "+a.String()+", and "+p.cfg.Domain+" leads to "+named.String(),
			"clients refuse data from another machine than the one that they asked, or cannot reach it", p.passiveFix(named)))
	}
	return one(good(id, title+" are "+a.String()))
}

func exampleOf(a netip.Addr, other string) string {
	if a.IsValid() && public(a) {
		return a.String()
	}
	return other
}

// namedAddress is the first IPv4 address of the domain, which is what PASV can announce; the zero Addr
// where there is none.
func (p *patient) namedAddress(ctx context.Context) netip.Addr {
	if len(p.ownDomains()) == 0 {
		return netip.Addr{}
	}
	found, err := p.lookUp(ctx, p.cfg.Domain)
	if err != nil {
		return netip.Addr{}
	}
	for _, a := range found {
		if a.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// ownAddresses are those of this machine's interfaces.
func ownAddresses() (list []netip.Addr) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}

// onlyLoopback reports whether all listeners are open to this machine alone.
func onlyLoopback(listen []string) bool {
	for _, l := range listen {
		host, _, err := net.SplitHostPort(l)
		if err != nil {
			return false
		}
		if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
			return false
		}
	}
	return true
}

// sampledPorts is how many of the range are tried.
const sampledPorts = 32

// passivePorts says whether there are enough of them, and whether others have taken them.
func (p *patient) passivePorts(ctx context.Context) []doctor.Result {
	const id = "ftp.ports"
	f := p.cfg.FTP
	if len(f.Listen)+len(f.TLSListen) == 0 {
		return one(skipped(id, "passive ports", "FTP is off"))
	}
	from, to, ok := strings.Cut(f.PassivePorts, "-")
	lo, err1 := strconv.Atoi(from)
	hi, err2 := strconv.Atoi(to)
	if !ok || err1 != nil || err2 != nil || lo == 0 {
		return one(good(id, "passive ports: the system chooses"))
	}
	n := hi - lo + 1
	title := fmt.Sprintf("passive ports %s: %d at once", f.PassivePorts, n)
	if most := p.limits().SessionsPerRoad[identity.RoadFTP]; most > n {
		return one(warning(id, title, fmt.Sprintf("limits.sessions_ftp allows %d sessions, each of which may want one: some would be refused", most), "widen ftp.passive_ports, also in the firewall"))
	}
	taken := 0
	tried := min(n, sampledPorts)
	for i := range tried {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(lo+i*(n/tried))))
		if err == nil {
			_ = l.Close()
		} else if errors.Is(err, syscall.EADDRINUSE) {
			taken++
		}
	}
	if taken*2 > tried {
		return one(warning(id, title, fmt.Sprintf("%d of %d that were tried are in use: by transfers, or by other programs", taken, tried), "choose a range that nothing else uses, or widen it"))
	}
	return one(good(id, title))
}
