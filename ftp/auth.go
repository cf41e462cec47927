package ftp

import (
	"crypto/tls"
	"strings"
)

func (s *session) isTLS() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.conn.(*tls.Conn)
	return ok
}

// auth is AUTH TLS (RFC 4217 section 4). Only the reader may run it, for it takes the stream
// over; a log-in in the clear does not survive it.
func (s *session) auth(kind string) {
	switch {
	case !s.srv.explicit():
		s.reply(502, notHere)
		return
	case !strings.EqualFold(kind, "TLS") && !strings.EqualFold(kind, "TLS-C"):
		s.reply(504, "AUTH TLS is the one kind there is.")
		return
	case s.isTLS():
		s.reply(503, "TLS is on.")
		return
	case s.drainer:
		s.reply(503, "Not while commands wait for the end of a transfer; send it again.")
		return
	case s.in.buffered() > 0:
		// What came before the handshake could have been put there by somebody else.
		s.end(421, "Nothing may follow AUTH before the handshake; closing.")
		return
	}
	host, domain := s.hostName, s.domain
	s.reset()
	s.hostName, s.domain = host, domain // RFC 7151 section 3.2.2: HOST may come before AUTH
	s.reply(234, "Begin TLS.")
	if !s.secure() || !s.agreed() {
		return
	}
	s.mu.Lock()
	s.in = newLines(s.conn)
	s.mu.Unlock()
}

// bufferSize is PBSZ (RFC 4217 section 8): 0 it is.
func (s *session) bufferSize(arg string) {
	switch {
	case !s.isTLS():
		s.reply(503, "Send AUTH TLS first.")
	case !digits(arg):
		s.reply(501, "The size is a number: PBSZ 0")
	default:
		s.pbsz = true
		s.reply(200, "PBSZ=0")
	}
}

// protect is PROT (RFC 4217 section 9).
func (s *session) protect(arg string) {
	switch level := strings.ToUpper(arg); {
	case !s.isTLS():
		s.reply(503, "Send AUTH TLS first.")
	case !s.pbsz:
		s.reply(503, "Send PBSZ 0 first.")
	case level == "P":
		s.params.prot = true
		s.reply(200, "Data connections use TLS.")
	case level == "C" && s.srv.cfg.TLS == "required":
		s.reply(534, "Data connections must use TLS here.")
	case level == "C":
		s.params.prot = false
		s.reply(200, "Data connections go in the clear.")
	case level == "S", level == "E":
		s.reply(536, "Only C and P go with TLS.")
	default:
		s.reply(504, "PROT C or PROT P.")
	}
}

func digits(s string) bool {
	const longest = 10
	return s != "" && len(s) <= longest && strings.Trim(s, "0123456789") == ""
}
