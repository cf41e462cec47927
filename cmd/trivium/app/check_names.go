package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"trivium/doctor"
)

// askName bounds one question to the DNS.
const askName = 5 * time.Second

// ownDomains are the names that clients use; localhost and addresses are left out, which nobody asks the
// DNS for.
func (p *patient) ownDomains() (list []string) {
	for _, d := range append([]string{p.cfg.Domain}, p.cfg.Domains...) {
		if d == "localhost" || strings.HasSuffix(d, ".localhost") {
			continue
		}
		if _, err := netip.ParseAddr(d); err != nil {
			list = append(list, d)
		}
	}
	return list
}

// addresses looks each name up.
func (p *patient) addresses(ctx context.Context) []doctor.Result {
	names := p.ownDomains()
	if u, err := url.Parse(p.cfg.Web.PublicURL); err == nil && u.Hostname() != "" && !slices.Contains(names, u.Hostname()) {
		if _, err := netip.ParseAddr(u.Hostname()); err != nil && u.Hostname() != "localhost" {
			names = append(names, u.Hostname())
		}
	}
	if len(names) == 0 {
		return one(skipped("names.address", "the name leads here", "the domain is "+p.cfg.Domain+", which is this machine alone"))
	}
	var list []doctor.Result
	for _, name := range names {
		list = append(list, p.address(ctx, name))
	}
	return list
}

func (p *patient) address(ctx context.Context, name string) doctor.Result {
	id := "names.address." + name
	found, err := p.lookUp(ctx, name)
	switch {
	case notFound(err) || err == nil && len(found) == 0:
		return failed(id, name+" has no address", "clients cannot find this server by its name", name+". 3600 IN A followed by the public address of this server, and AAAA for IPv6")
	case err != nil:
		return skipped(id, name, "the DNS did not answer: "+plainDNS(err))
	}
	texts := make([]string, len(found))
	private := true
	for i, a := range found {
		texts[i] = a.String()
		private = private && !public(a)
	}
	title := name + " → " + strings.Join(texts, ", ")
	if private {
		return warning(id, title, "only the own network reaches a private address; for clients elsewhere the name needs the public one", "")
	}
	return good(id, title)
}

// lookUp asks for the addresses of a name, the IPv4 first.
func (p *patient) lookUp(ctx context.Context, name string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, askName)
	defer cancel()
	found, err := p.names.LookupNetIP(ctx, "ip", name)
	for i, a := range found {
		found[i] = a.Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return slices.Compact(found), err
}

// public reports whether an address is one that others can reach.
func public(a netip.Addr) bool {
	shared := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	return a.IsGlobalUnicast() && !a.IsPrivate() && !shared.Contains(a)
}

func notFound(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

// plainDNS is what was wrong, without the server that was asked.
func plainDNS(err error) string {
	var d *net.DNSError
	if errors.As(err, &d) {
		return d.Err
	}
	return err.Error()
}

// services looks for the SRV records of chat (RFC 6120 section 3.2.1, XEP-0368).
func (p *patient) services(ctx context.Context) []doctor.Result {
	const id = "names.srv"
	domains := p.ownDomains()
	switch {
	case len(p.cfg.XMPP.Listen)+len(p.cfg.XMPP.TLSListen) == 0:
		return one(skipped(id, "SRV records", "chat is off"))
	case len(domains) == 0:
		return one(skipped(id, "SRV records", "the domain is "+p.cfg.Domain+", which is this machine alone"))
	}
	var list []doctor.Result
	for _, d := range domains {
		for _, s := range []struct {
			service, usual string
			listen         []string
			fallback       string
		}{
			{"xmpp-client", "5222", p.cfg.XMPP.Listen, "clients fall back to " + d + ":5222"},
			{"xmpps-client", "5223", p.cfg.XMPP.TLSListen, "clients do not find direct TLS, which passes more firewalls, and use STARTTLS"},
		} {
			if len(s.listen) == 0 {
				continue
			}
			port := s.usual
			if _, own, err := net.SplitHostPort(s.listen[0]); err == nil && own != "0" {
				port = own
			}
			list = append(list, p.service(ctx, d, s.service, port, s.fallback))
		}
	}
	return list
}

func (p *patient) service(ctx context.Context, domain, service, port, fallback string) doctor.Result {
	id := "names.srv." + service + "." + domain
	record := "_" + service + "._tcp." + domain
	ctx, cancel := context.WithTimeout(ctx, askName)
	defer cancel()
	_, found, err := p.names.LookupSRV(ctx, service, "tcp", domain)
	switch {
	case notFound(err) || err == nil && len(found) == 0:
		return warning(id, "no _"+service+" SRV record for "+domain, fallback, fmt.Sprintf("%s. 3600 IN SRV 0 5 %s %s.", record, port, domain))
	case err != nil:
		return skipped(id, record, "the DNS did not answer: "+plainDNS(err))
	}
	var targets []string
	right := false
	for _, s := range found {
		targets = append(targets, net.JoinHostPort(strings.TrimSuffix(s.Target, "."), fmt.Sprint(s.Port)))
		right = right || fmt.Sprint(s.Port) == port
	}
	title := record + " → " + strings.Join(targets, ", ")
	if !right {
		return warning(id, title, "this server listens on port "+port+"; the record is right only where something in front translates it", fmt.Sprintf("%s. 3600 IN SRV 0 5 %s %s.", record, port, domain))
	}
	return good(id, title)
}
