package sqlstore

import (
	"slices"

	"trivium/xmpp/mam"
)

// tail is the end of one archive, which is not yet in the index; in the order of ids. Entries are
// only appended, so that a reader may go on with the slices that it has found.
type tail struct {
	ids   []mam.ID
	kinds []int64
	keys  []int64 // 0 where this archive does not know it
}

// note enters a message into the tails; mu is held.
func (s *Store) note(id mam.ID, h head) {
	s.length++
	keeper := h.keeper()
	for _, side := range [...]struct{ owner, kind int64 }{{h.from, h.fromKind}, {h.to, h.kind}} {
		if side.owner == 0 {
			continue
		}
		t := s.tail[side.owner]
		if t == nil {
			t = new(tail)
			s.tail[side.owner] = t
		}
		var key int64
		if side.owner == keeper && h.key != 0 {
			key = h.key
			s.keys[sentKey{keeper, key}] = id
		}
		t.ids, t.kinds, t.keys = append(t.ids, id), append(t.kinds, side.kind), append(t.keys, key)
	}
}

// forget takes a message out that could not be written; mu is held.
func (s *Store) forget(id mam.ID, h head) {
	s.length--
	for _, owner := range [...]int64{h.from, h.to} {
		t := s.tail[owner]
		if t == nil {
			continue
		}
		i, ok := slices.BinarySearch(t.ids, id)
		if !ok {
			continue
		}
		s.tail[owner] = &tail{
			ids:   slices.Delete(slices.Clone(t.ids), i, i+1),
			kinds: slices.Delete(slices.Clone(t.kinds), i, i+1),
			keys:  slices.Delete(slices.Clone(t.keys), i, i+1),
		}
	}
	if k := (sentKey{h.keeper(), h.key}); s.keys[k] == id {
		delete(s.keys, k)
	}
}

// cut forgets what the index holds now, all up to mark; mu is held.
func (s *Store) cut(mark mam.ID) {
	for owner, t := range s.tail {
		n := t.upTo(mark)
		if n == 0 {
			continue
		}
		for i, key := range t.keys[:n] {
			if k := (sentKey{owner, key}); key != 0 && s.keys[k] == t.ids[i] {
				delete(s.keys, k)
			}
		}
		if n == len(t.ids) {
			delete(s.tail, owner)
			continue
		}
		s.tail[owner] = &tail{slices.Clone(t.ids[n:]), slices.Clone(t.kinds[n:]), slices.Clone(t.keys[n:])}
	}
}

// upTo says how many entries are not beyond an id.
func (t *tail) upTo(id mam.ID) int {
	n, ok := slices.BinarySearch(t.ids, id)
	if ok {
		n++
	}
	return n
}
