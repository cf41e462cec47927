package files

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// errNoTree is the answer to a key that names no tree.
var errNoTree = fmt.Errorf("there is no such tree: %w", fs.ErrNotExist)

// HomeQuota says the limits of an account, as identity.User has them: 0 is the default, less none.
type HomeQuota func(ctx context.Context, domain, login string) (bytes, files int64, err error)

// GroupQuota says the limits of a group's folder, as identity.Group has them: 0 is the default, less
// none. It is asked for each change there, so it must be quick.
type GroupQuota func(domain, name string) (bytes, files int64)

// TreeUsage is what one tree holds and may hold.
type TreeUsage struct {
	Key       string    // in the store
	Domain    string    // "" of a mount of the settings
	Path      string    // canonical
	User      string    // whose home it is; "" of others
	Counted   bool      // false: Bytes and Files are of before, or 0: the tree is counted at its next use
	Quota               // Free is what the quota leaves; -1: all there is
	SoftSince time.Time // when the soft limit was passed; zero: it is not
	CountedAt time.Time // when a walk last counted it; zero: never
}

// Usages lists the trees that exist, by key, and what is known of them: none is counted for it.
func (s *Service) Usages(ctx context.Context) ([]TreeUsage, error) {
	rows := make(map[string]UsageRow)
	if s.o.Usage != nil {
		all, err := s.o.Usage.Usages(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			rows[r.Key] = r
		}
	}
	var out []TreeUsage
	err := s.o.Backend.Keys(ctx, func(key string) error {
		u, err := s.usageOf(ctx, key, rows[key])
		out = append(out, u)
		return err
	})
	slices.SortFunc(out, func(a, b TreeUsage) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

// Stored is what all trees together hold, as far as they have been counted.
func (s *Service) Stored(ctx context.Context) (bytes, files int64, err error) {
	if s.o.Usage == nil {
		return 0, 0, nil
	}
	rows, err := s.o.Usage.Usages(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("adding up what is stored: %w", err)
	}
	add := func(b, f int64) { bytes, files = bytes+b, files+f }
	seen := make(map[string]bool, len(rows))
	for _, r := range rows {
		seen[r.Key] = true
		if a := s.ledger.known(r.Key); a != nil {
			add(a.usage())
		} else {
			add(r.Bytes, r.Files)
		}
	}
	for _, a := range s.ledger.all() { // whose rows are yet to be written
		if !seen[a.key] && a.ready() {
			add(a.usage())
		}
	}
	return bytes, files, nil
}

// TreeUsage says what one tree holds, counting it if nobody has; fs.ErrNotExist where there is none.
func (s *Service) TreeUsage(ctx context.Context, key string) (TreeUsage, error) {
	if err := s.exists(ctx, key); err != nil {
		return TreeUsage{}, err
	}
	return s.treeUsage(ctx, key)
}

func (s *Service) treeUsage(ctx context.Context, key string) (TreeUsage, error) {
	l, err := s.limitsByKey(ctx, key)
	if err != nil {
		return TreeUsage{}, err
	}
	if _, err := s.counted(ctx, &mount{key: key, limitBytes: l.bytes, limitFiles: l.files}); err != nil {
		return TreeUsage{}, err
	}
	return s.usageOf(ctx, key, UsageRow{})
}

// HomeUsage is TreeUsage of an account's home, which need not exist yet.
func (s *Service) HomeUsage(ctx context.Context, domain, login string) (TreeUsage, error) {
	return s.treeUsage(ctx, domain+"/home/"+login)
}

// usageOf describes a tree by its account, or by its row where it has none yet.
func (s *Service) usageOf(ctx context.Context, key string, r UsageRow) (TreeUsage, error) {
	l, err := s.limitsByKey(ctx, key)
	if err != nil {
		return TreeUsage{}, err
	}
	a := s.ledger.known(key)
	if a == nil {
		// An account of the moment: what is not used stays out of the ledger.
		a = &account{key: key, bytes: r.Bytes, files: r.Files, counted: r.Key != "" && !r.Dirty,
			countedAt: r.CountedAt, softSince: r.SoftSince}
	}
	a.setLimits(l)
	u := TreeUsage{Key: key, Quota: s.quotaOf(a)}
	u.Domain, u.Path, u.User = s.namesOf(key)
	a.mu.Lock()
	defer a.mu.Unlock()
	u.Counted, u.CountedAt = a.counted, a.countedAt
	if !u.GraceEnds.IsZero() {
		u.SoftSince = a.softSince
	}
	return u, nil
}

// known returns a tree's account if it has been counted.
func (l *ledger) known(key string) *account {
	l.mu.Lock()
	a := l.trees[key]
	l.mu.Unlock()
	if a == nil || !a.ready() {
		return nil
	}
	return a
}

// keyParts cuts a key into its domain, kind and the rest.
func keyParts(key string) (domain, kind, name string) {
	domain, rest, _ := strings.Cut(key, "/")
	kind, name, _ = strings.Cut(rest, "/")
	return domain, kind, name
}

// namesOf says what a tree is to people.
func (s *Service) namesOf(key string) (domain, path, user string) {
	if m := s.mountOf(key); m != nil {
		return "", m.Path, ""
	}
	domain, kind, name := keyParts(key)
	if kind != "home" {
		return domain, strings.TrimPrefix(key, domain), ""
	}
	user = name
	if domain != s.o.Domain {
		user += "@" + domain
	}
	return domain, "/home/" + user, user
}

// limitsByKey is limitsOf where no session is at hand.
func (s *Service) limitsByKey(ctx context.Context, key string) (limits, error) {
	if m := s.mountOf(key); m != nil {
		return limits{limit(0, m.QuotaBytes), limit(0, m.QuotaFiles)}, nil
	}
	domain, kind, name := keyParts(key)
	switch kind {
	case "groups":
		return s.groupLimits(domain, name), nil
	case "pub":
		return limits{limit(0, s.o.PubQuotaBytes), -1}, nil
	}
	var bytes, files int64
	if s.o.HomeQuota != nil {
		var err error
		bytes, files, err = s.o.HomeQuota(ctx, domain, name)
		if err != nil {
			return limits{}, fmt.Errorf("reading the quota of %s: %w", name, err)
		}
	}
	return limits{limit(bytes, s.o.QuotaBytes), limit(files, s.o.QuotaFiles)}, nil
}

// groupLimits is what the folder of a group may hold.
func (s *Service) groupLimits(domain, name string) limits {
	var bytes, files int64
	if s.o.GroupQuota != nil {
		bytes, files = s.o.GroupQuota(domain, name)
	}
	return limits{limit(bytes, s.o.GroupQuotaBytes), limit(files, s.o.GroupQuotaFiles)}
}
