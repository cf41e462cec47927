package vcard

import (
	"context"
	"sync"

	"trivium/identity"
	"trivium/xmpp"
)

// maxHashes is how many accounts' hashes are kept in memory.
const maxHashes = 50_000

// hashes are those of the avatars of accounts, "" for none, as far as they were asked for.
type hashes struct {
	mu   sync.Mutex
	of   map[identity.UserID]string
	made int // times that one was forgotten
}

func (h *hashes) forget(owner identity.UserID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.made++
	delete(h.of, owner)
}

func (h *hashes) get(owner identity.UserID) (hash string, made int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hash, ok = h.of[owner]
	return hash, h.made, ok
}

// put keeps a hash, unless one was forgotten since it was read.
func (h *hashes) put(owner identity.UserID, hash string, made int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.made != made {
		return
	}
	if len(h.of) >= maxHashes {
		clear(h.of)
	}
	h.of[owner] = hash
}

// decorate says the hash of the avatar in presence (XEP-0398 section 5), unless the client says
// that it shows none, or has said the same.
func (v *VCard) decorate(ctx context.Context, s *xmpp.Stream, st *xmpp.Stanza) *xmpp.Stanza {
	owner := s.Owner()
	if owner.ID == "" {
		return st
	}
	said, has := st.Only(nsUpdate, "x")
	if has {
		if photo, ok := said.Only(nsUpdate, "photo"); ok {
			if text, _ := photo.Text(); text == "" {
				return st
			}
		}
	}
	hash := v.hash(ctx, owner)
	if hash == "" && !has {
		return st // nothing is known of a picture, and nothing has to be said
	}
	other, err := st.Changed(func(c xmpp.Child) bool { return c.Name.Space == nsUpdate },
		"<x xmlns='"+nsUpdate+"'><photo>"+hash+"</photo></x>")
	if err != nil {
		v.router.Log().Error("the hash of an avatar is not in presence", "user", owner.String(), "error", err)
		return st
	}
	return other
}

// hash is that of the account's avatar, or "".
func (v *VCard) hash(ctx context.Context, owner xmpp.Owner) string {
	hash, made, ok := v.hashes.get(owner.ID)
	if ok {
		return hash
	}
	metadata, err := v.nodes.Items(ctx, owner, owner, nodeMetadata)
	if err != nil {
		v.router.Log().Error("the avatar of an account was not read", "user", owner.String(), "error", err)
		return ""
	}
	if hash, _ = current(metadata); !isHash(hash) {
		hash = ""
	}
	v.hashes.put(owner.ID, hash, made)
	return hash
}

// isHash reports whether an item's ID is a SHA-1 in hexadecimal digits.
func isHash(id string) bool {
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(id) == 40
}
