package ftp

import "trivium/identity"

// limited reports whether a rule of the policy such as ftp:STOR:/pub/** keeps the verb that runs
// from a path: where it lies, and where a link at its end leads. To the client it is absent then.
func (s *session) limited(p string) bool { return s.limitedTo(s.verb, p) }

func (s *session) limitedTo(verb, p string) bool {
	if s.tree == nil || !s.srv.identity.Confines(verb) {
		return false
	}
	at, to := s.tree.Canonical(s.ctx, p)
	if !s.allowed(identity.Resource("ftp:" + verb + ":" + at)) {
		return true
	}
	return to != at && !s.allowed(identity.Resource("ftp:"+verb+":"+to))
}
