package identity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

// Numbers of the questions to directories.
const (
	breakAfter = 3 // failures in a row until a directory is left alone
	breakFirst = 5 * time.Second
	breakMost  = time.Minute
	maxRecent  = 64 // durations of refusals that are remembered
)

// sources are the directories there are.
type sources struct {
	list   []*directory
	byName map[string]*directory
}

// directory is a Directory with what is known of it.
type directory struct {
	Directory
	gate *gate
	now  func() time.Time
	log  *slog.Logger

	syncing sync.Mutex // held over a sync

	mu       sync.Mutex // guards what follows
	failures int        // in a row
	pause    time.Duration
	closed   time.Time // it is left alone until then
	probing  bool      // one question finds out whether it is back
	fault    string
	refusals []time.Duration // how long the last ones took
	nextSync time.Time
	report   *SyncReport
}

// newSources checks the directories.
func newSources(o Options) (*sources, error) {
	s := &sources{byName: map[string]*directory{}}
	for _, d := range o.Sources {
		if d.Name == "" || d.Source == nil || s.byName[d.Name] != nil {
			return nil, fmt.Errorf("a directory needs a name of its own and a source: %q: %w", d.Name, ErrInvalid)
		}
		var err error
		if d.Intake, err = o.checkIntake(d.Name, d.Intake); err != nil {
			return nil, err
		}
		if d.Timeout <= 0 {
			d.Timeout = sourceTimeout
		}
		if d.Checks <= 0 {
			d.Checks = sourceChecks
		}
		d.Cache = min(d.Cache, cacheFresh)
		x := &directory{Directory: d, gate: newGate(d.Checks, d.Waiting), now: o.Now, log: o.Log}
		s.list, s.byName[d.Name] = append(s.list, x), x
	}
	return s, nil
}

// checkIntake returns the intake of a source with defaults filled in.
func (o Options) checkIntake(name string, in Intake) (Intake, error) {
	if in.Domain == "" {
		in.Domain = o.Domain
	}
	d, err := ParseDomain(in.Domain)
	if err != nil {
		return in, fmt.Errorf("the domain of the source %s: %w", name, err)
	}
	in.Domain = d
	if in.Level == LevelNone {
		in.Level = o.DefaultLevel
	}
	if !in.Level.Holdable() {
		return in, fmt.Errorf("the source %s: an account cannot hold the level %s: %w", name, in.Level, ErrInvalid)
	}
	for group, l := range in.Levels {
		if !l.Holdable() {
			return in, fmt.Errorf("the source %s: members of %q cannot hold the level %s: %w", name, group, l, ErrInvalid)
		}
	}
	for group, names := range in.Memberships {
		for _, n := range names {
			if _, err := ParseUserName(n); err != nil {
				return in, fmt.Errorf("the source %s: members of %q: %w", name, group, err)
			}
		}
	}
	return in, nil
}

// of returns the directory that checks the password of an account; nil where there is none.
func (s *sources) of(acc *Account) *directory {
	if acc == nil || acc.Source == "" {
		return nil
	}
	return s.byName[acc.Source]
}

// in returns the directories of a domain.
func (s *sources) in(domain string) []*directory {
	var out []*directory
	for _, d := range s.list {
		if d.Intake.Domain == domain {
			out = append(out, d)
		}
	}
	return out
}

// errGone is the answer for who cannot be checked.
func (d *directory) errGone() error {
	return faultf(ErrUnavailable, "the directory %q, which has to check this, cannot be reached at the moment; try again later", d.Name)
}

// ask puts one question, where there is a turn for it and the directory answers at all lately: within
// its time-out, with bounded company. The error is one of identity's.
func (d *directory) ask(ctx context.Context, from netip.Prefix, question func(ctx context.Context) error) error {
	if !d.open() {
		return d.errGone()
	}
	leave, err := d.gate.enter(ctx, from, false)
	if err != nil {
		d.drop()
		return err
	}
	defer leave()
	own, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	began := d.now()
	err = question(own)
	switch {
	case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, errors.ErrUnsupported):
		d.answered()
		return err
	case errors.Is(err, ErrCredentials):
		d.answered()
		d.refused(d.now().Sub(began))
		return ErrCredentials
	case ctx.Err() != nil: // the client went: that says nothing
		d.drop()
		return ctx.Err()
	}
	d.failed(err)
	return d.errGone()
}

// open reports whether the directory may be asked now: always, but for a while after failures, when
// one question finds out whether it is back.
func (d *directory) open() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.failures < breakAfter:
		return true
	case d.probing || d.now().Before(d.closed):
		return false
	}
	d.probing = true
	return true
}

// gone reports whether it is left alone now.
func (d *directory) gone() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failures >= breakAfter && d.now().Before(d.closed)
}

// drop says that a question has found out nothing.
func (d *directory) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.probing = false
}

func (d *directory) answered() {
	d.mu.Lock()
	back := d.failures >= breakAfter
	d.failures, d.pause, d.probing, d.fault = 0, 0, false, ""
	d.mu.Unlock()
	if back {
		d.log.Info("a directory answers again", "event", "source.back", "source", d.Name)
	}
}

func (d *directory) failed(err error) {
	d.mu.Lock()
	d.failures++
	d.probing, d.fault = false, err.Error()
	broken := d.failures >= breakAfter
	if broken {
		d.pause = min(max(2*d.pause, breakFirst), breakMost)
		d.closed = d.now().Add(d.pause)
	}
	pause := d.pause
	d.mu.Unlock()
	if broken {
		d.log.Warn("a directory does not answer and is left alone for a while", "event", "source.gone", "source", d.Name, "pause", pause, "err", err)
		return
	}
	d.log.Warn("a directory does not answer", "event", "source.failed", "source", d.Name, "err", err)
}

// refused remembers how long a no has taken.
func (d *directory) refused(took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.refusals) < maxRecent {
		d.refusals = append(d.refusals, took)
		return
	}
	d.refusals[rand.IntN(maxRecent)] = took //nolint:gosec // any of them
}

// refusal is how long a no of the directory takes; 0 where none is remembered.
func (d *directory) refusal() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.refusals) == 0 {
		return 0
	}
	return d.refusals[rand.IntN(len(d.refusals))] //nolint:gosec // it is no secret
}

// pad lets a refusal that no directory was asked about take as long as one of theirs, so that the
// time does not tell whose account a name is.
func (s *sources) pad(ctx context.Context, domain string, took time.Duration) {
	for _, d := range s.in(domain) {
		if wait := d.refusal() - took; wait > 0 {
			t := time.NewTimer(wait)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
			return
		}
	}
}
