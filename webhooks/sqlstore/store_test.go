package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"trivium/identity"
	"trivium/internal/sqldb/sqltest"
	"trivium/webhooks"
	"trivium/webhooks/sqlstore"
)

func TestDialectsAgree(t *testing.T) { sqltest.CheckDialects(t, ".") }

func TestQueries(t *testing.T) { sqltest.CheckQueries(t, ".") }

func TestStore(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, e sqltest.Engine) {
		s := sqlstore.New(e.Migrated(t, sqlstore.Migrate))
		ctx := t.Context()
		at := time.Unix(1_800_000_000, 0).UTC()
		h := webhooks.Hook{ID: "a", URL: "https://a.example.org/", Events: []string{"login.*", "user.add"}, Secret: []byte{1}, Active: true, Note: "n", CreatedBy: "root", CreatedAt: at, Position: 7}
		put := func(h webhooks.Hook) {
			t.Helper()
			if err := s.PutHook(ctx, h); err != nil {
				t.Fatal(err)
			}
		}
		same := func(want webhooks.Hook) {
			t.Helper()
			if got, err := s.Hook(ctx, want.ID); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v, %v", got, want, err)
			}
		}
		put(h)
		same(h)
		put(webhooks.Hook{ID: "b", URL: "https://b.example.org/", Secret: []byte{2}, CreatedAt: at.Add(time.Second)})
		if list, err := s.Hooks(ctx); err != nil || len(list) != 2 || list[0].ID != "a" || list[1].Events != nil {
			t.Errorf("%+v, %v", list, err)
		}
		moved := h
		moved.Position, moved.Failures, moved.Failing, moved.NextAt = 9, 2, at, at.Add(time.Minute)
		if err := s.Move(ctx, 8, moved); err != nil {
			t.Fatal(err)
		}
		same(h) // not from there
		if err := s.Move(ctx, 7, moved); err != nil {
			t.Fatal(err)
		}
		same(moved)
		put(h) // a change by hand does not take it back
		h.Position = 9
		same(h)
		for i := range 5 {
			d := webhooks.Delivery{Hook: "a", Message: fmt.Sprint("m", i), Event: "user.add", At: at, Status: 500, Took: 3 * time.Millisecond, Error: "no", Attempt: i + 1}
			if id, err := s.AddDelivery(ctx, d, 3); err != nil || id != int64(i+1) {
				t.Fatal(id, err)
			}
		}
		if id, err := s.AddDelivery(ctx, webhooks.Delivery{Hook: "nosuch", At: at}, 3); err != nil || id != 0 {
			t.Errorf("a delivery of a subscription that is gone: %d, %v", id, err)
		}
		list, err := s.Deliveries(ctx, "a")
		if err != nil || len(list) != 3 || list[0].Message != "m4" || list[2].Message != "m2" || list[0].Took != 3*time.Millisecond || list[0].Millis != 3 || !list[0].At.Equal(at) {
			t.Errorf("%+v, %v", list, err)
		}
		if last, err := s.LastDeliveries(ctx); err != nil || len(last) != 1 || last["a"].Message != "m4" {
			t.Errorf("%+v, %v", last, err)
		}
		h.Secret = []byte{3}
		put(h)
		same(h)
		if err := s.RemoveHook(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveHook(context.WithoutCancel(ctx), "a"); !errors.Is(err, identity.ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		if list, err := s.Deliveries(ctx, "a"); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
