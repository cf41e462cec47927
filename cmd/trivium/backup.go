package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"trivium/backup"
	"trivium/cmd/trivium/app"
)

type backupCmd struct {
	Create  backupCreateCmd  `cmd:"" help:"Make a backup, while the server runs or not."`
	List    backupListCmd    `cmd:"" aliases:"ls" help:"List the backups, the newest first."`
	Verify  backupVerifyCmd  `cmd:"" help:"Read a backup to its end and check all of it."`
	Restore backupRestoreCmd `cmd:"" help:"Put the server back as a backup has it; it must be stopped."`
}

// backupRow is a backup as the API lists it.
type backupRow struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind"`
	BeganAt    time.Time  `json:"began_at"`
	Size       int64      `json:"size"`
	Files      int64      `json:"files"`
	Bytes      int64      `json:"bytes"`
	Encrypted  bool       `json:"encrypted"`
	VerifiedAt *time.Time `json:"verified_at"`
	Fault      string     `json:"fault"`
}

// backupNow is what the server does now.
type backupNow struct {
	Running bool   `json:"running"`
	Stage   string `json:"stage"`
	Done    int64  `json:"done"`
	Total   int64  `json:"total"`
	Error   string `json:"error"`
}

type backupCreateCmd struct {
	To string `name:"to" placeholder:"FILE" help:"A new file of one's own in the place of the folder of backups; - is the standard output."`
}

// Help has the examples.
func (c *backupCreateCmd) Help() string {
	return "Everything is in it: accounts, messages, files, keys. It goes to backup.to and is verified there.\n" +
		"Who has it has the keys of the server; backup.encrypt_to encrypts it.\n" +
		"Examples:\n\n  trivium backup create\n  trivium backup create --to /mnt/usb/trivium.tar.zst\n  trivium backup create --to - | ssh other 'cat > trivium.tar.zst'"
}

// Run makes one, and stops it when it is interrupted.
func (c *backupCreateCmd) Run(s *shell) error {
	if c.To != "" {
		return c.stream(s)
	}
	if _, err := s.send(http.MethodPost, "/backups", nil, nil, nil); err != nil {
		return err
	}
	bar := newBar(s, "Backing up")
	defer bar.end()
	const pause = 100 * time.Millisecond
	for {
		select {
		case <-s.ctx.Done():
			return c.stop(s)
		case <-time.After(pause):
		}
		var now backupNow
		if _, err := s.get("/backups/running", nil, &now); err != nil {
			if s.ctx.Err() != nil {
				return c.stop(s)
			}
			return err
		}
		if now.Running {
			bar.show(backup.Progress{Stage: now.Stage, Done: now.Done, Total: now.Total})
			continue
		}
		bar.end()
		if now.Error != "" {
			return &failure{exit: exitFailed, code: "failed", message: "no backup was made: " + now.Error}
		}
		break
	}
	var list struct {
		Folder  string      `json:"folder"`
		Backups []backupRow `json:"backups"`
	}
	if _, err := s.get("/backups", nil, &list); err != nil {
		return err
	}
	if len(list.Backups) == 0 {
		return errors.New("the backup was made, and is gone again")
	}
	b := list.Backups[0]
	file := filepath.Join(list.Folder, b.Name)
	return s.done(map[string]any{"name": b.Name, "file": file, "size": b.Size, "files": b.Files, "bytes": b.Bytes},
		"Made and verified %s: %s, with %s in it (%s before they were packed).", file, size(b.Size), count(b.Files, "file"), size(b.Bytes))
}

// stop gives up what was begun; the context of the command is over by then.
func (c *backupCreateCmd) stop(s *shell) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), 5*time.Second)
	defer cancel()
	over := s.ctx
	s.ctx = ctx
	_, err := s.call(http.MethodDelete, "/backups/running", nil, nil)
	s.ctx = over
	s.note("Stopped. Nothing of it was kept.")
	return errors.Join(over.Err(), err)
}

// stream writes the archive where the command runs.
func (c *backupCreateCmd) stream(s *shell) (err error) {
	if c.To == "-" {
		if terminal(s.stdout) {
			return usage("an archive is nothing for a terminal; give it a file with --to")
		}
		return s.stream("/backups/stream", s.stdout)
	}
	dir := filepath.Dir(c.To)
	if _, err := os.Lstat(c.To); err == nil {
		return &failure{exit: exitExists, code: "exists", message: c.To + " is there already", hint: "choose another name; nothing is replaced"}
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(c.To)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // gone after the rename
		}
	}()
	bar := newBar(s, "Backing up")
	defer bar.end()
	n := int64(0)
	err = s.stream("/backups/stream", writerFunc(func(b []byte) (int, error) {
		n += int64(len(b))
		bar.show(backup.Progress{Done: n})
		return f.Write(b)
	}))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		for _, full := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
			if errors.Is(err, full) {
				return &failure{exit: exitFailed, code: "no_space", message: c.To + " does not fit (" + full.Error() + "); nothing of it was kept", hint: "make room, or give another folder to --to"}
			}
		}
		return err
	}
	if err := os.Rename(f.Name(), c.To); err != nil {
		return err
	}
	if d, derr := os.Open(dir); derr == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	bar.end()
	if err != nil {
		return err
	}
	return s.done(map[string]any{"file": c.To, "size": n}, "Made %s: %s. Check it with: trivium backup verify %s", c.To, size(n), c.To)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

type backupListCmd struct{}

// Run lists.
func (c *backupListCmd) Run(s *shell) error {
	var list struct {
		Folder  string            `json:"folder"`
		Backups []json.RawMessage `json:"backups"`
	}
	if _, err := s.get("/backups", nil, &list); err != nil {
		return err
	}
	if s.JSON {
		return s.object(list.Backups)
	}
	var rows [][]string
	for _, text := range list.Backups {
		var b backupRow
		if err := json.Unmarshal(text, &b); err != nil {
			return err
		}
		good := "not verified"
		switch {
		case b.Fault != "":
			good = "BAD: " + b.Fault
		case b.VerifiedAt != nil:
			good = "verified"
		}
		kind := b.Kind
		if kind == "" {
			kind = "-"
		}
		if b.Encrypted {
			kind += ", encrypted"
		}
		rows = append(rows, []string{b.Name, b.BeganAt.Local().Format("2006-01-02 15:04"), size(b.Size), strconv.FormatInt(b.Files, 10), kind, good})
	}
	return s.table("No backups in "+list.Folder+". Make one: trivium backup create", []string{"NAME", "MADE", "SIZE", "FILES", "KIND", "STATE"}, rows, "SIZE", "FILES")
}

// backupFile is an archive on this machine, and the keys that open it.
type backupFile struct {
	File     string   `arg:"" name:"file" help:"The archive: a path, or a name from backup list."`
	Identity []string `name:"identity" placeholder:"FILE" help:"Private key of age that opens an encrypted one; may come again."`
}

// path finds the archive, also by its name in the folder of backups.
func (b *backupFile) path(s *shell) (string, error) {
	absent := &failure{exit: exitNotFound, code: "not_found", message: "there is no backup " + b.File, hint: "see trivium backup list, or give a path"}
	if _, err := os.Lstat(b.File); !errors.Is(err, fs.ErrNotExist) {
		return b.File, nil
	} else if strings.ContainsRune(b.File, filepath.Separator) {
		return "", absent
	}
	cfg, err := s.config()
	if err != nil {
		return "", err
	}
	in := filepath.Join(cfg.BackupDir(), b.File)
	if _, err := os.Lstat(in); err == nil {
		return in, nil
	}
	return "", absent
}

type backupVerifyCmd struct{ backupFile }

// Help has the examples.
func (c *backupVerifyCmd) Help() string {
	return "It needs no server: every file in it is compared with its checksum, and the copy of the database is opened.\n" +
		"Examples:\n\n  trivium backup verify trivium-20261121-030000.tar.zst\n  trivium backup verify /mnt/usb/trivium.tar.zst.age --identity backup.key"
}

// Run verifies.
func (c *backupVerifyCmd) Run(s *shell) error {
	file, err := c.path(s)
	if err != nil {
		return err
	}
	bar := newBar(s, "Verifying")
	defer bar.end()
	m, err := app.VerifyBackup(s.ctx, file, c.Identity, bar.show)
	bar.end()
	if err != nil {
		return backupError(err, file)
	}
	if s.JSON {
		return s.object(m)
	}
	if err := s.result(fmt.Sprintf("%s is good: made %s by Trivium %s for %s, %s, a database of %s, %s in all.", file, m.Began.Local().Format("2006-01-02 15:04"),
		m.Version, m.Domain, count(m.Files, "file"), size(m.Database), size(m.Bytes))); err != nil {
		return err
	}
	c.without(s, m)
	return nil
}

// without says what is not in a backup.
func (b *backupFile) without(s *shell, m backup.Manifest) {
	for _, w := range m.Without {
		s.note("%s", printable(w))
	}
	for _, name := range m.Unsteady {
		s.note("Another program was writing to %s: what is in the backup may be neither the old nor the new.", printable(name))
	}
}

// backupError gives the faults of archives a code for programs.
func backupError(err error, file string) error {
	for _, row := range []struct {
		err  error
		exit int
		code string
	}{
		{fs.ErrNotExist, exitNotFound, "not_found"},
		{backup.ErrNotBackup, exitUsage, "invalid"},
		{backup.ErrEncrypted, exitRefused, "encrypted"},
		{backup.ErrNewer, exitRefused, "newer"},
		{backup.ErrTruncated, exitFailed, "truncated"},
		{backup.ErrMissing, exitFailed, "missing"},
		{backup.ErrUnsafe, exitFailed, "unsafe"},
		{backup.ErrDamaged, exitFailed, "damaged"},
	} {
		if errors.Is(err, row.err) {
			text := err.Error()
			if row.code != "not_found" {
				text = file + ": " + text
			}
			return &failure{exit: row.exit, code: row.code, message: text}
		}
	}
	return err
}

type backupRestoreCmd struct {
	backupFile
	DryRun bool `name:"dry-run" help:"Read and check the backup, and say what would be done."`
}

// Help has the examples.
func (c *backupRestoreCmd) Help() string {
	return "Everything is unpacked and checked beside what is there before it takes its place; what was there is set aside in before-restore-… and never deleted.\n" +
		"Into an empty data directory it moves a server to another machine. The settings of this machine stay; those of the backup are put beside.\n" +
		"People log in to the web pages again; passwords and app passwords are those of the backup.\n" +
		"Examples:\n\n  trivium backup restore trivium-20261121-030000.tar.zst\n  trivium backup restore /mnt/usb/trivium.tar.zst --data-dir /srv/trivium"
}

// Run restores after the date was typed.
func (c *backupRestoreCmd) Run(s *shell) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	file, err := c.path(s)
	if err != nil {
		return err
	}
	head, err := app.BackupHead(s.ctx, file, c.Identity)
	if err != nil {
		return backupError(err, file)
	}
	over, err := app.RestoreHolds(cfg)
	if err != nil {
		return err
	}
	day := head.Began.Local().Format("2006-01-02")
	if c.DryRun {
		m, err := app.VerifyBackup(s.ctx, file, c.Identity, nil)
		if err != nil {
			return backupError(err, file)
		}
		what := "nothing is there yet"
		if over {
			what = "what is there would be set aside"
		}
		c.without(s, m)
		return s.done(map[string]any{"file": file, "data_dir": cfg.DataDir, "sets_aside": over, "began_at": m.Began, "files": m.Files},
			"%s is good. It would go into %s, as it was on %s; %s. Nothing was changed.", file, cfg.DataDir, day, what)
	}
	if over {
		if err := s.confirmWord("This puts "+cfg.DataDir+" back as it was on "+head.Began.Local().Format("2006-01-02 15:04")+"; what came since then is set aside.", day, "nothing was restored"); err != nil {
			return err
		}
	}
	bar := newBar(s, "Restoring")
	defer bar.end()
	r, err := app.Restore(s.ctx, cfg, version, file, c.Identity, bar.show)
	bar.end()
	switch {
	case errors.Is(err, app.ErrRunning):
		return &failure{exit: exitRefused, code: "running", message: "the server is running, or another command works on its data", hint: "stop it first; nothing was changed"}
	case errors.Is(err, app.ErrNotEmpty):
		return &failure{exit: exitRefused, code: "not_empty", message: err.Error() + ". Nothing was restored", hint: "name another, empty database in database.url"}
	case err != nil:
		return backupError(err, file)
	}
	c.without(s, r.Manifest)
	if r.Config != "" {
		s.note("The configuration of the backup lies in %s; compare it with yours.", r.Config)
	}
	for _, dir := range r.Aside {
		s.note("What was there before lies in %s; remove it when all is well.", dir)
	}
	return s.done(map[string]any{"data_dir": cfg.DataDir, "database": r.Into, "began_at": r.Began, "files": r.Files, "aside": append([]string{}, r.Aside...)},
		"Restored %s and the database %s, as they were on %s. Start it with: trivium serve", count(r.Files, "file"), r.Into, head.Began.Local().Format("2006-01-02 15:04"))
}

// count is "1 file" or "3 files".
func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatInt(n, 10) + " " + what + "s"
}
