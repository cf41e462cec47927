// Package storetest is the contract of mam.Store as tests: every implementation passes Run.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp/mam"
)

// Opened is a store for one test. Again closes it and opens it over the same data.
type Opened struct {
	mam.Store
	Again func() mam.Store
	// Settle, where it is not nil, lets work that runs behind come to its end.
	Settle func()
}

// Run checks the stores that open returns, each empty and for one test.
func Run(t *testing.T, open func(*testing.T) *Opened) {
	for _, tt := range []struct {
		name string
		run  func(*testing.T, *Opened)
	}{
		{"empty", empty},
		{"a message is in both archives", both},
		{"to oneself", oneself},
		{"ids rise and tell the time", rising},
		{"sent again", sentAgain},
		{"sent again, after a restart", sentAgainLater},
		{"sent again, without an archive of the sender", sentAgainToOne},
		{"pages as a list would give them", pages},
		{"ids that are not there", missing},
		{"replace", replace},
		{"find", find},
		{"settings", settings},
		{"remove", remove},
		{"expire by age", expireAge},
		{"expire by number", expireNumber},
		{"each", each},
		{"import", past},
		{"key", key},
		{"a put that may not wait", over},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

const (
	alice, bob, carol    identity.UserID = "a", "b", "c"
	aliceJ, bobJ, carolJ                 = "alice@x", "bob@x", "carol@x"
)

var names = map[identity.UserID]string{alice: aliceJ, bob: bobJ, carol: carolJ}

func letter(from, to identity.UserID, origin, text string) mam.Message {
	return mam.Message{From: from, To: to, FromJID: names[from], ToJID: names[to], Origin: origin, Stanza: []byte(text)}
}

// put writes a message and waits until it is on disk.
func put(t *testing.T, s mam.Store, m mam.Message) mam.Receipt {
	t.Helper()
	done := make(chan error, 1)
	r, err := s.Put(t.Context(), m, func(err error) { done <- err })
	if err != nil {
		t.Fatalf("putting: %v", err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("writing: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a message is not written")
	}
	return r
}

func page(t *testing.T, s mam.Store, owner identity.UserID, q mam.Query) mam.Page {
	t.Helper()
	if q.Max == 0 {
		q.Max = 1000
	}
	p, err := s.Page(t.Context(), owner, q)
	if err != nil {
		t.Fatalf("page %+v: %v", q, err)
	}
	return p
}

// texts are the stanzas of an archive.
func texts(t *testing.T, s mam.Store, owner identity.UserID, q mam.Query) []string {
	t.Helper()
	var all []string
	for _, m := range page(t, s, owner, q).Messages {
		all = append(all, string(m.Stanza))
	}
	return all
}

func holds(t *testing.T, s mam.Store, owner identity.UserID, want ...string) {
	t.Helper()
	if got := texts(t, s, owner, mam.Query{}); !slices.Equal(got, want) {
		t.Errorf("the archive of %s holds %q, want %q", owner, got, want)
	}
}

func (o *Opened) settle() {
	if o.Settle != nil {
		o.Settle()
	}
}

func empty(t *testing.T, s *Opened) {
	if p := page(t, s, alice, mam.Query{}); len(p.Messages) != 0 || !p.Complete {
		t.Errorf("page of nobody: %+v", p)
	}
	if first, last, err := s.Bounds(t.Context(), alice); first != 0 || last != 0 || err != nil {
		t.Errorf("bounds of nobody: %d, %d, %v", first, last, err)
	}
	if n, err := s.Count(t.Context(), alice, ""); n != 0 || err != nil {
		t.Errorf("count of nobody: %d, %v", n, err)
	}
	if err := s.Remove(t.Context(), alice); err != nil {
		t.Errorf("removing nobody: %v", err)
	}
	if more, err := s.Expire(t.Context(), time.Now(), 1); more || err != nil {
		t.Errorf("expiring nothing: %v, %v", more, err)
	}
	if _, err := s.Put(t.Context(), mam.Message{Stanza: []byte("x")}, nil); err == nil {
		t.Error("a message for no archive was put")
	}
}

func both(t *testing.T, s *Opened) {
	raw := "<message>\x00é&'\xff</message>"
	r := put(t, s, letter(alice, bob, "1", raw))
	put(t, s, mam.Message{From: alice, FromJID: aliceJ, ToJID: "z@far", Stanza: []byte("out")})
	put(t, s, mam.Message{To: bob, FromJID: "z@far", ToJID: bobJ, Stanza: []byte("in")})
	for range 2 {
		holds(t, s, alice, raw, "out")
		holds(t, s, bob, raw, "in")
		holds(t, s, carol)
		if got := texts(t, s, alice, mam.Query{With: bobJ}); !slices.Equal(got, []string{raw}) {
			t.Errorf("with bob: %q", got)
		}
		if got := texts(t, s, bob, mam.Query{With: "z@far"}); !slices.Equal(got, []string{"in"}) {
			t.Errorf("with a stranger: %q", got)
		}
		for who := range names {
			if p := page(t, s, who, mam.Query{}); len(p.Messages) > 0 && p.Messages[0].ID != r.ID {
				t.Errorf("the id is %d and not %d", p.Messages[0].ID, r.ID)
			}
		}
		s.settle()
	}
	s.Store = s.Again()
	holds(t, s, alice, raw, "out")
	holds(t, s, bob, raw, "in")
}

func oneself(t *testing.T, s *Opened) {
	put(t, s, letter(alice, alice, "1", "me"))
	put(t, s, letter(alice, bob, "2", "you"))
	for range 2 {
		holds(t, s, alice, "me", "you")
		if got := texts(t, s, alice, mam.Query{With: aliceJ}); !slices.Equal(got, []string{"me"}) {
			t.Errorf("with oneself: %q", got)
		}
		s.settle()
	}
}

func rising(t *testing.T, s *Opened) {
	begin := time.Now().Truncate(time.Microsecond)
	var last mam.ID
	for i := range 100 {
		if i == 50 {
			s.Store = s.Again()
		}
		r, err := s.Put(t.Context(), letter(alice, bob, fmt.Sprint(i), "x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.ID <= last || r.ID.Time().Before(begin) || r.ID.Time().After(time.Now().Add(time.Second)) {
			t.Fatalf("id %d (%v) after %d", r.ID, r.ID.Time(), last)
		}
		last = r.ID
	}
	first, newest, err := s.Bounds(t.Context(), bob)
	if p := page(t, s, bob, mam.Query{}); err != nil || len(p.Messages) != 100 || p.Messages[0].ID != first || newest != last {
		t.Errorf("bounds %d, %d, %v; last %d", first, newest, err, last)
	}
}

func sentAgain(t *testing.T, s *Opened) {
	first := put(t, s, letter(alice, bob, "1", "one"))
	for range 2 {
		if r := put(t, s, letter(alice, bob, "1", "one, with another delay")); !r.Again || r.ID != first.ID {
			t.Errorf("sent again: %+v, first %+v", r, first)
		}
		s.settle()
	}
	for _, m := range []mam.Message{
		letter(alice, carol, "1", "to another"), letter(bob, alice, "1", "by another"), letter(alice, bob, "2", "another"),
		letter(alice, bob, "", "no id"), letter(alice, bob, "", "no id"),
	} {
		if r := put(t, s, m); r.Again {
			t.Errorf("%s was taken for one sent again", m.Stanza)
		}
	}
	holds(t, s, alice, "one", "to another", "by another", "another", "no id", "no id")

	// an id that the sender may give twice: only the same bytes are the same message
	weak := letter(carol, bob, "1", "phone: first")
	weak.Content = 5
	put(t, s, weak)
	for range 2 {
		if r := put(t, s, weak); !r.Again {
			t.Error("the same bytes under the same id were stored twice")
		}
		s.settle()
	}
	late := weak
	late.Since = math.MaxInt64
	if r := put(t, s, late); r.Again {
		t.Error("a message was taken for one that is too old")
	}
	other := weak
	again := weak
	again.Stanza = []byte("laptop: first")
	if r := put(t, s, again); !r.Again {
		t.Error("the same content from another device was stored twice")
	}
	other.Stanza, other.Content = []byte("phone: second"), 6
	if r := put(t, s, other); r.Again {
		t.Error("other bytes under the same id were dropped")
	}
	if got := texts(t, s, bob, mam.Query{With: carolJ}); !slices.Equal(got, []string{"phone: first", "phone: first", "phone: second"}) {
		t.Errorf("from carol: %q", got)
	}
}

func sentAgainLater(t *testing.T, s *Opened) {
	var ids []mam.ID
	for i := range 30 {
		r := put(t, s, letter(alice, bob, fmt.Sprint(i), fmt.Sprint(i)))
		ids = append(ids, r.ID)
		if i == 10 {
			s.settle()
			s.Store = s.Again()
		}
	}
	s.Store = s.Again()
	for i, id := range ids {
		if r := put(t, s, letter(alice, bob, fmt.Sprint(i), fmt.Sprint(i))); !r.Again || r.ID != id {
			t.Errorf("message %d: %+v, want %d", i, r, id)
		}
	}
	if n := len(page(t, s, bob, mam.Query{}).Messages); n != 30 {
		t.Errorf("%d messages", n)
	}
}

func sentAgainToOne(t *testing.T, s *Opened) {
	m := mam.Message{To: bob, FromJID: "z@far", ToJID: bobJ, Origin: "1", Stanza: []byte("in")}
	put(t, s, m)
	s.settle()
	if r := put(t, s, m); !r.Again {
		t.Error("stored twice")
	}
	holds(t, s, bob, "in")
}

// pages compares with what a plain list answers, over many queries.
func pages(t *testing.T, s *Opened) {
	type entry struct {
		id   mam.ID
		with string
		text string
	}
	var all []entry
	n := 0
	add := func(count int) {
		for range count {
			n++
			m, with := letter(alice, bob, "", fmt.Sprint(n)), bobJ
			switch {
			case n%7 == 0:
				m, with = letter(carol, alice, "", fmt.Sprint(n)), carolJ
			case n%3 == 0:
				m = letter(bob, alice, "", fmt.Sprint(n))
			}
			r, err := s.Put(t.Context(), m, nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, entry{r.ID, with, fmt.Sprint(n)})
			if n%5 == 0 { // not in the archive of alice
				put(t, s, letter(bob, carol, "", "x"))
			}
		}
	}
	want := func(q mam.Query) (list []string, complete bool) {
		var fit []entry
		for _, e := range all {
			switch {
			case q.With != "" && q.With != e.with, q.After != 0 && e.id <= q.After, q.Before != 0 && e.id >= q.Before,
				!q.Start.IsZero() && e.id.Time().Before(q.Start), !q.End.IsZero() && e.id.Time().After(q.End),
				q.IDs != nil && !slices.Contains(q.IDs, e.id), q.Match != nil && !q.Match([]byte(e.text)):
				continue
			}
			fit = append(fit, e)
		}
		complete = len(fit) <= q.Max
		switch {
		case !complete && q.Backward:
			fit = fit[len(fit)-q.Max:]
		case !complete:
			fit = fit[:q.Max]
		}
		for _, e := range fit {
			list = append(list, e.text)
		}
		return list, complete
	}
	check := func() {
		t.Helper()
		at := func(i int) mam.ID { return all[i*(len(all)-1)/10].id }
		for _, with := range []string{"", bobJ, carolJ, aliceJ} {
			for _, max := range []int{1, 2, 10, 50, 120, 1000} {
				for _, back := range []bool{false, true} {
					for i, q := range []mam.Query{
						{}, {After: at(0)}, {After: at(3)}, {After: at(10)}, {Before: at(0)}, {Before: at(5)}, {Before: at(10)},
						{After: at(2), Before: at(8)}, {After: at(8), Before: at(2)}, {Start: at(4).Time()}, {End: at(6).Time()},
						{Start: at(3).Time(), End: at(4).Time(), After: at(3)}, {Start: at(10).Time().Add(time.Hour)}, {End: time.Unix(-1, 0)},
						{IDs: []mam.ID{at(9), at(1), at(5), at(1)}}, {IDs: []mam.ID{at(2)}, After: at(5)},
						{Match: func(b []byte) bool { return bytes.HasSuffix(b, []byte("4")) }, Scan: 1 << 20},
					} {
						q.With, q.Max, q.Backward = with, max, back
						p, err := s.Page(t.Context(), alice, q)
						if err != nil {
							t.Fatalf("query %d of %s: %v", i, with, err)
						}
						var got []string
						for _, m := range p.Messages {
							got = append(got, string(m.Stanza))
						}
						list, complete := want(q)
						if !slices.Equal(got, list) || p.Complete != complete {
							t.Fatalf("%d messages, query %d, with %q, max %d, back %v:\n%s, complete %v\nwant\n%s, complete %v", len(all), i, with, max, back,
								strings.Join(got, " "), p.Complete, strings.Join(list, " "), complete)
						}
					}
				}
			}
			count := 0
			for _, e := range all {
				if with == "" || e.with == with {
					count++
				}
			}
			if n, err := s.Count(t.Context(), alice, with); n != count || err != nil {
				t.Errorf("count with %q: %d, %v; want %d", with, n, err, count)
			}
		}
	}
	add(1)
	check()
	add(40)
	check()
	s.settle()
	check()
	add(250)
	check()
	s.settle()
	add(30)
	check()
	s.Store = s.Again()
	check()
	if p := page(t, s, alice, mam.Query{Bytes: 1}); len(p.Messages) != 1 || p.Complete {
		t.Errorf("%d messages in a page of one byte", len(p.Messages))
	}
	if p := page(t, s, alice, mam.Query{Bytes: 6, Backward: true}); len(p.Messages) != 2 || p.Messages[1].ID != all[len(all)-1].id {
		t.Errorf("%d messages in a page of six bytes", len(p.Messages))
	}
	p := page(t, s, alice, mam.Query{Match: func([]byte) bool { return false }, Scan: 10})
	if len(p.Messages) != 0 || p.Complete {
		t.Error("more messages were looked at than Scan says, or the page is called complete")
	}
}

func missing(t *testing.T, s *Opened) {
	mine := put(t, s, letter(alice, bob, "", "mine")).ID
	other := put(t, s, letter(bob, carol, "", "others'")).ID
	for range 2 {
		for _, id := range []mam.ID{other, mine - 1, other + 1<<20, -5} {
			for i, q := range []mam.Query{{After: id}, {Before: id}, {IDs: []mam.ID{mine, id}}} {
				q.Max = 10
				if _, err := s.Page(t.Context(), alice, q); !errors.Is(err, identity.ErrNotFound) {
					t.Errorf("query %d for %d: %v", i, id, err)
				}
			}
			if err := s.Replace(t.Context(), alice, id, func(b []byte) []byte { return b }); !errors.Is(err, identity.ErrNotFound) {
				t.Errorf("replacing %d: %v", id, err)
			}
		}
		s.settle()
	}
	if _, err := s.Page(t.Context(), "nobody", mam.Query{After: mine, Max: 1}); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("in the archive of nobody: %v", err)
	}
}

func replace(t *testing.T, s *Opened) {
	id := put(t, s, letter(alice, bob, "1", "secret")).ID
	for i, text := range []string{"gone", "gone again"} {
		err := s.Replace(t.Context(), alice, id, func(b []byte) []byte { return []byte(text) })
		if err != nil {
			t.Fatal(err)
		}
		holds(t, s, alice, text)
		holds(t, s, bob, text)
		if i == 0 {
			s.settle()
		}
	}
	if err := s.Replace(t.Context(), bob, id, func([]byte) []byte { return nil }); err != nil {
		t.Fatal(err)
	}
	holds(t, s, bob, "gone again")
}

func find(t *testing.T, s *Opened) {
	id := put(t, s, letter(alice, bob, "1", "x")).ID
	far := put(t, s, mam.Message{To: bob, FromJID: "z@far", ToJID: bobJ, Origin: "1", Stanza: []byte("in")}).ID
	for range 2 {
		for _, tt := range []struct {
			owner            identity.UserID
			from, to, origin string
			want             mam.ID
		}{
			{alice, aliceJ, bobJ, "1", id}, {alice, aliceJ, bobJ, "2", 0}, {alice, aliceJ, carolJ, "1", 0},
			{alice, bobJ, aliceJ, "1", 0}, {bob, "z@far", bobJ, "1", far}, {carol, aliceJ, bobJ, "1", 0},
		} {
			if got, err := s.Find(t.Context(), tt.owner, tt.from, tt.to, tt.origin); got != tt.want || err != nil {
				t.Errorf("%+v: %d, %v", tt, got, err)
			}
		}
		s.settle()
	}
}

func settings(t *testing.T, s *Opened) {
	if b, err := s.Settings(t.Context(), alice); b != nil || err != nil {
		t.Errorf("settings of nobody: %q, %v", b, err)
	}
	for _, v := range []string{"one", "two"} {
		if err := s.PutSettings(t.Context(), alice, []byte(v)); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Settings(t.Context(), alice); string(b) != v || err != nil {
			t.Errorf("settings %q, %v", b, err)
		}
	}
	put(t, s, letter(alice, bob, "", "x"))
	if b, err := s.Settings(t.Context(), alice); string(b) != "two" || err != nil {
		t.Errorf("settings %q, %v", b, err)
	}
	var all []identity.UserID
	err := s.Owners(t.Context(), func(id identity.UserID) error { all = append(all, id); return nil })
	if err != nil || !slices.Equal(all, []identity.UserID{alice, bob}) {
		t.Errorf("owners %v, %v", all, err)
	}
}

func remove(t *testing.T, s *Opened) {
	if err := s.PutSettings(t.Context(), alice, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		m := letter(alice, bob, fmt.Sprint(i), fmt.Sprint(i))
		if i%2 == 0 {
			m = letter(alice, alice, fmt.Sprint(i), fmt.Sprint(i))
		}
		if _, err := s.Put(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		if i == 300 {
			s.settle()
		}
	}
	if err := s.Remove(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		holds(t, s, alice)
		if n := len(page(t, s, bob, mam.Query{}).Messages); n != 200 {
			t.Errorf("the contact has %d messages", n)
		}
		if b, err := s.Settings(t.Context(), alice); b != nil || err != nil {
			t.Errorf("settings: %q, %v", b, err)
		}
		s.Store = s.Again()
	}
	put(t, s, letter(alice, bob, "1", "anew"))
	holds(t, s, alice, "anew")
}

// expire calls Expire until there is no more.
func expire(t *testing.T, s mam.Store, before time.Time, keep int) {
	t.Helper()
	for range 1000 {
		more, err := s.Expire(t.Context(), before, keep)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("expiring does not come to an end")
}

func expireAge(t *testing.T, s *Opened) {
	var ids []mam.ID
	for i := range 500 {
		ids = append(ids, put(t, s, letter(alice, bob, fmt.Sprint(i), fmt.Sprint(i))).ID)
		if i == 300 {
			s.settle()
		}
	}
	cut := ids[350]
	if _, err := s.Expire(t.Context(), cut.Time(), 0); err != nil {
		t.Fatal(err)
	}
	check := func(n int) {
		t.Helper()
		for _, who := range []identity.UserID{alice, bob} {
			p := page(t, s, who, mam.Query{})
			if len(p.Messages) != n || p.Messages[0].ID != ids[500-n] {
				t.Errorf("%s has %d messages, want %d", who, len(p.Messages), n)
			}
			if n, err := s.Count(t.Context(), who, ""); n != len(p.Messages) || err != nil {
				t.Errorf("count %d, %v", n, err)
			}
			if _, err := s.Page(t.Context(), who, mam.Query{After: ids[0], Max: 1}); !errors.Is(err, identity.ErrNotFound) {
				t.Errorf("after one that has gone: %v", err)
			}
		}
	}
	check(150)
	expire(t, s, cut.Time(), 0)
	check(150)
	s.settle()
	check(150)
	s.Store = s.Again()
	check(150)
	expire(t, s, ids[490].Time(), 0)
	check(10)
	if id, err := s.Find(t.Context(), alice, aliceJ, bobJ, "0"); id != 0 || err != nil {
		t.Errorf("one that has gone was found: %d, %v", id, err)
	}
}

func expireNumber(t *testing.T, s *Opened) {
	for i := range 400 {
		m := letter(alice, bob, fmt.Sprint(i), fmt.Sprint(i))
		if i%4 == 0 {
			m = letter(alice, carol, fmt.Sprint(i), fmt.Sprint(i))
		}
		put(t, s, m)
	}
	s.settle()
	expire(t, s, time.Time{}, 150)
	for range 2 {
		for who, want := range map[identity.UserID]int{alice: 150, bob: 150, carol: 100} {
			p := page(t, s, who, mam.Query{})
			if len(p.Messages) != want || string(p.Messages[want-1].Stanza) != map[identity.UserID]string{alice: "399", bob: "399", carol: "396"}[who] {
				t.Errorf("%s has %d messages, want the newest %d", who, len(p.Messages), want)
			}
		}
		if got := len(page(t, s, alice, mam.Query{With: bobJ}).Messages); got != 113 {
			t.Errorf("alice has %d messages with bob", got)
		}
		s.Store = s.Again()
	}
}

func each(t *testing.T, s *Opened) {
	var want []string
	for i := range 250 {
		put(t, s, letter(alice, bob, "", fmt.Sprint(i)))
		want = append(want, fmt.Sprint(i))
		if i == 120 {
			s.settle()
		}
	}
	var got []string
	err := mam.Each(t.Context(), s, bob, func(m mam.Stored) error {
		if got = append(got, string(m.Stanza)); len(got) == 200 { // what comes meanwhile does not make it endless
			put(t, s, letter(alice, bob, "", "late"))
		}
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d messages, %v", len(got), err)
	}
	stop := errors.New("enough")
	if err := mam.Each(t.Context(), s, bob, func(mam.Stored) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of the function: %v", err)
	}
	if err := mam.Each(t.Context(), s, carol, func(mam.Stored) error { return stop }); err != nil {
		t.Errorf("of nobody: %v", err)
	}
}

// past is what another server has kept, before, between and after what is there.
func past(t *testing.T, s *Opened) {
	put(t, s, letter(alice, bob, "", "ours"))
	s.settle()
	begin := time.Date(2019, 5, 4, 3, 2, 1, 0, time.UTC)
	var list []mam.Past
	for i := range 1300 { // some to a second, as servers have them that count no less
		m := mam.Past{At: begin.Add(time.Duration(i/7) * time.Second), Sent: i%2 == 0, FromJID: aliceJ, ToJID: bobJ, Stanza: fmt.Appendf(nil, "old %d", i)}
		if !m.Sent {
			m.FromJID, m.ToJID = bobJ, aliceJ
		}
		if i%5 == 0 {
			m.Sent, m.FromJID, m.ToJID = false, carolJ, aliceJ
		}
		list = append(list, m)
	}
	read := func(with string) (got []string) {
		t.Helper()
		q := mam.Query{Max: 100, With: with}
		for {
			p, err := s.Page(t.Context(), alice, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range p.Messages {
				got = append(got, string(m.Stanza))
				q.After = m.ID
			}
			if p.Complete {
				return got
			}
		}
	}
	imported := func(who identity.UserID, list []mam.Past, want int) {
		t.Helper()
		if n, err := s.Import(t.Context(), who, list); err != nil || n != want {
			t.Fatalf("%d imported, want %d, %v", n, want, err)
		}
	}
	imported(alice, list[602:], 698)
	imported(alice, list, 602) // those that are there already are not written again
	imported(alice, list, 0)
	imported(bob, list[:3], 3)
	want := make([]string, len(list))
	var ofCarol []string
	for i := range list {
		if want[i] = string(list[i].Stanza); i%5 == 0 {
			ofCarol = append(ofCarol, want[i])
		}
	}
	for _, when := range []string{"at once", "after a restart"} {
		if got := read(""); !slices.Equal(got, append(slices.Clone(want), "ours")) {
			t.Errorf("%s: %d messages", when, len(got))
		}
		if got := read(carolJ); !slices.Equal(got, ofCarol) {
			t.Errorf("%s, of carol: %d messages", when, len(got))
		}
		s.Store = s.Again()
	}
	if n, err := s.Count(t.Context(), alice, bobJ); err != nil || n != 1300-260+1 {
		t.Errorf("%d messages with bob, %v", n, err)
	}
	// What comes after it is in its order, in the archive that had nothing else, too.
	put(t, s, letter(carol, bob, "", "new"))
	s.settle()
	p, err := s.Page(t.Context(), bob, mam.Query{Max: 10})
	if err != nil || len(p.Messages) != 5 || string(p.Messages[0].Stanza) != "old 0" || string(p.Messages[4].Stanza) != "new" {
		t.Errorf("%d messages, %v", len(p.Messages), err)
	}
	// What is in the future, or from before time was counted.
	imported(carol, []mam.Past{{At: time.Now().Add(time.Hour), FromJID: bobJ, ToJID: carolJ, Stanza: []byte("future")}, {At: time.Unix(-1, 0), FromJID: bobJ, ToJID: carolJ}}, 1)
	put(t, s, letter(carol, bob, "", "newest"))
	p, err = s.Page(t.Context(), carol, mam.Query{Max: 10})
	if err != nil || len(p.Messages) != 3 || string(p.Messages[1].Stanza) != "future" {
		t.Errorf("%d messages, %v", len(p.Messages), err)
	}
	if _, err := s.Expire(t.Context(), begin.Add(100*time.Second), 0); err != nil {
		t.Fatal(err)
	}
	imported(alice, list[:1], 0) // it would come back
}

func key(t *testing.T, s *Opened) {
	a, err := s.Key(t.Context())
	if err != nil || len(a) != 32 {
		t.Fatalf("key of %d bytes, %v", len(a), err)
	}
	s.Store = s.Again()
	if b, err := s.Key(t.Context()); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the key has changed, %v", err)
	}
}

func over(t *testing.T, s *Opened) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	called := false
	if _, err := s.Put(ctx, letter(alice, bob, "", "x"), func(error) { called = true }); err == nil {
		t.Skip("this store needed not wait")
	}
	if called {
		t.Error("done was called for what was not queued")
	}
}
