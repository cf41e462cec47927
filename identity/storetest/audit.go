package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"trivium/identity"
)

// chained appends events as a server does, with chains and a MAC that only count.
func chained(ctx context.Context, w identity.StoreWriter, events ...identity.AuditEvent) error {
	head, err := w.LockAuditHead(ctx)
	if err != nil {
		return err
	}
	rows := make([]identity.AuditRow, len(events))
	for i, e := range events {
		head.ID++
		e.ID = head.ID
		rows[i] = identity.AuditRow{AuditEvent: e, Chain: binary.BigEndian.AppendUint64(nil, uint64(e.ID))}
	}
	head.Chain, head.MAC = rows[len(rows)-1].Chain, []byte("mac")
	return w.AppendAudit(ctx, head, rows...)
}

func appendAudit(t *testing.T, s identity.Store, events ...identity.AuditEvent) {
	t.Helper()
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return chained(ctx, w, events...) })
}

func audit(t *testing.T, s identity.Store) {
	full := identity.AuditEvent{ID: 1, Time: at(1), Event: "login.fail", Actor: "user1", Via: "ftp", Subject: "user1",
		Protocol: identity.ProtocolFTP, Method: identity.MethodPassword, Remote: "192.0.2.1:5", Session: "1-a", Result: "no",
		Detail: "Why_100%", Before: `{"level":"user"}`, After: `{"level":"staff"}`}
	appendAudit(t, s, full)
	appendAudit(t, s,
		identity.AuditEvent{Time: at(3), Event: "login.ok", Actor: "user2", Subject: "user2", Remote: "[2001:db8::5]:9", Result: "ok"},
		identity.AuditEvent{Time: at(2), Event: "loginx", Actor: "admin1", Subject: "user1", Remote: "192.0.3.7", Protocol: identity.ProtocolWeb, Result: "ok"},
		identity.AuditEvent{Time: at(3), Event: "user.set", Actor: "admin1", Subject: "user2", Detail: "Ärger", Result: "ok"},
	)
	for _, c := range []struct {
		name   string
		filter identity.AuditFilter
		want   []string
	}{
		{"all, the later written first at the same time", identity.AuditFilter{}, []string{"user.set", "login.ok", "loginx", "login.fail"}},
		{"exact", identity.AuditFilter{Event: "login.ok"}, []string{"login.ok"}},
		{"a prefix", identity.AuditFilter{Event: "login.*"}, []string{"login.ok", "login.fail"}},
		{"a prefix is no pattern", identity.AuditFilter{Event: "log_n.*"}, nil},
		{"a prefix beside a subject is no pattern", identity.AuditFilter{Event: "log_n.*", Subject: "user1"}, nil},
		{"subject", identity.AuditFilter{Subject: "user1"}, []string{"loginx", "login.fail"}},
		{"actor", identity.AuditFilter{Actor: "admin1"}, []string{"user.set", "loginx"}},
		{"since, that moment too", identity.AuditFilter{Since: at(2)}, []string{"user.set", "login.ok", "loginx"}},
		{"until, without that moment", identity.AuditFilter{Until: at(2)}, []string{"login.fail"}},
		{"limit", identity.AuditFilter{Limit: 1}, []string{"user.set"}},
		{"two together", identity.AuditFilter{Event: "login.*", Subject: "user1"}, []string{"login.fail"}},
		{"a prefix of events and a time", identity.AuditFilter{Event: "login.*", Since: at(2)}, []string{"login.ok"}},
		{"a protocol", identity.AuditFilter{Protocol: identity.ProtocolFTP}, []string{"login.fail"}},
		{"an address", identity.AuditFilter{From: netip.MustParsePrefix("192.0.2.1/32")}, []string{"login.fail"}},
		{"a narrow prefix", identity.AuditFilter{From: netip.MustParsePrefix("192.0.2.0/23")}, []string{"loginx", "login.fail"}},
		{"a wide prefix", identity.AuditFilter{From: netip.MustParsePrefix("192.0.0.0/8")}, []string{"loginx", "login.fail"}},
		{"a prefix of IPv6", identity.AuditFilter{From: netip.MustParsePrefix("2001:db8::/32")}, []string{"login.ok"}},
		{"all of IPv4", identity.AuditFilter{From: netip.MustParsePrefix("0.0.0.0/0")}, []string{"loginx", "login.fail"}},
		{"a prefix and a subject", identity.AuditFilter{From: netip.MustParsePrefix("192.0.0.0/8"), Subject: "user2"}, nil},
		{"a narrow prefix and a time", identity.AuditFilter{From: netip.MustParsePrefix("192.0.2.0/23"), Since: at(2), Until: at(3)}, []string{"loginx"}},
		{"a result", identity.AuditFilter{Result: "no"}, []string{"login.fail"}},
		{"what failed", identity.AuditFilter{Result: "failed"}, []string{"login.fail"}},
		{"a text in any case", identity.AuditFilter{Text: "WHY_100%"}, []string{"login.fail"}},
		{"a text is no pattern", identity.AuditFilter{Text: "why%100"}, nil},
		{"a text in what was before", identity.AuditFilter{Text: `"user"`}, []string{"login.fail"}},
		{"a text as it is written", identity.AuditFilter{Text: "Ärger"}, []string{"user.set"}},
		{"followed", identity.AuditFilter{Follow: true, After: 1}, []string{"login.ok", "loginx", "user.set"}},
		{"followed, some", identity.AuditFilter{Follow: true, After: 1, Actor: "admin1"}, []string{"loginx", "user.set"}},
		{"followed, of a family", identity.AuditFilter{Follow: true, Event: "login.*", Limit: 1}, []string{"login.fail"}},
		{"followed, from an address", identity.AuditFilter{Follow: true, From: netip.MustParsePrefix("192.0.3.0/24")}, []string{"loginx"}},
	} {
		got, err := s.Audit(t.Context(), c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var names []string
		for _, e := range got {
			names = append(names, e.Event)
		}
		equal(t, c.name, names, c.want)
	}
	got, err := s.Audit(t.Context(), identity.AuditFilter{Event: "login.fail"})
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	equal(t, "every field", got[0], full)
	events, err := s.AuditEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(events)
	equal(t, "the names of events", events, []string{"login.fail", "login.ok", "loginx", "user.set"})
}

// auditPages reads many rows, some of the same moment, page by page.
func auditPages(t *testing.T, s identity.Store) {
	const many = 100
	var events, want []identity.AuditEvent
	for i := range many {
		events = append(events, identity.AuditEvent{ID: int64(i + 1), Time: at(i / 3), Event: "many." + strconv.Itoa(i%4), Subject: "user1", Detail: strconv.Itoa(i),
			Remote: "192.0.2." + strconv.Itoa(i%4+1)})
	}
	appendAudit(t, s, events...)
	for i := range events {
		want = append(want, events[many-1-i])
	}
	for name, f := range map[string]identity.AuditFilter{
		"by time": {}, "by subject": {Subject: "user1"}, "by events": {Event: "many.*"},
		"by a narrow prefix": {From: netip.MustParsePrefix("192.0.2.0/24")}, "by a wide one": {From: netip.MustParsePrefix("192.0.0.0/8")},
	} {
		var got []identity.AuditEvent
		for f.Limit = 7; ; f.Before = got[len(got)-1].Cursor() {
			page, err := s.Audit(t.Context(), f)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, page...)
			if len(page) < f.Limit {
				break
			}
		}
		equal(t, name, got, want)
	}
}

func auditChain(t *testing.T, s identity.Store) {
	ctx := t.Context()
	head, err := s.AuditHead(ctx)
	if err != nil || head.ID != 0 || len(head.Chain)+len(head.MAC) != 0 {
		t.Fatalf("the head of an empty log: %+v, %v", head, err)
	}
	for i := range 50 {
		event := "login.ok"
		if i%10 == 9 {
			event = "user.set"
		}
		appendAudit(t, s, identity.AuditEvent{Time: at(i), Event: event})
	}
	head, err = s.AuditHead(ctx)
	if err != nil || head.ID != 50 || string(head.MAC) != "mac" || binary.BigEndian.Uint64(head.Chain) != 50 {
		t.Errorf("the head: %+v, %v", head, err)
	}
	rows, err := s.AuditRows(ctx, 49, 10)
	if err != nil || len(rows) != 2 || rows[0].ID != 49 || binary.BigEndian.Uint64(rows[1].Chain) != 50 {
		t.Errorf("rows: %+v, %v", rows, err)
	}
	for _, c := range []struct {
		event  string
		before time.Time
		limit  int
		want   int
	}{{"", at(5), 100, 5}, {"", at(5), 3, 3}, {"user.set", at(20), 100, 2}, {"logout", at(99), 100, 0}} {
		if ids, err := s.AuditExpired(ctx, c.before, c.event, c.limit); err != nil || len(ids) != c.want {
			t.Errorf("%+v: %v, %v", c, ids, err)
		}
	}
	_, err = s.AuditGap(ctx, 3)
	is(t, "no gap", err, identity.ErrNotFound)
	gap := func(first, last int64) identity.AuditGap {
		return identity.AuditGap{First: first, Last: last, At: at(7), Before: []byte("b"), After: []byte("a"), MAC: []byte("m")}
	}
	put := func(g identity.AuditGap) {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutAuditGap(ctx, g) })
	}
	put(gap(3, 5))
	put(gap(7, 7))
	for id, want := range map[int64]int64{3: 3, 4: 3, 5: 3, 7: 7} {
		if g, err := s.AuditGap(ctx, id); err != nil || g.First != want {
			t.Errorf("the gap of %d: %+v, %v", id, g, err)
		}
	}
	for _, id := range []int64{2, 6, 8} {
		_, err := s.AuditGap(ctx, id)
		is(t, "beside a gap", err, identity.ErrNotFound)
	}
	put(gap(1, 8))
	g, err := s.AuditGap(ctx, 4)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the joined gap", g, gap(1, 8))
	rows, err = s.AuditRows(ctx, 1, 1)
	if err != nil || len(rows) != 1 || rows[0].ID != 9 {
		t.Errorf("the first row past the gap: %+v, %v", rows, err)
	}
}

// auditAtOnce has many append at the same time: the IDs have no gap and no chain forks.
func auditAtOnce(t *testing.T, s identity.Store) {
	const writers, each = 8, 20
	done := make(chan error, writers)
	ctx := t.Context()
	for range writers {
		go func() {
			var err error
			for range each {
				err = errors.Join(err, s.Write(ctx, func(w identity.StoreWriter) error {
					return chained(ctx, w, identity.AuditEvent{Time: at(1), Event: "x"})
				}))
			}
			done <- err
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	head, err := s.AuditHead(ctx)
	if err != nil || head.ID != writers*each {
		t.Errorf("%+v, %v", head, err)
	}
	rows, err := s.AuditRows(ctx, 1, 1000)
	if err != nil || len(rows) != writers*each {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
