package files

import (
	"fmt"
	"strings"
	"time"
)

// limits of a tree; -1: none.
type limits struct{ bytes, files int64 }

// limitsOf is what a mount's tree may hold.
func (s *Service) limitsOf(m *mount) limits {
	if m.team {
		domain, _, name := keyParts(m.key)
		return s.groupLimits(domain, name)
	}
	return limits{m.limitBytes, m.limitFiles}
}

func (a *account) setLimits(l limits) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.limits, a.limited = l, true
}

// soft is the soft limits that hang on hard ones: none where Options.SoftPercent is 0 or 100.
func (s *Service) soft(l limits) limits {
	part := func(n int64) int64 {
		if n < 0 || s.o.SoftPercent <= 0 || s.o.SoftPercent >= 100 {
			return -1
		}
		return n/100*int64(s.o.SoftPercent) + n%100*int64(s.o.SoftPercent)/100
	}
	return limits{part(l.bytes), part(l.files)}
}

// beyond reports whether either count is more than the limits. Bytes set aside do not count, nor
// does what will be replaced: a large upload that fails must not begin the grace.
func (a *account) beyond(l limits) bool {
	bytes := a.bytes - a.lentBytes
	for c := range a.charges {
		bytes -= c.aside.Load()
	}
	return l.bytes >= 0 && bytes > l.bytes || l.files >= 0 && a.files-a.lentFiles > l.files
}

// most is what the tree may hold now, and what to answer where that is not enough: after the grace
// the soft limits are the limits. The caller holds a.mu.
func (s *Service) most(a *account) (limits, error) {
	if !a.limited {
		return limits{-1, -1}, ErrQuota
	}
	if a.softSince.IsZero() {
		return a.limits, ErrQuota
	}
	soft := s.soft(a.limits)
	ends := a.softSince.Add(s.o.SoftGrace)
	if s.now().Before(ends) || !a.beyond(soft) {
		return a.limits, ErrQuota
	}
	return soft, &SoftLimitError{SoftBytes: soft.bytes, SoftFiles: soft.files, Since: a.softSince, Ended: ends}
}

// weigh begins the grace where the tree is beyond its soft limit, and ends it where it is no more;
// it returns what is to be told. The caller holds a.mu.
func (s *Service) weigh(a *account) *QuotaPassed {
	if !a.limited {
		return nil
	}
	soft := s.soft(a.limits)
	beyond := a.beyond(soft)
	if beyond == !a.softSince.IsZero() {
		return nil
	}
	a.noted = true
	if !beyond {
		a.softSince = time.Time{}
		return nil
	}
	a.softSince = s.now().UTC()
	p := QuotaPassed{At: a.softSince, Tree: a.key, Bytes: a.bytes, Files: a.files,
		LimitBytes: a.limits.bytes, LimitFiles: a.limits.files, SoftBytes: soft.bytes, SoftFiles: soft.files,
		GraceEnds: a.softSince.Add(s.o.SoftGrace)}
	p.Domain, p.Path, p.User = s.namesOf(a.key)
	return &p
}

// tell announces that a tree has passed its soft limit.
func (s *Service) tell(p QuotaPassed) {
	s.o.Log.Info("quota passed its soft limit", "event", "quota.passed", "tree", p.Tree, "user", p.User, "bytes", p.Bytes, "files", p.Files,
		"soft_bytes", p.SoftBytes, "soft_files", p.SoftFiles, "grace_ends", p.GraceEnds)
	if s.o.Passed != nil {
		s.o.Passed(p)
	}
}

// SoftLimitError is ErrQuota of a tree that was beyond its soft limit for longer than the grace.
type SoftLimitError struct {
	SoftBytes, SoftFiles int64     // -1: none
	Since                time.Time // when it was passed
	Ended                time.Time // when the grace did
}

// Error tells since when, and until when.
func (e *SoftLimitError) Error() string {
	var of []string
	if e.SoftBytes >= 0 {
		of = append(of, fmt.Sprintf("%d bytes", e.SoftBytes))
	}
	if e.SoftFiles >= 0 {
		of = append(of, fmt.Sprintf("%d files", e.SoftFiles))
	}
	return fmt.Sprintf("the soft limit of the quota (%s) has been passed since %s, and the time to make room ended on %s: delete something, or ask for more space",
		strings.Join(of, ", "), e.Since.UTC().Format(time.DateTime+" UTC"), e.Ended.UTC().Format(time.DateTime+" UTC"))
}

// Unwrap makes it an ErrQuota.
func (e *SoftLimitError) Unwrap() error { return ErrQuota }
