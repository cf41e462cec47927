package series

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// start is the beginning of a day, so that all steps begin there.
var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// source is what is measured: a gauge and a counter.
type source struct{ gauge, counter float64 }

func newRecorder() (*Recorder, *source) {
	r, s := New([]Def{{ID: "sessions"}, {ID: "bytes", Per: time.Second}}), &source{}
	r.Use(func(v []float64) { v[0], v[1] = s.gauge, s.counter })
	return r, s
}

// run measures each ten seconds, the counter growing by ten a second.
func (s *source) run(r *Recorder, from time.Time, n int) time.Time {
	for range n {
		r.Sample(from)
		from = from.Add(Every)
		s.counter += 100
		s.gauge++
	}
	return from
}

func TestPoints(t *testing.T) {
	r, s := newRecorder()
	now := s.run(r, start, 13).Add(-Every)
	fine := r.Window(15*time.Minute, now)
	if fine.Step != Every || len(fine.Times) != 12 || fine.Times[0] != start.Unix()+10 {
		t.Fatalf("%d points each %v from %v, want 12 each 10s from ten past", len(fine.Times), fine.Step, fine.Times)
	}
	if fine.Values[0][0] != 1 || fine.Values[0][11] != 12 || fine.Values[1][0] != 10 || fine.Values[1][11] != 10 {
		t.Errorf("points are %v", fine.Values)
	}
	day := r.Window(24*time.Hour, now)
	if want := []int64{start.Unix(), start.Unix() + 60, start.Unix() + 120}; day.Step != time.Minute || !reflect.DeepEqual(day.Times, want) {
		t.Errorf("minutes are %v each %v, want %v", day.Times, day.Step, want)
	}
	if got := day.Values[0]; got[0] != 3 || got[1] != 8.5 || got[2] != 12 { // the means of 1…5 and 6…11, and what runs
		t.Errorf("a minute's gauge is %v", got)
	}
	if week := r.Window(7*24*time.Hour, now); week.Step != 5*time.Minute || len(week.Times) != 1 {
		t.Errorf("five minutes are %v each %v", week.Times, week.Step)
	}
}

func TestBounded(t *testing.T) {
	r, s := newRecorder()
	now := s.run(r, start, 9*24*360)
	for span, want := range map[time.Duration]int{15 * time.Minute: 90, 24 * time.Hour: 1440, 7 * 24 * time.Hour: 2016} {
		if got := len(r.Window(span, now.Add(-Every)).Times); got != want {
			t.Errorf("%d points of %v, want %d", got, span, want)
		}
	}
	for _, x := range r.tiers {
		if got, most := len(x.points), x.most*x.width*5/4; got > most {
			t.Errorf("the step of %d s keeps %d numbers, want at most %d", x.step, got, most)
		}
	}
}

func TestGap(t *testing.T) {
	r, s := newRecorder()
	s.run(r, start, 4)
	now := s.run(r, start.Add(2*time.Minute), 3).Add(-Every)
	w := r.Window(15*time.Minute, now)
	if len(w.Times) != 14 || !math.IsNaN(w.Values[0][3]) || math.IsNaN(w.Values[0][13]) {
		t.Errorf("the points around a gap are %v", w.Values[0])
	}
	if m := w.Merge(time.Minute); len(m.Times) != 3 || m.Values[0][0] != 2 || !math.IsNaN(m.Values[0][1]) {
		t.Errorf("minutes of it are %v at %v", m.Values[0], m.Times)
	}
}

func TestClockPutBack(t *testing.T) {
	r, s := newRecorder()
	s.run(r, start.Add(time.Hour), 10)
	now := s.run(r, start, 4).Add(-Every)
	if w := r.Window(15*time.Minute, now); len(w.Times) != 3 {
		t.Errorf("%d points after the clock was put back, want 3", len(w.Times))
	}
}

func TestCounterBeginsAgain(t *testing.T) {
	r, s := newRecorder()
	s.run(r, start, 2)
	s.counter = 0
	r.Sample(start.Add(20 * time.Second))
	if w := r.Window(15*time.Minute, start.Add(20*time.Second)); w.Values[1][1] != 0 {
		t.Errorf("a counter that fell gives %v, want 0", w.Values[1][1])
	}
}

func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "series")
	r, s := newRecorder()
	now := s.run(r, start, 31).Add(-Every) // the minute that runs has two points, and the five minutes, too
	before := r.Window(24*time.Hour, now)
	if err := r.Save(file); err != nil {
		t.Fatal(err)
	}
	// Another version has another series before ours, and one less.
	r = New([]Def{{ID: "new"}, {ID: "sessions"}})
	if err := r.Load(file); err != nil {
		t.Fatal(err)
	}
	after := r.Window(24*time.Hour, now)
	if !reflect.DeepEqual(after.Times, before.Times) || !reflect.DeepEqual(after.Values[1], before.Values[0]) || !math.IsNaN(after.Values[0][0]) {
		t.Errorf("after the restart it is %v, was %v", after, before)
	}
	r.Use(func(v []float64) { v[0], v[1] = 5, 50 })
	r.Sample(now.Add(Every))
	r.Sample(now.Add(2 * Every))
	if w := r.Window(24*time.Hour, now.Add(2*Every)); len(w.Times) != len(before.Times) || w.Values[1][len(w.Times)-1] != 50 {
		t.Errorf("the minute that was broken off goes on as %v at %v", w.Values[1], w.Times)
	}
}

func TestLoadRefuses(t *testing.T) {
	r, s := newRecorder()
	s.run(r, start, 10)
	good := r.encode()
	damaged := append([]byte(nil), good...)
	damaged[len(damaged)/2] ^= 1
	file := filepath.Join(t.TempDir(), "series")
	if err := r.Load(file); err != nil {
		t.Errorf("no file is %v, want no error", err)
	}
	for name, b := range map[string][]byte{"empty": {}, "cut": good[:len(good)-9], "damaged": damaged, "another": []byte("something else that is long enough")} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.Load(file); err == nil {
			t.Errorf("a file that is %s was taken", name)
		}
	}
}

func TestWatch(t *testing.T) {
	r, s := newRecorder()
	told := r.Watch(t.Context())
	s.run(r, start, 5) // nobody reads, and nothing waits
	select {
	case <-told:
	default:
		t.Error("nobody was told of a point")
	}
	select {
	case <-told:
		t.Error("one was told twice")
	default:
	}
}

func FuzzDecode(f *testing.F) {
	r, s := newRecorder()
	s.run(r, start, 40)
	f.Add(r.encode())
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, s := newRecorder()
		for _, sum := range []bool{false, true} {
			if sum { // what a right sum lets pass
				b = withSum(b)
			}
			_ = r.decode(b)
		}
		now := s.run(r, start, 3)
		w := r.Window(7*24*time.Hour, now)
		if len(w.Times) > 2016 || len(w.Values) != 2 || len(w.Values[0]) != len(w.Times) {
			t.Fatalf("%d times, %d values", len(w.Times), len(w.Values[0]))
		}
		for _, v := range w.Values[0] {
			if math.IsInf(v, 0) {
				t.Fatal("an infinite point")
			}
		}
	})
}

func withSum(b []byte) []byte {
	if len(b) < len(magic)+4 {
		return b
	}
	body := append([]byte(nil), b[:len(b)-4]...)
	return binary.BigEndian.AppendUint32(body, crc32.ChecksumIEEE(body))
}
