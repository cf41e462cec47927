package backup

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
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
