package identity

// Tunable are those of Options that can change while the server runs.
type Tunable struct {
	Limits           Limits
	PasswordStrength int
}

// Tune lets other values count from now on: for what is opened, logged in or chosen after it.
// Sessions that there are go on, also where there are now too many of them.
func (s *Service) Tune(t Tunable) {
	s.tunable.Store(&t)
	s.Registry.limits.Store(&t.Limits)
	s.throttle.use(t.Limits)
}
