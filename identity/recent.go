package identity

import "container/list"

// recent is a map of at most max entries that forgets what was not used for longest.
type recent[K comparable, V any] struct {
	max     int
	evict   func(*V)
	entries map[K]*list.Element
	order   *list.List // of *recentEntry, the last used in front
}

type recentEntry[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](limit int, evict func(*V)) *recent[K, V] {
	return &recent[K, V]{max: limit, evict: evict, entries: map[K]*list.Element{}, order: list.New()}
}

// get returns the entry of k, a new one where there is none.
func (r *recent[K, V]) get(k K) *V {
	if e, ok := r.entries[k]; ok {
		r.order.MoveToFront(e)
		return &e.Value.(*recentEntry[K, V]).value
	}
	e := &recentEntry[K, V]{key: k}
	r.entries[k] = r.order.PushFront(e)
	if r.order.Len() > r.max {
		last := r.order.Remove(r.order.Back()).(*recentEntry[K, V])
		delete(r.entries, last.key)
		r.evict(&last.value)
	}
	return &e.value
}

// peek returns the entry of k, nil where there is none.
func (r *recent[K, V]) peek(k K) *V {
	if e, ok := r.entries[k]; ok {
		return &e.Value.(*recentEntry[K, V]).value
	}
	return nil
}
