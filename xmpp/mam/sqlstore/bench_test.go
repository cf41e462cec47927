package sqlstore_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
	"trivium/xmpp/mam"
	"trivium/xmpp/mam/sqlstore"
)

// open returns an empty store and closes it when the test ends.
func open(t testing.TB, e sqltest.Engine, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	db := e.Migrated(t, sqlstore.Migrate)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := sqlstore.Open(t.Context(), db, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// cpu is what this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func account(n int) (identity.UserID, string) {
	return identity.UserID(fmt.Sprintf("account%06d", n)), fmt.Sprintf("user%d@example.org", n)
}

// letter is a message as a usual client sends it, with a body of 200 bytes.
func letter(from, to int, origin string) mam.Message {
	a, aj := account(from)
	b, bj := account(to)
	return mam.Message{From: a, To: b, FromJID: aj, ToJID: bj, Origin: origin,
		Stanza: []byte("<message xmlns='jabber:client' type='chat' id='" + origin + "' from='" + aj + "/phone' to='" + bj + "' xml:lang='en'><body>" +
			strings.Repeat("hello wo", 25) + "</body><origin-id xmlns='urn:xmpp:sid:0' id='" + origin + "'/></message>")}
}

// BenchmarkPut writes messages with two records each, durable, and says what one costs in all: the
// index that is written behind included.
func BenchmarkPut(b *testing.B) { sqltest.EachBench(b, benchmarkPut) }

func benchmarkPut(b *testing.B, e sqltest.Engine) {
	for _, tt := range []struct {
		name           string
		people, window int
		pairs          bool // each writes to one contact
	}{
		{"100 people in pairs, 400 in work", 100, 400, true},
		{"100 people in pairs, 50 in work", 100, 50, true},
		{"5000 people in pairs, 400 in work", 5000, 400, true},
		{"5000 people at random, 400 in work", 5000, 400, false},
	} {
		b.Run(tt.name, func(b *testing.B) {
			s := open(b, e, sqlstore.Options{})
			ctx := context.Background()
			for n := range tt.people { // the rows of the accounts are made once in their lives
				if _, err := s.Put(ctx, letter(n, (n+1)%tt.people, ""), nil); err != nil {
					b.Fatal(err)
				}
			}
			slots := make(chan struct{}, tt.window)
			var wg sync.WaitGroup
			began := cpu()
			b.ResetTimer()
			for i := range b.N {
				slots <- struct{}{}
				wg.Add(1)
				from, to := rand.IntN(tt.people), rand.IntN(tt.people)
				if tt.pairs || to == from {
					to = from ^ 1
				}
				_, err := s.Put(ctx, letter(from, to, fmt.Sprintf("0123456789abcdef-%d", i)), func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-slots
					wg.Done()
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "cpu-µs/msg")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkPage reads pages of 50 from an archive of a million messages with 1000 contacts, among
// which the archives of others lie, too.
func BenchmarkPage(b *testing.B) { sqltest.EachBench(b, benchmarkPage) }

func benchmarkPage(b *testing.B, e sqltest.Engine) {
	const messages, contacts = 1_000_000, 1000
	s := open(b, e, sqlstore.Options{})
	ctx := context.Background()
	ids := make([]mam.ID, 0, messages)
	for i := range messages {
		r, err := s.Put(ctx, letter(0, 1+rand.IntN(contacts), fmt.Sprintf("0123456789abcdef-%d", i)), nil)
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	if err := s.Fold(ctx); err != nil {
		b.Fatal(err)
	}
	who, _ := account(0)
	at := func() mam.ID { return ids[rand.IntN(len(ids))] }
	for _, tt := range []struct {
		name string
		q    func() mam.Query
	}{
		{"first", func() mam.Query { return mam.Query{} }},
		{"last", func() mam.Query { return mam.Query{Backward: true} }},
		{"after an id", func() mam.Query { return mam.Query{After: at()} }},
		{"before an id", func() mam.Query { return mam.Query{Before: at(), Backward: true} }},
		{"from a time", func() mam.Query { return mam.Query{Start: at().Time()} }},
		{"up to a time", func() mam.Query { return mam.Query{End: at().Time(), Backward: true} }},
		{"fifty ids", func() mam.Query {
			var list []mam.ID
			for range 50 {
				list = append(list, at())
			}
			return mam.Query{IDs: list}
		}},
	} {
		for _, with := range []bool{false, true} {
			name := tt.name
			if with {
				name += ", one contact"
			}
			b.Run(name, func(b *testing.B) {
				began := cpu()
				var slowest time.Duration
				for range b.N {
					q := tt.q()
					q.Max = 50
					if with {
						_, q.With = account(1 + rand.IntN(contacts))
					}
					start := time.Now()
					if _, err := s.Page(ctx, who, q); err != nil {
						b.Fatal(err)
					}
					slowest = max(slowest, time.Since(start))
				}
				b.ReportMetric(float64((cpu()-began).Microseconds())/float64(b.N), "cpu-µs/page")
				b.ReportMetric(float64(slowest.Microseconds()), "slowest-µs")
			})
		}
	}
	b.Run("count", func(b *testing.B) {
		for range b.N {
			if n, err := s.Count(ctx, who, ""); n != messages || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("search of 10,000", func(b *testing.B) {
		for range b.N {
			q := mam.Query{Max: 50, Backward: true, Scan: 10_000, Match: func([]byte) bool { return false }}
			if _, err := s.Page(ctx, who, q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
