package ftp

import (
	"crypto/tls"
	"net/netip"
	"strings"

	"trivium/identity"
)

// host is HOST (RFC 7151): the name of the server that the client means, which says whose accounts
// a USER without a domain names. The last one before the log-in counts (section 3).
func (s *session) host(arg string) {
	if s.isLoggedIn() {
		s.reply(503, "You are logged in; HOST comes before USER.")
		return
	}
	name, addr, ok := parseHost(arg)
	if !ok {
		s.reply(501, "HOST <name of the server>, without a port; an IPv6 address stands in brackets.")
		return
	}
	if sni := s.serverName(); sni != "" && sni != name {
		// Section 3.2.2: the two must agree.
		s.reply(504, "The TLS handshake named another host.")
		return
	}
	domain, ok := s.srv.hosted(name)
	if addr.IsValid() {
		domain, ok = "", s.isHere(addr)
	}
	if !ok {
		s.reply(504, "No such host here.")
		return
	}
	if s.named { // section 4: whatever authentication had begun is over
		s.name, s.named = "", false
	}
	s.hostName, s.domain = name, domain
	s.reply(220, name+" it is.")
}

// parseHost reads the argument of HOST (RFC 7151 section 3.1): a name in A-labels, made lower case,
// or the address of a literal.
func parseHost(arg string) (name string, addr netip.Addr, ok bool) {
	name = strings.ToLower(arg)
	if inner, bracket := strings.CutPrefix(name, "["); bracket {
		inner, closed := strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return name, a.Unmap(), closed && err == nil && a.Is6() && a.Zone() == ""
	}
	if a, err := netip.ParseAddr(name); err == nil && a.Is4() {
		return name, a, true
	}
	const longest = 253 // RFC 1035 section 2.3.4, as text
	if len(name) > longest {
		return "", netip.Addr{}, false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return "", netip.Addr{}, false
		}
	}
	return name, netip.Addr{}, true
}

// hosted finds the domain of accounts that a host name stands for: a configured domain, or ftp.
// in front of one. The name under which the server announces itself stands for the first.
func (s *Server) hosted(name string) (domain string, ok bool) {
	if name != "" && strings.EqualFold(name, s.cfg.PublicAddress) {
		return "", true
	}
	d, err := identity.ParseDomain(name)
	if err != nil {
		return "", false
	}
	for _, have := range s.domains {
		if d == have || d == "ftp."+have {
			return have, true
		}
	}
	return "", false
}

// isHere reports whether the address is the one that the client has reached, as the server or its
// NAT sees it.
func (s *session) isHere(a netip.Addr) bool {
	if a == s.ses.Local().Addr().WithZone("") {
		return true
	}
	public, err := netip.ParseAddr(s.srv.cfg.PublicAddress)
	return err == nil && a == public.Unmap()
}

// serverName is what the client's TLS handshake named (RFC 6066 section 3), in lower case; "" where
// there was none.
func (s *session) serverName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.conn.(*tls.Conn)
	if !ok {
		return ""
	}
	return strings.ToLower(t.ConnectionState().ServerName)
}

// home is the domain of a name that says none: that of HOST, else of the TLS handshake, else "",
// the server's first. A name with a domain is what it says.
func (s *session) home() string {
	if strings.Contains(s.name, "@") {
		return ""
	}
	if s.hostName != "" {
		return s.domain
	}
	domain, _ := s.srv.hosted(s.serverName())
	return domain
}

// agreed ends a connection whose HOST and TLS handshake name different hosts (RFC 7151 section 4):
// one of the two came from somebody else.
func (s *session) agreed() bool {
	sni := s.serverName()
	if s.hostName == "" || sni == "" || sni == s.hostName {
		return true
	}
	s.end(421, "HOST and the TLS handshake named different hosts; closing.")
	return false
}
