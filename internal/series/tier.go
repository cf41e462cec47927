package series

import (
	"math"
	"slices"
	"time"
)

// tier has the points of one step, each series beside the other. It grows with what is measured.
type tier struct {
	step  int64 // seconds
	most  int   // points
	width int   // series

	points []float32 // most of them at the end count; width each
	last   int64     // the step that the last of them is of, in steps since 1970

	// The step that runs: what has been measured in it.
	open  int64
	sum   []float64
	count int
}

func newTier(step, span time.Duration, width int) *tier {
	return &tier{step: int64(step / time.Second), most: int(span / step), width: width, sum: make([]float64, width)}
}

func (t *tier) span() time.Duration { return time.Duration(t.step*int64(t.most)) * time.Second }

func (t *tier) len() int {
	if t.width == 0 {
		return 0
	}
	return min(len(t.points)/t.width, t.most)
}

// add counts a measurement for the step that now is in.
func (t *tier) add(now time.Time, values []float64) {
	at := now.Unix() / t.step
	if at < t.last || at < t.open { // the clock has been put back
		t.points, t.last, t.open, t.count = nil, 0, 0, 0
		clear(t.sum)
	}
	if at != t.open {
		t.close()
		t.open = at
	}
	for i, v := range values {
		t.sum[i] += v
	}
	t.count++
}

// close makes a point of the step that ran.
func (t *tier) close() {
	if t.count == 0 {
		return
	}
	if len(t.points) > 0 && t.last == t.open { // begun before a restart: the later part stands for it
		t.points = t.points[:len(t.points)-t.width]
	} else {
		t.reach(t.open - 1)
	}
	for i, s := range t.sum {
		t.points = append(t.points, float32(s/float64(t.count)))
		t.sum[i] = 0
	}
	t.last, t.count = t.open, 0
	if keep := t.most * t.width; len(t.points) > keep+keep/4 {
		t.points = append(make([]float32, 0, keep+keep/4+t.width), t.points[len(t.points)-keep:]...)
	}
}

// closed is a copy whose running step has ended.
func (t *tier) closed() *tier {
	c := *t
	c.points, c.sum = slices.Clone(t.points), slices.Clone(t.sum)
	c.close()
	return &c
}

// reach fills the steps up to at, in which nothing was measured.
func (t *tier) reach(at int64) {
	if len(t.points) == 0 {
		return
	}
	if at-t.last >= int64(t.most) {
		t.points = nil
		return
	}
	for ; t.last < at; t.last++ {
		for range t.width {
			t.points = append(t.points, float32(math.NaN()))
		}
	}
}

// window returns the points of the span that ends now, the step that runs among them.
func (t *tier) window(span time.Duration, now time.Time) Window {
	t = t.closed()
	w := Window{Step: time.Duration(t.step) * time.Second, Values: make([][]float64, t.width)}
	from := now.Add(-span).Unix()/t.step + 1
	n := t.len()
	points := t.points[len(t.points)-n*t.width:]
	for k := range n {
		at := t.last - int64(n-1-k)
		if at < from {
			continue
		}
		w.Times = append(w.Times, at*t.step)
		for i := range t.width {
			w.Values[i] = append(w.Values[i], float64(points[k*t.width+i]))
		}
	}
	return w
}
