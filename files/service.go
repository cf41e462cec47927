package files

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"trivium/identity"
)

// Policy is what files needs of identity: whether a level lets a session see a path. The resource
// is "file:" and a canonical path. identity.Service meets it.
type Policy interface {
	Allowed(ses *identity.Session, r identity.Resource) bool
}

// Names gives owners and groups a name; "" where it knows none. It is asked for each line of a
// listing, so it must be quick.
type Names interface {
	UserName(uid uint32) string
	GroupName(gid uint32) string
	// FindUser and FindGroup are the other way; a name without a domain is one of that domain.
	FindUser(domain, name string) (uid uint32, ok bool)
	FindGroup(domain, name string) (gid uint32, ok bool)
}

// Options is what New needs.
type Options struct {
	Backend Backend
	Policy  Policy      // nil: every path is visible
	Names   Names       // nil: numbers, but for the session's own
	Mask    fs.FileMode // umask of homes; group folders leave the group its bits, /pub has 022
	Sync    bool        // a finished upload is on disk before Commit returns
	Domain  string      // the default domain

	QuotaBytes      int64 // of a home whose account says 0; 0: no limit
	QuotaFiles      int64 // the same in files and folders
	GroupQuotaBytes int64 // of a group folder whose group says 0; 0: no limit
	GroupQuotaFiles int64
	PubQuotaBytes   int64 // of /pub; 0: no limit

	SoftPercent int               // of a limit, beyond which SoftGrace begins; 0: no soft limits
	SoftGrace   time.Duration     // after it, the soft limit is the limit
	Passed      func(QuotaPassed) // must not block; nil: none
	Usage       UsageStore        // keeps the counts; nil: every tree is counted at its first use
	HomeQuota   HomeQuota         // for Usages; nil: every account says 0
	GroupQuota  GroupQuota        // nil: every group says 0

	UniqueCase    bool // no new name differs from another of its folder in case alone
	PortableNames bool // no new name that Windows cannot hold

	Mounts []Mount // trees beside homes, groups and /pub

	Bin       BinStore      // rows of trash and versions; nil: there are neither
	Trash     TrashMode     // "": TrashOff
	TrashLife time.Duration // how long what was removed can be restored; 0: 30 days
	Versions  int           // how many old versions of a file are kept; 0: none

	Sums SumStore // where checksums of whole files are kept; nil: each is computed anew

	Shares ShareStore // nil: nothing is shared

	// Active says whether an account may still log in; the locks of one that may not count for
	// nothing. nil: every account may.
	Active func(context.Context, identity.UserID) bool

	PartLife time.Duration    // how long an unfinished upload is kept; 0: 24 h
	Log      *slog.Logger     // nil: none
	Events   func(Changed)    // must not block; nil: none
	Now      func() time.Time // nil: time.Now
}

// Service is the file tree of the server. Its methods are safe for any goroutine.
type Service struct {
	o      Options
	ledger ledger
	locks  locks
	uses   uses
	book   *lockBook

	hasVersions  atomic.Bool // some version may be kept, though Options.Versions says none
	lookVersions sync.Once   // looks whether there are any
	mended       sync.Map    // keys of the trees in which nothing is half since the start

	summing chan struct{} // one in it for each sum that is being computed
	sums    turns
	started time.Time
}

// partLife is how long an unfinished upload waits to be resumed.
const partLife = 24 * time.Hour

// New opens the tree. Nothing is read before it is asked for, and there is nothing to close.
func New(o Options) (*Service, error) {
	if o.Backend == nil || o.Domain == "" {
		return nil, errors.New("files: a backend and a domain are needed")
	}
	if err := checkMounts(o.Mounts); err != nil {
		return nil, err
	}
	o.Backend = newBackends(o)
	if o.PartLife <= 0 {
		o.PartLife = partLife
	}
	if o.TrashLife <= 0 {
		o.TrashLife = trashLife
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		o: o, ledger: ledger{trees: make(map[string]*account)}, locks: locks{held: make(map[string]struct{})}, uses: uses{open: make(map[*use]struct{})},
		summing: make(chan struct{}, runtime.GOMAXPROCS(0)), started: o.Now(), book: newLockBook(o),
		sums: turns{held: make(map[string]int)},
	}, nil
}

// Features says what the store can keep, for doctor.
func (s *Service) Features() Features { return s.o.Backend.Features() }

// Sweep removes the parts that nobody has written to for Options.PartLife, in every tree, and says
// how many. It is called now and then; one that is being written to stays. It also empties the trash
// of what is older than Options.TrashLife, mends what a crash has left half there, and drops old
// checksums.
func (s *Service) Sweep(ctx context.Context) (removed int, err error) {
	s.book.sweepAll()
	before := s.now().Add(-s.o.PartLife)
	err = s.o.Backend.Keys(ctx, func(key string) error {
		n, err := s.sweepTree(ctx, key, before)
		removed += n
		return errors.Join(err, s.sweepBin(ctx, key))
	})
	if b, ok := s.o.Backend.(interface {
		Sweep(ctx context.Context) (int, error)
	}); ok {
		_, swept := b.Sweep(ctx)
		err = errors.Join(err, swept)
	}
	return removed, errors.Join(err, s.sweepGone(ctx), s.sweepSums(ctx), s.sweepUsage(ctx))
}

func (s *Service) sweepTree(ctx context.Context, key string, before time.Time) (removed int, err error) {
	top, err := s.o.Backend.Tree(ctx, key, false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer top.Close()
	var stale []string
	err = top.Parts(ctx, func(n Node) error {
		if n.ModTime.Before(before) {
			stale = append(stale, n.Name)
		}
		return nil
	})
	if err != nil || len(stale) == 0 {
		return 0, err
	}
	a, err := s.useKey(ctx, key)
	if err != nil {
		return 0, err
	}
	defer s.done(a)
	for _, part := range stale {
		lock := partLock(key, part)
		if !s.locks.take(lock) {
			continue
		}
		a.names.RLock()
		err := s.dropStale(ctx, top, a, part, before)
		a.names.RUnlock()
		s.locks.free(lock)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// dropStale removes a part, if nobody has gone on with it since it was listed.
func (s *Service) dropStale(ctx context.Context, top Top, a *account, part string, before time.Time) error {
	n, err := top.StatPart(ctx, part)
	if err != nil {
		return err
	}
	if !n.ModTime.Before(before) {
		return fs.ErrNotExist
	}
	return dropPart(ctx, top, a, part, n)
}

// dropPart removes a part whose lock is held, and its count.
func dropPart(ctx context.Context, top Top, a *account, part string, n Node) error {
	if err := top.RemovePart(ctx, part); err != nil {
		return err
	}
	a.change(-sizeOf(n), -1)
	return nil
}
