package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is how a check ended.
type State string

// The states, from the best to the worst.
const (
	OK      State = "ok"
	Skipped State = "skipped" // it could not be made; Why says the reason
	Warning State = "warning" // it works, and somebody should look
	Failed  State = "failed"  // it does not work
)

// The groups, in the order in which a report has them.
const (
	Configuration = "Configuration"
	Names         = "Names"
	Certificates  = "Certificates"
	FTP           = "FTP"
	Web           = "Web"
	XMPP          = "XMPP"
	Storage       = "Storage"
	Accounts      = "Accounts"
	System        = "System"
	Backups       = "Backups"
	Audit         = "Audit log"
)

// groups is that order.
func groups() []string {
	return []string{Configuration, Names, Certificates, FTP, Web, XMPP, Storage, Accounts, System, Backups, Audit}
}

// Result is one finding.
type Result struct {
	ID      string    `json:"id" doc:"stable, such as ftp.passive"`
	Group   string    `json:"group"`
	Title   string    `json:"title" doc:"what was found, in one line"`
	State   State     `json:"state" enum:"ok,skipped,warning,failed"`
	Why     string    `json:"why,omitempty" doc:"what it means; of what was skipped, the reason"`
	Fix     string    `json:"fix,omitempty" doc:"what to do"`
	Fixable bool      `json:"fixable" doc:"the server can do it itself, and it can be undone"`
	Since   time.Time `json:"since" doc:"of the state, since the server began to look"`
	Took    int64     `json:"took_ms" doc:"of its check, in milliseconds"`

	from string // the ID of its check
}

// Bad reports whether somebody should look.
func (r Result) Bad() bool { return r.State == Failed || r.State == Warning }

// Check is one look at the server. Its results have its ID, or one that begins with it and a dot.
type Check struct {
	ID, Group string
	// About says in a few words what it looks at, for a list of checks.
	About string
	// Network says that it asks other machines, or this one by its public name: offline it is skipped.
	Network bool
	// Slow says that it costs more than every run by itself should: the runs in the background and
	// those that ask for nothing by name make it at most once a day, and show the result of then.
	Slow bool
	// Quick says that it costs next to nothing: Newest makes it.
	Quick bool
	// Run must come back soon after ctx ends.
	Run func(ctx context.Context) []Result
	// Fix does what the result of this ID asks for; nil: nothing here is Fixable. Only what can be undone.
	Fix func(ctx context.Context, id string) error
}

// Report is what a run found, by group and ID.
type Report struct {
	At      time.Time `json:"at"`
	Took    int64     `json:"took_ms"`
	Offline bool      `json:"offline"`
	Results []Result  `json:"results"`
}

// Count is how many results have a state.
func (r Report) Count(s State) (n int) {
	for _, x := range r.Results {
		if x.State == s {
			n++
		}
	}
	return n
}

// Attention is what failed, then what is warned of.
func (r Report) Attention() []Result {
	var list []Result
	for _, s := range []State{Failed, Warning} {
		for _, x := range r.Results {
			if x.State == s {
				list = append(list, x)
			}
		}
	}
	return list
}

// Find returns the result of an ID.
func (r Report) Find(id string) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(x Result) bool { return x.ID == id })
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}

// How long one check may take, how many run side by side, and how old the result of a slow one may be.
const (
	checkLimit = 20 * time.Second
	width      = 4
	slowLife   = 24 * time.Hour
)

// Service runs the checks. Its methods are safe for any goroutine.
type Service struct {
	now  func() time.Time
	turn chan struct{} // one run at a time

	mu     sync.Mutex // guards what follows
	checks []Check
	latest Report
	since  map[string]seen
	slow   map[string]kept // by check
}

// seen is since when a result has its state.
type seen struct {
	state State
	at    time.Time
}

// kept are the results of a slow check.
type kept struct {
	at      time.Time
	results []Result
}

// New returns a service of these checks.
func New(checks ...Check) *Service {
	s := &Service{now: time.Now, turn: make(chan struct{}, 1), since: map[string]seen{}, slow: map[string]kept{}}
	s.Add(checks...)
	return s
}

// Add joins further checks.
func (s *Service) Add(checks ...Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks = append(s.checks, checks...)
	slices.SortStableFunc(s.checks, func(a, b Check) int { return order(a.Group, b.Group) })
}

// Checks lists them, by group.
func (s *Service) Checks() []Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.checks)
}

func order(a, b string) int {
	g := groups()
	return cmp.Or(cmp.Compare(slices.Index(g, a), slices.Index(g, b)), cmp.Compare(a, b))
}

// Run makes the checks of these IDs, or of the groups that they begin with ("ftp" is ftp.control and
// ftp.passive); without any, all of them, and Latest is what it found. It makes one run at a time; where
// ctx ends before, what is not done is skipped. What is found of some is in Latest too.
func (s *Service) Run(ctx context.Context, ids ...string) Report { return s.run(ctx, false, ids) }

// refresh is Run for what is shown anyway and should be new: where a run is going on it does nothing.
func (s *Service) refresh(ctx context.Context, ids ...string) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
		s.examine(ctx, false, ids)
	default:
	}
}

// Offline is Run without the checks that ask other machines.
func (s *Service) Offline(ctx context.Context, ids ...string) Report { return s.run(ctx, true, ids) }

// Latest is what the last run of all checks found; the zero Report before there was one.
func (s *Service) Latest() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

// Newest is Latest with the quick checks made now, for what is looked at anyway; the zero Report before there
// was a run of all.
func (s *Service) Newest(ctx context.Context) Report {
	if s.Latest().At.IsZero() {
		return Report{}
	}
	var quick []string
	for _, c := range s.Checks() {
		if c.Quick {
			quick = append(quick, c.ID)
		}
	}
	if len(quick) > 0 {
		s.refresh(ctx, quick...)
	}
	return s.Latest()
}

// Background makes all checks now and then each time that every has passed, until ctx ends; found hears
// of each report.
func (s *Service) Background(ctx context.Context, every time.Duration, found func(Report)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r := s.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		if found != nil {
			found(r)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Unknown returns those of the IDs that choose no check.
func (s *Service) Unknown(ids ...string) (list []string) {
	for _, id := range ids {
		if !slices.ContainsFunc(s.Checks(), func(c Check) bool { return chosen(c.ID, []string{id}) }) {
			list = append(list, id)
		}
	}
	return list
}

// chosen reports whether a check is one of the IDs, lies below one, or has one below itself.
func chosen(check string, ids []string) bool {
	return len(ids) == 0 || slices.ContainsFunc(ids, func(id string) bool {
		return id == check || strings.HasPrefix(check, id+".") || strings.HasPrefix(id, check+".")
	})
}

func (s *Service) run(ctx context.Context, offline bool, ids []string) Report {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
	}
	return s.examine(ctx, offline, ids)
}

// examine makes the checks; it is the caller's turn.
func (s *Service) examine(ctx context.Context, offline bool, ids []string) Report {
	began := s.now()
	var checks []Check
	for _, c := range s.Checks() {
		if chosen(c.ID, ids) {
			checks = append(checks, c)
		}
	}
	found := make([][]Result, len(checks))
	places := make(chan struct{}, width)
	var wg sync.WaitGroup
	for i, c := range checks {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			found[i] = s.one(ctx, c, offline, len(ids) > 0)
		})
	}
	wg.Wait()
	r := Report{At: began.UTC(), Offline: offline, Results: []Result{}}
	r.Results = append(r.Results, slices.Concat(found...)...)
	r.Took = s.now().Sub(began).Milliseconds()
	s.keep(&r, checks, len(ids) == 0, ctx.Err() == nil && !offline)
	return r
}

// one makes one check, and gives its results what they all have.
func (s *Service) one(ctx context.Context, c Check, offline, named bool) []Result {
	skip := func(why string) []Result {
		return []Result{{ID: c.ID, Group: c.Group, Title: c.About, State: Skipped, Why: why, from: c.ID}}
	}
	switch {
	case ctx.Err() != nil:
		return skip("the run was ended before")
	case offline && c.Network:
		return skip("it asks the network (--offline)")
	case c.Slow && !named:
		s.mu.Lock()
		k, ok := s.slow[c.ID]
		s.mu.Unlock()
		if ok && s.now().Sub(k.at) < slowLife {
			return slices.Clone(k.results)
		}
	}
	within, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	began := s.now()
	list := c.Run(within)
	if len(list) == 0 {
		list = skip("there is nothing to look at")
	}
	took := s.now().Sub(began).Milliseconds()
	for i := range list {
		r := &list[i]
		r.ID, r.Group, r.Took, r.from = cmp.Or(r.ID, c.ID), cmp.Or(r.Group, c.Group), took, c.ID
		r.Fixable = r.Fixable && c.Fix != nil
	}
	if c.Slow && ctx.Err() == nil {
		s.mu.Lock()
		s.slow[c.ID] = kept{s.now(), slices.Clone(list)}
		s.mu.Unlock()
	}
	return list
}

// keep notes since when each result has its state. Where the run counts, a report of all checks is the
// latest, and what one of some checks found takes the place of what they had found before.
func (s *Service) keep(r *Report, checks []Check, all, counts bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Results {
		x := &r.Results[i]
		if was, ok := s.since[x.ID]; ok && was.state == x.State {
			x.Since = was.at
			continue
		}
		x.Since = r.At
		if len(s.since) < maxSeen {
			s.since[x.ID] = seen{x.State, r.At}
		}
	}
	switch {
	case !counts:
	case all:
		s.latest = *r
	case !s.latest.At.IsZero():
		rest := slices.DeleteFunc(slices.Clone(s.latest.Results), func(x Result) bool {
			return slices.ContainsFunc(checks, func(c Check) bool { return x.from == c.ID })
		})
		rest = append(rest, r.Results...)
		slices.SortStableFunc(rest, func(a, b Result) int {
			return cmp.Or(order(a.Group, b.Group), cmp.Compare(s.place(a.from), s.place(b.from)))
		})
		s.latest.Results = rest
	}
}

// place is where a check stands; s.mu is held.
func (s *Service) place(check string) int {
	return slices.IndexFunc(s.checks, func(c Check) bool { return c.ID == check })
}

// maxSeen bounds the IDs that are remembered; there are a few dozens.
const maxSeen = 4096

// Fix lets the check of a result do what the result asks for, and looks again. It does nothing where the
// result is not Fixable now.
func (s *Service) Fix(ctx context.Context, id string) (Result, error) {
	for _, c := range s.Checks() {
		if c.Fix == nil || !chosen(c.ID, []string{id}) || id != c.ID && !strings.HasPrefix(id, c.ID+".") {
			continue
		}
		if r, ok := s.Run(ctx, id).Find(id); !ok || !r.Fixable {
			return r, fmt.Errorf("there is nothing to mend at %s", id)
		}
		if err := c.Fix(ctx, id); err != nil {
			return Result{}, fmt.Errorf("mending %s: %w", id, err)
		}
		r, _ := s.Run(ctx, id).Find(id)
		return r, nil
	}
	return Result{}, fmt.Errorf("no check mends %s", id)
}
