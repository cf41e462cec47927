package ftp

import (
	"sync"
	"time"
)

// moments has each transfer looked at that lasts longer than a moment. A timer for each transfer
// would wake a thread for each, which costs as much as the small file itself; this one timer runs
// for all that have begun, and does nothing for those that have ended meanwhile.
type moments struct {
	mu    sync.Mutex // guards what follows
	begun []young    // by their time
	timer *time.Timer
	runs  bool
}

// young is a transfer that has just begun.
type young struct {
	w   *watch
	due time.Time
}

// add has w looked at a moment from now, unless it has stopped.
func (m *moments) add(w *watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun = append(m.begun, young{w, time.Now().Add(moment)})
	if m.runs {
		return
	}
	m.runs = true
	if m.timer == nil {
		m.timer = time.AfterFunc(moment, m.pass)
	} else {
		m.timer.Reset(moment)
	}
}

// pass is the timer's.
func (m *moments) pass() {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, passed := time.Now(), 0
	for _, y := range m.begun {
		if !y.w.stopped.Load() {
			if y.due.After(now) {
				break
			}
			go y.w.look() // it may wait for a client that reads nothing
		}
		passed++
	}
	m.begun = append(m.begun[:0], m.begun[passed:]...)
	clear(m.begun[len(m.begun):cap(m.begun)])
	if m.runs = len(m.begun) > 0; m.runs {
		m.timer.Reset(time.Until(m.begun[0].due))
	}
}
