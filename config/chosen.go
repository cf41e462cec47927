package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// chosen reads what people set in the running server.
func (l *loader) chosen() {
	var layer []given
	for _, path := range slices.Sorted(maps.Keys(l.o.Chosen)) {
		k := l.schema.byPath[path]
		g := given{key: k, path: path, source: Source{LayerSet, "set here"}, where: "set here: " + printable(shorten(path)), dir: l.o.Dir}
		if k == nil || !k.Live || k.Secret {
			message := "unknown key " + printable(shorten(path))
			if k != nil {
				message = path + " cannot be set in the running server; it stands in the file"
			}
			l.faults = append(l.faults, Fault{Where: g.where, Layer: LayerSet, Key: printable(path), Message: message, known: k != nil})
			continue
		}
		g.texts = k.fromText(l.o.Chosen[path])
		if l.accept(g) {
			layer = append(layer, g)
		}
	}
	l.apply(layer)
}

// Change is one key whose value differs between two configurations.
type Change struct {
	Key    string `json:"key"`
	Before string `json:"before"`
	After  string `json:"after"`
	Source string `json:"source"`
	Live   bool   `json:"live"`
}

// Diff lists the keys whose values are others in next than in c, by key. A secret that was changed is
// only said to be.
func (c *Config) Diff(next *Config) []Change {
	list := []Change{}
	was := map[string]Entry{}
	for _, e := range c.Entries() {
		was[e.Key] = e
	}
	add := func(e Entry, before, after string) {
		if e.Secret {
			before, after = "set", "set, another one"
		}
		list = append(list, Change{Key: e.Key, Before: before, After: after, Source: e.Source, Live: e.Live})
	}
	for _, e := range next.Entries() {
		old, ok := was[e.Key]
		delete(was, e.Key)
		switch {
		case !ok:
			add(e, "", e.Text())
		case e.Secret && !slices.Equal(c.revealed(e.Key), next.revealed(e.Key)), !e.Secret && old.Text() != e.Text():
			add(e, old.Text(), e.Text())
		}
	}
	for _, key := range slices.Sorted(maps.Keys(was)) {
		add(was[key], was[key].Text(), "")
	}
	slices.SortFunc(list, func(a, b Change) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return list
}

// revealed is what a secret is, to be compared.
func (c *Config) revealed(key string) []string {
	k := newSchema().byPath[key]
	if k == nil {
		return c.values[key]
	}
	if v, ok := reflect.ValueOf(c).Elem().FieldByIndex(k.index).Interface().(Secret); ok {
		return []string{v.Reveal()}
	}
	return c.values[key]
}

// Live is what of a configuration a running server takes over, of another that was read later.
func Live(key string) bool {
	k := newSchema().byPath[key]
	return k != nil && k.Live
}

// CheckValue says what is wrong with a text as the value of a live key; nil where nothing is.
func CheckValue(key, text string, validators map[string]func(string) error) error {
	k := newSchema().byPath[key]
	switch {
	case k == nil:
		return fmt.Errorf("there is no key %q", shorten(key))
	case !k.Live || k.Secret:
		return fmt.Errorf("%s takes effect at a restart alone: set it in the file", key)
	}
	for _, t := range k.fromText(text) {
		if err := k.check(t, validators); err != nil {
			return fmt.Errorf("%s%w", key, err)
		}
	}
	return nil
}
