package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"trivium/backup"
	"trivium/identity"
	"trivium/internal/httpio"
)

// BackupList is the folder of backups.
type BackupList struct {
	Folder   string   `json:"folder" doc:"on the server"`
	Schedule string   `json:"schedule" doc:"a time of day, by the clock of the server; empty: none"`
	Keep     int      `json:"keep" doc:"how many of those by schedule stay"`
	Backups  []Backup `json:"backups" doc:"the newest first"`
}

// Backup is one archive.
type Backup struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind" doc:"manual, scheduled, or empty: it was put there"`
	BeganAt    time.Time  `json:"began_at" doc:"what was acknowledged before is in it"`
	EndedAt    time.Time  `json:"ended_at"`
	Size       int64      `json:"size" doc:"bytes of the archive"`
	SHA256     string     `json:"sha256" doc:"of the archive; empty: not known yet"`
	Encrypted  bool       `json:"encrypted"`
	VerifiedAt *time.Time `json:"verified_at" doc:"when it was read to its end and found good; null: never"`
	Fault      string     `json:"fault" doc:"what was found wrong; empty: nothing"`
	Version    string     `json:"version" doc:"of the program that made it"`
	Files      int64      `json:"files"`
	Bytes      int64      `json:"bytes" doc:"of all that is in it, before it was packed"`
	Database   int64      `json:"database_bytes"`
	Without    []string   `json:"without" doc:"what is not in it, in sentences"`
}

// BackupState is what is done now.
type BackupState struct {
	Running bool       `json:"running"`
	Task    string     `json:"task" doc:"create or verify; empty: nothing was done yet"`
	Name    string     `json:"name" doc:"of what is verified"`
	BeganAt *time.Time `json:"began_at"`
	Stage   string     `json:"stage" doc:"database, files or verify"`
	Done    int64      `json:"done" doc:"bytes"`
	Total   int64      `json:"total" doc:"bytes; 0: not known"`
	Files   int64      `json:"files"`
	Error   string     `json:"error" doc:"why the last one failed; empty: it did not"`
}

func (a *API) registerBackups() {
	handle(a, identity.LevelAdmin, http.MethodGet, "/backups", "list-backups", "List the backups, the newest first", a.listBackups)
	handle(a, identity.LevelAdmin, http.MethodPost, "/backups", "create-backup", "Begin a backup; running-backup tells how far it is. It is verified when it is made", a.createBackup)
	handle(a, identity.LevelAdmin, http.MethodGet, "/backups/running", "running-backup", "What is being backed up or verified now", a.runningBackup)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/backups/running", "stop-backup", "Stop the backup that is being made, or the verification", a.stopBackup)
	handle(a, identity.LevelAdmin, http.MethodGet, "/backups/{name}", "show-backup", "One backup", a.showBackup)
	handle(a, identity.LevelAdmin, http.MethodPost, "/backups/{name}/verify", "verify-backup", "Begin to read a backup to its end; running-backup tells how far it is, show-backup what was found", a.verifyBackup)
	handle(a, identity.LevelAdmin, http.MethodDelete, "/backups/{name}", "remove-backup", "Remove a backup", a.removeBackup)
	// Whoever has an archive has every key of the server.
	handle(a, identity.LevelRoot, http.MethodGet, "/backups/{name}/archive", "download-backup", "The archive of a backup", a.downloadBackup)
	handle(a, identity.LevelRoot, http.MethodGet, "/backups/stream", "stream-backup", "A backup that is made while it is sent; none of it stays on the server", a.streamBackup)
}

func (a *API) backups() (*backup.Service, error) {
	if a.o.Backups == nil {
		return nil, errors.ErrUnsupported
	}
	return a.o.Backups, nil
}

// backupProblem gives the errors of backups an answer; what it does not know stays as it is.
func backupProblem(err error, name string) error {
	switch {
	case errors.Is(err, backup.ErrNotFound):
		return notFound("backup", name, "")
	case errors.Is(err, backup.ErrRunning):
		return newProblem(http.StatusConflict, codeBusy, "A backup is being made or verified now.", "Wait for it, or stop it.")
	case errors.Is(err, backup.ErrIdle):
		return newProblem(http.StatusNotFound, codeNotFound, "No backup is being made.", "")
	}
	return err
}

func asBackup(r backup.Record) Backup {
	b := Backup{Name: r.Name, Kind: r.Kind, BeganAt: r.Began.UTC(), EndedAt: r.Ended.UTC(), Size: r.Size, SHA256: r.Hash, Encrypted: r.Encrypted,
		Fault: r.Fault, Version: r.Version, Files: r.Files, Bytes: r.Bytes, Database: r.Database, Without: append([]string{}, r.Without...)}
	if !r.Verified.IsZero() {
		at := r.Verified.UTC()
		b.VerifiedAt = &at
	}
	return b
}

func asState(s backup.State) BackupState {
	b := BackupState{Running: s.Running, Task: s.Task, Name: s.Name, Stage: s.Progress.Stage, Done: s.Progress.Done, Total: s.Progress.Total,
		Files: s.Progress.Files, Error: s.Error}
	if !s.Began.IsZero() {
		at := s.Began.UTC()
		b.BeganAt = &at
	}
	return b
}

func (a *API) listBackups(ctx context.Context, _ *struct{}) (*struct{ Body BackupList }, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	list, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body BackupList }{BackupList{Folder: s.Dir(), Backups: make([]Backup, 0, len(list))}}
	out.Body.Schedule, out.Body.Keep = s.Schedule()
	for _, r := range list {
		out.Body.Backups = append(out.Body.Backups, asBackup(r))
	}
	return out, nil
}

func (a *API) createBackup(ctx context.Context, _ *struct{}) (*struct{ Body BackupState }, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	// It goes on when the one who asked has gone.
	if err := s.Start(context.WithoutCancel(ctx), backup.Manual); err != nil {
		return nil, backupProblem(err, "")
	}
	return &struct{ Body BackupState }{asState(s.State())}, a.noteBackup(ctx, "backup.create", "")
}

// noteBackup writes down who asked for what.
func (a *API) noteBackup(ctx context.Context, event, name string) error {
	by := who(ctx).actor
	return a.id.Record(ctx, identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: name, Result: "ok"})
}

func (a *API) runningBackup(context.Context, *struct{}) (*struct{ Body BackupState }, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	return &struct{ Body BackupState }{asState(s.State())}, nil
}

func (a *API) stopBackup(ctx context.Context, _ *struct{}) (*nothing, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	if err := s.Cancel(); err != nil {
		return nil, backupProblem(err, "")
	}
	return nil, a.noteBackup(ctx, "backup.stop", "")
}

// BackupName names an archive.
type BackupName struct {
	Name string `path:"name" doc:"as list-backups names it" maxLength:"200"`
}

func (a *API) showBackup(ctx context.Context, in *BackupName) (*struct{ Body Backup }, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	r, err := s.Get(ctx, in.Name)
	if err != nil {
		return nil, backupProblem(err, in.Name)
	}
	return &struct{ Body Backup }{asBackup(r)}, nil
}

func (a *API) verifyBackup(ctx context.Context, in *BackupName) (*struct{ Body BackupState }, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	if err := s.StartVerify(context.WithoutCancel(ctx), in.Name); err != nil {
		return nil, backupProblem(err, in.Name)
	}
	return &struct{ Body BackupState }{asState(s.State())}, nil
}

func (a *API) removeBackup(ctx context.Context, in *BackupName) (*nothing, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	if err := s.Remove(ctx, in.Name); err != nil {
		return nil, backupProblem(err, in.Name)
	}
	return nil, a.noteBackup(ctx, "backup.remove", in.Name)
}

func (a *API) downloadBackup(ctx context.Context, in *BackupName) (*huma.StreamResponse, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	f, r, err := s.Open(ctx, in.Name)
	if err != nil {
		return nil, backupProblem(err, in.Name)
	}
	if err := a.noteBackup(ctx, "backup.download", in.Name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return a.sendBackup(r.Name, r.Size, func(_ context.Context, w io.Writer) error {
		_, err := io.Copy(w, f)
		return errors.Join(err, f.Close())
	}), nil
}

func (a *API) streamBackup(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	s, err := a.backups()
	if err != nil {
		return nil, err
	}
	if s.State().Running {
		return nil, backupProblem(backup.ErrRunning, "")
	}
	if err := a.noteBackup(ctx, "backup.download", "stream"); err != nil {
		return nil, err
	}
	return a.sendBackup("trivium-"+a.now().UTC().Format("20060102-150405")+".tar.zst", 0, func(ctx context.Context, w io.Writer) error {
		_, err := s.Stream(ctx, w)
		return err
	}), nil
}

// sendBackup sends an archive; what goes wrong on the way cuts the connection, so that nobody takes a part
// for the whole.
func (a *API) sendBackup(name string, size int64, write func(context.Context, io.Writer) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		w := h.BodyWriter()
		if rw, ok := w.(http.ResponseWriter); ok { // it takes as long as it takes
			c := http.NewResponseController(rw)
			_, _ = c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}) // a recorder has none
		}
		h.SetHeader("Content-Type", "application/zstd")
		h.SetHeader("Content-Disposition", httpio.Attachment(name))
		if size > 0 {
			h.SetHeader("Content-Length", strconv.FormatInt(size, 10))
		}
		if err := write(h.Context(), w); err != nil {
			if !errors.Is(err, context.Canceled) {
				a.log.Error("a backup was not sent to its end", "event", "backup.failed", "name", name, "err", err.Error())
			}
			panic(http.ErrAbortHandler)
		}
	}}
}
