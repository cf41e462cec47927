package identity

import (
	"container/list"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Bounds of the credential cache.
const (
	cacheFresh   = 10 * time.Minute
	maxCacheSize = 10000
)

type cacheKey [sha256.Size]byte

// credentialCache remembers which passwords were right lately, by a hash under a key that only
// this process has. It holds successes alone, so a wrong password always costs the slow hash.
// The credential version is part of the key: a changed password is never found.
type credentialCache struct {
	secret []byte
	now    func() time.Time

	mu      sync.Mutex // guards what follows
	entries map[cacheKey]*list.Element
	recent  *list.List // of cacheEntry, the last used in front
}

type cacheEntry struct {
	key   cacheKey
	until time.Time
}

func newCredentialCache(now func() time.Time) *credentialCache {
	c := &credentialCache{secret: make([]byte, sha256.Size), now: now,
		entries: map[cacheKey]*list.Element{}, recent: list.New()}
	_, _ = rand.Read(c.secret) // never fails, as its documentation says
	return c
}

func (c *credentialCache) key(id UserID, version int64, password string) cacheKey {
	m := hmac.New(sha256.New, c.secret)
	b := binary.BigEndian.AppendUint64(nil, uint64(len(id)))
	b = append(b, id...)
	b = binary.BigEndian.AppendUint64(b, uint64(version)) //nolint:gosec // any one-to-one mapping does
	m.Write(append(b, password...))
	return cacheKey(m.Sum(nil))
}

func (c *credentialCache) has(k cacheKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		return false
	}
	if !c.now().Before(e.Value.(cacheEntry).until) {
		c.remove(e)
		return false
	}
	c.recent.MoveToFront(e)
	return true
}

func (c *credentialCache) add(k cacheKey) { c.keep(k, cacheFresh) }

// keep is add for a time of one's own.
func (c *credentialCache) keep(k cacheKey, fresh time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[k]; ok {
		c.remove(e)
	}
	c.entries[k] = c.recent.PushFront(cacheEntry{k, c.now().Add(fresh)})
	if c.recent.Len() > maxCacheSize {
		c.remove(c.recent.Back())
	}
}

func (c *credentialCache) remove(e *list.Element) {
	delete(c.entries, c.recent.Remove(e).(cacheEntry).key)
}
