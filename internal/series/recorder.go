package series

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"
)

// Every is the time between two measurements.
const Every = 10 * time.Second

// saveEvery is how much a crash loses at most.
const saveEvery = 5 * time.Minute

// Def is one series.
type Def struct {
	ID string
	// Per makes points of a counter: how much it grew in this time. 0: what was measured is the point.
	Per time.Duration
}

// Recorder keeps the points. Its methods are safe for any goroutine.
type Recorder struct {
	defs []Def

	mu      sync.Mutex // guards what follows
	read    func([]float64)
	raw     []float64 // what was read last; nil: nothing yet
	at      time.Time // when that was
	tiers   []*tier
	last    []float64 // the newest point; replaced, never changed
	lastAt  int64
	readers map[chan struct{}]struct{}
}

// New is a recorder without points.
func New(defs []Def) *Recorder {
	r := &Recorder{defs: defs, readers: map[chan struct{}]struct{}{}}
	r.clear()
	return r
}

func (r *Recorder) clear() {
	n := len(r.defs)
	r.tiers = []*tier{newTier(Every, 15*time.Minute, n), newTier(time.Minute, 24*time.Hour, n), newTier(5*time.Minute, 7*24*time.Hour, n)}
}

// Defs are the series, in the order of all values.
func (r *Recorder) Defs() []Def { return r.defs }

// Use says how to measure: read writes a number for each of Defs.
func (r *Recorder) Use(read func(values []float64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = read
}

// Now measures, without keeping it: counters as they stand. Nil before Use.
func (r *Recorder) Now() []float64 {
	r.mu.Lock()
	read := r.read
	r.mu.Unlock()
	if read == nil {
		return nil
	}
	values := make([]float64, len(r.defs))
	read(values)
	return values
}

// Run measures until ctx ends, and keeps the points in a file meanwhile and then; "": in none.
func (r *Recorder) Run(ctx context.Context, file string, log *slog.Logger) {
	save := func() {
		if file == "" {
			return
		}
		if err := r.Save(file); err != nil {
			log.Warn("the measurements of the overview were not saved", "file", file, "error", err)
		}
	}
	r.Sample(time.Now())
	next := time.NewTimer(untilNext(time.Now()))
	defer next.Stop()
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			save()
			return
		case now := <-next.C:
			r.Sample(now)
			next.Reset(untilNext(time.Now()))
			if now.Sub(saved) >= saveEvery {
				saved = now
				save()
			}
		}
	}
}

// untilNext goes by the clock, so that points of several runs fall on the same times.
func untilNext(now time.Time) time.Duration {
	return now.Truncate(Every).Add(Every).Sub(now)
}

// Sample measures as of now and keeps it. The first measurement of a run gives counters their beginning
// and no point.
func (r *Recorder) Sample(now time.Time) {
	raw := r.Now()
	if raw == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, took := r.raw, now.Sub(r.at)
	r.raw, r.at = raw, now
	if before == nil || took <= 0 {
		return
	}
	point := make([]float64, len(raw))
	for i, d := range r.defs {
		if point[i] = raw[i]; d.Per > 0 {
			point[i] = max(raw[i]-before[i], 0) * float64(d.Per) / float64(took)
		}
	}
	for _, t := range r.tiers {
		t.add(now, point)
	}
	r.last, r.lastAt = point, now.Unix()-now.Unix()%int64(Every/time.Second)
	for c := range r.readers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Watch says that there is another point, until ctx ends. It never waits for its reader.
func (r *Recorder) Watch(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers[c] = struct{}{}
	context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.readers, c)
	})
	return c
}

// Window is a stretch of time, oldest point first.
type Window struct {
	Step   time.Duration
	Times  []int64     // Unix seconds: when each point begins
	Values [][]float64 // of each of Defs; NaN: the server did not run then
}

// Window returns the last points of a span: those of the finest kind that reaches back so far. There are
// never more than 2,016 of them.
func (r *Recorder) Window(span time.Duration, now time.Time) Window {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tiers {
		if t.span() >= span {
			return t.window(span, now)
		}
	}
	return r.tiers[len(r.tiers)-1].window(span, now)
}

// Merge makes points of a longer step, which are the means of those in them.
func (w Window) Merge(step time.Duration) Window {
	out := Window{Step: step, Values: make([][]float64, len(w.Values))}
	if step <= w.Step {
		return w
	}
	for from := 0; from < len(w.Times); {
		at := w.Times[from] - w.Times[from]%int64(step/time.Second)
		to := from
		for to < len(w.Times) && w.Times[to] < at+int64(step/time.Second) {
			to++
		}
		out.Times = append(out.Times, at)
		for i, values := range w.Values {
			out.Values[i] = append(out.Values[i], mean(values[from:to]))
		}
		from = to
	}
	return out
}

// mean leaves out what is not there.
func mean(values []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// Range is a stretch of time that people look at.
type Range struct {
	Name string // in addresses: "15m", "24h", "7d"
	Span time.Duration
	Step time.Duration // of a drawing: a few hundred points at most
	Row  time.Duration // of a table
}

// Ranges are what there is to look at, the shortest first.
func Ranges() []Range {
	const day = 24 * time.Hour
	return []Range{
		{"15m", 15 * time.Minute, Every, time.Minute},
		{"24h", day, 2 * time.Minute, time.Hour},
		{"7d", 7 * day, 15 * time.Minute, 6 * time.Hour},
	}
}

// RangeOf finds a range by its name; the first where there is none of it.
func RangeOf(name string) Range {
	all := Ranges()
	for _, g := range all {
		if g.Name == name {
			return g
		}
	}
	return all[0]
}

// Last is the newest point, and when its step began; nil: there is none yet.
func (r *Recorder) Last() (at int64, values []float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastAt, r.last
}
