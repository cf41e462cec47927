package files

import "sync"

// locks is who writes what: "path:" and a tree's key and path for uploads, "part:" for a part that
// is open, "file:" and Node.Unique for a file that is appended to in place, "bin:" and an ID for what comes to
// or goes from the trash and the versions.
type locks struct {
	mu   sync.Mutex
	held map[string]struct{}
}

// take takes all or none; false where somebody holds one.
func (l *locks) take(names ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range names {
		if _, taken := l.held[n]; taken {
			return false
		}
	}
	for _, n := range names {
		l.held[n] = struct{}{}
	}
	return true
}

func (l *locks) free(names ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range names {
		delete(l.held, n)
	}
}

func (l *locks) holds(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, taken := l.held[name]
	return taken
}
