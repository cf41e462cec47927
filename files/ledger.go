package files

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ledger counts what each tree holds, for all roads. The counts live in memory. A tree that is
// changed is first marked in the UsageStore, and its counts are written there when it has come to
// rest: so after a crash those trees are counted again that were in use, and no others.
type ledger struct {
	mu    sync.Mutex // guards trees
	trees map[string]*account

	pending atomic.Int64 // bytes that uploads have set aside and not yet written, in the main store
}

// of returns a tree's account, counted or not.
func (l *ledger) of(key string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.trees[key]
	if a == nil {
		a = &account{key: key, charges: make(map[*charge]struct{}), pending: &l.pending}
		if strings.HasPrefix(key, mountKeys+"/") {
			a.pending = new(atomic.Int64) // a mount of the settings may have a disk of its own
		}
		l.trees[key] = a
	}
	return a
}

// lockNames takes the names of a tree whose count will not change, and returns what gives them back.
func (s *Service) lockNames(key string) (unlock func()) {
	a := s.ledger.of(key)
	a.names.Lock()
	return a.names.Unlock
}

// all lists the accounts there are.
func (l *ledger) all() []*account {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]*account, 0, len(l.trees))
	for _, a := range l.trees {
		out = append(out, a)
	}
	return out
}

// stored is what the UsageStore says of a tree.
type stored uint8

// A tree whose row is storedNone or storedDirty is counted after a crash, so it may be changed.
const (
	storedUnknown stored = iota // not read yet
	storedNone
	storedDirty
	storedClean
)

// account is the count of one tree: sizes of files, parts and reservations, number of entries.
type account struct {
	key     string
	pending *atomic.Int64 // bytes set aside and not yet written, of all trees on the same disk

	// names is held while an entry is looked at and then changed, so that each is counted once and
	// a check and what hangs on it are one. Who only makes an entry shares it: it keeps away the
	// count of a tree in use. Two are taken in the order of their keys. Before mu.
	names turnstile

	// moved says that all moves that were planned in the tree have ended. It is read and changed while
	// names is held, not shared.
	moved bool

	// shifts is how often a folder has gone elsewhere. It changes while names is held.
	shifts atomic.Uint64

	// row is held while the tree is counted and while its row is read or written. Before mu.
	row sync.Mutex

	mu      sync.Mutex // guards what follows
	counted bool
	stored  stored
	stale   bool      // the row says clean and is not: it could not be marked
	busy    int       // operations that may change the tree
	rested  time.Time // when the last of them ended
	walks   int       // how often it has been counted
	charges map[*charge]struct{}

	bytes, files         int64
	lentBytes, lentFiles int64 // of these, what will take the place of what stands there
	limits               limits
	limited              bool // limits are known
	noted                bool // the store is to be told of softSince before the tree rests
	countedAt, softSince time.Time
}

// turnstile is a lock that counts who has come in, and who has gone again.
type turnstile struct {
	sync.RWMutex
	passed, gone atomic.Uint64
}

// Lock and the others are those of sync.RWMutex.
func (t *turnstile) Lock() {
	t.RWMutex.Lock()
	t.passed.Add(1)
}

func (t *turnstile) RLock() {
	t.RWMutex.RLock()
	t.passed.Add(1)
}

func (t *turnstile) Unlock() {
	t.gone.Add(1)
	t.RWMutex.Unlock()
}

func (t *turnstile) RUnlock() {
	t.gone.Add(1)
	t.RWMutex.RUnlock()
}

// calmFor is for how long what was looked at is taken to be as it was, where none of ours has been
// there since: other programs may be.
const calmFor = 10 * time.Millisecond

// calm is a moment at which nobody was inside but who asked.
type calm struct {
	passed uint64
	since  time.Time // zero: somebody was
}

// calm is asked before one looks at something; inside says that who asks holds the lock.
func (t *turnstile) calm(inside uint64) calm {
	n := t.passed.Load() // before gone: whoever comes in between is found by undisturbed
	if n != t.gone.Load()+inside {
		return calm{}
	}
	return calm{n, time.Now()}
}

// undisturbed reports whether nobody has come in since then but who asks now, holding the lock.
func (t *turnstile) undisturbed(c calm) bool {
	return !c.since.IsZero() && t.passed.Load() == c.passed+1 && time.Since(c.since) < calmFor
}

// use returns the account of a mount's tree, counted, for an operation that may change the tree;
// done must be called when it is over. The tree is marked in the store before use returns.
func (s *Service) use(ctx context.Context, m *mount) (*account, error) {
	a, err := s.useKey(ctx, m.key)
	if err == nil {
		a.setLimits(s.limitsOf(m))
	}
	return a, err
}

// useKey is use where no session is at hand.
func (s *Service) useKey(ctx context.Context, key string) (*account, error) {
	a := s.ledger.of(key)
	if a.begin() {
		return a, nil
	}
	a.row.Lock()
	defer a.row.Unlock()
	if a.begin() {
		return a, nil
	}
	if err := s.read(ctx, a); err != nil {
		return nil, err
	}
	if err := s.mark(ctx, a); err != nil {
		return nil, err
	}
	if err := s.count(ctx, a); err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.busy++
	a.mu.Unlock()
	return a, nil
}

// begin counts one more operation, if the tree is counted and may be changed.
func (a *account) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.counted || a.stored == storedClean {
		return false
	}
	a.busy++
	return true
}

// done ends an operation that use began.
func (s *Service) done(a *account) {
	a.mu.Lock()
	a.busy--
	a.rested = s.now()
	passed := s.weigh(a)
	a.mu.Unlock()
	if passed != nil {
		s.tell(*passed)
	}
}

// counted returns the account of a mount's tree, for reading.
func (s *Service) counted(ctx context.Context, m *mount) (*account, error) {
	a := s.ledger.of(m.key)
	if !a.ready() {
		a.row.Lock()
		defer a.row.Unlock()
		if err := s.read(ctx, a); err != nil {
			return nil, err
		}
		if err := s.count(ctx, a); err != nil {
			return nil, err
		}
	}
	a.setLimits(s.limitsOf(m))
	return a, nil
}

func (a *account) ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counted
}

// read takes what the store knows of a tree, once. The caller holds a.row, as for mark and count.
func (s *Service) read(ctx context.Context, a *account) error {
	a.mu.Lock()
	known := a.stored != storedUnknown
	a.mu.Unlock()
	if known {
		return nil
	}
	var r UsageRow
	err := error(fs.ErrNotExist)
	if s.o.Usage != nil {
		r, err = s.o.Usage.Usage(ctx, a.key)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a.stored = storedNone
		return nil
	case err != nil:
		return err
	}
	a.softSince = r.SoftSince
	a.countedAt = r.CountedAt
	a.stored = storedDirty
	if !r.Dirty {
		a.stored, a.counted = storedClean, true
		a.bytes, a.files = r.Bytes, r.Files
	}
	return nil
}

// mark tells the store that the tree is about to change, if it thinks otherwise.
func (s *Service) mark(ctx context.Context, a *account) error {
	a.mu.Lock()
	r := a.asRow(true)
	clean := a.stored == storedClean
	a.mu.Unlock()
	if !clean {
		return nil
	}
	if err := s.o.Usage.PutUsage(ctx, r); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Where the disk is full, deleting must go on. The count is right as long as this process
		// lives, and the next operation tries again.
		a.mu.Lock()
		told := a.stale
		a.stale = true
		a.mu.Unlock()
		if !told {
			s.o.Log.ErrorContext(ctx, "files: a tree could not be marked as in use; after a crash its quota is to be counted again", "tree", a.key, "err", err)
		}
		return nil
	}
	a.mu.Lock()
	a.stored, a.stale = storedDirty, false
	a.mu.Unlock()
	return nil
}

// count walks the tree, unless its counts are known. Nobody changes it meanwhile: they wait for
// a.row.
func (s *Service) count(ctx context.Context, a *account) error {
	if a.ready() {
		return nil
	}
	n, err := s.walkTree(ctx, a.key, open{})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes, a.files, a.counted, a.countedAt = n.bytes, n.files, true, s.now()
	a.walks++
	return nil
}

// asRow is what the store is told. The caller holds a.mu.
func (a *account) asRow(dirty bool) UsageRow {
	return UsageRow{Key: a.key, Bytes: a.bytes, Files: a.files, Dirty: dirty, CountedAt: a.countedAt, SoftSince: a.softSince}
}

// grow counts what is new, if the limits let it: ErrQuota. What is negative always fits.
func (s *Service) grow(a *account, bytes, entries int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	most, err := s.most(a)
	if bytes > 0 && bytes > most.left(a) || entries > 0 && most.files >= 0 && a.files-a.lentFiles+entries > most.files {
		return err
	}
	a.bytes += bytes
	a.files += entries
	return nil
}

// change adds to both counts, whatever the limits.
func (a *account) change(bytes, files int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes += bytes
	a.files += files
}

func (a *account) usage() (bytes, files int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bytes, a.files
}

// left is how many bytes a limit leaves. The caller holds a.mu. Without a limit it is what the
// count can hold: a declared size is any number, and the count must not run over.
func (l limits) left(a *account) int64 {
	if l.bytes < 0 {
		return math.MaxInt64 - max(a.bytes, 0)
	}
	return max(0, l.bytes-(a.bytes-a.lentBytes))
}
