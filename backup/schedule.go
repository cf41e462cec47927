package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Clock is a time of day.
type Clock struct{ Hour, Minute int }

// ParseClock reads 03:00.
func ParseClock(text string) (Clock, error) {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return Clock{}, errors.New("is no time of day. Examples: 03:00, 22:30, off")
	}
	return Clock{t.Hour(), t.Minute()}, nil
}

func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", c.Hour, c.Minute) }

// Before is the last time that the clock showed this, at now or before it, in the zone of now. Where a change
// of the clocks leaves that time out, it is as long after the one before the change.
func (c Clock) Before(now time.Time) time.Time {
	t := time.Date(now.Year(), now.Month(), now.Day(), c.Hour, c.Minute, 0, 0, now.Location())
	if t.After(now) {
		t = time.Date(now.Year(), now.Month(), now.Day()-1, c.Hour, c.Minute, 0, 0, now.Location())
	}
	return t
}

// Next is the first time after now.
func (c Clock) Next(now time.Time) time.Time {
	t := time.Date(now.Year(), now.Month(), now.Day(), c.Hour, c.Minute, 0, 0, now.Location())
	if !t.After(now) {
		t = time.Date(now.Year(), now.Month(), now.Day()+1, c.Hour, c.Minute, 0, 0, now.Location())
	}
	return t
}

// served is what the file State remembers.
type served struct {
	Since time.Time `json:"since"` // when the schedule was seen first
	Tried time.Time `json:"tried"` // when it was served last
}

const (
	// settleFor is how long a server that starts is left alone before a backup that was missed.
	settleFor = time.Minute
	// lookEvery is how often the clock is looked at: it may be set, and the machine may sleep.
	lookEvery = time.Minute
)

// Run removes what a killed backup has left, and makes those of the schedule until ctx ends. One whose time
// was missed, as nobody was running, is made soon after the start. What is being made when ctx ends is
// stopped, and waited for.
func (s *Service) Run(ctx context.Context) {
	s.sweep()
	defer func() { _ = s.Wait(context.WithoutCancel(ctx)) }()
	defer func() { _ = s.Cancel() }() // ErrIdle is as good
	tick := time.NewTimer(settleFor)
	defer tick.Stop()
	if _, err := s.Due(s.o.Source.Now()); err != nil { // remembers since when there is a schedule
		s.o.Log.Error("the schedule of backups is not remembered", "event", "backup.failed", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Look(ctx)
			tick.Reset(lookEvery)
		}
	}
}

// SetSchedule changes when one is made each day; nil: never again. What another time would have been this day
// is not made up for: the new schedule begins now.
func (s *Service) SetSchedule(c *Clock) error {
	was := s.schedule.Load()
	if c == nil || was != nil && *was == *c {
		s.schedule.Store(c)
		return nil
	}
	st, err := s.served()
	if err != nil {
		return err
	}
	st.Since = s.o.Source.Now().UTC()
	if err := s.remember(st); err != nil {
		return err
	}
	s.schedule.Store(c)
	return nil
}

// Look makes a backup if one is due, and waits for it.
func (s *Service) Look(ctx context.Context) {
	now := s.o.Source.Now()
	due, err := s.Due(now)
	if err == nil && due {
		err = s.tried(now)
	}
	if err != nil {
		s.o.Log.Error("the schedule of backups is not remembered", "event", "backup.failed", "err", err)
		return
	}
	if !due {
		return
	}
	if err := s.Start(ctx, Scheduled); err != nil {
		s.o.Log.Info("the backup of the schedule waits for another", "event", "backup.wait", "err", err)
		if s.Wait(ctx) != nil {
			return
		}
		if err := s.Start(ctx, Scheduled); err != nil {
			return // somebody was faster: that is a backup as well
		}
	}
	_ = s.Wait(ctx) // Run waits at its end
}

// Due reports whether the schedule wants a backup now. The first time that it is asked is remembered: a
// schedule is not late before it began.
func (s *Service) Due(now time.Time) (bool, error) {
	clock := s.schedule.Load()
	if clock == nil {
		return false, nil
	}
	st, err := s.served()
	if err != nil {
		return false, err
	}
	if st.Since.IsZero() {
		st.Since = now.UTC()
		return false, s.remember(st)
	}
	last := clock.Before(now)
	return last.After(st.Since) && last.After(st.Tried), nil
}

func (s *Service) tried(now time.Time) error {
	st, err := s.served()
	if err != nil {
		return err
	}
	st.Tried = now.UTC()
	return s.remember(st)
}

func (s *Service) served() (st served, err error) {
	b, err := os.ReadFile(s.o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	if json.Unmarshal(b, &st) != nil {
		st = served{} // it begins anew
	}
	return st, nil
}

func (s *Service) remember(st served) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return putFile(s.o.State, append(b, '\n'))
}
