package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// FTP tries a server of FTP: the steps control, tls, login, passive (PASV), extended (EPSV), and
// implicit where there is such a listener beside. It lists the folder that the log-in leads to, and changes
// nothing.
func FTP(ctx context.Context, t FTPTarget, report func(Step)) {
	r, done := begin(ctx, t.Target, report)
	defer done()
	p := &ftpProbe{run: r, t: t}
	defer p.close()
	p.control()
	p.secure()
	p.login()
	p.passive()
	p.extended()
	p.close()
	p.implicit()
}

// ftpProbe is one control connection.
type ftpProbe struct {
	*run
	t     FTPTarget
	conn  reached
	wire  wire // conn, or TLS over it
	lines *bufio.Reader
	conf  *tls.Config
	trust *trust // nil: no TLS
	ready bool   // data connections are set up
}

// close says goodbye without waiting.
func (p *ftpProbe) close() { p.wire.leave("QUIT\r\n") }

// control is the connection and the greeting (RFC 959 section 5.4).
func (p *ftpProbe) control() {
	p.step("control", "Control connection", func(ctx context.Context, s *Step) {
		var err error
		if p.conn, err = p.t.dial(ctx, s, p.t.Host, p.t.Port, p.t.Own); err != nil {
			s.refused(err, "FTP", p.t.Host, p.t.Port)
			p.stop(s)
			return
		}
		p.use(ctx, p.conn)
		if p.t.TLS == "implicit" {
			return // it greets when TLS is there
		}
		p.greeting(ctx, s)
	})
}

func (p *ftpProbe) use(ctx context.Context, c net.Conn) {
	p.wire.Conn, p.lines = c, bufio.NewReaderSize(c, 4096)
	p.wire.deadline(ctx)
}

func (p *ftpProbe) greeting(ctx context.Context, s *Step) {
	code, text, err := p.answer(s)
	if err == nil && code == 120 { // ready in some minutes
		code, text, err = p.answer(s)
	}
	switch {
	case err != nil:
		s.fail("connected, and no greeting came: "+reason(err), "Clients wait, then give up.",
			"Another program may hold the port, or a firewall that looks into FTP is in between.")
		p.stop(s)
	case code != 220:
		s.fail(fmt.Sprintf("the greeting is %d %s", code, text), "The server takes no client now.",
			"Too many connections, a ban of this address or a maintenance: see trivium status and trivium ban list.")
		p.stop(s)
	}
}

// secure is AUTH TLS (RFC 4217 section 4), or TLS from the first byte.
func (p *ftpProbe) secure() {
	p.step("tls", "TLS", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		switch p.t.TLS {
		case "none":
			s.warn("FTP is without TLS here: passwords and files cross the network in the clear.", "Set ftp.tls = \"required\".")
			return
		case "implicit":
		default:
			code, text, err := p.ask(s, "AUTH TLS")
			if err != nil {
				p.broken(s, err)
				return
			}
			if code != 234 {
				s.fail(fmt.Sprintf("the answer to AUTH TLS is %d %s", code, text), "Clients cannot protect the password, and most give up.",
					"Set ftp.tls = \"required\" or \"optional\". If it is, a firewall that looks into FTP may have changed the command.")
				p.stop(s)
				return
			}
		}
		p.conf = p.t.settings(p.t.Host)
		tc, tr, err := p.t.handshake(ctx, s, p.conn, p.conf, p.t.Host)
		if err != nil {
			p.stop(s)
			return
		}
		p.trust = &tr
		p.use(ctx, tc)
		if p.t.TLS == "implicit" {
			p.greeting(ctx, s)
		}
	})
}

// login is USER and PASS with the throw-away password.
func (p *ftpProbe) login() {
	p.step("login", "Log-in", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		if p.t.Secret == nil {
			s.skip("there is no account to log in with")
			p.stuck = "needs a log-in"
			return
		}
		if !s.maySend(p.conn, p.trust) {
			p.stuck = "needs a log-in"
			return
		}
		code, text, err := p.ask(s, "USER "+p.t.User)
		if err == nil && code == 331 {
			code, text, err = p.exchange(s, "PASS "+p.t.Secret(), "PASS [secret]")
		}
		switch {
		case err != nil:
			p.broken(s, err)
		case code/100 != 2:
			s.refusedLogin(fmt.Sprintf("%d %s", code, text), "login:ftp")
			p.stop(s)
		default:
			s.Detail = fmt.Sprintf("as %s, with a throw-away password", p.t.User)
		}
	})
}

// refusedLogin explains a log-in that was refused.
func (s *Step) refusedLogin(answer, rule string) {
	s.fail("refused: "+answer, "The name and the throw-away password are right, so the account itself is not let in this way now.",
		"The audit log says why (login.fail): a rule for "+rule+" in the policy, the class of the address, or too many sessions.")
}

// setUp is what goes before the data connections: protection and type.
func (p *ftpProbe) setUp(s *Step) error {
	if p.ready {
		return nil
	}
	list := []string{"TYPE A"}
	if p.trust != nil {
		list = []string{"PBSZ 0", "PROT P", "TYPE A"} // RFC 4217 sections 8 and 9
	}
	for _, line := range list {
		code, text, err := p.ask(s, line)
		if err != nil {
			return err
		}
		if code != 200 {
			return replyError(fmt.Sprintf("the answer to %s is %d %s", line, code, text))
		}
	}
	p.ready = true
	return nil
}

// passive is PASV (RFC 959 section 4.1.2), the address that it announces, and a listing.
func (p *ftpProbe) passive() {
	p.step("passive", "Passive data (PASV)", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		to := p.conn.addr()
		if !to.Is4() {
			s.skip("connected over IPv6, for which there is EPSV")
			return
		}
		if err := p.setUp(s); err != nil {
			p.broken(s, err)
			return
		}
		code, text, err := p.ask(s, "PASV")
		if err != nil {
			p.broken(s, err)
			return
		}
		at, ok := parsePASV(text)
		if code != 227 || !ok {
			s.fail(fmt.Sprintf("the answer to PASV is %d %s", code, text), "Clients that know PASV alone list and transfer nothing.",
				"Look at ftp.passive_ports and ftp.public_address.")
			return
		}
		if !p.announced(ctx, s, at) {
			return
		}
		// A client goes where the answer says. Where that is the public address, which does not lead here from
		// inside, the port is tried at the address that does.
		p.listing(ctx, s, netip.AddrPortFrom(to, at.Port()))
	})
}

// announced judges the address of PASV; false where the listing need not be tried.
func (p *ftpProbe) announced(ctx context.Context, s *Step, at netip.AddrPort) bool {
	to, addr := p.conn.addr(), at.Addr()
	const why = "Clients connect to the address that PASV announces: listings and transfers hang."
	where := p.conn.from
	switch {
	case addr == to:
		if p.conn.own && !p.conn.from.has(addr) && p.conn.from.public() {
			s.fail(fmt.Sprintf("PASV announces %s, and %s leads to %s", addr, p.t.Host, where), why, p.fixAddress(where))
			return false
		}
		return true
	case p.conn.own && where.has(addr):
		s.Detail = fmt.Sprintf("PASV announces %s, as the DNS does", addr)
		return true
	case public(to) && !public(addr):
		s.fail(fmt.Sprintf("PASV announces %s, a private address", addr), "Clients outside your network cannot reach it: listings and transfers hang.", p.fixAddress(where))
		return false
	case p.greets(ctx, s, addr):
		s.Detail = fmt.Sprintf("PASV announces %s, which leads here too", addr)
		return true
	}
	s.fail(fmt.Sprintf("PASV announces %s, and the connection went to %s; nothing answers at %s", addr, to, net.JoinHostPort(addr.String(), p.t.Port)), why, p.fixAddress(where))
	return false
}

// fixAddress says which address should be announced.
func (p *ftpProbe) fixAddress(where found) string {
	for _, a := range where.addrs {
		switch {
		case !a.Is4() || !public(a):
		case p.t.PassivePorts == "" || p.t.PassivePorts == "0-0":
			return fmt.Sprintf("Set ftp.public_address = %q, and let the passive ports through.", a)
		default:
			return fmt.Sprintf("Set ftp.public_address = %q, and let the passive ports through (%s/tcp).", a, p.t.PassivePorts)
		}
	}
	return "Set ftp.public_address to the address that clients reach, or to \"auto\" where there is no NAT. Where inside and outside have different ones, ftp.public_addresses gives each its own."
}

// greets reports whether the server of the control connection is at an address too that it announces as
// its own.
func (p *ftpProbe) greets(ctx context.Context, s *Step, addr netip.Addr) bool {
	ctx, cancel := context.WithTimeout(ctx, perDial)
	defer cancel()
	at := net.JoinHostPort(addr.String(), p.t.Port)
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp4", at)
	if err != nil {
		s.say("#", at+": "+reason(err))
		return false
	}
	defer func() { _ = c.Close() }() // it said nothing
	if d, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(d)
	}
	if p.t.TLS == "implicit" {
		return true
	}
	line, err := bufio.NewReaderSize(c, 4096).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "220")
}

// extended is EPSV (RFC 2428 section 3), which says a port alone.
func (p *ftpProbe) extended() {
	p.step("extended", "Passive data (EPSV)", func(ctx context.Context, s *Step) {
		p.wire.deadline(ctx)
		if err := p.setUp(s); err != nil {
			p.broken(s, err)
			return
		}
		code, text, err := p.ask(s, "EPSV")
		if err != nil {
			p.broken(s, err)
			return
		}
		port, ok := parseEPSV(text)
		if code != 229 || !ok {
			s.fail(fmt.Sprintf("the answer to EPSV is %d %s", code, text), "Clients on IPv6, and many others, list and transfer nothing.",
				"Look at ftp.passive_ports. A firewall that looks into FTP may have changed the answer.")
			return
		}
		p.listing(ctx, s, netip.AddrPortFrom(p.conn.addr(), port))
	})
}

// listing carries a listing over a data connection.
func (p *ftpProbe) listing(ctx context.Context, s *Step, at netip.AddrPort) {
	began := time.Now()
	dctx, cancel := context.WithTimeout(ctx, perDial)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(dctx, "tcp", at.String())
	if err != nil {
		s.fail(fmt.Sprintf("no data connection to port %d: %s", at.Port(), reason(err)), "Log-in works, and listings and transfers hang.",
			fmt.Sprintf("Open the passive ports in the firewall, and forward them to this machine: ftp.passive_ports, here %s/tcp.", p.passivePorts(at.Port())))
		return
	}
	defer func() { _ = c.Close() }() // read to its end, or given up
	if d, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(d)
	}
	if err := p.send(s, "LIST", "LIST"); err != nil {
		p.broken(s, err)
		return
	}
	code, text, err := p.answer(s)
	if err != nil {
		p.broken(s, err)
		return
	}
	if code/100 != 1 {
		s.fail(fmt.Sprintf("the answer to LIST is %d %s", code, text), "Clients show no folder.",
			"If the answer says that it is not allowed, look at the policy (ftp:LIST); if it speaks of TLS, at ftp.tls_reuse.")
		return
	}
	var data net.Conn = c
	if p.trust != nil {
		tc := tls.Client(c, p.conf) // resumes the session of the control connection, where a ticket came
		if err := tc.HandshakeContext(ctx); err != nil {
			s.fail("the TLS handshake of the data connection failed: "+reason(err), "Listings and transfers fail.", "Look at the log of the server.")
			return
		}
		data = tc
	}
	const enough = 1 << 20
	n, err := io.Copy(io.Discard, io.LimitReader(data, enough))
	_ = data.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		s.fail("the listing broke off: "+reason(err), "Listings and transfers fail.", "A firewall may cut data connections. Look at the log of the server.")
		return
	}
	if code, text, err = p.answer(s); err != nil {
		p.broken(s, err)
		return
	}
	if code/100 != 2 && n < enough {
		s.fail(fmt.Sprintf("after the listing: %d %s", code, text), "Clients take the listing for broken.", "Look at the log of the server.")
		return
	}
	seen := fmt.Sprintf("a listing of %d bytes came over port %d in %d ms", n, at.Port(), time.Since(began).Milliseconds())
	if s.Detail != "" {
		seen = s.Detail + "; " + seen
	}
	s.Detail = seen
}

func (p *ftpProbe) passivePorts(got uint16) string {
	if p.t.PassivePorts != "" && p.t.PassivePorts != "0-0" {
		return p.t.PassivePorts
	}
	return strconv.Itoa(int(got))
}

// implicit is the other listener, with TLS from the first byte.
func (p *ftpProbe) implicit() {
	if p.t.Implicit == "" {
		return
	}
	p.stuck = "" // another listener
	p.step("implicit", "Implicit TLS", func(ctx context.Context, s *Step) {
		c, err := p.t.dial(ctx, s, p.t.Host, p.t.Implicit, p.t.ImplicitOwn)
		if err != nil {
			s.refused(err, "FTP with implicit TLS (ftp.tls_listen)", p.t.Host, p.t.Implicit)
			return
		}
		defer func() { _ = c.Close() }() // nothing is waited for
		tc, _, err := p.t.handshake(ctx, s, c, p.t.settings(p.t.Host), p.t.Host)
		if err != nil {
			return
		}
		p.use(ctx, tc)
		p.greeting(ctx, s)
		p.close()
	})
}

// broken says that the control connection is gone.
func (p *ftpProbe) broken(s *Step, err error) {
	why, fix, seen := "Clients lose the connection at this point.", "Look at the log of the server at this time.", "no answer: "+reason(err)
	var refused replyError
	switch {
	case errors.As(err, &refused):
		why, seen = "Clients get no further.", string(refused)
	case isTimeout(err):
		why, fix = "Clients wait for the answer, then give up.", "A firewall that looks into FTP may be in between; else look at the log of the server."
	}
	s.fail(seen, why, fix)
	p.stop(s)
}

// replyError is a reply that says no.
type replyError string

// Error says which.
func (e replyError) Error() string { return string(e) }

func (p *ftpProbe) ask(s *Step, line string) (code int, text string, err error) {
	return p.exchange(s, line, line)
}

// exchange sends a line and reads the answer; shown is what the talk shows of the line.
func (p *ftpProbe) exchange(s *Step, line, shown string) (code int, text string, err error) {
	if err := p.send(s, line, shown); err != nil {
		return 0, "", err
	}
	return p.answer(s)
}

func (p *ftpProbe) send(s *Step, line, shown string) error {
	s.say(">", shown)
	_, err := io.WriteString(p.wire, line+"\r\n")
	return err
}

// answer reads one reply (RFC 959 section 4.2).
func (p *ftpProbe) answer(s *Step) (code int, text string, err error) {
	code, text, err = readReply(p.lines, func(line string) { s.say("<", line) })
	return code, clean(text), err
}
