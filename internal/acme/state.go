package acme

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

// state is how it stands with a name; it outlives a restart, so that an authority which has just refused is
// not asked again at once.
type state struct {
	Directory string    `json:"directory"` // that the kept certificate came from
	Tried     time.Time `json:"tried"`     // the last order
	RenewAt   time.Time `json:"renew_at"`  // when the authority wants it renewed; zero: it does not say
	AskAt     time.Time `json:"ask_at"`    // when it is asked about that again
	Since     time.Time `json:"since"`     // the first failure of those in a row
	Next      time.Time `json:"next"`      // the next try after a failure
	Failures  int       `json:"failures"`  // in a row
	Fault     *fault    `json:"fault,omitempty"`
}

// pauses are those after the first failure and the next ones; the last stays. Let's Encrypt lets a name fail
// five times an hour.
func pauses() []time.Duration {
	return []time.Duration{time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour}
}

// failed notes a failure, and says whether that is news.
func (s *state) failed(f *fault, now time.Time) bool {
	news := s.Fault == nil || s.Fault.Code != f.Code
	if s.Since.IsZero() {
		s.Since = now
	}
	all := pauses()
	pause := all[min(s.Failures, len(all)-1)]
	if f.Code == codeOf(acme.ProblemTypeRateLimited) {
		pause = max(pause, time.Hour)
	}
	pause += rand.N(pause / 10) // not all at once
	s.Tried, s.Next, s.Failures, s.Fault = now, now.Add(pause), s.Failures+1, f
	return news
}

// due is when the next order is to be made. leaf is the certificate that is kept, nil where there is none.
func (s state) due(leaf *x509.Certificate, directory string) time.Time {
	switch {
	case s.Failures > 0:
		return s.Next
	case leaf == nil, s.Directory != directory:
		return time.Time{}
	}
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	at := leaf.NotAfter.Add(-life / 3)
	if last := leaf.NotAfter.Add(-life / 10); !s.RenewAt.IsZero() {
		at = s.RenewAt
		if at.After(last) {
			at = last
		}
	}
	if soonest := s.Tried.Add(pauses()[0]); at.Before(soonest) { // whatever the authority says
		return soonest
	}
	return at
}

// readStates reads what keepStates has written; none where there is no file.
func readStates(path string) (map[string]state, error) {
	all := map[string]state{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || all == nil {
		return map[string]state{}, err
	}
	return all, nil
}

// keepStates writes those of the names that are ordered; the lock is held.
func (m *Manager) keepStates() error {
	kept := map[string]state{}
	for _, name := range m.opt.Names {
		if st, ok := m.states[name]; ok {
			kept[name] = st
		}
	}
	data, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return m.write(m.stateFile(), data)
}
