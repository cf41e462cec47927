package blocking

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"trivium/identity"
	"trivium/xmpp"
)

// readWithin bounds a look into the store; the router waits for it.
const readWithin = 5 * time.Second

// maxLists is how many accounts' lists are kept in memory, the empty ones among them.
const maxLists = 50_000

// maxListBytes bounds what lists take in memory together, as [weigh] estimates it.
const maxListBytes = 32 << 20

// lists keeps what accounts have blocked, as it was read.
type lists struct {
	read func(ctx context.Context, owner identity.UserID) ([]string, error)
	log  *slog.Logger
	max  int // bytes

	mu    sync.RWMutex
	bytes int                                    // in use
	of    map[identity.UserID]map[entry]struct{} // nil: nothing blocked
	made  int                                    // times that a list was forgotten
}

// entry is an address of the list; parts that it does not name are "".
type entry struct {
	bare     xmpp.Address
	resource string
}

// blocked is asked by the router. A list that cannot be read blocks all: what may not arrive must
// not, and the sender is told to try again by nothing but silence.
func (l *lists) blocked(owner xmpp.Owner, peer xmpp.Address, resource string) bool {
	l.mu.RLock()
	list, ok := l.of[owner.ID]
	l.mu.RUnlock()
	if !ok {
		var err error
		if list, err = l.load(owner.ID); err != nil {
			l.log.Error("the list of blocked addresses cannot be read", "user", owner.String(), "error", err)
			return true
		}
	}
	if len(list) == 0 {
		return false
	}
	// Section 4: the order of XEP-0016; any of them is enough.
	domain := xmpp.NewAddress("", peer.Domain())
	for _, e := range [...]entry{{peer, resource}, {peer, ""}, {domain, resource}, {domain, ""}} {
		if _, ok := list[e]; ok {
			return true
		}
	}
	return false
}

// load reads a list and keeps it, unless it was forgotten meanwhile.
func (l *lists) load(owner identity.UserID) (map[entry]struct{}, error) {
	l.mu.RLock()
	made := l.made
	l.mu.RUnlock()
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	jids, err := l.read(ctx, owner)
	if err != nil {
		return nil, err
	}
	var list map[entry]struct{}
	for _, text := range jids {
		j, err := jid.Parse(text)
		if err != nil {
			continue
		}
		if list == nil {
			list = make(map[entry]struct{}, len(jids))
		}
		list[entry{xmpp.AddressOf(j), j.Resourcepart()}] = struct{}{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.of[owner]; l.made == made && !known {
		n := weigh(list)
		if l.of == nil || len(l.of) >= maxLists || l.bytes+n > l.max {
			l.of, l.bytes = make(map[identity.UserID]map[entry]struct{}), 0
		}
		l.of[owner] = list
		l.bytes += n
	}
	return list, nil
}

// weigh estimates what a list takes in memory, in bytes.
func weigh(list map[entry]struct{}) int {
	const each = 96
	n := 0
	for e := range list {
		n += each + len(e.bare.Local()) + len(e.bare.Domain()) + len(e.resource)
	}
	return n
}

// forget is called after a change, and before anybody is told of it.
func (l *lists) forget(owner identity.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	l.bytes -= weigh(l.of[owner])
	delete(l.of, owner)
}
