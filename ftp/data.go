package ftp

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// typ is TYPE (RFC 959 section 3.1.1): ASCII non-print, image, and local bytes of eight bits.
func (s *session) typ(arg string) {
	switch strings.Join(strings.Fields(strings.ToUpper(arg)), " ") {
	case "A", "A N", "AN":
		s.params.ascii = true
		s.tell(200, "Type is ASCII.")
	case "I", "L 8", "L8": // as some clients write it
		s.params.ascii = false
		s.tell(200, "Type is image (binary).")
	case "E", "E N", "A T", "A C", "L", "L 7", "L7", "L 16", "L 32", "L 36":
		s.reply(504, "TYPE A, I or L 8.")
	default:
		s.reply(501, "TYPE A, I or L 8.")
	}
}

func (s *session) stru(arg string) {
	switch strings.ToUpper(arg) {
	case "F":
		s.reply(200, "Structure is file.")
	case "R", "P":
		s.reply(504, "STRU F is the one structure there is.")
	default:
		s.reply(501, "STRU F is the one structure there is.")
	}
}

// restart is REST (RFC 3659 section 5.3).
func (s *session) restart(arg string) {
	n, ok := parseOffset(arg)
	if !ok {
		s.reply(501, "The offset is a number of bytes.")
		return
	}
	if n > 0 && s.params.ascii {
		s.reply(504, "REST works with TYPE I alone.") // bytes sent are not bytes stored
		return
	}
	s.pending.rest, s.pending.rang = n, nil
	s.reply(350, "Next transfer begins at byte "+strconv.FormatInt(n, 10)+".")
}

// parseOffset reads a count of bytes as REST and ALLO have it: digits, no sign, 63 bits.
func parseOffset(arg string) (int64, bool) {
	n, err := strconv.ParseUint(arg, 10, 63)
	return int64(n), err == nil && arg[0] != '+'
}

// allocate is ALLO (RFC 959 section 4.1.3): the size that the next upload must reach. The size
// of records behind R means nothing here.
func (s *session) allocate(arg string) {
	n, ok := parseAllo(arg)
	if !ok {
		s.reply(501, "ALLO <bytes> [R <record size>]")
		return
	}
	s.pending.allo = n
	s.reply(200, "Noted.")
}

func parseAllo(arg string) (int64, bool) {
	fields := strings.Fields(arg)
	switch {
	case len(fields) == 3 && strings.EqualFold(fields[1], "R"):
		if _, ok := parseOffset(fields[2]); !ok {
			return 0, false
		}
	case len(fields) != 1:
		return 0, false
	}
	return parseOffset(fields[0])
}

// pasv is PASV: IPv4 alone can be said in its reply.
func (s *session) pasv(string) {
	if s.epsvAll {
		s.reply(503, "You sent EPSV ALL.") // RFC 2428 section 4
		return
	}
	if !s.ses.Local().Addr().Is4() {
		s.reply(425, "PASV is for IPv4; use EPSV.")
		return
	}
	addr, err := s.srv.announcer.to(s.ctx, s.ses.Remote().Addr(), s.ses.Local().Addr())
	if err != nil {
		s.logger().Error("ftp.public_address", "error", err)
		s.reply(425, "The server's public address is not known now; use EPSV.")
		return
	}
	port, ok := s.listen()
	if !ok {
		return
	}
	a := addr.As4()
	s.reply(227, fmt.Sprintf("Entering Passive Mode (%d,%d,%d,%d,%d,%d).", a[0], a[1], a[2], a[3], port>>8, port&0xff))
}

// epsv is EPSV (RFC 2428 section 3).
func (s *session) epsv(arg string) {
	family := "1"
	if !s.ses.Local().Addr().Is4() {
		family = "2"
	}
	switch {
	case strings.EqualFold(arg, "ALL"):
		s.epsvAll = true
		s.reply(200, "EPSV alone from now on.")
		return
	case arg != "" && arg != "1" && arg != "2":
		s.reply(501, "EPSV, EPSV 1, EPSV 2 or EPSV ALL.")
		return
	case arg != "" && arg != family:
		s.reply(522, "Network protocol not supported, use ("+family+")")
		return
	}
	if port, ok := s.listen(); ok {
		s.reply(229, fmt.Sprintf("Entering Extended Passive Mode (|||%d|).", port))
	}
}

// abortIdle is ABOR where nothing runs: what was prepared for a transfer is closed (RFC 959 section
// 4.1.3).
func (s *session) abortIdle(string) {
	s.shut()
	s.abort("")
}

// listen opens a passive door in the place of what was prepared before.
func (s *session) listen() (port uint16, ok bool) {
	s.shut()
	s.mu.Lock()
	ln := s.spare
	s.spare = nil
	s.mu.Unlock()
	if ln != nil && !ln.again() {
		ln.shut()
		ln = nil
	}
	if ln == nil {
		var err error
		if ln, err = s.srv.ports.listen(s.ctx, s.here()); err != nil {
			s.logger().Warn("passive port", "error", err)
			s.reply(425, "No port for a data connection is free; try again.")
			return 0, false
		}
	}
	peer := s.ses.Remote().Addr()
	if s.fxp() {
		peer = netip.Addr{}
	}
	s.door = openDoor(s.ctx, ln, peer, s.srv.limits.FTPDataTimeout)
	if s.arrived.Proxied {
		s.door.proxy = &s.srv.proxy
	}
	return ln.port, true
}

// here is the address of this host that the control connection has reached; behind a proxy the client
// knows another one.
func (s *session) here() netip.Addr { return address(s.raw.LocalAddr()).Addr() }

// port is PORT.
func (s *session) port(arg string) {
	to, ok := parsePort(arg)
	if !ok {
		s.reply(501, "PORT h1,h2,h3,h4,p1,p2")
		return
	}
	s.active(to)
}

// eprt is EPRT (RFC 2428 section 2).
func (s *session) eprt(arg string) {
	to, err := parseEprt(arg)
	switch {
	case errors.Is(err, errFamily):
		s.reply(522, "Network protocol not supported, use (1,2)")
	case err != nil:
		s.reply(501, "EPRT |1|address|port|")
	default:
		s.active(to)
	}
}

// active prepares to dial. Nobody else may be dialled than the client itself, unless the class lets
// it, and no port of a service (RFC 2577 section 3).
func (s *session) active(to netip.AddrPort) {
	const lowest = 1024
	switch {
	case s.epsvAll:
		s.reply(503, "You sent EPSV ALL.")
		return
	case !s.dialable(to.Addr()):
		s.reply(501, "Data connections go to your own address alone.")
		return
	case to.Port() < lowest:
		s.reply(501, "Data connections go to ports from 1024 up.")
		return
	}
	s.shut()
	s.door = dialDoor(s.ctx, s.here(), to, s.srv.limits.FTPDataTimeout)
	s.reply(200, "Noted.")
}

// parsePort reads h1,h2,h3,h4,p1,p2: six numbers of one byte.
func parsePort(arg string) (netip.AddrPort, bool) {
	parts := strings.Split(arg, ",")
	var b [6]byte
	if len(parts) != len(b) {
		return netip.AddrPort{}, false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(strings.TrimSpace(p), 10, 8)
		if err != nil {
			return netip.AddrPort{}, false
		}
		b[i] = byte(n)
	}
	port := uint16(b[4])<<8 | uint16(b[5])
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), port), true
}

// The faults of an EPRT argument.
var (
	errFamily = errors.New("not a network protocol of ours")
	errSyntax = errors.New("not the form of EPRT")
)

// parseEprt reads <d>family<d>address<d>port<d>; a mapped IPv4 address is the IPv4 one.
func parseEprt(arg string) (netip.AddrPort, error) {
	if len(arg) < 2 || arg[0] < '!' || arg[0] > '~' { // RFC 2428 section 2: 33 to 126
		return netip.AddrPort{}, errSyntax
	}
	parts := strings.Split(arg, arg[:1])
	if len(parts) != 5 || parts[4] != "" {
		return netip.AddrPort{}, errSyntax
	}
	if parts[1] != "1" && parts[1] != "2" {
		if digits(parts[1]) {
			return netip.AddrPort{}, errFamily
		}
		return netip.AddrPort{}, errSyntax
	}
	a, err := netip.ParseAddr(parts[2])
	if err != nil || a.Zone() != "" || a.Is4() != (parts[1] == "1") {
		return netip.AddrPort{}, errSyntax
	}
	port, err := strconv.ParseUint(parts[3], 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, errSyntax
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(port)), nil
}
