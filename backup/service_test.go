package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"trivium/backup"
)

// service is one whose clock stands where now points.
func service(t *testing.T, now *time.Time, change func(*backup.Options)) (*backup.Service, *backup.Options) {
	t.Helper()
	src := home(t)
	src.Now = func() time.Time { return *now }
	o := &backup.Options{Source: src, Dir: filepath.Join(t.TempDir(), "backups"), Keep: 2, State: filepath.Join(t.TempDir(), "state"), Log: slog.New(slog.DiscardHandler),
		Room: func(string) (free, all int64, err error) { return 1 << 40, 1 << 41, nil }}
	if change != nil {
		change(o)
	}
	return backup.NewService(*o), o
}

// made makes one and waits for it.
func made(t *testing.T, s *backup.Service, kind string) {
	t.Helper()
	if err := s.Start(t.Context(), kind); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, s *backup.Service) (list []string) {
	t.Helper()
	all, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		list = append(list, fmt.Sprintf("%s %s %t", r.Name, r.Kind, r.Good()))
	}
	return list
}

func TestService(t *testing.T) {
	now := when
	var told []backup.Event
	s, o := service(t, &now, func(o *backup.Options) {
		o.Done = func(_ context.Context, e backup.Event) { told = append(told, e) }
	})
	made(t, s, backup.Manual)
	if got := names(t, s); len(got) != 1 || got[0] != "trivium-20260304-050607.tar.zst manual true" {
		t.Fatalf("%v", got)
	}
	if len(told) != 1 || told[0].Err != nil || told[0].Bytes == 0 {
		t.Errorf("%+v", told)
	}
	list, err := os.ReadDir(o.Dir)
	if err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	for _, e := range list {
		if st, err := e.Info(); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), st.Mode(), err)
		}
	}
	// A flipped bit is found, and the backup is no longer relied on.
	file := filepath.Join(o.Dir, "trivium-20260304-050607.tar.zst")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.StartVerify(t.Context(), filepath.Base(file)); err != nil {
		t.Fatal(err)
	}
	_ = s.Wait(t.Context())
	if r, err := s.Get(t.Context(), filepath.Base(file)); err != nil || r.Good() || !strings.Contains(r.Fault, "damaged") || s.State().Error == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if last, err := s.Last(t.Context()); err != nil || !last.IsZero() {
		t.Errorf("the last good one is of %v, %v", last, err)
	}
	for _, name := range []string{"../state", "nosuch.tar.zst", ".hidden.tar.zst", "x"} {
		if err := s.Remove(t.Context(), name); !errors.Is(err, backup.ErrNotFound) {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	if err := s.Remove(t.Context(), filepath.Base(file)); err != nil || len(names(t, s)) != 0 {
		t.Errorf("%v, %v", names(t, s), err)
	}
}

// TestPrune keeps as many good ones by schedule as are wanted, and all that was made by hand; a backup that
// fails removes nothing.
func TestPrune(t *testing.T) {
	now := when
	s, o := service(t, &now, nil)
	made(t, s, backup.Manual)
	for range 3 {
		now = now.Add(24 * time.Hour)
		made(t, s, backup.Scheduled)
	}
	want := []string{"trivium-20260307-050607.tar.zst scheduled true", "trivium-20260306-050607.tar.zst scheduled true", "trivium-20260304-050607.tar.zst manual true"}
	if got := names(t, s); !slicesEqual(got, want) {
		t.Fatalf("%v", got)
	}
	failing := o.Source
	failing.Store = broken{}
	bad := backup.NewService(backup.Options{Source: failing, Dir: o.Dir, Keep: 1, State: o.State, Log: o.Log})
	now = now.Add(24 * time.Hour)
	made(t, bad, backup.Scheduled)
	if got := names(t, s); !slicesEqual(got, want) || !strings.Contains(bad.State().Error, "no space left") {
		t.Errorf("after one that failed: %v, %+v", got, bad.State())
	}
	if left, err := filepath.Glob(filepath.Join(o.Dir, ".*")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func slicesEqual(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

// broken is a database for whose copy there is no room.
type broken struct{ store }

func (broken) Snapshot(context.Context, string) error { return unix.ENOSPC }

// TestSweep removes what a backup that was killed has left, and not what another server is writing.
func TestSweep(t *testing.T) {
	now := when
	s, o := service(t, &now, nil)
	dead, live := filepath.Join(o.Dir, ".trivium-backup-1.partial"), filepath.Join(o.Dir, ".trivium-backup-2.partial")
	write(t, dead, "half", 0o600)
	write(t, live, "half", 0o600)
	write(t, filepath.Join(o.Dir, ".trivium-backup-db-3/database.sqlite"), "half", 0o600)
	f, err := os.Open(live)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	s.Run(ctx)
	left, err := filepath.Glob(filepath.Join(o.Dir, ".*"))
	if err != nil || len(left) != 1 || left[0] != live {
		t.Errorf("%v, %v", left, err)
	}
}

func TestCancel(t *testing.T) {
	now := when
	began, release := make(chan struct{}), make(chan struct{})
	s, o := service(t, &now, func(o *backup.Options) { o.Source.Store = slow{began: began, release: release} })
	if err := s.Cancel(); !errors.Is(err, backup.ErrIdle) {
		t.Errorf("%v", err)
	}
	if err := s.Start(t.Context(), backup.Manual); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := s.Start(t.Context(), backup.Manual); !errors.Is(err, backup.ErrRunning) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Cancel(); err != nil {
		t.Error(err)
	}
	close(release)
	_ = s.Wait(t.Context())
	if left, err := os.ReadDir(o.Dir); len(left) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if st := s.State(); st.Running || !strings.Contains(st.Error, "stopped") {
		t.Errorf("%+v", st)
	}
}

// slow is a database whose copy waits.
type slow struct {
	store
	began, release chan struct{}
}

func (s slow) Snapshot(ctx context.Context, f string) error {
	close(s.began)
	<-s.release
	return s.store.Snapshot(ctx, f)
}

// A schedule leaves a twentieth of the disk to people's files; by hand one may do what one wants.
func TestScheduleLeavesRoom(t *testing.T) {
	now := when
	s, _ := service(t, &now, func(o *backup.Options) {
		o.Room = func(string) (free, all int64, err error) { return 4 << 30, 100 << 30, nil }
	})
	made(t, s, backup.Manual) // so that it is known what one takes
	now = now.Add(time.Hour)
	made(t, s, backup.Scheduled)
	if got, why := names(t, s), s.State().Error; len(got) != 1 || !strings.Contains(why, "leaves") {
		t.Errorf("by schedule: %v, %q", got, why)
	}
	made(t, s, backup.Manual)
	if got := names(t, s); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestSchedule(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	s, _ := service(t, &now, func(o *backup.Options) { o.Schedule = &backup.Clock{Hour: 3} })
	for _, step := range []struct {
		at   string
		made int
	}{
		{"2026-03-04T12:00:00Z", 0}, // it begins: three o'clock was before
		{"2026-03-05T02:59:00Z", 0},
		{"2026-03-05T03:00:00Z", 1},
		{"2026-03-05T03:01:00Z", 1},
		{"2026-03-05T23:00:00Z", 1},
		{"2026-03-09T14:00:00Z", 2}, // nobody was running for days: one, and soon
		{"2026-03-09T14:01:00Z", 2},
	} {
		at, err := time.Parse(time.RFC3339, step.at)
		if err != nil {
			t.Fatal(err)
		}
		now = at
		s.Look(t.Context())
		if got := names(t, s); len(got) != step.made {
			t.Errorf("%s: %v", step.at, got)
		}
	}
	// Another schedule begins when it is set: its time of this day was before.
	for _, step := range []struct {
		at   string
		set  *backup.Clock
		last string
	}{
		{"2026-03-10T14:00:00Z", &backup.Clock{Hour: 13}, "20260309"},
		{"2026-03-11T12:59:00Z", &backup.Clock{Hour: 13}, "20260309"}, // the same
		{"2026-03-11T13:00:00Z", &backup.Clock{Hour: 13}, "20260311"},
		{"2026-03-12T14:00:00Z", nil, "20260311"},
		{"2026-03-13T14:00:00Z", &backup.Clock{Hour: 15}, "20260311"},
		{"2026-03-13T15:00:00Z", &backup.Clock{Hour: 15}, "20260313"},
	} {
		at, err := time.Parse(time.RFC3339, step.at)
		if err != nil {
			t.Fatal(err)
		}
		now = at
		if err := s.SetSchedule(step.set); err != nil {
			t.Fatal(err)
		}
		s.Look(t.Context())
		if got := names(t, s); !strings.Contains(got[0], step.last) {
			t.Errorf("%s: %v", step.at, got)
		}
	}
	for _, text := range []string{"3", "25:00", "03:60", "3:00pm", ""} {
		if c, err := backup.ParseClock(text); err == nil {
			t.Errorf("%q is %s", text, c)
		}
	}
}

// TestSealedHere verifies an encrypted backup without its key, by its bytes.
func TestSealedHere(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	now := when
	s, o := service(t, &now, func(o *backup.Options) { o.Source.Recipients = []age.Recipient{id.Recipient()} })
	made(t, s, backup.Manual)
	if got := names(t, s); len(got) != 1 || got[0] != "trivium-20260304-050607.tar.zst.age manual true" {
		t.Fatalf("%v", got)
	}
	b, err := os.ReadFile(filepath.Join(o.Dir, "trivium-20260304-050607.tar.zst.age"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Verify(t.Context(), bytes.NewReader(b), []age.Identity{id}, store{"the database"}, t.TempDir(), nil); err != nil {
		t.Error(err)
	}
}
