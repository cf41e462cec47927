package ftp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	identTimeout = 2 * time.Second
	identPort    = 113
	// identReply bounds the reply (RFC 1413 section 6: a user ID has at most 512 octets).
	identReply = 1000
)

// lookUpIdent asks the client's host who is calling, beside the greeting; the log-in waits for it.
func (s *session) lookUpIdent() {
	if !s.srv.cfg.IdentLookups || s.arrived.Proxied { // its host knows of a connection to the proxy alone
		return
	}
	s.ident = make(chan struct{})
	go func() {
		defer close(s.ident)
		ctx, cancel := context.WithTimeout(s.ctx, s.srv.identTimeout)
		defer cancel()
		remote, local := s.ses.Remote(), s.ses.Local()
		if name, ok := askIdent(ctx, netip.AddrPortFrom(remote.Addr(), s.srv.identPort), remote, local); ok {
			s.ses.SetIdent(name)
		}
	}()
}

// askIdent does one look-up (RFC 1413 section 4). The answer is a claim of the client's host.
func askIdent(ctx context.Context, at, remote, local netip.AddrPort) (string, bool) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(local.Addr(), 0))}
	c, err := d.DialContext(ctx, "tcp", at.String())
	if err != nil {
		return "", false
	}
	defer c.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(until)
	}
	if _, err := fmt.Fprintf(c, "%d, %d\r\n", remote.Port(), local.Port()); err != nil {
		return "", false
	}
	text, err := bufio.NewReader(io.LimitReader(c, identReply)).ReadString('\n')
	if err != nil {
		return "", false
	}
	return parseIdent(text, remote.Port(), local.Port())
}

// parseIdent reads "6193, 23 : USERID : UNIX : alice" (RFC 1413 section 5).
func parseIdent(text string, remote, local uint16) (string, bool) {
	parts := strings.SplitN(strings.TrimRight(text, "\r\n"), ":", 4)
	if len(parts) != 4 || !strings.EqualFold(strings.TrimSpace(parts[1]), "USERID") {
		return "", false
	}
	var a, b uint16
	if n, err := fmt.Sscanf(strings.ReplaceAll(parts[0], " ", ""), "%d,%d", &a, &b); n != 2 || err != nil || a != remote || b != local {
		return "", false
	}
	name := printable(strings.TrimSpace(parts[3]))
	const longest = 128
	if name == "" || len(name) > longest {
		return "", false
	}
	return name, true
}
