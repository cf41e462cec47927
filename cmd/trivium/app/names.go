package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"trivium/identity"
)

// How long the names of owners are kept, how soon one that nobody has is looked up again, and how many
// are kept. A login never changes and a number is never given twice, so only a renamed group can be late.
const (
	namesLife  = time.Minute
	namesRetry = 5 * time.Second
	namesMost  = 20_000 // of each kind
)

// ownerNames gives listings the names that belong to uid and gid; it is files.Names. Each is looked up
// when it is first asked for: there may be a great many accounts, and few own the files of a folder.
type ownerNames struct {
	identity *identity.Service
	log      *slog.Logger
	now      func() time.Time

	mu     sync.Mutex // guards what follows
	users  map[uint32]ownerName
	groups map[uint32]ownerName
	uids   map[string]ownerName // by login@domain
	gids   map[string]ownerName
	rested time.Time // until then a store that fails is not asked for every file
}

// ownerName is a name and a number that belong together, or one of them where the other is none.
type ownerName struct {
	name  string
	id    uint32
	known bool
	until time.Time
}

// UserName returns the login of a uid, "" where nobody has it.
func (n *ownerNames) UserName(uid uint32) string {
	return lookUp(n, &n.users, uid, func(ctx context.Context) (ownerName, error) {
		u, err := n.identity.UserByUID(ctx, uid)
		return ownerName{name: string(u.Login), id: uid}, err
	}).name
}

// GroupName returns the name of a gid, "" where no group has it.
func (n *ownerNames) GroupName(gid uint32) string {
	return lookUp(n, &n.groups, gid, func(ctx context.Context) (ownerName, error) {
		g, err := n.identity.GroupByGID(ctx, gid)
		return ownerName{name: string(g.Name), id: gid}, err
	}).name
}

// FindUser returns the uid of a login, which may name its domain.
func (n *ownerNames) FindUser(domain, name string) (uint32, bool) {
	name = inFull(domain, name)
	o := lookUp(n, &n.uids, name, func(ctx context.Context) (ownerName, error) {
		a, err := n.identity.User(ctx, name)
		if err == nil && string(a.Login)+"@"+a.Domain != name { // by an alias
			err = identity.ErrNotFound
		}
		return ownerName{name: name, id: a.UID}, err
	})
	return o.id, o.known
}

// FindGroup returns the gid of a group, as FindUser does.
func (n *ownerNames) FindGroup(domain, name string) (uint32, bool) {
	name = inFull(domain, name)
	o := lookUp(n, &n.gids, name, func(ctx context.Context) (ownerName, error) {
		g, err := n.identity.GroupRow(ctx, name)
		return ownerName{name: name, id: g.GID}, err
	})
	return o.id, o.known
}

func inFull(domain, name string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + "@" + domain
}

// lookUp returns what is kept in one of the maps, or reads it.
func lookUp[K comparable](n *ownerNames, kept *map[K]ownerName, key K, read func(context.Context) (ownerName, error)) ownerName {
	n.mu.Lock()
	now := n.now()
	o, ok := (*kept)[key]
	if ok && now.Before(o.until) || now.Before(n.rested) {
		n.mu.Unlock()
		return o
	}
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), namesRetry)
	defer cancel()
	is, err := read(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil:
		is.known, is.until = true, now.Add(namesLife)
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrInvalid):
		is = ownerName{until: now.Add(namesRetry)}
	default: // what was known last counts
		n.rested = now.Add(namesRetry)
		n.log.Warn("the name of an owner was not read", "err", err)
		return o
	}
	if *kept == nil || len(*kept) >= namesMost {
		*kept = map[K]ownerName{} // only what is used comes back
	}
	(*kept)[key] = is
	return is
}
