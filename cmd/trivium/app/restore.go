package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
	"go.uber.org/fx"

	"trivium/backup"
	"trivium/config"
	"trivium/identity"
	"trivium/internal/control"
	"trivium/internal/sqldb"
)

// BackupHead reads the beginning of an archive.
func BackupHead(ctx context.Context, file string, keys []string) (backup.Head, error) {
	ids, err := readIdentities(keys)
	if err != nil {
		return backup.Head{}, err
	}
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return backup.Head{}, err
	}
	defer func() { _ = f.Close() }() // only read
	return backup.ReadHead(ctx, f, ids)
}

// VerifyBackup reads an archive to its end. It needs neither a server nor a data directory.
func VerifyBackup(ctx context.Context, file string, keys []string, progress func(backup.Progress)) (m backup.Manifest, err error) {
	ids, err := readIdentities(keys)
	if err != nil {
		return m, err
	}
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return m, err
	}
	defer func() { _ = f.Close() }() // only read
	st, err := f.Stat()
	if err != nil {
		return m, err
	}
	return backup.Verify(ctx, gauged(f, st.Size(), &progress), ids, checkCopy{}, "", progress)
}

// RestoreHolds reports whether a restore with these settings would set something aside.
func RestoreHolds(cfg *config.Config) (bool, error) { return holds(cfg) }

// Restored is what Restore has done.
type Restored struct {
	backup.Manifest
	Aside  []string // folders into which what was there went
	Config string   // the folder of the configuration of the backup; "": it has none
	Into   string   // the database, in words
}

// Restore puts a server back as a backup has it: into the data directory, database and folder of files of
// cfg. No server may run, else ErrRunning. All is unpacked and checked beside what is there before anything
// takes its place, and what was there is set aside. Log-ins of browsers are over then; app passwords are not.
func Restore(ctx context.Context, cfg *config.Config, version, file string, keys []string, progress func(backup.Progress)) (r Restored, err error) {
	ids, err := readIdentities(keys)
	if err != nil {
		return r, err
	}
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }() // only read
	st, err := f.Stat()
	if err != nil {
		return r, err
	}
	if err := control.Dir(cfg.DataDir); err != nil {
		return r, err
	}
	release, err := control.Lock(cfg.DataDir)
	if errors.Is(err, control.ErrLocked) {
		return r, ErrRunning
	}
	if err != nil {
		return r, err
	}
	defer release()
	j := &restoring{cfg: cfg, version: version, progress: progress}
	defer func() { err = errors.Join(err, j.clean()) }()
	if err := j.unpack(ctx, gauged(f, st.Size(), &j.progress), ids); err != nil {
		return r, err
	}
	if err := j.prepare(ctx, filepath.Base(file)); err != nil {
		return r, err
	}
	return j.place(ctx)
}

// gauged has progress say how far an archive of that size was read, whose content is larger.
func gauged(f io.Reader, size int64, progress *func(backup.Progress)) io.Reader {
	if *progress == nil {
		return f
	}
	c := &countedReader{r: f}
	tell := *progress
	*progress = func(p backup.Progress) {
		p.Done, p.Total = c.n, size
		tell(p)
	}
	return c
}

type countedReader struct {
	r io.Reader
	n int64
}

func (c *countedReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// restoring is one restore under way.
type restoring struct {
	cfg      *config.Config
	version  string
	progress func(backup.Progress)

	data, files string // where it is unpacked
	staged      *config.Config
	m           backup.Manifest
}

// clean removes what was unpacked and is not used.
func (j *restoring) clean() error {
	var errs []error
	for _, dir := range []string{j.data, j.files} {
		if dir != "" {
			errs = append(errs, os.RemoveAll(dir))
		}
	}
	return errors.Join(errs...)
}

func (j *restoring) unpack(ctx context.Context, src io.Reader, ids []age.Identity) (err error) {
	if j.data, err = backup.Stage(j.cfg.DataDir); err != nil {
		return err
	}
	into := backup.Into{Data: j.data, Owner: backup.Owner{Kept: system(j.cfg), UID: -1, GID: -1}}
	if j.cfg.Files.Storage != "s3" {
		root := j.cfg.FilesRoot()
		if err := os.MkdirAll(root, 0o750); err != nil {
			return err
		}
		if j.files, err = backup.Stage(root); err != nil {
			return err
		}
		into.Files = j.files
	}
	// Root restores for the account that the server runs as: the one that owns the data directory.
	if st, serr := os.Stat(j.cfg.DataDir); serr == nil && os.Geteuid() == 0 {
		if s, ok := st.Sys().(*syscall.Stat_t); ok && s.Uid != 0 {
			into.Owner.UID, into.Owner.GID = int(s.Uid), int(s.Gid)
		}
	}
	j.m, err = backup.Extract(ctx, src, ids, checkCopy{}, into, j.progress)
	return err
}

// restoreSQL makes of a copy of the database one that a server begins with: nobody is logged in by a
// browser, or by what a chat client was given in the place of its password, and what was counted and
// computed about files is looked at again.
var restoreSQL = []string{
	"DELETE FROM identity_browser_sessions",
	"DELETE FROM xmpp_fast",
	"DELETE FROM file_sums",
	"UPDATE file_usage SET dirty = TRUE",
}

// prepare brings the tables of the copy to their newest form, and writes down in it that it was restored.
func (j *restoring) prepare(ctx context.Context, name string) (err error) {
	c := *j.cfg
	c.DataDir = filepath.Join(j.data, "data")
	c.Database.URL = "sqlite:" + filepath.Join(j.data, "database.sqlite")
	c.Database.Password = config.Secret{}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return err
	}
	j.staged = &c
	log := slog.New(slog.DiscardHandler)
	db, err := openStore(ctx, &c, log)
	if errors.Is(err, sqldb.ErrNewerSchema) {
		return fmt.Errorf("%w: the tables of %s are newer than those of this program, %s", backup.ErrNewer, j.m.Version, j.version)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.Write(ctx, func(tx *sqldb.Tx) error {
		for _, q := range restoreSQL {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var s *identity.Service
	app := fx.New(fx.Supply(&c, log, db, newFailure(), buildVersion(j.version), serving(false)), fx.NopLogger, core(), fx.Populate(&s))
	if err := app.Start(ctx); err != nil {
		return plain(err)
	}
	actor := localActor()
	err = s.Record(ctx, identity.AuditEvent{Event: "backup.restore", Via: actor.Via, Subject: name, Result: "ok",
		After: fmt.Sprintf(`{"began_at":%q,"version":%q,"files":%d}`, j.m.Began.Format(time.RFC3339), j.m.Version, j.m.Files)})
	return errors.Join(err, app.Stop(context.WithoutCancel(ctx)))
}

// place puts everything where the settings want it.
func (j *restoring) place(ctx context.Context) (r Restored, err error) {
	r.Manifest = j.m
	target := databaseFile(j.cfg)
	if target == "" {
		if r.Into, err = j.fill(ctx); err != nil {
			return r, err
		}
	}
	// From here on to the end of Place what is there is neither the old nor the new, and says so.
	data := filepath.Join(j.data, "data")
	now := time.Now()
	swaps := []backup.Swap{{Dir: j.cfg.DataDir, From: data, Old: func(name string) bool {
		return slices.Contains([]string{"seal.key", auditHeadFile, "tls", spoolName, seriesFile, backupState}, name)
	}}}
	if target != "" {
		r.Into = target
		base := filepath.Base(target)
		db := filepath.Join(j.data, "db")
		if err := os.Mkdir(db, 0o700); err != nil {
			return r, err
		}
		if err := os.Rename(filepath.Join(j.data, "database.sqlite"), filepath.Join(db, base)); err != nil {
			return r, err
		}
		mine := func(name string) bool { return name == base || name == base+"-wal" || name == base+"-shm" }
		if filepath.Dir(target) == filepath.Clean(j.cfg.DataDir) {
			small, file := swaps[0].Old, mine
			swaps[0].Old = func(name string) bool { return small(name) || file(name) }
			mine = func(string) bool { return false }
		} else if err := moveAcross(&db, filepath.Dir(target)); err != nil {
			return r, err
		}
		swaps = append(swaps, backup.Swap{Dir: filepath.Dir(target), From: db, Old: mine})
	}
	if j.files != "" {
		swaps = append(swaps, backup.Swap{Dir: j.cfg.FilesRoot(), From: j.files, Old: func(string) bool { return true }})
	}
	if err := os.Remove(filepath.Join(data, "lock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if r.Config, err = j.keepConfig(now); err != nil {
		return r, err
	}
	r.Aside, err = backup.Place(j.cfg.DataDir, now, swaps...)
	return r, err
}

// moveAcross moves a folder with the database beside where it belongs, which may be another disk.
func moveAcross(from *string, to string) error {
	dir, err := backup.Stage(to)
	if err != nil {
		return err
	}
	list, err := os.ReadDir(*from)
	if err != nil {
		return err
	}
	for _, e := range list {
		in, err := os.Open(filepath.Join(*from, e.Name()))
		if err != nil {
			return err
		}
		out, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return errors.Join(err, in.Close())
		}
		_, err = io.Copy(out, in)
		if err == nil {
			err = out.Sync()
		}
		if err = errors.Join(err, in.Close(), out.Close()); err != nil {
			return err
		}
	}
	*from = dir
	return nil
}

// fill moves the copy into the PostgreSQL database of the settings, which must be empty.
func (j *restoring) fill(ctx context.Context) (place string, err error) {
	log := slog.New(slog.DiscardHandler)
	from, err := sqldb.Open(ctx, j.staged.DatabaseURL(), log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := sqldb.Open(ctx, j.cfg.DatabaseURL(), log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := to.Alone(ctx); err != nil {
		return "", err
	}
	ours, err := from.Tables(ctx)
	if err != nil {
		return "", err
	}
	foreign, err := to.Foreign(ctx, ours)
	if err != nil {
		return "", err
	}
	if len(foreign) > 0 {
		return "", fmt.Errorf("%s: %w: it has tables of something else: %s", to.Place(), ErrNotEmpty, strings.Join(foreign[:min(len(foreign), 5)], ", "))
	}
	if err := migrateStore(ctx, to); err != nil {
		return "", err
	}
	if _, err := from.MoveTo(ctx, to, seeded, nil); err != nil {
		return "", fmt.Errorf("%s: %w", to.Place(), err)
	}
	return to.Place(), nil
}

// keepConfig puts the configuration of the backup beside, for a person to look at: the one that is in use
// says where everything goes, and stays.
func (j *restoring) keepConfig(now time.Time) (string, error) {
	from := filepath.Join(j.data, "config")
	if _, err := os.Lstat(from); err != nil {
		return "", nil
	}
	to := filepath.Join(j.cfg.DataDir, "config-of-backup-"+now.UTC().Format("20060102-150405"))
	return to, os.Rename(from, to)
}
