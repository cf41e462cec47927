// Package storetest is the contract of pubsub.Store as tests: every implementation passes Run.
package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp/pubsub"
)

// Run checks the stores that open returns, each empty and for one test.
func Run(t *testing.T, open func(*testing.T) pubsub.Store) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T, pubsub.Store)
	}{
		{"empty", empty},
		{"nodes", nodes},
		{"items", items},
		{"pages", pages},
		{"what a node counts", counts},
		{"trim and expire", trim},
		{"greeting", greeting},
		{"people", people},
		{"remove a node", removeNode},
		{"remove an account", remove},
		{"an error undoes all", undo},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

const alice, bob identity.UserID = "a", "b"

var start = time.UnixMilli(1_700_000_000_123).UTC()

func write(t *testing.T, s pubsub.Store, fn func(w pubsub.StoreWriter) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func node(owner identity.UserID, name string) pubsub.Node {
	return pubsub.Node{Owner: owner, JID: string(owner) + "@x", Name: name, Created: start.Truncate(time.Second),
		Config: pubsub.Config{Title: "T & <é>", Access: pubsub.Roster, Groups: []string{"g", "h"}, Persist: true, MaxItems: 7, Expire: 60, SendLast: "never"}}
}

func putNode(t *testing.T, s pubsub.Store, list ...pubsub.Node) {
	t.Helper()
	write(t, s, func(w pubsub.StoreWriter) error {
		for _, n := range list {
			if err := w.PutNode(t.Context(), n); err != nil {
				return err
			}
		}
		return nil
	})
}

func put(t *testing.T, s pubsub.Store, owner identity.UserID, name string, list ...pubsub.Item) {
	t.Helper()
	write(t, s, func(w pubsub.StoreWriter) error {
		for _, i := range list {
			if err := w.PutItem(t.Context(), owner, name, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// numbered are items i0, i1, …, one second apart.
func numbered(n int) (list []pubsub.Item) {
	for k := range n {
		list = append(list, pubsub.Item{ID: fmt.Sprintf("i%d", k), Payload: []byte("<p/>"), Publisher: "a@x/r", Published: start.Add(time.Duration(k) * time.Second)})
	}
	return list
}

func ids(list []pubsub.Item) []string {
	out := []string{}
	for _, i := range list {
		out = append(out, i.ID)
	}
	return out
}

func page(t *testing.T, s pubsub.StoreReader, p pubsub.Page) ([]string, bool) {
	t.Helper()
	if p.Max == 0 {
		p.Max = 100
	}
	if p.Bytes == 0 {
		p.Bytes = 1 << 20
	}
	list, more, err := s.Items(t.Context(), alice, "n", p)
	if err != nil {
		t.Fatal(err)
	}
	return ids(list), more
}

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func empty(t *testing.T, s pubsub.Store) {
	if _, err := s.Node(t.Context(), alice, "n"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("node: %v", err)
	}
	if _, err := s.Item(t.Context(), alice, "n", "i"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("item: %v", err)
	}
	want(t, "nodes", len(must[[]pubsub.Node](t)(s.Nodes(t.Context(), alice))), 0)
	want(t, "greeting", len(must[[]pubsub.Node](t)(s.Greeting(t.Context(), nil))), 0)
	got, more := page(t, s, pubsub.Page{})
	want(t, "items", got, []string{})
	want(t, "more", more, false)
	want(t, "affiliation", must[pubsub.Affiliation](t)(s.Affiliation(t.Context(), alice, "n", "b@x")), pubsub.None)
	n, bytes, err := s.Usage(t.Context(), alice)
	if n != 0 || bytes != 0 || err != nil {
		t.Errorf("usage %d, %d, %v", n, bytes, err)
	}
}

func nodes(t *testing.T, s pubsub.Store) {
	one, two, other := node(alice, "one"), node(alice, "two ü"), node(bob, "one")
	putNode(t, s, two, one, other)
	want(t, "a node", must[pubsub.Node](t)(s.Node(t.Context(), alice, "two ü")), two)
	want(t, "all", must[[]pubsub.Node](t)(s.Nodes(t.Context(), alice)), []pubsub.Node{one, two})
	put(t, s, alice, "one", numbered(1)...)
	one.Config = pubsub.Config{Access: pubsub.Open, Persist: true}
	again := one
	again.Created = start.Add(time.Hour)
	putNode(t, s, again)
	got := must[pubsub.Node](t)(s.Node(t.Context(), alice, "one"))
	want(t, "another configuration", got.Config, one.Config)
	want(t, "its items", got.Items, 1)
	want(t, "its beginning", got.Created, one.Created)
	want(t, "another's", must[pubsub.Node](t)(s.Node(t.Context(), bob, "one")), other)
}

func items(t *testing.T, s pubsub.Store) {
	putNode(t, s, node(alice, "n"), node(bob, "n"))
	list := numbered(3)
	list[1].Payload = []byte{0, 255, '\''}
	list[2].Payload = nil
	put(t, s, alice, "n", list...)
	for _, i := range list {
		got := must[pubsub.Item](t)(s.Item(t.Context(), alice, "n", i.ID))
		if got.Seq == 0 || len(got.Payload) != len(i.Payload) {
			t.Errorf("item %+v", got)
		}
		got.Seq, got.Payload, i.Payload = 0, nil, nil
		want(t, "an item", got, i)
	}
	if _, err := s.Item(t.Context(), bob, "n", "i0"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("another's item: %v", err)
	}
	again := list[0]
	again.Payload = []byte("<q/>")
	put(t, s, alice, "n", again)
	got, _ := page(t, s, pubsub.Page{})
	want(t, "published again", got, []string{"i1", "i2", "i0"})
	want(t, "its payload", string(must[pubsub.Item](t)(s.Item(t.Context(), alice, "n", "i0")).Payload), "<q/>")
	write(t, s, func(w pubsub.StoreWriter) error {
		for _, there := range []bool{true, false} {
			want(t, "removed", must[bool](t)(w.RemoveItem(t.Context(), alice, "n", "i2")), there)
		}
		return nil
	})
	got, _ = page(t, s, pubsub.Page{})
	want(t, "after that", got, []string{"i1", "i0"})
}

func pages(t *testing.T, s pubsub.Store) {
	putNode(t, s, node(alice, "n"))
	put(t, s, alice, "n", numbered(6)...)
	seq := func(id string) int64 { return must[pubsub.Item](t)(s.Item(t.Context(), alice, "n", id)).Seq }
	for _, tt := range []struct {
		name string
		page pubsub.Page
		want []string
		more bool
	}{
		{"all", pubsub.Page{}, []string{"i0", "i1", "i2", "i3", "i4", "i5"}, false},
		{"first", pubsub.Page{Max: 2}, []string{"i0", "i1"}, true},
		{"last", pubsub.Page{Max: 2, Last: true}, []string{"i4", "i5"}, true},
		{"after", pubsub.Page{Max: 2, After: seq("i3")}, []string{"i4", "i5"}, false},
		{"before, the first", pubsub.Page{Max: 2, Before: seq("i3")}, []string{"i0", "i1"}, true},
		{"before, the last", pubsub.Page{Max: 2, Before: seq("i3"), Last: true}, []string{"i1", "i2"}, true},
		{"between", pubsub.Page{After: seq("i1"), Before: seq("i4")}, []string{"i2", "i3"}, false},
		{"nothing after", pubsub.Page{After: seq("i5")}, []string{}, false},
		{"bytes", pubsub.Page{Bytes: 2*numbered(1)[0].Size() + 1}, []string{"i0", "i1"}, true},
		{"one at least", pubsub.Page{Bytes: 1}, []string{"i0"}, true},
		{"new ones", pubsub.Page{Since: start.Add(4 * time.Second)}, []string{"i4", "i5"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, more := page(t, s, tt.page)
			want(t, "items", got, tt.want)
			want(t, "more", more, tt.more)
		})
	}
	want(t, "count", must[int](t)(s.Count(t.Context(), alice, "n", 0, time.Time{})), 6)
	want(t, "index", must[int](t)(s.Count(t.Context(), alice, "n", seq("i2"), time.Time{})), 2)
	want(t, "new ones", must[int](t)(s.Count(t.Context(), alice, "n", 0, start.Add(4*time.Second))), 2)
}

func counts(t *testing.T, s pubsub.Store) {
	putNode(t, s, node(alice, "n"), node(alice, "m"))
	check := func(what string, list ...pubsub.Item) {
		t.Helper()
		var sum int64
		for _, i := range list {
			sum += i.Size()
		}
		n := must[pubsub.Node](t)(s.Node(t.Context(), alice, "n"))
		_, bytes, err := s.Usage(t.Context(), alice)
		if n.Items != len(list) || n.Bytes != sum || bytes != sum || err != nil {
			t.Errorf("%s: %d items of %d bytes, %d in all, %v; want %d of %d", what, n.Items, n.Bytes, bytes, err, len(list), sum)
		}
	}
	list := numbered(4)
	put(t, s, alice, "n", list...)
	check("four", list...)
	list[0].Payload = make([]byte, 1000)
	put(t, s, alice, "n", list[0])
	check("one is larger", list...)
	write(t, s, func(w pubsub.StoreWriter) error { return w.RemoveItems(t.Context(), alice, "n", list[2].Published) })
	check("two have gone", list[2:]...)
	write(t, s, func(w pubsub.StoreWriter) error { return w.RemoveItems(t.Context(), alice, "n", time.Time{}) })
	check("all have gone")
}

func trim(t *testing.T, s pubsub.Store) {
	putNode(t, s, node(alice, "n"))
	put(t, s, alice, "n", numbered(5)...)
	write(t, s, func(w pubsub.StoreWriter) error {
		want(t, "gone", must[[]string](t)(w.Trim(t.Context(), alice, "n", 2)), []string{"i0", "i1", "i2"})
		want(t, "nothing more", len(must[[]string](t)(w.Trim(t.Context(), alice, "n", 2))), 0)
		return nil
	})
	got, _ := page(t, s, pubsub.Page{})
	want(t, "left", got, []string{"i3", "i4"})
}

func greeting(t *testing.T, s pubsub.Store) {
	var jids, names []string
	for k := range 20 {
		owner := identity.UserID(fmt.Sprintf("o%02d", k))
		n := node(owner, "n")
		n.Config.SendLast, n.Config.Deliver = "on_sub_and_presence", true
		quiet, bare := node(owner, "quiet"), n
		bare.Name = "empty"
		putNode(t, s, n, quiet, bare)
		put(t, s, owner, "n", numbered(1)...)
		put(t, s, owner, "quiet", numbered(1)...)
		if k != 3 {
			jids, names = append(jids, n.JID), append(names, string(owner))
		}
	}
	list := must[[]pubsub.Node](t)(s.Greeting(t.Context(), append(jids, "nobody@x")))
	var got []string
	for _, n := range list {
		want(t, "node", n.Name, "n")
		got = append(got, string(n.Owner))
	}
	slices.Sort(got)
	want(t, "owners", got, names)
}

func people(t *testing.T, s pubsub.Store) {
	putNode(t, s, node(alice, "n"), node(alice, "m"))
	one := pubsub.Subscription{Node: "n", JID: "b@x", Bare: "b@x", Account: bob, Pending: true}
	two := pubsub.Subscription{Node: "n", JID: "b@x/r", Bare: "b@x", Account: bob}
	three := pubsub.Subscription{Node: "m", JID: "c@y", Bare: "c@y"}
	write(t, s, func(w pubsub.StoreWriter) error {
		for _, a := range []pubsub.Affiliated{{Node: "n", JID: "b@x", Affiliation: pubsub.Member}, {Node: "n", JID: "c@x", Affiliation: pubsub.Outcast}, {Node: "m", JID: "b@x", Affiliation: pubsub.Publisher}} {
			if err := w.PutAffiliation(t.Context(), alice, a); err != nil {
				return err
			}
		}
		for _, x := range []pubsub.Subscription{two, one, three} {
			if err := w.PutSubscription(t.Context(), alice, x); err != nil {
				return err
			}
		}
		return nil
	})
	want(t, "one", must[pubsub.Affiliation](t)(s.Affiliation(t.Context(), alice, "n", "b@x")), pubsub.Member)
	want(t, "another owner's", must[pubsub.Affiliation](t)(s.Affiliation(t.Context(), bob, "n", "b@x")), pubsub.None)
	want(t, "of a node", must[[]pubsub.Affiliated](t)(s.Affiliations(t.Context(), alice, "n", "")),
		[]pubsub.Affiliated{{Node: "n", JID: "b@x", Affiliation: pubsub.Member}, {Node: "n", JID: "c@x", Affiliation: pubsub.Outcast}})
	want(t, "of an address", must[[]pubsub.Affiliated](t)(s.Affiliations(t.Context(), alice, "", "b@x")),
		[]pubsub.Affiliated{{Node: "m", JID: "b@x", Affiliation: pubsub.Publisher}, {Node: "n", JID: "b@x", Affiliation: pubsub.Member}})
	want(t, "subscriptions to a node", must[[]pubsub.Subscription](t)(s.Subscriptions(t.Context(), alice, "n", "")), []pubsub.Subscription{one, two})
	want(t, "subscriptions of an address", must[[]pubsub.Subscription](t)(s.Subscriptions(t.Context(), alice, "", "c@y")), []pubsub.Subscription{three})
	one.Pending = false
	write(t, s, func(w pubsub.StoreWriter) error {
		if err := w.PutAffiliation(t.Context(), alice, pubsub.Affiliated{Node: "n", JID: "b@x", Affiliation: pubsub.None}); err != nil {
			return err
		}
		if err := w.PutSubscription(t.Context(), alice, one); err != nil {
			return err
		}
		for _, there := range []bool{true, false} {
			want(t, "removed", must[bool](t)(w.RemoveSubscription(t.Context(), alice, "n", "b@x/r")), there)
		}
		return nil
	})
	want(t, "none again", must[pubsub.Affiliation](t)(s.Affiliation(t.Context(), alice, "n", "b@x")), pubsub.None)
	want(t, "changed", must[[]pubsub.Subscription](t)(s.Subscriptions(t.Context(), alice, "n", "b@x")), []pubsub.Subscription{one})
}

// fill makes a node of alice's and one of bob's with something of everything.
func fill(t *testing.T, s pubsub.Store) {
	t.Helper()
	putNode(t, s, node(alice, "n"), node(bob, "n"))
	for _, owner := range []identity.UserID{alice, bob} {
		put(t, s, owner, "n", numbered(2)...)
		write(t, s, func(w pubsub.StoreWriter) error {
			if err := w.PutAffiliation(t.Context(), owner, pubsub.Affiliated{Node: "n", JID: "c@x", Affiliation: pubsub.Member}); err != nil {
				return err
			}
			if err := w.PutSubscription(t.Context(), owner, pubsub.Subscription{Node: "n", JID: "a@x", Bare: "a@x", Account: alice}); err != nil {
				return err
			}
			return w.PutSubscription(t.Context(), owner, pubsub.Subscription{Node: "n", JID: "c@x", Bare: "c@x", Account: "c"})
		})
	}
}

// left counts what there is of an owner.
func left(t *testing.T, s pubsub.Store, owner identity.UserID) [4]int {
	t.Helper()
	list, _, err := s.Items(t.Context(), owner, "n", pubsub.Page{Max: 10, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return [4]int{
		len(must[[]pubsub.Node](t)(s.Nodes(t.Context(), owner))), len(list),
		len(must[[]pubsub.Affiliated](t)(s.Affiliations(t.Context(), owner, "n", ""))),
		len(must[[]pubsub.Subscription](t)(s.Subscriptions(t.Context(), owner, "n", ""))),
	}
}

func removeNode(t *testing.T, s pubsub.Store) {
	fill(t, s)
	for range 2 { // the second time there is nothing to remove
		write(t, s, func(w pubsub.StoreWriter) error { return w.RemoveNode(t.Context(), alice, "n") })
	}
	want(t, "alice's", left(t, s, alice), [4]int{})
	want(t, "bob's", left(t, s, bob), [4]int{1, 2, 1, 2})
}

func remove(t *testing.T, s pubsub.Store) {
	fill(t, s)
	for range 2 {
		if err := s.Remove(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "alice's", left(t, s, alice), [4]int{})
	want(t, "bob's, without alice's subscription", left(t, s, bob), [4]int{1, 2, 1, 1})
}

func undo(t *testing.T, s pubsub.Store) {
	cause := errors.New("no")
	err := s.Write(t.Context(), func(w pubsub.StoreWriter) error {
		if err := w.PutNode(t.Context(), node(alice, "n")); err != nil {
			return err
		}
		if err := w.PutItem(t.Context(), alice, "n", numbered(1)[0]); err != nil {
			return err
		}
		if got, _ := page(t, w, pubsub.Page{}); len(got) != 1 {
			t.Errorf("inside: %q", got)
		}
		return cause
	})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want the function's own", err)
	}
	want(t, "after an error", left(t, s, alice), [4]int{})
}
