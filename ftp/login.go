package ftp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"trivium/identity"
)

// anonymous reports whether a name means nobody in particular (RFC 1635).
func anonymous(name string) bool {
	return strings.EqualFold(name, "anonymous") || strings.EqualFold(name, "ftp")
}

// user is USER. After a log-in it begins a new one: what belonged to the old is forgotten.
func (s *session) user(name string) {
	if s.srv.cfg.TLS == "required" && !s.isTLS() {
		// RFC 4217 section 4: nothing secret goes in the clear where policy forbids it.
		s.reply(534, "Log in over TLS only: send AUTH TLS first.")
		return
	}
	if s.named || s.isLoggedIn() {
		prot, pbsz, attempts := s.params.prot, s.pbsz, s.attempts
		host, domain := s.hostName, s.domain
		in := s.isLoggedIn()
		s.reset()
		s.params.prot, s.pbsz = prot, pbsz
		s.hostName, s.domain = host, domain // it belongs to the connection, not to who is logged in
		if !in {
			s.attempts = attempts
		}
	}
	s.name, s.named = name, true
	s.ses.Update(func(d *identity.Details) { d.State = identity.StateLogin })
	if s.byCertificate() {
		return
	}
	if s.srv.cfg.Anonymous && anonymous(name) && !s.srv.cfg.AnonymousRequirePassword {
		s.reply(331, "Send your e-mail address as the password.")
		return
	}
	s.reply(331, "Send the password.")
}

// byCertificate logs in whose certificate the client has shown (RFC 4217 section 10.1; 232 of RFC 2228
// section 5.1); false where a password has to come. Why it has to nobody learns: the reply to USER is
// the same for a certificate that is another's, and for an account that is disabled or not there.
func (s *session) byCertificate() bool {
	chain := s.shown()
	if len(chain) == 0 || s.srv.cfg.Anonymous && anonymous(s.name) {
		return false
	}
	if s.ident != nil {
		<-s.ident // as with PASS
	}
	s.mu.Lock()
	ctx, cancel := context.WithDeadline(s.ctx, s.loginBy)
	s.mu.Unlock()
	defer cancel()
	_, err := s.srv.identity.Login(ctx, s.ses, identity.Login{Method: identity.MethodExternal, Name: s.name, Domain: s.home(), Certificate: chain, Tentative: true})
	if err != nil {
		if replyTo(err) == failed {
			s.logger().Error("log-in by certificate", "error", err)
		}
		return false
	}
	s.welcome(232, "You are logged in by your certificate; no password is needed.")
	return true
}

// pass is PASS. Identity decides; it also makes those wait who guess.
func (s *session) pass(secret string) {
	switch {
	case s.isLoggedIn() && s.ses.Method() == identity.MethodExternal:
		s.reply(202, "You are logged in by your certificate; no password is needed.")
		return
	case s.isLoggedIn():
		s.reply(503, "You are logged in.")
		return
	case !s.named:
		s.reply(503, "Send USER first.")
		return
	}
	if s.ident != nil {
		<-s.ident // bounded; the audit record is to have it
	}
	s.mu.Lock()
	ctx, cancel := context.WithDeadline(s.ctx, s.loginBy)
	s.mu.Unlock()
	defer cancel()
	var err error
	if s.srv.cfg.Anonymous && anonymous(s.name) {
		_, err = s.srv.identity.LoginAnonymous(ctx, s.ses, identity.Anonymous{Name: s.name, Email: secret, Domain: s.home()})
	} else {
		_, err = s.srv.identity.Login(ctx, s.ses, identity.Login{Method: identity.MethodPassword, Name: s.name, Domain: s.home(), Secret: identity.NewSecret(secret), Certificate: s.shown()})
	}
	s.named = false
	if err != nil {
		s.refuse(ctx, err)
		return
	}
	s.welcome(230, "You are logged in.")
}

// welcome begins what a session does once it is logged in.
func (s *session) welcome(code int, text string) {
	s.named = false
	s.forgetLog()
	s.tree = s.srv.files.View(s.ses)
	s.attempts = 0
	welcome := s.display(code, s.srv.cfg.DisplayLogin)
	s.ses.Update(func(d *identity.Details) { d.State = identity.StateReady })
	s.mu.Lock()
	s.loggedIn = true
	s.grown = s.grown || !s.drainer
	s.idleSince = time.Now()
	s.quiet = s.idleSince
	s.heard = -1 // all that holds
	s.write(welcome + s.news(code) + line(code, text))
	s.mu.Unlock()
}

// news is what has been announced since the session was told last, as the lead of a reply; "" where there is
// nothing. It goes before those replies whose text no client reads: 230, those of CWD, NOOP and TYPE, and
// the 226 of a transfer. A reply that nobody has asked for would be taken for the answer to the next
// command (RFC 959 section 5.4). mu is held.
func (c *control) news(code int) string {
	list, now := c.srv.identity.AnnouncedSince(c.ses, identity.PlaceFTP, c.heard)
	c.heard = now
	if len(list) == 0 {
		return ""
	}
	creds, _ := c.ses.Credentials()
	var b strings.Builder
	for _, a := range list {
		b.WriteString(lead(code, textLines(a.In(creds.Profile.Lang))))
	}
	return b.String()
}

// tell replies with what is new before it.
func (c *control) tell(code int, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loggedIn {
		text = c.news(code) + line(code, text)
	} else {
		text = line(code, text)
	}
	c.write(text)
}

// refuse answers a log-in that failed; the last attempt ends the connection.
func (s *session) refuse(ctx context.Context, err error) {
	s.ses.Update(func(d *identity.Details) { d.State = identity.StateConnected })
	s.attempts++
	a := replyTo(err)
	switch {
	case ctx.Err() != nil && s.ctx.Err() == nil:
		a = answer{421, fmt.Sprintf("No log-in within %s; closing.", s.srv.limits.LoginTimeout)}
	case a == failed:
		s.logger().Error("log-in", "error", err)
	case errors.Is(err, identity.ErrClassDenied), errors.Is(err, identity.ErrInvalid):
		a = answer{530, loginRefused} // a client must not learn from the kind of refusal
	}
	if said := identity.MaintenanceMessage(err); said != "" {
		a.text = "The server is in maintenance: " + printable(said)
	}
	if after := identity.RetryAfter(err); after > 0 {
		a.text += fmt.Sprintf(" (In %s.)", after.Round(time.Second))
	}
	if a.code == 421 || s.attempts >= s.srv.limits.LoginAttemptsFTP {
		s.end(421, a.text)
		return
	}
	s.reply(a.code, a.text)
}

// rein is REIN (RFC 959 section 4.1.1): as new, but TLS stays (RFC 4217 section 11).
func (s *session) rein(string) {
	s.reset()
	s.mu.Lock()
	e := s.engine
	s.engine = nil
	s.mu.Unlock()
	if e != nil {
		e.End()
	}
	s.reply(220, "Ready for a new log-in.")
}

// quit is QUIT; one that came during a transfer has waited for its end.
func (s *session) quit(string) {
	s.hold(s.display(221, s.srv.cfg.DisplayQuit))
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.finish(221, "Goodbye.")
	}
}
