package xmpp

import "time"

// SetFASTClock sets the clock of tokens, before the first connection.
func (s *Server) SetFASTClock(now func() time.Time) { s.fast.now = now }

// Router is the server's.
func (s *Server) Router() *Router { return s.router }
