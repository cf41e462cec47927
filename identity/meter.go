package identity

import "time"

// meterEvery is how often the list of sessions hears of a transfer.
const meterEvery = time.Second

// Meter shows a transfer of a session in the list while it runs. It is for one goroutine.
type Meter struct {
	ses   *Session
	info  TransferInfo
	shown time.Time
	last  int64 // bytes as of shown
}

// Meter begins to show a transfer. size is what it will move in all, -1 where nobody knows; done is how
// much of that went before.
func (s *Session) Meter(verb, path string, size, done int64) *Meter {
	now := time.Now()
	m := &Meter{ses: s, shown: now, last: done, info: TransferInfo{Verb: verb, Path: path, Bytes: done, Size: size, StartedAt: now.UTC()}}
	m.show()
	return m
}

func (m *Meter) show() {
	info := m.info
	m.ses.Update(func(d *Details) { d.Transfer = &info })
}

// Moved adds bytes.
func (m *Meter) Moved(n int64) {
	m.info.Bytes += n
	now := time.Now()
	if gone := now.Sub(m.shown); gone >= meterEvery {
		m.info.Rate = int64(float64(m.info.Bytes-m.last) / gone.Seconds())
		m.shown, m.last = now, m.info.Bytes
		m.show()
	}
}

// End takes the transfer out of the list, unless another of the session stands there by now.
func (m *Meter) End() {
	m.ses.Update(func(d *Details) {
		if t := d.Transfer; t != nil && t.Path == m.info.Path && t.StartedAt.Equal(m.info.StartedAt) {
			d.Transfer = nil
		}
	})
}

// OnStop has fn called when somebody breaks off what the session transfers, until forget is called: for
// sessions without a holder, as those of browsers are. fn must not block, and may come from any goroutine.
func (s *Session) OnStop(fn func()) (forget func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stops == nil {
		s.stops = map[*func()]struct{}{}
	}
	s.stops[&fn] = struct{}{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.stops, &fn)
	}
}

// stopTransfers breaks off what runs; false where nothing does. No lock is held.
func (s *Session) stopTransfers() bool {
	s.mu.Lock()
	list := make([]func(), 0, len(s.stops))
	for fn := range s.stops {
		list = append(list, *fn)
	}
	s.mu.Unlock()
	for _, fn := range list {
		fn()
	}
	h, ok := s.holder.(TransferHolder)
	return ok && h.StopTransfer() || len(list) > 0
}
