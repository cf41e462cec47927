package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"trivium/backup"
	"trivium/identity"
	"trivium/internal/httpio"
)

type backupsView struct {
	page
	Folder, Schedule string
	Keep             int
	Rows             []backupRow
	Now              *backupNow // nil: nothing is done now
	Failed           string     // why the last one was not made
	Good             stamp      // the last one that can be relied on
	Any              bool       // there is such a one
	Root             bool       // may have archives
	Command          string     // that restores
}

// backupRow is one archive.
type backupRow struct {
	backup.Record
	Path            string
	Began, Verified stamp
	Scheduled, Own  bool // by schedule, by hand; else it was put there
	Good, Bad       bool
}

// backupNow is what is done now.
type backupNow struct {
	Verifying   bool
	Name        string
	Done, Total int64
	Percent     int
	Measured    bool // the total is known
}

// backupsPath is where the page is.
const backupsPath = "/admin/backups"

func (s *Server) backups() (*backup.Service, error) {
	if s.opt.Backups == nil {
		return nil, identity.ErrNotFound
	}
	return s.opt.Backups, nil
}

func (s *Server) getBackups(v *visit) error {
	b, err := s.backups()
	if err != nil {
		return err
	}
	list, err := b.List(v.ctx())
	if err != nil {
		return err
	}
	view := &backupsView{Folder: b.Dir(), Root: v.level.Allows(identity.LevelRoot)}
	v.fill(&view.page, "admin.backups", v.T("admin_backups.backups"))
	view.Schedule, view.Keep = b.Schedule()
	for _, r := range list {
		row := backupRow{Record: r, Path: pathOf("admin", "backups", r.Name), Began: view.Stamp(r.Began), Scheduled: r.Kind == backup.Scheduled, Own: r.Kind == backup.Manual,
			Good: r.Good(), Bad: r.Fault != ""}
		if !r.Verified.IsZero() {
			row.Verified = view.Stamp(r.Verified)
		}
		if row.Good && !view.Any {
			view.Any, view.Good, view.Command = true, row.Began, "trivium backup restore "+r.Name
		}
		view.Rows = append(view.Rows, row)
	}
	st := b.State()
	view.Failed = v.words.Echo("service", st.Error)
	if st.Running {
		p := st.Progress
		view.Failed = ""
		view.Now = &backupNow{Verifying: st.Task == "verify" || p.Stage == "verify", Name: st.Name, Done: p.Done, Total: p.Total, Measured: p.Total > 0 && p.Done <= p.Total}
		if view.Now.Measured {
			view.Now.Percent = int(float64(p.Done) / float64(p.Total) * 100)
		}
		// The page looks again by itself, with script and without.
		v.Response().Header().Set("Refresh", "2; url="+backupsPath)
	}
	return s.write(v, http.StatusOK, "admin_backups", view)
}

// backupRefused answers what a person can do nothing wrong about.
func (s *Server) backupRefused(v *visit, err error) error {
	switch {
	case errors.Is(err, backup.ErrRunning):
		return v.sorry(backupsPath, v.T("admin_backups.busy"))
	case errors.Is(err, backup.ErrIdle):
		return v.sorry(backupsPath, v.T("admin_backups.idle"))
	case errors.Is(err, backup.ErrNotFound):
		return identity.ErrNotFound
	}
	return err
}

// noteBackup writes down who asked for what.
func (s *Server) noteBackup(v *visit, event, name string) error {
	by := v.actor()
	return s.opt.Identity.Record(v.ctx(), identity.AuditEvent{Event: event, Actor: by.User, Via: by.Via, Remote: by.Remote, Subject: name, Result: "ok"})
}

func (s *Server) postNewBackup(v *visit) error {
	b, err := s.backups()
	if err != nil {
		return err
	}
	// It goes on when the visitor has gone.
	if err := b.Start(context.WithoutCancel(v.ctx()), backup.Manual); err != nil {
		return s.backupRefused(v, err)
	}
	if err := s.noteBackup(v, "backup.create", ""); err != nil {
		return err
	}
	return v.see(backupsPath)
}

func (s *Server) postStopBackup(v *visit) error {
	b, err := s.backups()
	if err != nil {
		return err
	}
	if err := b.Cancel(); err != nil {
		return s.backupRefused(v, err)
	}
	if err := s.noteBackup(v, "backup.stop", ""); err != nil {
		return err
	}
	return v.done(backupsPath, "admin_backups.stopped")
}

func (s *Server) postVerifyBackup(v *visit) error {
	b, err := s.backups()
	if err != nil {
		return err
	}
	if err := b.StartVerify(context.WithoutCancel(v.ctx()), v.param("name")); err != nil {
		return s.backupRefused(v, err)
	}
	return v.see(backupsPath)
}

func (s *Server) postRemoveBackup(v *visit) error {
	b, err := s.backups()
	if err != nil {
		return err
	}
	name := v.param("name")
	if err := b.Remove(v.ctx(), name); err != nil {
		return s.backupRefused(v, err)
	}
	if err := s.noteBackup(v, "backup.remove", name); err != nil {
		return err
	}
	return v.done(backupsPath, "admin_backups.removed", name)
}

// postBackupFile sends an archive, which holds every key of the server.
func (s *Server) postBackupFile(v *visit) error {
	b, err := s.backups()
	if err != nil {
		return err
	}
	f, r, err := b.Open(v.ctx(), v.param("name"))
	if err != nil {
		return s.backupRefused(v, err)
	}
	defer func() { _ = f.Close() }() // only read
	if err := s.noteBackup(v, "backup.download", r.Name); err != nil {
		return err
	}
	h := v.Response().Header()
	h.Set("Content-Type", "application/zstd")
	h.Set("Content-Disposition", httpio.Attachment(r.Name))
	h.Set("Content-Length", strconv.FormatInt(r.Size, 10))
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", userContent)
	v.long()
	done := v.doing("backup")
	defer done()
	v.Response().WriteHeader(http.StatusOK)
	if _, err := io.Copy(v.Response(), f); err != nil {
		s.log.Warn("a backup was not sent to its end", "event", "backup.download", "name", r.Name, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
