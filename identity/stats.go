package identity

import "time"

// GuardStats are counters of what keeps guessing down, since the start, for those who watch the
// server.
type GuardStats struct {
	Failures int64 // wrong log-ins
	Delayed  int64 // log-ins that waited for what others had done to the account
	Spared   int64 // that did not have to, as the account is known to be used from there
	Refused  int64 // that were not even let wait
	Waited   time.Duration

	Bans, Widened int64 // made by rules; the widened ones are among them
	Hits          int64 // turned away by a ban
	Held          int   // bans that hold now

	Hashes     int64 // slow hashes begun
	GateQueue  int   // log-ins that wait for one now
	GateWaits  int64 // that have waited
	GateWaited time.Duration
	GateSent   int64 // that were told to come later
}

// Guard reads the counters.
func (s *Service) Guard() GuardStats {
	c, g := &s.throttle.counts, s.passwords.gate
	return GuardStats{
		Failures: c.failures.Load(), Delayed: c.delayed.Load(), Spared: c.spared.Load(), Refused: c.refused.Load(), Waited: time.Duration(c.waited.Load()),
		Bans: c.bans.Load(), Widened: c.widened.Load(), Hits: c.hits.Load(), Held: len(s.throttle.allBans()),
		Hashes: s.passwords.hashes.Load(), GateQueue: g.depth(), GateWaits: g.waits.Load(), GateWaited: time.Duration(g.waited.Load()), GateSent: g.sent.Load(),
	}
}
