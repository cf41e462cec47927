package files

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"sync"
	"time"
)

// slice is how much an upload reserves and copies at a time: enough that splice(2) is not
// interrupted often, little enough that a quota is not blocked by what may never come.
const slice = 4 << 20

// ledger counts what each tree holds, for all roads. It lives in memory and a tree is counted by a
// walk when it is first changed or asked for, so whatever a crash left behind is counted as it is.
type ledger struct {
	mu    sync.Mutex // guards trees
	trees map[string]*account
}

// account is the count of one tree: sizes of files, parts and reservations, number of entries.
type account struct {
	// names is held while an entry is looked at and then changed, so that each is counted once and
	// a check and what hangs on it are one. Two are taken in the order of their keys. Before mu.
	names sync.Mutex

	counting sync.Mutex // held while the tree is walked

	mu      sync.Mutex // guards what follows
	counted bool
	bytes   int64
	files   int64
}

// account returns the tree's count, walking it first if nobody has.
func (s *Service) account(ctx context.Context, key string) (*account, error) {
	s.ledger.mu.Lock()
	a := s.ledger.trees[key]
	if a == nil {
		a = &account{}
		s.ledger.trees[key] = a
	}
	s.ledger.mu.Unlock()
	if a.ready() {
		return a, nil
	}
	a.counting.Lock()
	defer a.counting.Unlock()
	if a.ready() {
		return a, nil
	}
	var bytes, entries int64
	top, err := s.o.Backend.Tree(ctx, key, true)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	add := func(n Node) error {
		entries++
		if n.Type.IsRegular() {
			bytes += n.Size
		}
		return nil
	}
	if err := top.Parts(ctx, add); err != nil {
		return nil, err
	}
	if err := countKept(ctx, top, add); err != nil {
		return nil, err
	}
	if err := count(ctx, top, add); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bytes, a.files, a.counted = bytes, entries, true
	return a, nil
}

// countKept walks the store's own folders, which count too.
func countKept(ctx context.Context, top Top, add func(Node) error) error {
	for _, kind := range Kinds() {
		d, err := top.Kept(ctx, kind, false)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = count(ctx, d, add)
		_ = d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// heldFolders is how many folders a count keeps open on its way down; below, it keeps one in as
// many. By renames a tree grows deeper than a path can say, and than descriptors would last.
const heldFolders = 32

// counter counts one tree.
type counter struct {
	add func(Node) error
}

// count walks the folder top.
func count(ctx context.Context, top Dir, add func(Node) error) error {
	return counter{add}.inside(ctx, top, top, nil, 0)
}

// inside walks the open folder d, which is depth folders down from the top and way down from the
// open folder base, from which its own folders are reached where d is not kept open: d is closed
// then, as everywhere but at the top.
func (c counter) inside(ctx context.Context, base, d Dir, way []string, depth int) error {
	folders, err := c.entries(ctx, d)
	if depth < heldFolders || depth%heldFolders == 0 {
		base, way = d, nil
		if depth > 0 {
			defer d.Close()
		}
	} else {
		_ = d.Close()
	}
	if err != nil {
		return err
	}
	for _, name := range folders {
		down := append(slices.Clone(way), name)
		sub, err := reach(ctx, base, down)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
			continue // gone meanwhile
		}
		if err != nil {
			return err
		}
		if err := c.inside(ctx, base, sub, down, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// entries adds what is in a folder and gives the names of its folders.
func (c counter) entries(ctx context.Context, d Dir) (folders []string, err error) {
	err = d.ReadDir(ctx, func(n Node) error {
		if n.Type.IsDir() {
			folders = append(folders, n.Name)
		}
		return c.add(n)
	})
	return folders, err
}

// reach opens the folder that is way down from base, which stays open; way is not empty.
func reach(ctx context.Context, base Dir, way []string) (Dir, error) {
	at := base
	for _, name := range way {
		next, err := at.Dir(ctx, name)
		if at != base {
			_ = at.Close()
		}
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

func (a *account) ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counted
}

// reserve takes up to want bytes of what limit (-1: none) leaves, and says how many. Near the limit
// it leaves half for the uploads beside this one, which comes back for more if it needs it.
func (a *account) reserve(want, limit int64) int64 {
	const least = 64 << 10 // no halves of what is less
	a.mu.Lock()
	defer a.mu.Unlock()
	if limit >= 0 {
		left := max(0, limit-a.bytes)
		want = min(want, left, max(left/2, least))
	}
	a.bytes += want
	return want
}

// reserveAll is reserve, all or nothing.
func (a *account) reserveAll(want, limit int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if limit < 0 {
		limit = math.MaxInt64 // a declared size is any number, and the count must not run over
	}
	if want > 0 && want > limit-max(a.bytes, 0) {
		return false
	}
	a.bytes += want
	return true
}

// addEntry counts one more entry, if limit (-1: none) lets it.
func (a *account) addEntry(limit int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if limit >= 0 && a.files >= limit {
		return false
	}
	a.files++
	return true
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

// sizeOf is what a node counts for.
func sizeOf(n Node) int64 {
	if n.Type.IsRegular() {
		return n.Size
	}
	return 0
}

// Quota is what a tree holds, and what it may.
type Quota struct {
	Bytes, Files           int64     // held; unfinished uploads, what they have set aside, trash and versions included
	LimitBytes, LimitFiles int64     // -1: none
	SoftBytes, SoftFiles   int64     // beyond them the grace begins; -1: none
	GraceEnds              time.Time // when the soft limits become limits; zero: the grace has not begun
	Free                   int64     // bytes that can still be written: the least of quota and disk; -1: unknown
}

// Quota returns the quota of the tree in which p lies, whether or not anything stands at p. A folder
// that only holds mounts has none, and its Free is -1.
func (t *Tree) Quota(ctx context.Context, p string) (Quota, error) {
	v, err := t.now()
	if err != nil {
		return Quota{}, failed("quota", p, err)
	}
	q, err := v.quota(ctx, p)
	return q, failed("quota", p, err)
}

func (v *view) quota(ctx context.Context, p string) (Quota, error) {
	at, err := Clean("/", p)
	if err != nil {
		return Quota{}, err
	}
	m, _, err := v.resolve(at)
	if err != nil {
		return Quota{}, err
	}
	if m == nil {
		return Quota{LimitBytes: -1, LimitFiles: -1, SoftBytes: -1, SoftFiles: -1, Free: -1}, nil
	}
	if !v.visible(m.canon) {
		return Quota{}, fs.ErrNotExist
	}
	a, err := v.s.account(ctx, m.key)
	if err != nil {
		return Quota{}, err
	}
	q := Quota{LimitBytes: m.limitBytes, LimitFiles: m.limitFiles, SoftBytes: -1, SoftFiles: -1}
	q.Bytes, q.Files = a.usage()
	q.Free, err = v.s.free(ctx, m.key)
	if m.limitBytes >= 0 {
		left := max(0, m.limitBytes-q.Bytes)
		if q.Free < 0 || left < q.Free {
			q.Free = left
		}
	}
	return q, err
}

// free is what the storage of a tree has left; -1: nobody knows.
func (s *Service) free(ctx context.Context, key string) (int64, error) {
	top, err := s.o.Backend.Tree(ctx, key, true)
	if err != nil {
		return -1, err
	}
	defer top.Close()
	n, err := top.Free(ctx)
	if errors.Is(err, ErrUnsupported) {
		return -1, nil
	}
	return n, err
}

// Usage returns the bytes that the session's home holds, unfinished uploads and reservations
// included, and its limit (-1: none); false where there is no home.
func (t *Tree) Usage(ctx context.Context) (used, limit int64, ok bool) {
	v, err := t.now()
	if err != nil || v.c.Anonymous() {
		return 0, 0, false
	}
	m := v.home()
	a, err := v.s.account(ctx, m.key)
	if err != nil {
		return 0, 0, false
	}
	used, _ = a.usage()
	return used, m.limitBytes, true
}
