package identity

import "time"

// meterEvery is how often the list of sessions hears of a transfer.
const meterEvery = time.Second

// Meter shows a transfer of a session in the list while it runs. It is for one goroutine.
type Meter struct {
	move  *Move
	bytes int64
	shown time.Time
	last  int64 // bytes as of shown
}

// Meter begins to show a transfer. size is what it will move in all, -1 where nobody knows; done is how
// much of that went before. stop is called as that of Session.Move is.
func (s *Session) Meter(verb string, way Direction, path string, size, done int64, stop func()) *Meter {
	now := time.Now()
	info := TransferInfo{Verb: verb, Direction: way, Path: path, Bytes: done, Size: size, StartedAt: now.UTC()}
	return &Meter{move: s.Move(info, stop, nil), bytes: done, shown: now, last: done}
}

// Moved adds bytes.
func (m *Meter) Moved(n int64) {
	m.bytes += n
	now := time.Now()
	if gone := now.Sub(m.shown); gone >= meterEvery {
		m.move.Show(m.bytes, int64(float64(m.bytes-m.last)/gone.Seconds()))
		m.shown, m.last = now, m.bytes
	}
}

// End takes the transfer out of the list.
func (m *Meter) End() { m.move.End(nil) }
