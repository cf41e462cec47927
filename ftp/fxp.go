package ftp

import (
	"net"
	"net/netip"

	"trivium/identity"
)

// fxpVerb stands for site to site in the rules of the policy; no client sends it.
const fxpVerb = "FXP"

// fxp reports whether data connections of the session may lead to another host than the client
// (site to site): its class says so, and the policy does not forbid ftp:FXP.
func (s *session) fxp() bool {
	return s.ses.Class().FXP && s.allowed(identity.Resource("ftp:"+fxpVerb))
}

// dialable reports whether a data connection may go to an address: to the client itself, and with
// fxp to other hosts, but never into this host or its links, where only the client itself may
// stand (RFC 2577 section 3).
func (s *session) dialable(to netip.Addr) bool {
	from := s.ses.Remote().Addr()
	if to == from {
		return true
	}
	if !s.fxp() || to.IsUnspecified() || to.IsMulticast() || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return false
	}
	if to.IsLoopback() || to.IsLinkLocalUnicast() || ownAddress(to) {
		// The client is on this host or on that link itself.
		return from.IsLoopback() && to.IsLoopback() || from.IsLinkLocalUnicast() && to.IsLinkLocalUnicast() && !ownAddress(to)
	}
	return true
}

// ownAddress reports whether an address is one of this host's; where that cannot be told, it is.
func ownAddress(a netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, x := range all {
		if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}
