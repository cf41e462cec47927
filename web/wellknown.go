package web

import (
	"net/http"
)

type health struct {
	Status string `json:"status"`
}

// getHealth says that the process answers.
func (s *Server) getHealth(v *visit) error { return v.JSON(http.StatusOK, health{"ok"}) }

// getReady says that it can do its work: the account store answers, no shutdown has begun, and no maintenance
// keeps people out.
func (s *Server) getReady(v *visit) error {
	select {
	case <-s.stopping:
		return v.JSON(http.StatusServiceUnavailable, health{"stopping"})
	default:
	}
	if _, err := s.opt.Identity.HasAdministrator(v.ctx()); err != nil {
		s.log.Warn("not ready", "err", err)
		return v.JSON(http.StatusServiceUnavailable, health{"accounts cannot be reached"})
	}
	if err := s.opt.Identity.Closed(); err != nil { // whoever spreads visitors over servers sends none here
		retryAfter(v.Response().Header(), err)
		return v.JSON(http.StatusServiceUnavailable, health{"maintenance"})
	}
	return v.JSON(http.StatusOK, health{"ok"})
}

// getChangePassword is where password managers look (RFC 8615; W3C change-password URL).
func (s *Server) getChangePassword(v *visit) error { return v.see("/account#password") }

func (s *Server) getRobots(v *visit) error {
	return v.String(http.StatusOK, "User-agent: *\nDisallow: /\n")
}
