package identity

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
)

// The events that log-ins and sessions leave in the audit log.
const (
	EventLoginOK        = "login.ok"
	EventLoginFail      = "login.fail"
	EventLoginThrottled = "login.throttled"
	EventLogout         = "logout"
	EventSessionEnd     = "session.end"
)

// auditLogin records the outcome of an attempt. The name stands there only where it is one, and
// no secret in any case.
func (s *Service) auditLogin(c *claim, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return // the client went before there was an answer
	}
	if t := &s.Registry.totals; err == nil {
		t.loginsOK.Add(1)
	} else {
		t.loginsRefused.Add(1)
	}
	e := AuditEvent{Event: EventLoginOK, Subject: c.name, Method: c.login.Method, Result: "ok"}
	if c.acc != nil {
		e.Subject = s.display(c.acc.Login, c.acc.Domain)
	}
	switch {
	case errors.Is(err, ErrThrottled), errors.Is(err, ErrBanned), errors.Is(err, ErrBusy):
		e.Event = EventLoginThrottled
	case err != nil:
		e.Event = EventLoginFail
	}
	if err != nil {
		e.Result = resultOf(err)
	}
	if c.factor != "" && c.login.Method != MethodPasskey {
		e.Detail = "second factor " + string(c.factor)
	}
	if c.grant != nil {
		e.Detail = "token " + c.grant.TokenID
		if c.grant.pass != nil {
			e.Detail = "chat page of a browser session"
		}
	}
	e.Detail = details(e.Detail, c.certificateDetail())
	if err == nil {
		e.Actor = e.Subject
	}
	known := e.Subject
	if c.acc == nil && err != nil {
		known = unknownName // what was sent may be a password in the wrong field
	}
	s.trail(c.ses, known, e)
}

// unknownName stands in the log for a name that no account has.
const unknownName = "(unknown)"

// resultOf is the sentinel that err wraps, as text; the rest of it is for the log.
func resultOf(err error) string {
	for _, known := range Errors() {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "error"
}

// auditEnd records that a logged-in session went back or ended.
func (s *Service) auditEnd(event string, ses *Session, was *attachment, why Reason) {
	subject := was.creds.User
	if was.creds.UserID == "" {
		subject = "anonymous"
	}
	e := AuditEvent{Event: event, Actor: subject, Subject: subject, Result: string(why.Code), Detail: why.Text}
	if why.By != nil {
		e.Actor, e.Via = why.By.User, why.By.Via
		if why.Code == ReasonEnded && e.Actor != subject {
			d := ses.Details()
			s.Tell(was.creds.UserID, Notice{Kind: NoticeSession, Protocol: ses.protocol, Client: ClientName(plain(d.UserAgent)), Remote: remoteText(ses), Session: ses.id, By: e.Actor, What: why.Text})
		}
	}
	s.trail(ses, subject, e)
}

// trail completes an event with what the session knows, logs it, with the user as given, and
// writes it behind.
func (s *Service) trail(ses *Session, user string, e AuditEvent) {
	e.Time = s.now()
	e.Protocol, e.Remote, e.Session = ses.protocol, addrText(ses.Remote()), ses.id
	e.Via = cmp.Or(e.Via, string(ses.protocol))
	s.log.LogAttrs(context.Background(), slog.LevelInfo, strings.ReplaceAll(e.Event, ".", " "), slog.String("event", e.Event),
		slog.String("sess", e.Session), slog.String("protocol", string(e.Protocol)), slog.String("remote", e.Remote),
		slog.String("user", user), slog.String("method", string(e.Method)), slog.String("result", e.Result))
	s.behind.record(e)
}
