package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds the proxies that one request may have come through; of more the nearest count.
const maxHops = 32

// origin is where a request came from, before the nearest proxies that web.trusted_proxies trusts: what
// these say themselves. What the client has written into the same headers stands further left and is not
// looked at; from a peer that is no such proxy nothing is.
type origin struct {
	client netip.AddrPort
	https  bool   // the browser spoke https
	host   string // as the browser wrote it; "": the proxies do not say
}

// hop is what one proxy says of who sent it the request.
type hop struct{ from, proto, host string }

// originOf reads the headers that web.forwarded names, from the right.
func (s *Server) originOf(r *http.Request) origin {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return origin{https: r.TLS != nil}
	}
	o := origin{client: netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port()), https: r.TLS != nil}
	if !s.trusted(o.client.Addr()) {
		return o
	}
	hops := xForwarded(r.Header)
	if s.opt.Config.Forwarded == "forwarded" {
		hops = forwardedHops(r.Header.Values("Forwarded"))
	}
	for _, h := range hops {
		if h.proto != "" {
			o.https = strings.EqualFold(h.proto, "https")
		}
		if plainHost(h.host) {
			o.host = h.host
		}
		a, ok := hopAddr(h.from)
		if !ok {
			return o
		}
		o.client = a
		if !s.trusted(a.Addr()) {
			return o
		}
	}
	return o
}

// xForwarded are the hops of X-Forwarded-For, the nearest first. Protocol and host stand beside their
// address where there are as many of them; one alone is that of the nearest proxy.
func xForwarded(h http.Header) []hop {
	from, proto, host := fromRight(h["X-Forwarded-For"]), fromRight(h["X-Forwarded-Proto"]), fromRight(h["X-Forwarded-Host"])
	hops := make([]hop, max(len(from), min(1, len(proto)), min(1, len(host))))
	for i := range hops {
		if i < len(from) {
			hops[i].from = from[i]
		}
		if i < len(proto) {
			hops[i].proto = proto[i]
		}
		if i < len(host) {
			hops[i].host = host[i]
		}
	}
	return hops
}

// fromRight are the elements of a list, the last first.
func fromRight(values []string) (list []string) {
	if len(values) == 0 {
		return nil
	}
	whole := strings.Join(values, ",")
	for len(list) < maxHops {
		i := strings.LastIndexByte(whole, ',')
		list = append(list, strings.TrimSpace(whole[i+1:]))
		if i < 0 {
			break
		}
		whole = whole[:i]
	}
	return list
}

// forwardedHops are the elements of Forwarded (RFC 7239 section 4), the nearest first; where one cannot be
// read it and what is further away say nothing. They are cut from the right: what the nearest proxy has
// added can be read whatever the client has written in front of it.
func forwardedHops(values []string) (hops []hop) {
	rest := strings.Join(values, ",")
	for rest != "" && len(hops) < maxHops {
		var element string
		rest, element = cutLast(rest)
		h, ok := forwardedElement(element)
		if !ok {
			break
		}
		hops = append(hops, h)
	}
	return hops
}

// cutLast cuts the last element off a list, at the last comma that is in no quotes.
func cutLast(list string) (rest, last string) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case '"':
			before := strings.TrimRight(list[:i], `\`)
			if escaped := (i-len(before))%2 == 1; !escaped {
				quoted = !quoted
			}
		case ',':
			if !quoted {
				return list[:i], list[i+1:]
			}
		}
	}
	return "", list
}

// forwardedElement reads what one proxy says.
func forwardedElement(s string) (h hop, ok bool) {
	for s = strings.TrimLeft(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		if s[0] == ';' {
			s = s[1:]
			continue
		}
		name, after, found := strings.Cut(s, "=")
		value, left, read := forwardedValue(after)
		if !found || !read || strings.ContainsAny(name, `",;`) {
			return hop{}, false
		}
		switch s = left; strings.ToLower(strings.TrimSpace(name)) {
		case "for":
			h.from = value
		case "proto":
			h.proto = value
		case "host":
			h.host = value
		}
	}
	return h, true
}

// forwardedValue reads a token or a quoted string (RFC 9110 section 5.6).
func forwardedValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s, ";,\"")
		if n < 0 {
			n = len(s)
		}
		if n < len(s) && s[n] == '"' {
			return "", "", false
		}
		return strings.TrimSpace(s[:n]), s[n:], true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			rest = strings.TrimLeft(s[i+1:], " \t")
			return b.String(), rest, rest == "" || rest[0] == ';' || rest[0] == ','
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

// hopAddr reads the address of a hop: alone, with a port, an IPv6 one in brackets (RFC 7239 section 6).
// What has no address, such as "unknown" or a name that hides one, is none.
func hopAddr(s string) (netip.AddrPort, bool) {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), 0), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), true
}

// plainHost reports whether a host is letters, digits and what separates them.
func plainHost(host string) bool {
	return host != "" && len(host) <= 300 && !strings.ContainsFunc(host, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_:[]", c)
	})
}

// remote is the client's address: the connection's, or what trusted proxies say of it.
func (s *Server) remote(r *http.Request) netip.AddrPort { return s.from(r).client }

// secure reports whether the browser speaks https, to us or to a trusted proxy.
func (s *Server) secure(r *http.Request) bool { return s.from(r).https }

func (s *Server) from(r *http.Request) origin {
	if known, ok := r.Context().Value(requestKey{}).(received); ok {
		return known.from
	}
	return s.originOf(r)
}

func (s *Server) trusted(a netip.Addr) bool {
	for _, p := range s.opt.Config.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// localAddr is the address that the connection came to.
func localAddr(r *http.Request) netip.AddrPort {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.AddrPort{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
