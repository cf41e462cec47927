package local

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what is kept open.
const (
	keptTops = 256              // trees
	keptFor  = time.Second      // without use
	keptMost = 10 * time.Second // in any case: what is opened then is what stands there then
)

// tops keeps the top of a tree open for a moment after its use, and the folder of its parts with it:
// somebody who works there would open both for every step. Each time it is asked whether the folder
// that stands by the name still is the same.
type tops struct {
	mu     sync.Mutex // guards what follows and what changes of a top
	kept   map[string]*top
	timer  *time.Timer // nil before there was something to keep
	closed bool
}

// top is one of them.
type top struct {
	of       *tops
	key      string
	fd       int
	dev, ino uint64
	opened   time.Time

	parts  int // the folder of the parts; -1: not opened yet
	users  int
	rested time.Time // when the last of them went
	gone   bool      // nobody gets it any more: it is closed when the last user goes
}

// take gives a tree's top, if it is kept and still what the name leads to from the folder at.
func (s *tops) take(at opened, key string) (*lent, stat) {
	s.mu.Lock()
	t := s.kept[key]
	if t != nil {
		t.users++
	}
	s.mu.Unlock()
	if t == nil {
		return nil, stat{}
	}
	st, err := look(int(at.Fd()), key)
	if err != nil || st.dev != t.dev || st.ino != t.ino {
		s.mu.Lock()
		t.forget()
		t.release()
		s.mu.Unlock()
		return nil, stat{}
	}
	return &lent{of: t, fd: t.fd}, st
}

// keep takes a folder that has been opened, and gives it back as one that is kept; as it is where there
// is no room.
func (s *tops) keep(key string, f *folder, st stat) opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.kept) >= keptTops || s.kept[key] != nil {
		return f
	}
	t := &top{of: s, key: key, fd: f.fd, dev: st.dev, ino: st.ino, opened: time.Now(), parts: -1, users: 1}
	switch {
	case s.kept == nil:
		s.kept = make(map[string]*top)
		s.timer = time.AfterFunc(keptFor, s.pass)
	case len(s.kept) == 0:
		s.timer.Reset(keptFor)
	}
	s.kept[key] = t
	return &lent{of: t, fd: t.fd}
}

// pass is the timer's.
func (s *tops) pass() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, t := range s.kept {
		if t.users == 0 && now.Sub(t.rested) >= keptFor || now.Sub(t.opened) >= keptMost {
			t.forget()
		}
	}
	if len(s.kept) > 0 {
		s.timer.Reset(keptFor)
	}
}

// close keeps nothing any more.
func (s *tops) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, t := range s.kept {
		t.forget()
	}
	if s.timer != nil {
		s.timer.Stop()
	}
}

// forget gives the top to nobody any more. The caller holds mu.
func (t *top) forget() {
	if t.gone {
		return
	}
	t.gone = true
	delete(t.of.kept, t.key)
	t.end()
}

// release is the end of one use. The caller holds mu.
func (t *top) release() {
	t.users--
	t.rested = time.Now()
	t.end()
}

// end closes what nobody uses and nobody will. The caller holds mu.
func (t *top) end() {
	if !t.gone || t.users > 0 {
		return
	}
	_ = unix.Close(t.fd)
	if t.parts >= 0 {
		_ = unix.Close(t.parts)
	}
}

// lent is the use of a top, or of the folder of its parts. As a folder, it is for one goroutine.
type lent struct {
	of   *top
	fd   int
	done bool
}

func (l *lent) Fd() uintptr { return uintptr(l.fd) }

// Close ends the use; to end it twice does nothing.
func (l *lent) Close() error {
	if l.done {
		return nil
	}
	l.done, l.fd = true, -1
	l.of.of.mu.Lock()
	defer l.of.of.mu.Unlock()
	l.of.release()
	return nil
}

// parts lends the folder of the parts, if it has been opened.
func (l *lent) parts() (opened, bool) {
	l.of.of.mu.Lock()
	defer l.of.of.mu.Unlock()
	if l.of.parts < 0 || l.of.gone {
		return nil, false
	}
	l.of.users++
	return &lent{of: l.of, fd: l.of.parts}, true
}

// keepParts keeps the folder of the parts too, and lends it.
func (l *lent) keepParts(f *folder) opened {
	l.of.of.mu.Lock()
	defer l.of.of.mu.Unlock()
	if l.of.parts >= 0 || l.of.gone {
		return f
	}
	l.of.parts = f.fd
	l.of.users++
	return &lent{of: l.of, fd: f.fd}
}

// forget has the folders opened anew by the next who asks.
func (l *lent) forget() {
	l.of.of.mu.Lock()
	defer l.of.of.mu.Unlock()
	l.of.forget()
}
