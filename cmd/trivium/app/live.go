package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"sync"

	"trivium/backup"
	"trivium/config"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/sqldb"
)

// liveSource is where the configuration is read again; zero of a command beside a stopped server.
type liveSource struct {
	load  func(chosen map[string]string) (*config.Config, error) // nil: it is not
	level *slog.LevelVar                                         // of the log; nil: there is none
}

// liveConfig is the configuration of the running server: of most keys what the start has read, of the
// live ones what was read or set last.
type liveConfig struct {
	src      liveSource
	identity *identity.Service
	backups  *backup.Service
	log      *slog.Logger
	started  *config.Config
	also     func() error // what else is read again; set before the first Reload

	mu  sync.Mutex // guards now; held while it changes
	now *config.Config
}

func newLive(cfg *config.Config, src liveSource, s *identity.Service, b *backup.Service, log *slog.Logger) *liveConfig {
	l := &liveConfig{src: src, identity: s, backups: b, log: log, started: cfg, now: cfg, also: func() error { return nil }}
	s.OnSetting(func(key, _ string, _ bool) {
		if config.Live(key) {
			l.chosenChanged()
		}
	})
	return l
}

// chosenOf reads what was set in the running server before.
func chosenOf(ctx context.Context, db *sqldb.DB) (map[string]string, error) {
	list, err := identitystore.New(db).Choices(ctx)
	return liveOnly(list), err
}

func liveOnly(list []identity.Setting) map[string]string {
	chosen := map[string]string{}
	for _, c := range list {
		if config.Live(c.Key) {
			chosen[c.Key] = c.Value
		}
	}
	return chosen
}

func (l *liveConfig) chosen(ctx context.Context) (map[string]string, error) {
	list, err := l.identity.Settings(ctx)
	return liveOnly(list), err
}

// chosenChanged lets a key that was set or taken back take effect. Where the file cannot be read at the
// moment, the last one that could counts.
func (l *liveConfig) chosenChanged() {
	if l.src.load == nil {
		return
	}
	chosen, err := l.chosen(context.Background())
	if err == nil {
		var cfg *config.Config
		if cfg, err = l.src.load(chosen); err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.apply(cfg)
			return
		}
	}
	l.log.Error("a setting did not take effect; it will at the next reload", "event", "config.error", "err", err)
}

// apply lets the live keys of cfg count; l.mu is held.
func (l *liveConfig) apply(cfg *config.Config) {
	l.now = cfg
	if l.src.level != nil {
		l.src.level.Set(logLevel(cfg.Log.Level))
	}
	l.identity.Tune(tunable(cfg))
	c, err := backupSchedule(cfg)
	if err == nil && l.src.load != nil { // a command beside a stopped server has no schedule
		err = l.backups.SetSchedule(c)
	}
	if err != nil {
		l.log.Error("the schedule of backups stays as it was", "event", "config.error", "err", err)
	}
}

// tunable are the live keys that identity keeps.
func tunable(cfg *config.Config) identity.Tunable {
	return identity.Tunable{Limits: identityLimits(cfg), PasswordStrength: cfg.Identity.PasswordStrength}
}

// Entries lists what is in force.
func (l *liveConfig) Entries() []config.Entry {
	l.mu.Lock()
	now := l.now
	l.mu.Unlock()
	live := map[string]config.Entry{}
	for _, e := range now.Entries() {
		if e.Live {
			live[e.Key] = e
		}
	}
	list := l.started.Entries()
	for i, e := range list {
		if n, ok := live[e.Key]; ok {
			list[i] = n
		}
	}
	return list
}

// Pending lists what is other on disk than in force; the error is that of a file that cannot be read.
func (l *liveConfig) Pending(ctx context.Context) ([]config.Change, error) {
	if l.src.load == nil {
		return []config.Change{}, nil
	}
	chosen, err := l.chosen(ctx)
	if err != nil {
		return nil, err
	}
	next, err := l.src.load(chosen)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.differs(next), nil
}

// differs compares with what is in force; l.mu is held.
func (l *liveConfig) differs(next *config.Config) []config.Change {
	list := []config.Change{}
	for _, c := range l.started.Diff(next) {
		if !c.Live {
			list = append(list, c)
		}
	}
	for _, c := range l.now.Diff(next) {
		if c.Live {
			list = append(list, c)
		}
	}
	return list
}

// Reload reads file, environment and what was set here again, with certificates and the like. The live
// keys take effect; those that wait for a restart are returned beside them. After an error all stays as
// it was.
func (l *liveConfig) Reload(ctx context.Context, by identity.Actor) (applied, waiting []config.Change, err error) {
	applied, waiting = []config.Change{}, []config.Change{}
	beside := l.also()
	if l.src.load == nil {
		return applied, waiting, beside
	}
	chosen, err := l.chosen(ctx)
	if err != nil {
		return applied, waiting, err
	}
	next, err := l.src.load(chosen)
	if err != nil {
		l.log.Error("the configuration was not read again; the old one stays in use", "event", "config.error", "err", err)
		return applied, waiting, errors.Join(err, beside)
	}
	l.mu.Lock()
	was, is := map[string]string{}, map[string]string{}
	for _, c := range l.differs(next) {
		if !c.Live {
			waiting = append(waiting, c)
			continue
		}
		applied = append(applied, c)
		was[c.Key], is[c.Key] = c.Before, c.After
	}
	l.apply(next)
	l.mu.Unlock()
	e := identity.AuditEvent{Event: "config.reload", Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: "configuration", Result: "ok"}
	if len(applied) > 0 {
		e.Before, e.After = jsonText(was), jsonText(is)
	}
	if rerr := l.identity.Record(ctx, e); rerr != nil {
		l.log.Error("the reload is not in the audit log", "event", "reload", "err", rerr)
	}
	l.log.Info("reloaded", "event", "reload", "log_level", next.Log.Level, "applied", len(applied), "waiting", len(waiting))
	return applied, waiting, beside
}

func jsonText(m map[string]string) string {
	b, err := json.Marshal(m)
	if err != nil {
		return "" // texts alone cannot fail
	}
	return string(b)
}

// Set chooses the value of a live key; it takes effect before Set returns, and outlives a restart.
func (l *liveConfig) Set(ctx context.Context, by identity.Actor, key, value string) error {
	if err := config.CheckValue(key, value, validators()); err != nil {
		return invalidSetting{err.Error()}
	}
	if l.src.load != nil {
		chosen, err := l.chosen(ctx)
		if err != nil {
			return err
		}
		chosen = maps.Clone(chosen)
		chosen[key] = value
		if _, err := l.src.load(chosen); err != nil {
			return invalidSetting{firstFault(err)}
		}
	}
	return l.identity.SetSetting(ctx, by, key, value)
}

// Unset goes back to what file, environment and flags say.
func (l *liveConfig) Unset(ctx context.Context, by identity.Actor, key string) error {
	if !config.Live(key) {
		return invalidSetting{key + " is no key that can be set here"}
	}
	return l.identity.UnsetSetting(ctx, by, key)
}

// invalidSetting is what people are told; to the roads it is identity.ErrInvalid.
type invalidSetting struct{ text string }

func (e invalidSetting) Error() string { return e.text }
func (e invalidSetting) Unwrap() error { return identity.ErrInvalid }

// firstFault is one line of what is wrong in a configuration.
func firstFault(err error) string {
	var faults *config.Faults
	if errors.As(err, &faults) && len(faults.List) > 0 {
		f := faults.List[0]
		text := f.Where + ": " + f.Message
		if f.Hint != "" {
			text += " (" + f.Hint + ")"
		}
		return text
	}
	return err.Error()
}
