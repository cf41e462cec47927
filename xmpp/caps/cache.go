package caps

import "container/list"

// Bounds of what is known about hashes that clients announce.
const (
	maxKnown      = 4000
	maxKnownBytes = 8 << 20
	entryOverhead = 256
)

// key is a hash that a client announces.
type key struct {
	old             bool // of XEP-0115
	algorithm, hash string
}

// cache keeps the features that hashes stand for; those that nobody announced for the longest time
// go first.
type cache struct {
	byKey map[key]*list.Element
	order *list.List // of *entry, the last announced in front
	bytes int
}

type entry struct {
	key      key
	features []string
	size     int
}

func newCache() *cache { return &cache{byKey: map[key]*list.Element{}, order: list.New()} }

// get returns the features that a hash stands for.
func (c *cache) get(k key) ([]string, bool) {
	el, ok := c.byKey[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*entry).features, true
}

// put keeps what has been proved.
func (c *cache) put(k key, features []string) {
	if _, ok := c.byKey[k]; ok {
		return
	}
	e := &entry{key: k, features: features, size: entryOverhead}
	for _, f := range features {
		e.size += len(f) + 16
	}
	c.byKey[k] = c.order.PushFront(e)
	c.bytes += e.size
	for c.order.Len() > maxKnown || c.bytes > maxKnownBytes {
		last := c.order.Back()
		gone := c.order.Remove(last).(*entry)
		delete(c.byKey, gone.key)
		c.bytes -= gone.size
	}
}
