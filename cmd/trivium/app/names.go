package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"trivium/identity"
)

// How long the names of owners are kept, and how soon an unknown number is looked up again. A
// login never changes and a number is never given twice, so only a renamed group can be late.
const (
	namesLife  = time.Minute
	namesRetry = 5 * time.Second
	namesPage  = 1000 // accounts read at once
)

// ownerNames gives listings the names that belong to uid and gid; it is files.Names.
type ownerNames struct {
	identity *identity.Service
	log      *slog.Logger
	now      func() time.Time

	mu     sync.Mutex // guards what follows, and is held while the names are read
	read   time.Time
	users  map[uint32]string
	groups map[uint32]string
}

// UserName returns the login of a uid, "" where nobody has it.
func (n *ownerNames) UserName(uid uint32) string {
	return n.name(uid, func() map[uint32]string { return n.users })
}

// GroupName returns the name of a gid, "" where no group has it.
func (n *ownerNames) GroupName(gid uint32) string {
	return n.name(gid, func() map[uint32]string { return n.groups })
}

func (n *ownerNames) name(id uint32, names func() map[uint32]string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, known := names()[id]
	age := n.now().Sub(n.read)
	if age < namesRetry || known && age < namesLife {
		return name
	}
	if err := n.load(); err != nil {
		n.log.Warn("names of owners were not read", "err", err)
	}
	return names()[id]
}

func (n *ownerNames) load() error {
	n.read = n.now() // a store that fails is not asked for every file
	ctx, cancel := context.WithTimeout(context.Background(), namesRetry)
	defer cancel()
	users, groups := map[uint32]string{}, map[uint32]string{}
	for offset := 0; ; offset += namesPage {
		page, err := n.identity.Users(ctx, identity.UserFilter{Limit: namesPage, Offset: offset})
		if err != nil {
			return err
		}
		for _, a := range page {
			users[a.UID] = string(a.Login)
		}
		if len(page) < namesPage {
			break
		}
	}
	list, err := n.identity.Groups(ctx)
	if err != nil {
		return err
	}
	for _, g := range list {
		groups[g.GID] = string(g.Name)
	}
	n.users, n.groups = users, groups
	return nil
}
