package app

import (
	"context"
	"crypto/x509"
	"net"
	"strings"

	"trivium/doctor"
	"trivium/internal/probe"
)

// roadChecks connect as clients do.
func (p *patient) roadChecks() []doctor.Check {
	return []doctor.Check{
		{ID: "ftp.connect", Group: doctor.FTP, About: "a client connects over FTP", Network: true, Run: p.probeFTP},
		{ID: "xmpp.connect", Group: doctor.XMPP, About: "a client connects to chat", Network: true, Run: p.probeXMPP},
	}
}

// listener finds one of the open listeners.
func (p *patient) listener(name string) (Bound, bool) {
	for _, b := range p.status.bound() {
		if b.Name == name {
			return b, true
		}
	}
	return Bound{}, false
}

// target is what every probe is told of a listener.
func (p *patient) target(b Bound) probe.Target {
	host, port, err := net.SplitHostPort(b.Addr)
	if err != nil {
		return probe.Target{}
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return probe.Target{Host: p.cfg.Domain, Port: port, Own: net.JoinHostPort(host, port), Resolver: p.names,
		Mine: func(c *x509.Certificate) bool {
			src, err := p.certs()
			return err == nil && src != nil && src.Mine(c)
		}}
}

// probed makes results of what a probe reports.
func (p *patient) probed(id, group string, fn func(report func(probe.Step))) (list []doctor.Result) {
	fn(func(s probe.Step) {
		title := s.Title
		if s.Detail != "" {
			title += ": " + s.Detail
		}
		r := doctor.Result{ID: id + "." + s.ID, Group: group, Title: title, State: doctor.State(s.State), Why: s.Why, Fix: s.Fix}
		if p.cfg.Dev && r.State == doctor.Warning { // such as a certificate that is for this machine alone
			r.State, r.Why, r.Fix = doctor.OK, "", ""
		}
		list = append(list, r)
	})
	return list
}

// doors are the listeners of a road without TLS at first and with it from the first byte, each as it is probed;
// one that is not there has no port. why says why there is nothing to connect to.
func (p *patient) doors(plain, direct string) (first, second probe.Target, why string) {
	if !p.live {
		return first, second, "the server is not running"
	}
	if b, ok := p.listener(plain); ok {
		first = p.target(b)
	}
	if b, ok := p.listener(direct); ok {
		second = p.target(b)
	}
	if first.Port == "" && second.Port == "" {
		why = "it is off"
	}
	return first, second, why
}

func (p *patient) probeFTP(ctx context.Context) []doctor.Result {
	const id = "ftp.connect"
	plain, implicit, why := p.doors("ftp", "ftps")
	if why != "" {
		return one(skipped(id, "FTP", why))
	}
	t := probe.FTPTarget{Target: plain, TLS: "explicit", Implicit: implicit.Port, ImplicitOwn: implicit.Own}
	switch {
	case plain.Port == "":
		t = probe.FTPTarget{Target: implicit, TLS: "implicit"}
	case p.cfg.FTP.TLS == "off":
		t.TLS = "none"
	}
	return p.probed(id, doctor.FTP, func(report func(probe.Step)) { probe.FTP(ctx, t, report) })
}

func (p *patient) probeXMPP(ctx context.Context) []doctor.Result {
	const id = "xmpp.connect"
	plain, direct, why := p.doors("xmpp", "xmpps")
	if why != "" {
		return one(skipped(id, "chat", why))
	}
	t := probe.XMPPTarget{Target: plain, TLS: "starttls", Direct: direct.Port, DirectOwn: direct.Own}
	if plain.Port == "" {
		t = probe.XMPPTarget{Target: direct, TLS: "direct"}
	}
	if base := p.status.baseURL(); p.cfg.XMPP.WebSocket && strings.HasPrefix(base, "http") {
		t.WebSocket = "ws" + strings.TrimPrefix(base, "http") + websocketPath
		t.HostMeta = strings.TrimSuffix(base, p.cfg.Web.Below()) + "/.well-known/host-meta" // of the host itself (RFC 6415 section 2)
		for _, name := range []string{"https", "web"} {
			if b, ok := p.listener(name); ok {
				t.WebOwn = p.target(b).Own
				break
			}
		}
	}
	return append(p.probed(id, doctor.XMPP, func(report func(probe.Step)) { probe.XMPP(ctx, t, report) }),
		skipped("xmpp.s2s", "other servers", "this server does not talk to others"))
}
