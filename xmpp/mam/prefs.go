package mam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"mellium.im/xmpp/jid"
	xstanza "mellium.im/xmpp/stanza"

	"trivium/identity"
	"trivium/xmpp"
)

// prefs are what an account wants in its archive (XEP-0441). The zero value is all.
type prefs struct {
	Default string   `json:"default"` // "always", "never" or "roster"; "" is "always"
	Always  []string `json:"always,omitempty"`
	Never   []string `json:"never,omitempty"`
}

// maxPrefs bounds the addresses in both lists together.
const maxPrefs = 1000

// wanted returns the account in whose archive a message with peer goes: owner's, or "".
func (a *Archive) wanted(ctx context.Context, owner xmpp.Owner, peer jid.JID, bare xmpp.Address) (identity.UserID, error) {
	if owner.ID == "" {
		return "", nil
	}
	p, err := a.prefsOf(ctx, owner.ID)
	if err != nil {
		return "", err
	}
	wanted := true
	switch {
	case listed(p.Never, bare, peer):
		wanted = false
	case listed(p.Always, bare, peer):
	case p.Default == "never":
		wanted = false
	case p.Default == "roster":
		wanted, err = a.router.InRoster(ctx, owner, bare)
	}
	if err != nil || !wanted {
		return "", err
	}
	return owner.ID, nil
}

// listed is XEP-0441 section 2.3.1: an entry with a resource is for that alone.
func listed(list []string, bare xmpp.Address, full jid.JID) bool {
	if len(list) == 0 {
		return false
	}
	return slices.Contains(list, bare.String()) || slices.Contains(list, full.String())
}

// prefsCache keeps preferences in memory, as each message asks for two.
type prefsCache struct {
	mu      sync.Mutex
	known   map[identity.UserID]*prefs
	bytes   int // of known
	changes int
}

// What is kept of preferences together: of accounts, and in bytes as weigh estimates them.
const (
	maxKnownPrefs  = 1 << 15
	maxPrefsWeight = 16 << 20
)

// weigh estimates what preferences take in memory; nil takes nothing.
func (p *prefs) weigh() int {
	if p == nil {
		return 0
	}
	n := 128
	for _, l := range [...][]string{p.Always, p.Never} {
		for _, j := range l {
			n += 16 + len(j)
		}
	}
	return n
}

// put keeps preferences. c.mu is held.
func (c *prefsCache) put(id identity.UserID, p *prefs) {
	c.bytes += p.weigh() - c.known[id].weigh()
	if c.known == nil || len(c.known) >= maxKnownPrefs || c.bytes > maxPrefsWeight {
		c.known, c.bytes = make(map[identity.UserID]*prefs), p.weigh()
	}
	c.known[id] = p
}

func (c *prefsCache) forget(id identity.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes -= c.known[id].weigh()
	delete(c.known, id)
	c.changes++
}

// prefsOf reads the preferences of an account; nobody changes what comes back.
func (a *Archive) prefsOf(ctx context.Context, id identity.UserID) (*prefs, error) {
	c := &a.prefs
	c.mu.Lock()
	p, changes := c.known[id], c.changes
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	b, err := a.store.Settings(ctx, id)
	if err != nil {
		return nil, err
	}
	if p, err = stored(b); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == changes {
		c.put(id, p)
	}
	return p, nil
}

// stored reads what is in the store.
func stored(b []byte) (*prefs, error) {
	p := new(prefs)
	if len(b) > 0 {
		if err := json.Unmarshal(b, p); err != nil {
			return nil, fmt.Errorf("the preferences of an archive: %w", err)
		}
	}
	return p, nil
}

// ErrPrefs is what ImportPrefs says of preferences that it does not understand.
var ErrPrefs = errors.New("the preferences of the archive are not as XEP-0441 has them")

// ExportPrefs returns the `<prefs/>` of an account (XEP-0441 section 2.1), for an export; nil where it
// has not chosen any.
func ExportPrefs(ctx context.Context, s Store, id identity.UserID) ([]byte, error) {
	b, err := s.Settings(ctx, id)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	p, err := stored(b)
	if err != nil {
		return nil, err
	}
	return []byte(p.element()), nil
}

// ImportPrefs takes a `<prefs/>` for an account that has not chosen any here; false where it has. With
// dry nothing is written. ErrPrefs where it is none, or has too many addresses.
func ImportPrefs(ctx context.Context, s Store, id identity.UserID, el *xmpp.Element, dry bool) (added bool, err error) {
	var in prefsElement
	if el.Decode(&in) != nil {
		return false, ErrPrefs
	}
	p, cond := in.prefs()
	if cond != "" {
		return false, ErrPrefs
	}
	if b, err := s.Settings(ctx, id); err != nil || len(b) > 0 || dry {
		return err == nil && len(b) == 0, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return false, err
	}
	return true, s.PutSettings(ctx, id, b)
}

type prefsElement struct {
	Default string   `xml:"default,attr"`
	Always  []string `xml:"urn:xmpp:mam:2 always>jid"`
	Never   []string `xml:"urn:xmpp:mam:2 never>jid"`
}

// prefsIQ tells and changes the preferences (XEP-0441 section 2.1).
func (a *Archive) prefsIQ(ctx context.Context, q *xmpp.Request) {
	if q.Account.ID == "" {
		q.Refuse()
		return
	}
	if q.Type == "set" {
		p, cond := readPrefs(q)
		if cond != "" {
			q.Fail(cond, xstanza.Modify)
			return
		}
		b, err := json.Marshal(p)
		if err == nil {
			err = a.store.PutSettings(ctx, q.Account.ID, b)
		}
		a.prefs.forget(q.Account.ID)
		if err != nil {
			q.Broken(err)
			return
		}
	}
	p, err := a.prefsOf(ctx, q.Account.ID)
	if err != nil {
		q.Broken(err)
		return
	}
	q.Result(p.element())
}

// readPrefs reads what a client wants; cond says what is wrong with it.
func readPrefs(q *xmpp.Request) (p prefs, cond xstanza.Condition) {
	var el prefsElement
	if err := q.Decode(&el); err != nil {
		return p, xstanza.BadRequest
	}
	return el.prefs()
}

// prefs checks what stands in an element.
func (el *prefsElement) prefs() (p prefs, cond xstanza.Condition) {
	switch el.Default {
	case "always", "never", "roster":
		p.Default = el.Default
	default:
		return p, xstanza.BadRequest
	}
	if len(el.Always)+len(el.Never) > maxPrefs {
		return p, xstanza.NotAcceptable
	}
	for _, l := range []struct {
		from []string
		to   *[]string
	}{{el.Always, &p.Always}, {el.Never, &p.Never}} {
		for _, text := range l.from {
			j, err := jid.Parse(text)
			if err != nil {
				return p, xstanza.JIDMalformed
			}
			*l.to = append(*l.to, j.String())
		}
		slices.Sort(*l.to)
		*l.to = slices.Compact(*l.to)
	}
	return p, ""
}

// element has always both lists (section 2.1).
func (p *prefs) element() string {
	def := p.Default
	if def == "" {
		def = "always"
	}
	b := append(xmpp.AppendAttr([]byte("<prefs xmlns='"+ns+"'"), "default", def), '>')
	for _, l := range []struct {
		name string
		jids []string
	}{{"always", p.Always}, {"never", p.Never}} {
		b = append(append(append(b, '<'), l.name...), '>')
		for _, j := range l.jids {
			b = append(append(append(b, "<jid>"...), xmpp.Escape(j)...), "</jid>"...)
		}
		b = append(append(append(b, "</"...), l.name...), '>')
	}
	return string(append(b, "</prefs>"...))
}
