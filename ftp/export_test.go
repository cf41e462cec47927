package ftp

import "time"

// SetEngineLife changes how long an idle engine is kept.
func (s *Server) SetEngineLife(d time.Duration) { s.engineLife = d }

// SetIdent changes where and how long the client's host is asked who is calling.
func (s *Server) SetIdent(port uint16, d time.Duration) { s.identPort, s.identTimeout = port, d }

// SetLarge changes from which size on the library moves a file.
func (s *Server) SetLarge(n int64) { s.large = n }

// FreePorts is how many passive ports can be had.
func (s *Server) FreePorts() int {
	s.ports.mu.Lock()
	defer s.ports.mu.Unlock()
	return len(s.ports.free)
}

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

// OccupyHashing takes every turn of checksums, and makes the others wait no longer than d.
func (s *Server) OccupyHashing(d time.Duration) (free func()) {
	s.hashWait = d
	for range cap(s.hashing) {
		s.hashing <- struct{}{}
	}
	return func() {
		for range cap(s.hashing) {
			<-s.hashing
		}
	}
}

// Verbs lists the table, without what works before a log-in.
func Verbs() (all []string) {
	for name, v := range verbs() {
		if !v.open && v.alias == "" {
			all = append(all, name)
		}
	}
	return all
}

// Sites lists the table of SITE, without the chat.
func Sites() (all []string) {
	for name, v := range siteVerbs() {
		if !v.chat {
			all = append(all, name)
		}
	}
	return all
}

// Rested counts the sessions whose reader has a small stack again after the log-in.
func (s *Server) Rested() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for x := range s.sessions {
		x.mu.Lock()
		if x.loggedIn && !x.grown {
			n++
		}
		x.mu.Unlock()
	}
	return n
}

// Deflating is how many compressed transfers have a place.
func (s *Server) Deflating() int { return len(s.deflates.places) }

// FillDeflates takes all places, and returns what gives them back.
func (s *Server) FillDeflates() (free func()) {
	n := 0
	for s.deflates.enter() {
		n++
	}
	return func() {
		for range n {
			s.deflates.leave()
		}
	}
}
