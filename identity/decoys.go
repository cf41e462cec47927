package identity

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
)

// foreignSetting holds how many accounts have which kind of hash of another server.
const foreignSetting = "foreign_hashes"

// maxDecoys bounds the kinds that are told apart; an import of more counts the rest as the last.
const maxDecoys = 32

// decoys say what an unknown name costs. After an import accounts differ in what a wrong password
// costs; so names that nobody has do, too, in the same proportions and each always in the same way,
// and how long a refusal takes says nothing about whether there is such an account.
type decoys struct {
	mu       sync.Mutex // guards what follows
	accounts int64
	kinds    []decoyKind
}

// decoyKind is a kind of hash, by a hash of that kind that is nobody's.
type decoyKind struct {
	Decoy string `json:"decoy"`
	Count int64  `json:"count"`
}

// decoyCounts is the setting.
type decoyCounts struct {
	Accounts int64       `json:"accounts"` // all, when the last import ended
	Kinds    []decoyKind `json:"kinds"`
}

func readDecoys(ctx context.Context, r StoreReader) (decoyCounts, error) {
	var c decoyCounts
	text, err := r.Setting(ctx, foreignSetting)
	if errors.Is(err, ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if json.Unmarshal([]byte(text), &c) != nil {
		return decoyCounts{}, nil // counts of no importance
	}
	return c, nil
}

// load takes the counts of the store over.
func (d *decoys) load(ctx context.Context, r StoreReader) error {
	c, err := readDecoys(ctx, r)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts, d.kinds = c.Accounts, c.Kinds
	return nil
}

// change notes in the store, in a transaction, how many more or fewer accounts have a hash of the kind
// of a decoy, and how many accounts there are more in all.
func (d *decoys) change(ctx context.Context, w StoreWriter, by map[string]int64, more int64) error {
	c, err := readDecoys(ctx, w)
	if err != nil {
		return err
	}
	switch {
	case len(c.Kinds) == 0 && len(by) == 0:
		return nil
	case len(c.Kinds) == 0:
		n, err := w.CountAccounts(ctx, UserFilter{})
		if err != nil {
			return err
		}
		c.Accounts = int64(n)
	default:
		c.Accounts += more
	}
	c.add(by)
	text := ""
	if len(c.Kinds) > 0 {
		b, err := json.Marshal(c)
		if err != nil {
			return err
		}
		text = string(b)
	}
	return w.PutSetting(ctx, foreignSetting, text)
}

// add counts; by is left empty.
func (c *decoyCounts) add(by map[string]int64) {
	for i := range c.Kinds {
		k := &c.Kinds[i]
		k.Count += by[k.Decoy]
		delete(by, k.Decoy)
	}
	for _, decoy := range slices.Sorted(maps.Keys(by)) {
		switch n := by[decoy]; {
		case n <= 0:
		case len(c.Kinds) < maxDecoys:
			c.Kinds = append(c.Kinds, decoyKind{decoy, n})
		default:
			c.Kinds[maxDecoys-1].Count += n
		}
	}
	c.Kinds = slices.DeleteFunc(c.Kinds, func(k decoyKind) bool { return k.Count <= 0 })
}

// pick chooses the hash that a name costs a try of; "": one of our own kind. key is random to
// outsiders, and always the same for one name.
func (d *decoys) pick(key []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.kinds) == 0 || len(key) < 8 {
		return ""
	}
	all := d.accounts
	foreign := int64(0)
	for _, k := range d.kinds {
		foreign += k.Count
	}
	all = max(all, foreign)
	// Where the name lies between 0 and 1, so that another count moves few names.
	at := float64(binary.BigEndian.Uint64(key)) / math.MaxUint64 * float64(all)
	for _, k := range d.kinds {
		if at -= float64(k.Count); at < 0 {
			return k.Decoy
		}
	}
	return ""
}
