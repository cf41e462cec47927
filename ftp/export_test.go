package ftp

import "time"

// SetEngineLife changes how long an idle engine is kept.
func (s *Server) SetEngineLife(d time.Duration) { s.engineLife = d }

// Engines counts the engines that are kept.
func (s *Server) Engines() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.sessions {
		x.mu.Lock()
		if x.engine != nil {
			n++
		}
		x.mu.Unlock()
	}
	return n
}
