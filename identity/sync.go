package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Bounds of a sync.
const (
	syncSetting = "source_sync_"
	syncPage    = 500         // accounts that are read at once
	syncTime    = time.Hour   // for all of it
	syncRetry   = time.Minute // after one that failed
	// Of more accounts than fewGone not more than half may be gone at once: a filter that was changed,
	// or half a directory, would lock everybody out.
	fewGone = 10
)

// Directories lists the directories with what is known of them.
func (s *Service) Directories(ctx context.Context) ([]DirectoryState, error) {
	out := make([]DirectoryState, 0, len(s.sources.list))
	for _, d := range s.sources.list {
		n, err := s.countOf(ctx, d.Name)
		if err != nil {
			return nil, err
		}
		st := DirectoryState{Name: d.Name, Kind: d.Kind, Address: d.Where, Domain: d.Intake.Domain, Create: d.Intake.Create, Accounts: n, Gone: d.gone()}
		d.mu.Lock()
		st.Fault, st.LastSync = d.fault, d.report
		d.mu.Unlock()
		if st.LastSync == nil {
			st.LastSync = s.lastSync(ctx, d.Name)
		}
		out = append(out, st)
	}
	return out, nil
}

func (s *Service) countOf(ctx context.Context, name string) (int, error) {
	return s.store.CountAccounts(ctx, UserFilter{Source: name})
}

// eachOf calls fn for each account of a directory.
func (s *Service) eachOf(ctx context.Context, name string, fn func(Account) error) error {
	for f := (UserFilter{Source: name, Limit: syncPage}); ; {
		as, err := s.store.Accounts(ctx, f)
		if err != nil {
			return err
		}
		for _, a := range as {
			if err := fn(a); err != nil {
				return err
			}
		}
		if len(as) < syncPage {
			return nil
		}
		f.After = as[len(as)-1].Place()
	}
}

// lastSync is the report that the store has; nil where it has none.
func (s *Service) lastSync(ctx context.Context, name string) *SyncReport {
	text, err := s.store.Setting(ctx, syncSetting+name)
	if err != nil || text == "" {
		return nil
	}
	var r SyncReport
	if json.Unmarshal([]byte(text), &r) != nil {
		return nil
	}
	return &r
}

// directory finds one by name.
func (s *Service) directory(name string) (*directory, error) {
	d := s.sources.byName[name]
	if d == nil {
		return nil, faultf(ErrNotFound, "no source %q", name)
	}
	return d, nil
}

// TestDirectory asks a directory whether it can be reached and, with a login, who that is there. The
// error wraps ErrUnavailable and says what is wrong where it cannot.
func (s *Service) TestDirectory(ctx context.Context, by Actor, name, login string) (*Person, error) {
	if !by.Level.Allows(LevelAdmin) {
		return nil, faultf(ErrRefused, "asking a directory needs the level %s; yours is %s", LevelAdmin, by.Level)
	}
	d, err := s.directory(name)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*d.Timeout)
	defer cancel()
	if err := d.Source.Probe(ctx); err != nil {
		return nil, faultf(ErrUnavailable, "the directory %q cannot be used: %v", name, err)
	}
	d.answered()
	if login == "" {
		return nil, nil
	}
	n, err := ParseUserName(login)
	if err != nil {
		return nil, err
	}
	p, err := d.Source.Find(ctx, n)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, faultf(ErrNotFound, "nobody in the directory %q has the login %q", name, login)
	case errors.Is(err, errors.ErrUnsupported):
		return nil, faultf(ErrRefused, "the directory %q answers, but cannot tell who somebody is without a password", name)
	case err != nil:
		return nil, faultf(ErrUnavailable, "the directory %q cannot be used: %v", name, err)
	}
	return &p, nil
}

// SyncDirectory reads everybody of a directory: makes accounts where its intake does, brings them in
// line, and disables those of who is gone, which ends their sessions. With dry nothing is written.
// With force it also disables more than half of the accounts. The report stands beside an error, too.
func (s *Service) SyncDirectory(ctx context.Context, by Actor, name string, dry, force bool) (SyncReport, error) {
	if !by.Level.Allows(LevelAdmin) {
		return SyncReport{}, faultf(ErrRefused, "synchronising a directory needs the level %s; yours is %s", LevelAdmin, by.Level)
	}
	d, err := s.directory(name)
	if err != nil {
		return SyncReport{}, err
	}
	if !d.syncing.TryLock() {
		return SyncReport{}, faultf(ErrBusy, "the directory %q is being synchronised already", name)
	}
	defer d.syncing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, syncTime)
	defer cancel()
	run := &syncRun{s: s, d: d, dry: dry, force: force, seen: map[string]bool{},
		report: SyncReport{Source: name, Began: s.now().UTC(), Notes: []string{}}}
	err = run.all(ctx)
	run.report.Ended = s.now().UTC()
	if err != nil {
		run.report.Fault = err.Error()
	}
	if dry {
		return run.report, err
	}
	d.mu.Lock()
	r := run.report
	d.report = &r
	d.mu.Unlock()
	s.keepReport(ctx, by, r)
	return run.report, err
}

// keepReport writes what a sync has done where it has done something, or has failed.
func (s *Service) keepReport(ctx context.Context, by Actor, r SyncReport) {
	ctx = context.WithoutCancel(ctx)
	text, err := json.Marshal(r)
	if err == nil {
		err = s.store.Write(ctx, func(w StoreWriter) error { return w.PutSetting(ctx, syncSetting+r.Source, string(text)) })
	}
	if err == nil && (r.Created+r.Changed+r.Disabled+r.Enabled > 0 || r.Fault != "") {
		result := "ok"
		if r.Fault != "" {
			result = "error"
		}
		err = s.Record(ctx, AuditEvent{Event: "source.sync", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: r.Source, Result: result,
			Detail: fmt.Sprintf("%d people: %d created, %d changed, %d disabled, %d enabled, %d skipped", r.People, r.Created, r.Changed, r.Disabled, r.Enabled, r.Skipped)})
	}
	if err != nil {
		s.log.Error("keeping the report of a sync", "source", r.Source, "err", err)
	}
}

// syncRun is one sync.
type syncRun struct {
	s          *Service
	d          *directory
	dry, force bool
	seen       map[string]bool // subjects
	report     SyncReport
}

func (r *syncRun) skip(format string, args ...any) {
	r.report.Skipped++
	if len(r.report.Notes) < maxNotes {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
	}
}

func (r *syncRun) all(ctx context.Context) error {
	var own error // of the store, not of the directory
	err := r.d.Source.People(ctx, func(p Person) error {
		own = r.one(ctx, p)
		return own
	})
	switch {
	case own != nil:
		return own
	case errors.Is(err, errors.ErrUnsupported):
		return faultf(ErrRefused, "the directory %q cannot list who is in it, so it cannot be synchronised", r.d.Name)
	case err != nil:
		r.d.failed(err)
		return faultf(ErrUnavailable, "the directory %q could not be read to its end, so nobody was disabled: %v", r.d.Name, err)
	}
	r.d.answered()
	return r.gone(ctx)
}

// one does one person.
func (r *syncRun) one(ctx context.Context, p Person) error {
	s, d := r.s, r.d
	r.report.People++
	if p.Subject == "" {
		r.skip("%q has nothing that says for ever who they are; see id_attribute", p.Login)
		return nil
	}
	if r.seen[p.Subject] {
		r.skip("%q is listed twice", p.Login)
		return nil
	}
	r.seen[p.Subject] = true
	a, err := s.store.AccountBySubject(ctx, d.Name, p.Subject)
	switch {
	case err == nil && a.State == UserDeleted:
		return nil // it was removed here, and stays so
	case err == nil:
		return r.update(ctx, a, p)
	case !errors.Is(err, ErrNotFound):
		return err
	case !d.Intake.Create, p.Disabled:
		return nil
	}
	if r.dry {
		login, domain, err := ParseAddress(p.Login, d.Intake.Domain)
		if err == nil {
			err = s.free(ctx, s.store, domain, login)
		}
		if err != nil {
			r.skip("%q: %v", p.Login, err)
			return nil
		}
		r.report.Created++
		return nil
	}
	_, err = s.create(ctx, d.by(nil), d.Name, p.Subject, d.Intake, p)
	return r.done(p.Login, err, &r.report.Created)
}

func (r *syncRun) update(ctx context.Context, a Account, p Person) error {
	if login, _, err := ParseAddress(p.Login, a.Domain); err == nil && login != a.Login && len(r.report.Notes) < maxNotes {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%q is called %q in the directory by now; the account keeps its login", a.Login, login))
	}
	u := r.s.followed(r.d.Intake, a.User, p)
	count := &r.report.Changed
	switch {
	case u.State == UserDisabled && a.State == UserActive:
		count = &r.report.Disabled
	case u.State == UserActive && a.State == UserDisabled:
		count = &r.report.Enabled
	}
	if r.dry {
		if join, leave := r.s.regrouped(r.d.Intake, a, p); len(join)+len(leave) > 0 || !reflect.DeepEqual(u, a.User) {
			*count++
		}
		return nil
	}
	_, changed, err := r.s.follow(ctx, r.d.by(nil), r.d.Intake, a, p)
	if err == nil && !changed {
		return nil
	}
	return r.done(string(a.Login), err, count)
}

// done counts a change, or notes why it was not made; an error of the store ends the sync.
func (r *syncRun) done(login string, err error, count *int) error {
	switch {
	case err == nil:
		*count++
	case errors.Is(err, ErrExists), errors.Is(err, ErrInvalid), errors.Is(err, ErrRefused), errors.Is(err, ErrNotFound):
		r.skip("%q: %v", login, err)
	default:
		return err
	}
	return nil
}

// gone disables the accounts of who was not listed.
func (r *syncRun) gone(ctx context.Context) error {
	var lost []Account
	active := 0
	err := r.s.eachOf(ctx, r.d.Name, func(a Account) error {
		if a.State == UserActive {
			active++
			if !r.seen[a.Subject] {
				lost = append(lost, a)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(lost) > fewGone && 2*len(lost) > active && !r.force {
		return faultf(ErrRefused, "the directory %q does not list %d of its %d accounts any more; nobody was disabled. Look at its filter, and if they are gone: trivium source sync %s --force",
			r.d.Name, len(lost), active, r.d.Name)
	}
	for _, a := range lost {
		if r.dry {
			r.report.Disabled++
			continue
		}
		// What else the directory has said of them stays.
		p := Person{Disabled: true}
		_, _, err := r.s.follow(ctx, r.d.by(nil), Intake{Domain: r.d.Intake.Domain}, a, p)
		if err := r.done(string(a.Login), err, &r.report.Disabled); err != nil {
			return err
		}
	}
	return nil
}

// runSyncs synchronises each directory when it is time, until ctx ends.
func (s *Service) runSyncs(ctx context.Context) {
	if !slices.ContainsFunc(s.sources.list, func(d *directory) bool { return d.Sync > 0 }) {
		return
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		for _, d := range s.sources.list {
			if d.Sync > 0 && d.due() {
				s.syncOnce(ctx, d)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// due reports whether it is time for a sync; the first one comes at once.
func (d *directory) due() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.now().Before(d.nextSync)
}

func (s *Service) syncOnce(ctx context.Context, d *directory) {
	r, err := s.SyncDirectory(ctx, d.by(nil), d.Name, false, false)
	next := d.Sync
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		next = min(next, syncRetry)
		s.log.Error("a directory was not synchronised", "event", "source.sync", "source", d.Name, "err", err)
	case r.Created+r.Changed+r.Disabled+r.Enabled+r.Skipped > 0:
		s.log.Info("a directory was synchronised", "event", "source.sync", "source", d.Name, "people", r.People,
			"created", r.Created, "changed", r.Changed, "disabled", r.Disabled, "enabled", r.Enabled, "skipped", r.Skipped)
	}
	d.mu.Lock()
	d.nextSync = d.now().Add(next)
	d.mu.Unlock()
}
