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

func (p *patient) probeFTP(ctx context.Context) []doctor.Result {
	const id = "ftp.connect"
	if !p.live {
		return one(skipped(id, "FTP", "the server is not running"))
	}
	plain, ok := p.listener("ftp")
	implicit, also := p.listener("ftps")
	if !ok && !also {
		return one(skipped(id, "FTP", "it is off"))
	}
	t := probe.FTPTarget{TLS: "explicit"}
	switch {
	case !ok:
		t.Target, t.TLS = p.target(implicit), "implicit"
	default:
		if t.Target = p.target(plain); p.cfg.FTP.TLS == "off" {
			t.TLS = "none"
		}
		if also {
			x := p.target(implicit)
			t.Implicit, t.ImplicitOwn = x.Port, x.Own
		}
	}
	return p.probed(id, doctor.FTP, func(report func(probe.Step)) { probe.FTP(ctx, t, report) })
}

func (p *patient) probeXMPP(ctx context.Context) []doctor.Result {
	const id = "xmpp.connect"
	if !p.live {
		return one(skipped(id, "chat", "the server is not running"))
	}
	plain, ok := p.listener("xmpp")
	direct, also := p.listener("xmpps")
	if !ok && !also {
		return one(skipped(id, "chat", "it is off"))
	}
	t := probe.XMPPTarget{TLS: "starttls"}
	switch {
	case !ok:
		t.Target, t.TLS = p.target(direct), "direct"
	default:
		t.Target = p.target(plain)
		if also {
			x := p.target(direct)
			t.Direct, t.DirectOwn = x.Port, x.Own
		}
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
