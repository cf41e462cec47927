package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
	"trivium/identity/sqlstore"
	"trivium/internal/sqldb"
)

// logbook is a service on a store whose file somebody can change.
type logbook struct {
	*accounts
	db *sqldb.DB
	o  identity.Options
}

func newLogbook(t *testing.T, with ...func(*identity.Options)) *logbook {
	t.Helper()
	db, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := sqlstore.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	l := &logbook{db: db, o: identity.Options{Store: sqlstore.New(db), Domain: "example.org", SealKey: make([]byte, 32), SCRAMIterations: 64}}
	for _, fn := range with {
		fn(&l.o)
	}
	l.restart(t)
	return l
}

// restart makes the service anew, as a new process does.
func (l *logbook) restart(t *testing.T) {
	t.Helper()
	s, err := identity.New(t.Context(), l.o)
	if err != nil {
		t.Fatal(err)
	}
	l.accounts = &accounts{s, t, l.o.Store}
}

func (l *logbook) record(n int) {
	l.t.Helper()
	for i := range n {
		l.must("recording", l.Record(l.t.Context(), identity.AuditEvent{Event: "test.row", Actor: "user1", Subject: strings.Repeat("x", i%7),
			Time: time.Unix(1_800_000_000+int64(i), 0)}))
	}
}

// attack runs SQL past all triggers, as somebody with the file in their hands can.
func (l *logbook) attack(statements ...string) {
	l.t.Helper()
	err := l.db.Write(l.t.Context(), func(tx *sqldb.Tx) error {
		for _, q := range append([]string{"DROP TRIGGER IF EXISTS identity_audit_unchanged", "DROP TRIGGER IF EXISTS identity_audit_kept"}, statements...) {
			if _, err := tx.ExecContext(l.t.Context(), q); err != nil {
				return err
			}
		}
		return nil
	})
	l.must("attacking", err)
}

// faults is what a check of the log says is wrong.
func (l *logbook) faults(heads ...identity.AuditHead) []int64 {
	l.t.Helper()
	p, err := l.VerifyAudit(l.t.Context(), heads...)
	l.must("verifying", err)
	var ids []int64
	for _, f := range p.Faults {
		ids = append(ids, f.ID)
	}
	return ids
}

func (l *logbook) head() identity.AuditHead {
	l.t.Helper()
	h, err := l.AuditHead(l.t.Context())
	l.must("reading the head", err)
	return h
}

func TestAuditVerify(t *testing.T) {
	t.Parallel()
	const swap = "UPDATE identity_audit SET id = -1 WHERE id = 7; UPDATE identity_audit SET id = 7 WHERE id = 8; UPDATE identity_audit SET id = 8 WHERE id = -1"
	for _, tt := range []struct {
		name   string
		attack []string
		want   []int64 // rows that are named
	}{
		{"nothing", nil, nil},
		{"a field changed", []string{"UPDATE identity_audit SET actor = 'user2' WHERE id = 7"}, []int64{7}},
		{"a time changed", []string{"UPDATE identity_audit SET at = at + 1 WHERE id = 7"}, []int64{7}},
		{"text moved from one field to the next", []string{"UPDATE identity_audit SET event = 'test.rowu', actor = 'ser1' WHERE id = 7"}, []int64{7}},
		{"a chain changed", []string{"UPDATE identity_audit SET chain = zeroblob(32) WHERE id = 7"}, []int64{7, 8}},
		{"a row removed", []string{"DELETE FROM identity_audit WHERE id = 7"}, []int64{7}},
		{"rows removed", []string{"DELETE FROM identity_audit WHERE id IN (7, 8, 9, 15)"}, []int64{7, 15}},
		{"the first row removed", []string{"DELETE FROM identity_audit WHERE id = 1"}, []int64{1}},
		{"rows moved", []string{swap}, []int64{7, 8, 9}},
		{"a row added past the end", []string{"INSERT INTO identity_audit (id, at, event, actor, via, subject, protocol, method, remote, session, result, detail) VALUES (21, 1, 'a', '', '', '', '', '', '', '', '', '')"}, []int64{21}},
		{"the end removed", []string{"DELETE FROM identity_audit WHERE id > 15"}, []int64{16}},
		{"the end cut off with the head", []string{"DELETE FROM identity_audit WHERE id > 15",
			"UPDATE identity_audit_head SET id = 15, chain = (SELECT chain FROM identity_audit WHERE id = 15)"}, []int64{15, 16}},
		{"the head of nobody", []string{"UPDATE identity_audit_head SET id = 20, began = 20, chain = NULL, mac = NULL"}, []int64{20}},
		{"the head taken away", []string{"DELETE FROM identity_audit_head"}, []int64{20}},
		{"all taken away", []string{"DELETE FROM identity_audit_head", "DELETE FROM identity_audit"}, []int64{20}},
		{"a gap of somebody without the key", []string{"DELETE FROM identity_audit WHERE id BETWEEN 3 AND 5",
			`INSERT INTO identity_audit_gaps (first_id, last_id, at, before_chain, after_chain, mac)
			VALUES (3, 5, 1, (SELECT chain FROM identity_audit WHERE id = 2), zeroblob(32), zeroblob(32))`}, []int64{3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLogbook(t)
			l.record(20)
			l.attack(tt.attack...)
			got := l.faults()
			if !slices.Equal(got, tt.want) {
				p, err := l.VerifyAudit(t.Context())
				t.Errorf("got faults at %v, want %v: %+v, %v", got, tt.want, p, err)
			}
		})
	}
}

// The chain is made anew by somebody who can compute it but has not the key: nothing but the head tells.
func TestAuditForgedChain(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.record(10)
	var kept []identity.AuditEvent
	for _, r := range mustRows(t, l, 1) {
		if r.ID != 4 {
			kept = append(kept, r.AuditEvent)
		}
	}
	forger := newLogbook(t, func(o *identity.Options) { o.SealKey[0] = 9 })
	for _, e := range kept {
		l.must("forging", forger.Record(t.Context(), e))
	}
	if f := forger.faults(); len(f) != 0 {
		t.Fatalf("the forger's own log: %v", f)
	}
	rows, head := mustRows(t, forger, 1), forger.head()
	err := l.o.Store.Write(t.Context(), func(w identity.StoreWriter) error {
		if err := w.PutAuditGap(t.Context(), identity.AuditGap{First: 1, Last: 10, MAC: []byte("x")}); err != nil {
			return err
		}
		return w.AppendAudit(t.Context(), head, rows...)
	})
	l.must("putting the forged log in its place", err)
	l.attack("DELETE FROM identity_audit_gaps")
	if f := l.faults(); !slices.Contains(f, 9) {
		t.Errorf("got faults at %v, want the head's", f)
	}
	// A restart that remembers nothing knows it too, and what is appended blesses nothing.
	l.attack("DELETE FROM identity_settings WHERE name = 'audit_head'")
	l.restart(t)
	l.record(1)
	p, err := l.VerifyAudit(t.Context())
	if err != nil || len(p.Faults) != 1 || p.Faults[0].ID != 10 || !strings.Contains(p.Faults[0].Text, "seal key") {
		t.Errorf("after an append: %+v, %v", p, err)
	}
}

func mustRows(t *testing.T, l *logbook, from int64) []identity.AuditRow {
	t.Helper()
	rows, err := l.o.Store.AuditRows(t.Context(), from, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// An older copy of the whole store is put in the place of a newer one: the store itself is in order, but
// the process, or what was noted down outside, knows better.
func TestAuditTailCut(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.record(10)
	old := l.head()
	l.record(10)
	noted := l.head()
	restore := []string{"DELETE FROM identity_audit WHERE id > 10", "DELETE FROM identity_settings"}
	l.attack(restore...)
	l.must("putting the old head in its place", l.db.Write(t.Context(), func(tx *sqldb.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE identity_audit_head SET id = $1, chain = $2, mac = $3", old.ID, old.Chain, old.MAC)
		return err
	}))
	if f := l.faults(); !slices.Equal(f, []int64{11}) {
		t.Errorf("by the process that knew: faults at %v", f)
	}
	l.restart(t)
	if f := l.faults(); len(f) != 0 {
		t.Errorf("by nothing but the store: %v", f)
	}
	parsed, err := identity.ParseAuditHead(noted.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if f := l.faults(parsed); !slices.Equal(f, []int64{11}) {
		t.Errorf("by the noted head: faults at %v", f)
	}
	l.o.AuditHead = noted.String()
	l.restart(t)
	l.record(1)
	p, err := l.VerifyAudit(t.Context())
	if err != nil || len(p.Faults) == 0 || !strings.Contains(p.Faults[0].Text, "cut off") {
		t.Errorf("what was kept outside: %+v, %v", p, err)
	}
	if got := l.events(identity.AuditFilter{Event: identity.EventAuditBroken}); len(got) != 1 {
		t.Errorf("%d rows say so", len(got))
	}
	l.restart(t) // with the head that is kept now
	l.record(1)
	if got := l.events(identity.AuditFilter{Event: identity.EventAuditBroken}); len(got) != 2 {
		t.Errorf("%d rows say so", len(got)) // the head that was kept outside has not been written anew here
	}
}

// The head is kept where KeepAuditHead says, and comes back at the next start.
func TestAuditHeadIsKept(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var kept []string
	l := newLogbook(t, func(o *identity.Options) {
		o.KeepAuditHead = func(s string) error {
			mu.Lock()
			defer mu.Unlock()
			kept = append(kept, s)
			return nil
		}
	})
	l.record(3)
	run := func() {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		stop()
		l.must("running", <-done)
	}
	run()
	want := l.head().String()
	if len(kept) == 0 || kept[len(kept)-1] != want {
		t.Fatalf("kept %v, want %s", kept, want)
	}
	if text, err := l.store.Setting(t.Context(), "audit_head"); err != nil || text != want {
		t.Errorf("the store has %q, %v", text, err)
	}
	n := len(kept)
	l.o.AuditHead = want
	l.restart(t)
	run()
	if len(kept) != n {
		t.Error("a head that has not moved was written again")
	}
}

func TestAuditExpire(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := newLogbook(t, func(o *identity.Options) {
		o.Now = func() time.Time { return now }
		o.AuditKeep, o.AuditKeepLogins = 100*24*time.Hour, 10*24*time.Hour
	})
	days := func(n int) time.Time { return now.Add(-time.Duration(n) * 24 * time.Hour) }
	for d := 120; d >= 0; d-- { // one of each kind every day
		for _, e := range []string{"login.ok", "user.set"} {
			l.must("recording", l.Record(t.Context(), identity.AuditEvent{Event: e, Time: days(d)}))
		}
	}
	noted := l.head()
	for range 2 {
		l.must("expiring", l.ExpireAudit(t.Context()))
	}
	got, err := l.Audit(t.Context(), identity.AuditFilter{Limit: 1000})
	l.must("reading", err)
	n := map[string]int{}
	for _, e := range got {
		n[e.Event]++
	}
	if n["login.ok"] != 11 || n["user.set"] != 101 || n[identity.EventAuditExpire] != 1 {
		t.Errorf("left are %v", n)
	}
	p, err := l.VerifyAudit(t.Context(), noted)
	if err != nil || len(p.Faults) != 0 || p.Removed != 130 || p.Rows != 113 {
		t.Errorf("%+v, %v", p, err)
	}
	// Rows go in no other way.
	for _, q := range []string{"DELETE FROM identity_audit WHERE id > 240", "UPDATE identity_audit SET actor = 'x' WHERE id > 240"} {
		err := l.db.Write(t.Context(), func(tx *sqldb.Tx) error {
			_, err := tx.ExecContext(t.Context(), q)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", q, err)
		}
	}
	// A row that stands where rows were removed.
	l.attack("INSERT INTO identity_audit (id, at, event, actor, via, subject, protocol, method, remote, session, result, detail, chain) VALUES (1, 1, 'a', '', '', '', '', '', '', '', '', '', zeroblob(32))")
	if f := l.faults(); len(f) == 0 {
		t.Error("an added row is not found")
	}
	l.attack("DELETE FROM identity_audit WHERE id = 1", "UPDATE identity_audit_gaps SET last_id = last_id + 1 WHERE first_id = 1")
	if f := l.faults(); len(f) == 0 {
		t.Error("a changed gap is not found")
	}
}

// What clients send cannot make a row that reads as another, nor a large one.
func TestAuditHostileNames(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	for _, name := range []string{"root\r\n2030 login.ok root", "\x1b[2J", "a\x00b", "\xff\xfe", strings.Repeat("A", 1<<20), "\u202eadmin", ""} {
		_, _, err := l.login(name, "wrong password")
		if !errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%.20q: %v", name, err)
		}
		l.must("recording", l.Record(t.Context(), identity.AuditEvent{Event: "hostile", Actor: name, Subject: name, Remote: name, Session: name, Detail: name, Before: name, After: name}))
	}
	l.FlushBehind(t.Context())
	got, err := l.Audit(t.Context(), identity.AuditFilter{})
	l.must("reading", err)
	if len(got) != 14 {
		t.Errorf("%d rows", len(got))
	}
	for _, e := range got {
		if len(e.Subject) > 1024 || len(e.Detail) > 16<<10 || strings.ContainsRune(e.Subject+e.Detail, 0) {
			t.Errorf("%d and %d bytes in a row of %s", len(e.Subject), len(e.Detail), e.Event)
		}
	}
	if f := l.faults(); len(f) != 0 {
		t.Errorf("faults at %v", f)
	}
}

// Two processes on one store append to one chain.
func TestAuditTwoProcesses(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	other, err := identity.New(t.Context(), l.o)
	l.must("starting another", err)
	var wg sync.WaitGroup
	for range 50 {
		for _, s := range []*identity.Service{l.Service, other} {
			wg.Go(func() {
				if err := s.Record(t.Context(), identity.AuditEvent{Event: "x"}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	p, err := l.VerifyAudit(t.Context())
	if err != nil || len(p.Faults) != 0 || p.Rows != 100 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestFollowAudit(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.record(2)
	got, err := l.FollowAudit(t.Context(), identity.AuditFilter{After: 1}, time.Minute)
	if err != nil || len(got) != 1 || got[0].ID != 2 {
		t.Fatalf("what is there already: %v, %v", got, err)
	}
	if got, err := l.FollowAudit(t.Context(), identity.AuditFilter{After: 2}, time.Millisecond); err != nil || len(got) != 0 {
		t.Fatalf("nothing: %v, %v", got, err)
	}
	out := make(chan []identity.AuditEvent, 1)
	go func() {
		got, err := l.FollowAudit(t.Context(), identity.AuditFilter{After: 2, Event: "wanted"}, time.Minute)
		if err != nil {
			t.Error(err)
		}
		out <- got
	}()
	l.record(1)
	l.must("recording", l.Record(t.Context(), identity.AuditEvent{Event: "wanted"}))
	if got := <-out; len(got) != 1 || got[0].Event != "wanted" || got[0].ID != 4 {
		t.Errorf("followed: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	changed, err := l.AuditChanged(ctx)
	l.must("watching", err)
	l.record(1)
	if _, ok := <-changed; !ok {
		t.Error("no word of a row")
	}
	cancel()
	for range changed { // until it is closed
	}
}

func TestParseAuditHead(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.record(1)
	good := l.head()
	if h, err := identity.ParseAuditHead(good.String()); err != nil || h.String() != good.String() {
		t.Errorf("%v, %v", h, err)
	}
	for _, s := range []string{"", "audit1", "audit1:0:1::", strings.Replace(good.String(), "audit1", "audit2", 1), good.String() + ":", "audit1:-1:0:" + strings.Repeat("00", 32) + ":" + strings.Repeat("00", 32)} {
		if _, err := identity.ParseAuditHead(s); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"x", "1", "-", "1-0", "1--1", "a-zz!"} {
		if _, err := identity.ParseAuditCursor(s); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("cursor %q: %v", s, err)
		}
	}
	c := identity.AuditCursor{Time: time.UnixMicro(1_800_000_000_123_456).UTC(), ID: 42}
	if got, err := identity.ParseAuditCursor(c.String()); err != nil || got != c {
		t.Errorf("%v, %v", got, err)
	}
}

func FuzzParseAuditHead(f *testing.F) {
	f.Add("audit1:0:42:" + strings.Repeat("ab", 32) + ":" + strings.Repeat("cd", 32))
	f.Add("audit1:::::")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := identity.ParseAuditHead(s)
		if err != nil {
			return
		}
		if again, err := identity.ParseAuditHead(h.String()); err != nil || again.String() != h.String() {
			t.Errorf("%q: %v, %v", s, again, err)
		}
	})
}

func FuzzParseAuditCursor(f *testing.F) {
	f.Add("1-1")
	f.Add("-zz-2")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := identity.ParseAuditCursor(s)
		if err != nil || s == "" {
			return
		}
		if again, err := identity.ParseAuditCursor(c.String()); err != nil || again != c {
			t.Errorf("%q: %v, %v", s, again, err)
		}
	})
}
