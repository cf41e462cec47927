package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"go.uber.org/fx"

	"trivium/backup"
	"trivium/config"
	"trivium/doctor"
	"trivium/identity"
	"trivium/internal/sqldb"
)

// backupState is a file of the data directory: when the schedule of backups was served last.
const backupState = "backup.state"

// storeCopy is the database as backups take it.
type storeCopy struct{ db *sqldb.DB }

// Engine implements backup.Store.
func (s storeCopy) Engine() string { return string(s.db.Dialect()) }

// Size implements backup.Store.
func (s storeCopy) Size(ctx context.Context) (int64, error) { return s.db.Size(ctx) }

// Snapshot implements backup.Store.
func (s storeCopy) Snapshot(ctx context.Context, file string) error {
	return s.db.Snapshot(ctx, file, migrateStore, seeded)
}

// Check implements backup.Store.
func (s storeCopy) Check(ctx context.Context, file string) (backup.Contents, error) {
	return checkCopy{}.Check(ctx, file)
}

// checkCopy looks at copies of databases.
type checkCopy struct{}

// Check implements backup.Checker.
func (checkCopy) Check(ctx context.Context, file string) (backup.Contents, error) {
	c, err := sqldb.CheckFile(ctx, file)
	return backup.Contents(c), err
}

// backupSource is what a backup of this server is made of.
func backupSource(cfg *config.Config, db *sqldb.DB, v buildVersion) (backup.Source, error) {
	s := backup.Source{Store: storeCopy{db}, Version: string(v), Domain: cfg.Domain, Temp: cfg.DataDir, Now: time.Now, Files: cfg.FilesRoot()}
	if cfg.Files.Storage == "s3" {
		s.Files = ""
		s.Without = append(s.Without, "The bucket of object storage is not in it; the names of what lies there are. Keep the bucket's own versions or a copy of it.")
	}
	for _, m := range cfg.Mount {
		s.Without = append(s.Without, "The folder "+m.Root+", which people see as "+m.Path+", is not in it.")
	}
	for _, text := range cfg.Backup.EncryptTo {
		r, err := backup.ParseRecipient(text)
		if err != nil {
			return s, fmt.Errorf("backup.encrypt_to: %q %w", text, err)
		}
		s.Recipients = append(s.Recipients, r)
	}
	for _, name := range []string{"seal.key", auditHeadFile} {
		s.First = append(s.First, backup.Extra{Name: "data/" + name, Path: filepath.Join(cfg.DataDir, name)})
	}
	// Certificates that were given to the server or came by ACME, and the account there, lie in folders.
	s.First = append(s.First, backup.Extra{Name: "data/tls", Path: filepath.Join(cfg.DataDir, "tls")})
	if cfg.File != "" {
		s.First = append(s.First, backup.Extra{Name: "config/trivium.toml", Path: cfg.File})
	}
	cert, key := cfg.TLS.Paths()
	for name, path := range map[string]string{"config/tls/certificate.pem": cert, "config/tls/key.pem": key} {
		if path != "" {
			s.First = append(s.First, backup.Extra{Name: name, Path: path})
		}
	}
	return s, nil
}

// newBackups makes the backups of the server.
func newBackups(lc fx.Lifecycle, cfg *config.Config, db *sqldb.DB, s *identity.Service, v buildVersion, live serving, log *slog.Logger) (*backup.Service, error) {
	source, err := backupSource(cfg, db, v)
	if err != nil {
		return nil, err
	}
	o := backup.Options{Source: source, Dir: cfg.BackupDir(), Keep: cfg.Backup.Keep, State: filepath.Join(cfg.DataDir, backupState), Log: log,
		Done: func(ctx context.Context, e backup.Event) { recordBackup(ctx, s, log, e) }}
	if live {
		if o.Schedule, err = backupSchedule(cfg); err != nil {
			return nil, err
		}
	}
	b := backup.NewService(o)
	if live {
		background(lc, b.Run)
		return b, nil
	}
	lc.Append(fx.Hook{OnStop: func(ctx context.Context) error { // a command that was interrupted
		_ = b.Cancel() // ErrIdle is as good
		return b.Wait(ctx)
	}})
	return b, nil
}

// backupSchedule is backup.schedule; nil: none is made by itself.
func backupSchedule(cfg *config.Config) (*backup.Clock, error) {
	at := cfg.Backup.Schedule
	if at == "" || at == "off" {
		return nil, nil
	}
	c, err := backup.ParseClock(at)
	if err != nil {
		return nil, fmt.Errorf("backup.schedule: %q %w", at, err)
	}
	return &c, nil
}

// recordBackup puts what came of a backup into the audit log.
func recordBackup(ctx context.Context, s *identity.Service, log *slog.Logger, e backup.Event) {
	row := identity.AuditEvent{Event: "backup.ok", Via: identity.ViaServer, Subject: e.Name, Result: "ok",
		After: fmt.Sprintf(`{"kind":%q,"bytes":%d,"seconds":%d}`, e.Kind, e.Bytes, int64(e.Took.Seconds()))}
	if e.Err != nil {
		row.Event, row.Result, row.Detail, row.After = "backup.failed", "failed", e.Err.Error(), fmt.Sprintf(`{"kind":%q}`, e.Kind)
	}
	if err := s.Record(ctx, row); err != nil {
		log.Error("a backup is not in the audit log", "event", "backup.audit", "err", err)
	}
}

// backupOld is how old the last backup may be before somebody should look.
const backupOld = 48 * time.Hour

// backupCheck looks how old the last good backup is.
func backupCheck(cfg *config.Config, b *backup.Service) doctor.Check {
	return doctor.Check{ID: "backup.age", Group: doctor.Backups, About: "when the last good backup was made", Run: func(ctx context.Context) []doctor.Result {
		r := doctor.Result{ID: "backup.age", Group: doctor.Backups, State: doctor.Warning, Fix: "trivium backup create"}
		last, err := b.Last(ctx)
		at, _ := b.Schedule()
		switch age := time.Since(last); {
		case err != nil:
			r.State, r.Title, r.Why, r.Fix = doctor.Failed, "the backups cannot be listed", err.Error(), "look at the folder "+cfg.BackupDir()
		case cfg.Dev && last.IsZero():
			r.State, r.Title, r.Why, r.Fix = doctor.Skipped, "no backup was made", "this is a development server (--dev)", ""
		case last.IsZero():
			r.Title, r.Why = "no backup was ever made", "what this disk loses is lost"
			if at != "" {
				r.Why += "; the first one of the schedule comes at " + at
			}
		case age > backupOld:
			r.Title, r.Why = fmt.Sprintf("no backup for %d days", int(age.Hours())/24), "what was kept since then is lost with this disk"
			if text := b.State().Error; text != "" {
				r.Why += "; the last try failed: " + text
			}
		default:
			r.State, r.Fix = doctor.OK, ""
			r.Title = "last backup " + ago(age) + " ago, verified"
		}
		return []doctor.Result{r}
	}}
}

// ago is a span of time in words.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return count(max(1, int(d.Minutes())), "minute")
	case d < 48*time.Hour:
		return count(int(d.Hours()), "hour")
	}
	return count(int(d.Hours())/24, "day")
}

// readIdentities reads the private keys of files.
func readIdentities(files []string) ([]age.Identity, error) {
	var list []age.Identity
	for _, name := range files {
		f, err := os.Open(filepath.Clean(name))
		if err != nil {
			return nil, fmt.Errorf("cannot read the key: %w", err)
		}
		ids, err := backup.ReadIdentities(f)
		_ = f.Close() // only read
		if err != nil {
			return nil, fmt.Errorf("%s has no private key of age: %w", name, err)
		}
		list = append(list, ids...)
	}
	return list, nil
}

// broken says that a restore was broken off in a data directory.
func broken(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, backup.Unfinished)); err != nil {
		return nil
	}
	return fmt.Errorf("a restore was broken off in %s: what is there is neither the old nor the new. Run trivium backup restore FILE again; what was there before it lies in %s", dir, filepath.Join(dir, backup.AsidePrefix+"*"))
}

// databaseFile is the path of the SQLite file of a configuration; "" with PostgreSQL.
func databaseFile(cfg *config.Config) string {
	file, ok := strings.CutPrefix(cfg.DatabaseURL(), "sqlite:")
	if !ok {
		return ""
	}
	return file
}

// holds reports whether a server has kept anything in a data directory yet.
func holds(cfg *config.Config) (bool, error) {
	paths := []string{filepath.Join(cfg.DataDir, "seal.key")}
	if file := databaseFile(cfg); file != "" {
		paths = append(paths, file)
	}
	for _, p := range paths {
		if _, err := os.Lstat(p); err == nil {
			return true, nil
		}
	}
	list, err := os.ReadDir(cfg.FilesRoot())
	if err != nil {
		if os.IsNotExist(err) {
			return false, nil
		}
		return false, err
	}
	for _, e := range list {
		if e.IsDir() && !strings.HasPrefix(e.Name(), backup.AsidePrefix) && !strings.HasPrefix(e.Name(), ".") {
			return true, nil
		}
	}
	return false, nil
}
