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
			logins := 0
			measure("login", func() {
				if logins++; logins%1000 == 0 { // nobody else writes the rows of the log, and a full queue waits
					h.FlushBehind(ctx)
				}
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
			list := func(name string, f identity.UserFilter) {
				measure(name, func() {
					_, err := h.Users(ctx, f)
					must(err)
				})
			}
			place := func(i int) identity.UserPlace {
				return identity.UserPlace{Login: identity.UserName(manyName(i)), Domain: "example.org"}
			}
			list("first page", identity.UserFilter{Limit: 50})
			list("page in the middle", identity.UserFilter{Limit: 50, After: place(n / 2)})
			list("page before it", identity.UserFilter{Limit: 50, Before: place(n / 2)})
			list("page in the middle by number", identity.UserFilter{Limit: 50, Offset: n / 2})
			list("search, one has it", identity.UserFilter{Text: manyName(n - 1), Limit: 50})
			list("search, all have it", identity.UserFilter{Text: "erson", Limit: 50})
			list("search, nobody has it", identity.UserFilter{Text: "somebody", Limit: 50})
			list("disabled", identity.UserFilter{State: identity.UserDisabled, Limit: 50})
			measure("count", func() {
				_, err := h.CountUsers(ctx, identity.UserFilter{})
				must(err)
			})
			measure("count of a search", func() {
				_, err := h.CountUsers(ctx, identity.UserFilter{Text: "erson", Limit: 10_001})
				must(err)
			})
			_, err := h.AddGroup(ctx, owner, "crowd", 0)
			must(err)
			members := min(n, 100_000)
			join(b, h, "crowd", members)
			// What changes for a tenth of a million, each of whom is told.
			full := true
			measure(fmt.Sprintf("change of a group of %d", members), func() {
				full = !full
				_, err := h.SetGroup(ctx, owner, "crowd", identity.GroupChange{Folder: &full})
				must(err)
			})
			measure("one more in it", func() {
				must(h.AddMembers(ctx, owner, "crowd", []string{manyName(7)}, true))
				must(h.AddMembers(ctx, owner, "crowd", []string{manyName(7)}, false))
			})
			measure("administrator", func() {
				_, err := h.HasAdministrator(ctx)
				must(err)
			})
		})
	}
}

// join makes the first accounts members of a group.
func join(b *testing.B, h *house, group string, n int) {
	g, err := h.GroupRow(context.Background(), group)
	if err != nil {
		b.Fatal(err)
	}
	err = h.store.Write(context.Background(), func(w identity.StoreWriter) error {
		for i := range n {
			if err := w.PutMember(context.Background(), g.GID, manyID(i), false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func manyID(i int) identity.UserID { return identity.UserID(fmt.Sprintf("many%022d", i)) }

func manyName(i int) string { return fmt.Sprintf("person%07d", i) }

// fill writes accounts as an import leaves them, many in a transaction.
func fill(b *testing.B, s identity.Store, n int) {
	const piece = 5000
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for from := 0; from < n; from += piece {
		err := s.Write(context.Background(), func(w identity.StoreWriter) error {
			for i := from; i < min(from+piece, n); i++ {
				id := uint32(1_000_000 + i)
				u := identity.User{ID: manyID(i), Domain: "example.org", Login: identity.UserName(manyName(i)), UID: id, GID: id,
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
