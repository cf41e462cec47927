package files

import (
	"context"
	"io/fs"
	"path"
	"strings"
	"time"

	"trivium/identity"
)

// Bounds of locks. A lock costs memory until it ends, so each account has a share of it.
const (
	maxLocks        = 20_000
	maxLocksAccount = 1_000
	maxLocksOver    = 64 // shared ones that apply to one entry: a listing tells them for each
	maxLockTime     = time.Hour
)

// MaxLockOwner is how many bytes Lock.Owner has at most.
const MaxLockOwner = 1 << 10

// Lock is a write lock (RFC 4918 sections 6 and 7): who does not present its token changes nothing
// there, on no road. Locks live in memory, survive the session that took them, and end with their
// time, with the entry, with the account's right to log in, and with the server.
type Lock struct {
	Token   string // "urn:uuid:…"
	Path    string // of the entry it was put on, as a client sees it who followed no link
	Deep    bool   // all below the folder too
	Shared  bool
	Owner   string // what the client says of itself
	Own     bool   // the session's account holds it
	Left    time.Duration
	account identity.UserID
	key     string // of the tree
	rel     string // of the entry in the tree: "" or "/a/b"
	until   time.Time
}

// LockOptions says what lock is wanted.
type LockOptions struct {
	Shared bool
	Deep   bool
	Owner  string        // at most 1 KiB
	Time   time.Duration // at most 1 h, which is also the meaning of 0
}

// lockSet is what a change must have the tokens for.
type lockSet uint8

const (
	theEntry  lockSet = 0         // its content, attributes or properties change
	aMember   lockSet = 1 << iota // it comes or goes, so its folder changes too (RFC 4918 section 7.4)
	allInside                     // and what is in it comes or goes with it
)

// lacks gives one of the locks if the session presents the token of none of them; of shared ones
// any is enough. A token counts for the account that the lock was given to alone (RFC 4918
// section 6.4).
func (v *view) lacks(locks []*Lock) *Lock {
	for _, l := range locks {
		if v.holds(l) {
			return nil
		}
	}
	if len(locks) == 0 {
		return nil
	}
	return locks[0]
}

func (v *view) holds(l *Lock) bool {
	if l.account != v.c.UserID || v.c.Anonymous() {
		return false
	}
	for _, t := range v.tokens {
		if t == l.Token {
			return true
		}
	}
	return false
}

// unlocked answers ErrLocked where a lock stands against a change whose token the session does not
// present. Every change asks it before it is done. The lock of an account that may not log in any
// more is none.
func (v *view) unlocked(ctx context.Context, s *spot, what lockSet) error {
	return v.unlockedAt(ctx, s.m.key, s.inTree(), what)
}

func (v *view) unlockedAt(ctx context.Context, key, rel string, what lockSet) error {
	b := v.s.book
	for {
		b.mu.Lock()
		l := b.blocked(v, key, rel, what)
		b.mu.Unlock()
		if l == nil {
			return nil
		}
		if !b.orphaned(ctx, l) {
			return ErrLocked
		}
	}
}

// unlocked asks for an upload: of a new name, the folder's locks count too.
func (u *Upload) unlocked(ctx context.Context, v *view) error {
	if u.spot.exists {
		return v.unlocked(ctx, u.spot, theEntry)
	}
	return v.unlocked(ctx, u.spot, aMember)
}

// unlockedBoth asks for both ends of a rename.
func (v *view) unlockedBoth(ctx context.Context, from, to *spot) error {
	if err := v.unlocked(ctx, from, aMember|allInside); err != nil {
		return err
	}
	return v.unlocked(ctx, to, aMember|allInside)
}

// inTree is the path of the entry in its tree: "" for the top.
func (s *spot) inTree() string {
	if s.name == "" {
		return ""
	}
	return s.rel + "/" + s.name
}

// With is the same view with the tokens of locks: what they lock can be changed through it, by the
// account that holds them.
func (t *Tree) With(tokens ...string) *Tree {
	if len(tokens) == 0 {
		return t
	}
	with := *t
	with.tokens = append(append([]string(nil), t.tokens...), tokens...)
	return &with
}

// Lock puts a write lock on an entry that the session may change. ErrLocked where another lock is in
// the way, ErrBusy while somebody writes there, fs.ErrPermission without the right to change it,
// ErrLocks, ErrName for an owner that is too long.
func (t *Tree) Lock(ctx context.Context, p string, o LockOptions) (Lock, error) {
	v, err := t.now()
	if err != nil {
		return Lock{}, failed("lock", p, err)
	}
	l, err := v.lock(ctx, p, o)
	return l, failed("lock", p, err)
}

func (v *view) lock(ctx context.Context, p string, o LockOptions) (Lock, error) {
	s, err := v.lockable(ctx, p)
	if err != nil {
		return Lock{}, err
	}
	defer s.close()
	if len(o.Owner) > MaxLockOwner {
		return Lock{}, ErrName
	}
	defer v.s.lockNames(s.m.key)()
	if err := v.again(ctx, s); err != nil {
		return Lock{}, err
	}
	l := &Lock{Token: newToken(), Path: path.Join(s.m.at, s.inTree()), Deep: o.Deep && s.node.Type.IsDir(), Shared: o.Shared, Owner: o.Owner,
		account: v.c.UserID, key: s.m.key, rel: s.inTree(), until: v.s.now().Add(lockTime(o.Time))}
	for {
		against, err := v.s.book.add(l)
		if err != nil {
			return Lock{}, err
		}
		if against == nil {
			break
		}
		if !v.s.book.orphaned(ctx, against) {
			return Lock{}, ErrLocked
		}
	}
	// An upload takes its path first and looks for locks then, so one of the two sees the other.
	if v.s.locks.writing(pathLock(l.key, l.rel), l.Deep) || v.s.locks.holds(fileLock(s.node)) {
		v.s.book.remove(l)
		return Lock{}, ErrBusy
	}
	v.s.book.mu.Lock() // another session of the account may know of it by now
	defer v.s.book.mu.Unlock()
	return v.seen(l), nil
}

// lockable walks to what the session may change.
func (v *view) lockable(ctx context.Context, p string) (*spot, error) {
	if v.c.Anonymous() {
		return nil, fs.ErrPermission
	}
	s, err := v.walk(ctx, p, true)
	if err != nil {
		return nil, err
	}
	switch {
	case s.m == nil:
		err = fs.ErrPermission
	case !s.exists:
		err = fs.ErrNotExist
	case !v.write(s.m, s.owned(), s.canon()) && !v.attrs(s.m, s.owned(), s.canon()):
		err = fs.ErrPermission
	default:
		return s, nil
	}
	s.close()
	return nil, err
}

func lockTime(want time.Duration) time.Duration {
	if want <= 0 || want > maxLockTime {
		return maxLockTime
	}
	return want
}

// seen is the lock as the session sees it: a token is told to its holder alone. The book's mu is
// held.
func (v *view) seen(l *Lock) Lock {
	out := *l
	out.Left, out.Own = l.until.Sub(v.s.now()), l.account == v.c.UserID
	if !out.Own {
		out.Token = ""
	}
	return out
}

// Locks lists the locks that apply to an entry. Tokens of other accounts' locks are left out.
func (t *Tree) Locks(ctx context.Context, p string) ([]Lock, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, failed("lock", p, err)
	}
	defer s.close()
	if s.m == nil {
		return nil, nil
	}
	return v.applying(s.m.key, s.inTree()), nil
}

func (v *view) applying(key, rel string) (out []Lock) {
	b := v.s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.over(key, rel) {
		out = append(out, v.seen(l))
	}
	return out
}

// LocksOf is Locks for an entry that this Tree returned; it asks the store nothing.
func (t *Tree) LocksOf(i Info) []Lock {
	v, err := t.now()
	m := i.place.m
	if err != nil || m == nil {
		return nil
	}
	return v.applying(m.key, strings.TrimPrefix(i.place.canon, m.canon))
}

// Refresh gives a lock that applies to p its time anew. Only its holder can; for everybody else, and
// where the lock does not reach p, it is ErrNoLock.
func (t *Tree) Refresh(ctx context.Context, p, token string, d time.Duration) (Lock, error) {
	v, l, err := t.held(ctx, p, token)
	if err != nil {
		return Lock{}, failed("refresh", p, err)
	}
	b := v.s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens[token] != l {
		return Lock{}, failed("refresh", p, ErrNoLock)
	}
	l.until = b.now().Add(lockTime(d))
	return v.seen(l), nil
}

// Unlock ends a lock that applies to p: ErrNoLock where none of that token does, fs.ErrPermission
// where it is another account's.
func (t *Tree) Unlock(ctx context.Context, p, token string) error {
	v, l, err := t.held(ctx, p, token)
	if err != nil {
		return failed("unlock", p, err)
	}
	v.s.book.remove(l)
	return nil
}

// held finds a lock by its token, where it applies to p.
func (t *Tree) held(ctx context.Context, p, token string) (*view, *Lock, error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return nil, nil, err
	}
	defer s.close()
	if s.m == nil {
		return nil, nil, ErrNoLock
	}
	b := v.s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.over(s.m.key, s.inTree()) {
		if l.Token != token {
			continue
		}
		if l.account != v.c.UserID {
			return nil, nil, fs.ErrPermission
		}
		return v, l, nil
	}
	return nil, nil, ErrNoLock
}

// writing reports whether somebody uploads to the path, or, deep, to one below it.
func (l *locks) writing(name string, deep bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, taken := l.held[name]; taken || !deep {
		return taken
	}
	for other := range l.held {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// Unlocked answers ErrLocked where a lock stands against a change of an entry, or, going, against its
// removal or renaming; nil says nothing about permissions.
func (t *Tree) Unlocked(ctx context.Context, p string, going bool) error {
	v, s, err := t.walk(ctx, p, !going)
	if err != nil {
		return failed("lock", p, err)
	}
	defer s.close()
	if s.m == nil {
		return nil
	}
	what := theEntry
	if going {
		what = aMember | allInside
	}
	return failed("lock", p, v.unlocked(ctx, s, what))
}
