package identity

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// What tests of the outside need of the inside.

func (s *Service) SealPassword(ctx context.Context, id UserID, old Record, p Secret) (Record, error) {
	return s.sealPassword(ctx, id, old, p)
}
func (s *Service) Reconcile(ctx context.Context, ids ...UserID)  { s.reconcile(ctx, ids...) }
func (s *Service) Adopt(ses *Session, id UserID, v int64) func() { return s.adopt(ses, id, v) }
func (s *Service) Authenticate(ctx context.Context, ses *Session, l Login) error {
	_, err := s.authenticate(ctx, ses, l)
	return err
}
func (s *Service) Poll(ctx context.Context) error { return s.poll(ctx) }
func (s *Service) Sweep()                         { s.sweep() }
func (s *Service) FlushBehind(ctx context.Context) {
	s.flushBrowsers(true)
	s.flushDevices(ctx)
	drain(s.resets.queue, func(ask resetAsk) { s.answerReset(ctx, ask) })
	s.behind.flush(ctx)
}

// FlushNotices tells what waits to be told.
func (s *Service) FlushNotices(ctx context.Context) {
	drain(s.notes.queue, func(t toTell) { s.tellOne(ctx, t) })
}

// RecordBehind writes a row behind.
func (s *Service) RecordBehind(e AuditEvent) { s.behind.record(e) }

// FlushDevices looks at the log-ins that wait for it.
func (s *Service) FlushDevices(ctx context.Context) { s.flushDevices(ctx) }

// Hashes is the number of slow hashes begun since the start.
func (s *Service) Hashes() int64 { return s.passwords.hashes.Load() }

// Counts shows the counts of the registry that are not zero.
func (r *Registry) Counts() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	add := func(name string, n int) {
		if n != 0 {
			out = append(out, fmt.Sprintf("%s %d", name, n))
		}
	}
	add("prefixes", len(r.prefixes))
	add("waiting", r.waiting.Len())
	add("classed", len(r.classed))
	add("owners", len(r.owners))
	add("tokens", len(r.tokens))
	add("expiring", len(r.expiring))
	return strings.Join(out, ", ")
}

// Delayed is how many log-ins have waited for what strangers did.
func (s *Service) Delayed() int64 { return s.throttle.counts.delayed.Load() }

// BannedBy enters bans, lifts one of them, and reports whether an address is under one.
func BannedBy(prefixes []string, lifted int, a netip.Addr) bool {
	now := time.Now()
	l := newBanList(func() time.Time { return now })
	for i, p := range prefixes {
		b := Ban{Prefix: p, Kind: BanManual, Until: now.Add(time.Hour)}
		if i%2 == 1 {
			b.Kind = BanGuessing
		}
		l.put(b)
		if i == lifted {
			b.Until = time.Time{}
			l.put(b)
		}
	}
	return l.of(a) != nil
}

// SweepAnnouncements begins those whose time has come.
func (s *Service) SweepAnnouncements(ctx context.Context) { s.sweepAnnouncements(ctx) }
