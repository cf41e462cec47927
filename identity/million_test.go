package identity_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"trivium/identity"
)

// shown is a Prover that is content: what remains of a log-in is the look-up and what follows it.
type shown struct{}

func (shown) Prove(context.Context, *identity.Account) error { return nil }

// BenchmarkAccounts compares a store of a thousand accounts with larger ones, by what the processors
// do: choose with -bench 'Accounts/1000000/'.
func BenchmarkAccounts(b *testing.B) {
	for _, n := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newHouse(b, nil)
			fill(b, h.store, n)
			measure := func(name string, fn func()) {
				b.Run(name, func(b *testing.B) {
					before := cpu(b)
					for b.Loop() {
						fn()
					}
					b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
				})
			}
			ctx := context.Background()
			must := func(err error) {
				if err != nil {
					b.Fatal(err)
				}
			}
			measure("login", func() {
				ses, _ := h.open(identity.ProtocolFTP, home)
				_, err := h.Login(ctx, ses, identity.Login{Method: identity.MethodFAST, Name: manyName(rand.IntN(n)), Prover: shown{}})
				ses.Close()
				must(err)
			})
			measure("unknown", func() {
				_, err := h.User(ctx, "nobody-of-these")
				if err == nil {
					b.Fatal("found")
				}
			})
			measure("first page", func() {
				_, err := h.Users(ctx, identity.UserFilter{Limit: 50})
				must(err)
			})
			measure("page in the middle", func() {
				_, err := h.Users(ctx, identity.UserFilter{Limit: 50, Offset: n / 2})
				must(err)
			})
			measure("search", func() {
				_, err := h.Users(ctx, identity.UserFilter{Text: manyName(n - 1), Limit: 50})
				must(err)
			})
			measure("administrator", func() {
				_, err := h.HasAdministrator(ctx)
				must(err)
			})
		})
	}
}

func manyName(i int) string { return fmt.Sprintf("person%07d", i) }

// fill writes accounts as an import leaves them, many in a transaction.
func fill(b *testing.B, s identity.Store, n int) {
	const piece = 5000
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for from := 0; from < n; from += piece {
		err := s.Write(context.Background(), func(w identity.StoreWriter) error {
			for i := from; i < min(from+piece, n); i++ {
				id := uint32(1_000_000 + i)
				u := identity.User{ID: identity.UserID(fmt.Sprintf("many%022d", i)), Domain: "example.org", Login: identity.UserName(manyName(i)), UID: id, GID: id,
					Level: identity.LevelUser, State: identity.UserActive, CreatedAt: at, CredentialVersion: 1,
					Profile: identity.Profile{Name: fmt.Sprintf("Person %d", i), Email: manyName(i) + "@example.org"}}
				if _, err := w.PutUser(context.Background(), u); err != nil {
					return err
				}
				if err := w.PutGroup(context.Background(), 0, identity.Group{GID: id, Domain: u.Domain, Name: u.Login, CreatedAt: at}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
