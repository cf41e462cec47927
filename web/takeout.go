package web

import (
	"net/http"
	"time"

	"trivium/identity"
	"trivium/internal/httpio"
	"trivium/web/takeout"
)

// postExport sends all that is kept of the visitor. What goes wrong on the way cuts the connection,
// so that nobody takes a part for the whole.
func (s *Server) postExport(v *visit) error {
	if s.opt.Takeout == nil {
		return identity.ErrNotFound
	}
	a, err := s.opt.Identity.UserByID(v.ctx(), v.creds.UserID)
	if err != nil {
		return err
	}
	p, err := s.opt.Takeout(v.ctx(), a)
	if err != nil {
		return err
	}
	by := v.actor()
	err = s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: "user.export", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: v.creds.User, Result: "ok"})
	if err != nil {
		return err
	}
	s.opt.Identity.Tell(a.ID, identity.Notice{Kind: identity.NoticeExport, Protocol: identity.ProtocolWeb, Remote: by.Remote})
	h := v.Response().Header()
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", httpio.Attachment(takeout.Name(string(a.Login), time.Now())))
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", userContent)
	v.long()
	done := v.doing("export")
	defer done()
	v.Response().WriteHeader(http.StatusOK)
	if err := takeout.Write(v.ctx(), v.Response(), p); err != nil {
		s.log.Warn("an export ended early", "event", "user.export", "user", string(a.ID), "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
