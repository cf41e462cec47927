package caps

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"trivium/xmpp"
)

// Bounds of what is asked.
const (
	maxAtOnce  = 3  // clients of different accounts that are asked about one hash at a time
	maxAsked   = 10 // hashes that one client may announce and nobody knows
	askedSpan  = 10 * time.Minute
	maxHash    = 128 // bytes of a hash as text
	maxNode    = 1024
	unverified = "" // the algorithm of what cannot be proved
)

// Caps is the module.
type Caps struct {
	router *xmpp.Router

	learned []func(ctx context.Context, s *xmpp.Stream) // before the first connection only

	mu      sync.RWMutex // guards what follows
	streams map[*xmpp.Stream]*client
	known   *cache
	open    map[key]*question

	own own
}

// client is what is known about one client.
type client struct {
	key      key
	node     string   // of XEP-0115
	features []string // sorted; nil while they are not known

	asked int // since begun
	begun time.Time
}

// question is a hash that is being asked about.
type question struct {
	asking  map[xmpp.Address]bool // accounts whose clients have been asked and have not answered
	waiting []*xmpp.Stream        // who announces it and has not been asked
}

// New makes the module.
func New() *Caps {
	return &Caps{streams: map[*xmpp.Stream]*client{}, known: newCache(), open: map[key]*question{}}
}

// Register implements xmpp.Module.
func (c *Caps) Register(reg *xmpp.Registrar) {
	c.router = reg.Router
	reg.Presence(c.presence)
	reg.Down(c.down)
	reg.Feature(xmpp.ToServer, nsCaps, nsCaps2)
	reg.Offer(c.offer)
	reg.Nodes(xmpp.ToServer, &c.own)
	c.own.router = reg.Router
}

// Features are what a client supports, sorted; nobody may change them. It is false while they are
// not known, and for a client that announces nothing.
func (c *Caps) Features(s *xmpp.Stream) (features []string, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	x := c.streams[s]
	if x == nil || x.features == nil {
		return nil, false
	}
	return x.features, true
}

// Has reports whether a client is known to support a feature.
func (c *Caps) Has(s *xmpp.Stream, feature string) bool {
	features, _ := c.Features(s)
	_, ok := slices.BinarySearch(features, feature)
	return ok
}

// Learned registers what is called when the features of a client have become known some time
// after the presence that announced them. It runs in some other goroutine and must not wait. It
// is registered before the first connection.
func (c *Caps) Learned(hook func(ctx context.Context, s *xmpp.Stream)) {
	c.learned = append(c.learned, hook)
}

func (c *Caps) down(_ context.Context, s *xmpp.Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.streams[s]; x != nil {
		c.leave(s, x)
		delete(c.streams, s)
	}
}

// leave takes a client out of those that wait for its hash to be explained. mu is held.
func (c *Caps) leave(s *xmpp.Stream, x *client) {
	if q := c.open[x.key]; q != nil {
		q.waiting = slices.DeleteFunc(q.waiting, func(other *xmpp.Stream) bool { return other == s })
	}
}

// presence notes what a client announces. Section 6.4 of XEP-0115: a presence without it changes
// nothing.
func (c *Caps) presence(_ context.Context, p *xmpp.Presence) {
	if !p.Available {
		return
	}
	k, node, ok := announced(p.Stanza)
	if !ok {
		return
	}
	c.mu.Lock()
	x := c.streams[p.By]
	if x == nil {
		x = &client{begun: c.router.Now()}
		c.streams[p.By] = x
	}
	if x.key == k && x.node == node {
		c.mu.Unlock()
		return // known, or asked before
	}
	c.leave(p.By, x)
	x.key, x.node = key{k.old, strings.Clone(k.algorithm), strings.Clone(k.hash)}, strings.Clone(node)
	if features, ok := c.known.get(k); ok {
		x.features = features
		c.mu.Unlock()
		return
	}
	ask := c.enter(p.By, x)
	c.mu.Unlock()
	if ask {
		c.ask(p.By, x.key, x.node)
	}
}

// announced is the hash in a presence; one of XEP-0390 goes first, as nothing can be hidden in it.
func announced(st *xmpp.Stanza) (k key, node string, ok bool) {
	if set, found := st.Only(nsCaps2, "c"); found {
		for i, child := range set.Children {
			if child.Name.Space != nsHashes || child.Name.Local != "hash" || i > 8 {
				continue
			}
			el, err := set.Child(child)
			if err != nil {
				continue
			}
			algorithm, _ := el.Attr("algo")
			hash, _ := el.Text()
			if hash = strings.TrimSpace(hash); hash != "" && len(hash) <= maxHash && hashable(algorithm) {
				return key{false, algorithm, strings.TrimRight(hash, "=")}, nsCaps2 + "#" + algorithm + "." + hash, true
			}
		}
	}
	el, found := st.Only(nsCaps, "c")
	if !found {
		return key{}, "", false
	}
	algorithm, _ := el.Attr("hash")
	hash, _ := el.Attr("ver")
	node, _ = el.Attr("node")
	if hash == "" || len(hash) > maxHash || len(node) > maxNode {
		return key{}, "", false
	}
	if !hashable(algorithm) {
		algorithm = unverified // section 5.4, and the legacy format
	}
	return key{true, algorithm, strings.TrimRight(hash, "=")}, node + "#" + hash, true
}

// enter notes that s waits for its hash to be explained, and reports whether it is to be asked
// itself. mu is held.
func (c *Caps) enter(s *xmpp.Stream, x *client) (ask bool) {
	now := c.router.Now()
	if now.Sub(x.begun) > askedSpan {
		x.asked, x.begun = 0, now
	}
	if x.asked >= maxAsked {
		return false
	}
	x.asked++
	if x.key.algorithm == unverified {
		return true
	}
	q := c.open[x.key]
	if q == nil {
		q = &question{asking: map[xmpp.Address]bool{}}
		c.open[x.key] = q
	}
	account := s.Owner().Address
	if len(q.asking) >= maxAtOnce || q.asking[account] {
		q.waiting = append(q.waiting, s)
		return false
	}
	q.asking[account] = true
	return true
}

// ask sends the question, in the name of the client's own account.
func (c *Caps) ask(s *xmpp.Stream, k key, node string) {
	query := append(xmpp.AppendAttr([]byte("<query xmlns='"+nsInfo+"'"), "node", node), "/>"...)
	c.router.Ask(s.Owner().String(), s.JID(), "get", string(query), func(st *xmpp.Stanza, err error) {
		features, proved := []string{}, false
		if err == nil && st.Type == "result" {
			features, proved = answer(st, k)
		}
		c.answered(s, k, features, proved)
	})
}

// answer reads an answer; what is of no use counts as no features.
func answer(st *xmpp.Stanza, k key) (features []string, proved bool) {
	query, ok := st.Only(nsInfo, "query")
	if !ok {
		return []string{}, false
	}
	i, err := readInfo(query)
	if err != nil {
		return []string{}, false
	}
	if features, ok = i.features(); !ok {
		return []string{}, false
	}
	return features, k.algorithm != unverified && i.proves(k, st.Lang)
}

// answered takes what a client said about the hash k. What is proved holds for all who announce
// it; else it holds for this one, and another one is asked.
func (c *Caps) answered(s *xmpp.Stream, k key, features []string, proved bool) {
	var now []*xmpp.Stream // who is known from now on
	learn := func(s *xmpp.Stream) {
		if x := c.streams[s]; x != nil && x.key == k {
			x.features = features
			now = append(now, s)
		}
	}
	c.mu.Lock()
	learn(s)
	var next *xmpp.Stream
	var node string
	if q := c.open[k]; q != nil {
		delete(q.asking, s.Owner().Address)
		if proved {
			c.known.put(k, features)
			for _, other := range q.waiting {
				learn(other)
			}
			q.waiting = nil
		} else {
			next, node = c.next(q, k)
		}
		if next == nil && len(q.asking) == 0 {
			delete(c.open, k)
		}
	} else if proved {
		c.known.put(k, features)
	}
	c.mu.Unlock()
	for _, s := range now {
		for _, hook := range c.learned {
			hook(context.Background(), s)
		}
	}
	if next != nil {
		c.ask(next, k, node)
	}
}

// next takes the next client that may be asked out of those that wait. mu is held.
func (c *Caps) next(q *question, k key) (s *xmpp.Stream, node string) {
	for i, s := range q.waiting {
		x := c.streams[s]
		account := s.Owner().Address
		if x == nil || x.key != k || q.asking[account] {
			continue
		}
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.asking[account] = true
		return s, x.node
	}
	return nil, ""
}
