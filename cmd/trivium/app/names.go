package app

import (
	"context"
	"log/slog"
	"strings"
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
	uids   map[string]uint32 // by login@domain
	gids   map[string]uint32
}

// UserName returns the login of a uid, "" where nobody has it.
func (n *ownerNames) UserName(uid uint32) string {
	return n.name(uid, func() map[uint32]string { return n.users })
}

// GroupName returns the name of a gid, "" where no group has it.
func (n *ownerNames) GroupName(gid uint32) string {
	return n.name(gid, func() map[uint32]string { return n.groups })
}

// FindUser returns the uid of a login, which may name its domain.
func (n *ownerNames) FindUser(domain, name string) (uint32, bool) {
	return n.find(domain, name, func() map[string]uint32 { return n.uids })
}

// FindGroup returns the gid of a group, as FindUser does.
func (n *ownerNames) FindGroup(domain, name string) (uint32, bool) {
	return n.find(domain, name, func() map[string]uint32 { return n.gids })
}

func (n *ownerNames) find(domain, name string, numbers func() map[string]uint32) (uint32, bool) {
	if !strings.Contains(name, "@") {
		name += "@" + domain
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := numbers()[name]
	n.refresh(known)
	id, ok := numbers()[name]
	return id, ok
}

func (n *ownerNames) name(id uint32, names func() map[uint32]string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, known := names()[id]
	n.refresh(known)
	return names()[id]
}

// refresh reads the names again, if it is time; sooner where one was not found.
func (n *ownerNames) refresh(known bool) {
	age := n.now().Sub(n.read)
	if age < namesRetry || known && age < namesLife {
		return
	}
	if err := n.load(); err != nil {
		n.log.Warn("names of owners were not read", "err", err)
	}
}

func (n *ownerNames) load() error {
	n.read = n.now() // a store that fails is not asked for every file
	ctx, cancel := context.WithTimeout(context.Background(), namesRetry)
	defer cancel()
	users, groups := map[uint32]string{}, map[uint32]string{}
	uids, gids := map[string]uint32{}, map[string]uint32{}
	for offset := 0; ; offset += namesPage {
		page, err := n.identity.Users(ctx, identity.UserFilter{Limit: namesPage, Offset: offset})
		if err != nil {
			return err
		}
		for _, a := range page {
			users[a.UID] = string(a.Login)
			uids[string(a.Login)+"@"+a.Domain] = a.UID
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
		gids[string(g.Name)+"@"+g.Domain] = g.GID
	}
	n.users, n.groups, n.uids, n.gids = users, groups, uids, gids
	return nil
}
