package identity

import "net/netip"

// Sizes of the address blocks that count as one sender: one IPv4 address, and the IPv6 network
// that one customer gets at least.
const (
	prefixBits4 = 32
	prefixBits6 = 64
)

// BlockOf is the block that limits, failures and bans count by; the zero prefix where there is
// no address (the control socket).
func BlockOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := prefixBits4
	if a.Is6() {
		bits = prefixBits6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
