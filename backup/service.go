package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Errors of a Service.
var (
	ErrRunning  = errors.New("a backup is being made or verified now; wait for it")
	ErrNotFound = errors.New("there is no backup of that name")
	ErrIdle     = errors.New("no backup is being made")
	ErrNoRoom   = errors.New("there is too little room for a backup")
)

// Kinds say who asked for a backup.
const (
	Manual    = "manual"
	Scheduled = "scheduled"
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

// State is what the service does now, and what came of it last.
type State struct {
	Running  bool      `json:"running"`
	Task     string    `json:"task"` // create or verify
	Name     string    `json:"name"` // of the archive that is verified, or was made last
	Began    time.Time `json:"began_at"`
	Progress Progress  `json:"progress"`
	Error    string    `json:"error"` // of the last one that failed
}

// Event is what a service tells of: a backup that was made, or one that failed.
type Event struct {
	Kind  string
	Name  string
	Bytes int64
	Took  time.Duration
	Err   error // nil: it was made and verified
}

// Options is what NewService needs.
type Options struct {
	Source   Source
	Dir      string // of the archives
	Keep     int    // scheduled ones that stay
	Schedule *Clock // nil: none; SetSchedule changes it
	State    string // a file that remembers when the schedule was served
	Log      *slog.Logger
	Done     func(context.Context, Event) // may be nil
	// Room says how many bytes of the disk that has a folder are free, of how many; nil: the system does.
	Room func(dir string) (free, all int64, err error)
}

// Service makes backups, one at a time, and looks after those that were made.
type Service struct {
	o        Options
	schedule atomic.Pointer[Clock] // nil: none

	mu    sync.Mutex // guards what follows
	state State
	stop  context.CancelFunc
	done  chan struct{} // closed when what runs has ended
}

// NewService is a service; it makes its folder with the first backup.
func NewService(o Options) *Service {
	if o.Source.Now == nil {
		o.Source.Now = time.Now
	}
	if o.Room == nil {
		o.Room = roomOf
	}
	s := &Service{o: o}
	s.schedule.Store(o.Schedule)
	return s
}

func roomOf(dir string) (free, all int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}

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

// Schedule is when one is made each day; "" is never. Keep is how many of those stay.
func (s *Service) Schedule() (at string, keep int) {
	c := s.schedule.Load()
	if c == nil {
		return "", s.o.Keep
	}
	return c.String(), s.o.Keep
}

// State says what is done now.
func (s *Service) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// begin takes the service for one task.
func (s *Service) begin(ctx context.Context, task, name string) (context.Context, func(error), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Running {
		return nil, nil, ErrRunning
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	s.state = State{Running: true, Task: task, Name: name, Began: s.o.Source.Now().UTC()}
	s.stop, s.done = cancel, done
	return ctx, func(err error) {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.state.Running, s.stop = false, nil
		if err != nil {
			s.state.Error = err.Error()
		}
		close(done)
	}, nil
}

func (s *Service) progress(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Progress = p
}

// Cancel stops what is done now.
func (s *Service) Cancel() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		return ErrIdle
	}
	s.stop()
	return nil
}

// Wait waits until nothing is being done.
func (s *Service) Wait(ctx context.Context) error {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Start makes a backup in the background and verifies it; [ErrRunning] while another is made. ctx is that of
// the server, not of who asks.
func (s *Service) Start(ctx context.Context, kind string) error {
	ctx, end, err := s.begin(ctx, "create", "")
	if err != nil {
		return err
	}
	go func() { end(s.make(ctx, kind)) }()
	return nil
}

// make makes and verifies one backup and tells of it.
func (s *Service) make(ctx context.Context, kind string) error {
	from := time.Now()
	r, err := s.create(ctx, kind)
	if err == nil {
		r, err = s.verify(ctx, r)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("the backup was stopped: %w", ctx.Err())
	}
	if err != nil {
		s.o.Log.Error("no backup was made", "event", "backup.failed", "kind", kind, "err", err)
	} else {
		s.o.Log.Info("a backup was made and verified", "event", "backup.ok", "name", r.Name, "kind", kind, "bytes", r.Size, "files", r.Files, "took_ms", time.Since(from).Milliseconds())
	}
	if s.o.Done != nil {
		s.o.Done(context.WithoutCancel(ctx), Event{Kind: kind, Name: r.Name, Bytes: r.Size, Took: time.Since(from), Err: err})
	}
	if err == nil && kind == Scheduled {
		if perr := s.prune(ctx); perr != nil {
			s.o.Log.Warn("old backups were not removed", "event", "backup.prune", "err", perr)
		}
	}
	return err
}

// create writes an archive under a name that nobody looks for, and gives it its name when it is on disk.
func (s *Service) create(ctx context.Context, kind string) (r Record, err error) {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return r, fmt.Errorf("making the folder of backups: %w", err)
	}
	s.sweep()
	if kind == Scheduled {
		if err := s.room(ctx); err != nil {
			return r, err
		}
	}
	src := s.o.Source
	src.Temp = s.o.Dir
	f, err := os.CreateTemp(s.o.Dir, tempPrefix+"*"+partEnd) // mode 0600
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name()) // gone after the rename
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // so that sweep leaves it alone
		return r, err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 256<<10)
	m, err := Create(ctx, out, src, s.progress)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return r, inWords(err)
	}
	st, err := f.Stat()
	if err != nil {
		return r, err
	}
	r = Record{Kind: kind, Began: m.Began, Ended: m.Ended, Size: st.Size(), Hash: hex.EncodeToString(sum.Sum(nil)), Encrypted: len(src.Recipients) > 0, Version: m.Version,
		Files: m.Files, Bytes: m.Bytes, Database: m.Database, Without: m.Without, Unsteady: len(m.Unsteady)}
	end := plainEnd
	if r.Encrypted {
		end = sealedEnd
	}
	base := "trivium-" + m.Began.Format("20060102-150405")
	for n := 1; ; n++ {
		r.Name = base + end
		if n > 1 {
			r.Name = fmt.Sprintf("%s-%d%s", base, n, end)
		}
		if _, err := os.Lstat(s.path(r.Name)); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := s.note(r); err != nil {
		return r, err
	}
	if err := os.Rename(f.Name(), s.path(r.Name)); err != nil {
		return r, err
	}
	return r, syncDir(s.o.Dir)
}

// inWords says what a full disk means.
func inWords(err error) error {
	if errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("the backup is larger than a file may be here: nothing was kept of it, and older ones are as they were. Raise the limit of file sizes (ulimit -f, LimitFSIZE), or set backup.to to a folder on another disk: %w", err)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("the disk is full: nothing was kept of this backup, and older ones are as they were. Make room, or set backup.to to a folder on another disk: %w", err)
	}
	return err
}

// room refuses a backup by schedule that would fill the disk: people's files come first. What the last one
// took and a tenth more must be free, and a twentieth of the disk beside it.
func (s *Service) room(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	need := list[0].Size + list[0].Size/10 + list[0].Database
	free, all, err := s.o.Room(s.o.Dir)
	if err != nil {
		return err
	}
	spare := all / 20
	if free < need+spare {
		return fmt.Errorf("%w in %s: %d MB are free, and it needs some %d MB and leaves %d MB to others. Remove old ones, lower backup.keep, or set backup.to to a folder on another disk",
			ErrNoRoom, s.o.Dir, free>>20, need>>20, spare>>20)
	}
	return nil
}

// sweep removes what a backup that was killed has left.
func (s *Service) sweep() {
	list, err := filepath.Glob(filepath.Join(escapeGlob(s.o.Dir), tempPrefix+"*"))
	if err != nil {
		return
	}
	for _, name := range list {
		if strings.HasSuffix(name, partEnd) && busy(name) {
			continue // another server's, which keeps its backups here too
		}
		if err := os.RemoveAll(name); err != nil {
			s.o.Log.Warn("what an unfinished backup has left was not removed", "event", "backup.sweep", "err", err)
			continue
		}
		s.o.Log.Info("what an unfinished backup has left was removed", "event", "backup.sweep", "name", filepath.Base(name))
	}
}

// busy reports whether somebody writes a file.
func busy(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only looked at
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

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

// StartVerify verifies an archive in the background.
func (s *Service) StartVerify(ctx context.Context, name string) error {
	r, err := s.Get(ctx, name)
	if err != nil {
		return err
	}
	ctx, end, err := s.begin(ctx, "verify", name)
	if err != nil {
		return err
	}
	go func() {
		_, err := s.verify(ctx, r)
		if err != nil {
			s.o.Log.Error("a backup is not good", "event", "backup.bad", "name", name, "err", err)
		}
		end(err)
	}()
	return nil
}

// verify reads an archive to its end. Without its key the bytes of an encrypted one are compared with those
// that were written.
func (s *Service) verify(ctx context.Context, r Record) (Record, error) {
	f, err := os.Open(s.path(r.Name))
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }() // only read
	sum := sha256.New()
	in := io.TeeReader(f, sum)
	var m Manifest
	if r.Encrypted {
		err = s.reread(ctx, r, in)
	} else {
		m, err = Verify(ctx, in, nil, s.o.Source.Store, s.o.Dir, func(p Progress) {
			p.Total = r.Bytes
			s.progress(p)
		})
	}
	if err == nil && r.Hash != "" && hex.EncodeToString(sum.Sum(nil)) != r.Hash {
		err = fmt.Errorf("%w: its bytes are not those that were written", ErrDamaged)
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err == nil {
		if !r.Encrypted && r.Hash == "" {
			r.Began, r.Ended, r.Version, r.Files, r.Bytes, r.Database, r.Without = m.Began, m.Ended, m.Version, m.Files, m.Bytes, m.Database, m.Without
		}
		r.Hash, r.Verified, r.Fault = hex.EncodeToString(sum.Sum(nil)), s.o.Source.Now().UTC(), ""
	} else {
		r.Verified, r.Fault = time.Time{}, err.Error()
	}
	return r, errors.Join(err, s.note(r))
}

// reread reads the bytes of an archive whose key is not here.
func (s *Service) reread(ctx context.Context, r Record, in io.Reader) error {
	if r.Hash == "" {
		return fmt.Errorf("%w: nobody here knows how it was written. Verify it where the key is: trivium backup verify FILE --identity KEY", ErrEncrypted)
	}
	p := Progress{Stage: "verify", Total: r.Size}
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(buf)
		p.Done += int64(n)
		s.progress(p)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
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

// Stream makes a backup and writes it to dst, which is somebody's; nothing of it stays here.
func (s *Service) Stream(ctx context.Context, dst io.Writer) (m Manifest, err error) {
	ctx, end, err := s.begin(ctx, "create", "")
	if err != nil {
		return m, err
	}
	src := s.o.Source
	m, err = Create(ctx, dst, src, s.progress)
	end(err)
	return m, err
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
