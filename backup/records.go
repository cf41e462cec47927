package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Record is what is known of an archive that lies in the folder of backups.
type Record struct {
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // manual, scheduled, or empty: it was put there
	Began     time.Time `json:"began_at"`
	Ended     time.Time `json:"ended_at"`
	Size      int64     `json:"size"`
	Hash      string    `json:"sha256"` // of the archive as it lies there
	Encrypted bool      `json:"encrypted"`
	Verified  time.Time `json:"verified_at"` // zero: not yet
	Fault     string    `json:"fault"`       // what the last verification found wrong
	Version   string    `json:"version"`
	Files     int64     `json:"files"`
	Bytes     int64     `json:"bytes"`
	Database  int64     `json:"database"`
	Without   []string  `json:"without"`
	Unsteady  int       `json:"unsteady"`
}

// Good reports whether it can be relied on.
func (r Record) Good() bool { return r.Fault == "" && !r.Verified.IsZero() }

const (
	sidecarEnd = ".json"
	plainEnd   = ".tar.zst"
	sealedEnd  = ".tar.zst.age"
	partEnd    = ".partial"
)

// archiveName is the form of the names of archives.
var archiveName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,180}\.tar\.zst(\.age)?$`)

// Dir is where the archives lie.
func (s *Service) Dir() string { return s.o.Dir }

func (s *Service) path(name string) string { return filepath.Join(s.o.Dir, name) }

// note writes what is known of an archive beside it.
func (s *Service) note(r Record) (err error) {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return putFile(s.path(r.Name+sidecarEnd), append(text, '\n'))
}

// putFile writes a file of mode 0600 whole or not at all.
func putFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), tempPrefix+"note-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone after the rename
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// List lists the archives, the newest first.
func (s *Service) List(ctx context.Context) ([]Record, error) {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for backups: %w", err)
	}
	list := []Record{}
	for _, e := range entries {
		if !archiveName.MatchString(e.Name()) || !e.Type().IsRegular() {
			continue
		}
		r, err := s.record(ctx, e.Name())
		if errors.Is(err, ErrNotFound) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Record) int { return -compareTimes(a, b) })
	return list, nil
}

func compareTimes(a, b Record) int {
	if n := a.Began.Compare(b.Began); n != 0 {
		return n
	}
	return strings.Compare(a.Name, b.Name)
}

// Get is one of them.
func (s *Service) Get(ctx context.Context, name string) (Record, error) {
	if !archiveName.MatchString(name) {
		return Record{}, ErrNotFound
	}
	return s.record(ctx, name)
}

func (s *Service) record(ctx context.Context, name string) (r Record, err error) {
	st, err := os.Lstat(s.path(name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !st.Mode().IsRegular() {
		return r, ErrNotFound
	}
	if err != nil {
		return r, err
	}
	b, err := os.ReadFile(s.path(name + sidecarEnd))
	if err == nil && json.Unmarshal(b, &r) == nil && r.Size == st.Size() {
		r.Name = name
		return r, nil
	}
	// It was put there, or its note is gone or that of another: what can be seen is told.
	r = Record{Name: name, Size: st.Size(), Began: st.ModTime().UTC(), Ended: st.ModTime().UTC(), Encrypted: strings.HasSuffix(name, sealedEnd)}
	if r.Encrypted {
		return r, nil
	}
	f, err := os.Open(s.path(name))
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }() // only read
	if h, err := ReadHead(ctx, f, nil); err != nil {
		r.Fault = err.Error()
	} else {
		r.Began, r.Version = h.Began, h.Version
	}
	return r, nil
}

// Open opens an archive for reading.
func (s *Service) Open(ctx context.Context, name string) (*os.File, Record, error) {
	r, err := s.Get(ctx, name)
	if err != nil {
		return nil, r, err
	}
	f, err := os.OpenFile(s.path(name), os.O_RDONLY|unix.O_NOFOLLOW, 0)
	return f, r, err
}

// Remove removes an archive.
func (s *Service) Remove(ctx context.Context, name string) error {
	if _, err := s.Get(ctx, name); err != nil {
		return err
	}
	if st := s.State(); st.Running && st.Name == name {
		return ErrRunning
	}
	if err := os.Remove(s.path(name)); err != nil {
		return err
	}
	if err := os.Remove(s.path(name + sidecarEnd)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(s.o.Dir)
}

// prune removes those by schedule that are too many, the oldest first; those that are good stay, as many as
// are to be kept, and of the rest what is older than these goes.
func (s *Service) prune(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil {
		return err
	}
	good := 0
	var errs []error
	for _, r := range list {
		if r.Kind != Scheduled {
			continue
		}
		if good >= s.o.Keep {
			err := s.Remove(ctx, r.Name)
			if err == nil {
				s.o.Log.Info("an old backup was removed", "event", "backup.prune", "name", r.Name)
			}
			errs = append(errs, err)
			continue
		}
		if r.Good() {
			good++
		}
	}
	return errors.Join(errs...)
}

// Last is when the last good backup began; zero: there is none.
func (s *Service) Last(ctx context.Context) (time.Time, error) {
	list, err := s.List(ctx)
	for _, r := range list {
		if r.Good() {
			return r.Began, err
		}
	}
	return time.Time{}, err
}
