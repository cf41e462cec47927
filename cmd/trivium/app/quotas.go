package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"trivium/identity"
)

// groupQuotaLife is how long the limits of a group are kept: they are asked for at each change in its
// folder, and a change counts when they are read again.
const groupQuotaLife = time.Second

// groupQuotas remembers what the folders of groups may hold.
type groupQuotas struct {
	identity *identity.Service
	log      *slog.Logger
	now      func() time.Time

	mu    sync.Mutex // guards known, and is held while a group is read
	known map[string]groupQuota
}

type groupQuota struct {
	bytes, files int64
	until        time.Time
}

// of is files.GroupQuota. Where the store cannot be read, what was known last counts.
func (q *groupQuotas) of(domain, name string) (bytes, files int64) {
	key := name + "@" + domain
	q.mu.Lock()
	defer q.mu.Unlock()
	g := q.known[key]
	if q.now().Before(g.until) {
		return g.bytes, g.files
	}
	ctx, cancel := context.WithTimeout(context.Background(), namesRetry)
	defer cancel()
	info, err := q.identity.GroupRow(ctx, key)
	switch {
	case err == nil:
		g.bytes, g.files = info.QuotaBytes, info.QuotaFiles
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrInvalid): // a folder made by hand
		g.bytes, g.files = 0, 0
	default:
		q.log.Warn("the quota of a group was not read", "group", key, "err", err)
	}
	g.until = q.now().Add(groupQuotaLife)
	const most = 10000 // groups; only what is used comes back
	if q.known == nil || len(q.known) >= most {
		q.known = map[string]groupQuota{}
	}
	q.known[key] = g
	return g.bytes, g.files
}
