package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"trivium/identity"
)

func choices(t *testing.T, s identity.Store) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	one := identity.Setting{Key: "log.level", Value: "debug", ChangedAt: at, ChangedBy: "admin1"}
	two := identity.Setting{Key: "banner", Value: "", ChangedAt: at.Add(time.Second)}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutSetting(ctx, "log.level", "own") })
	for _, c := range []identity.Setting{{Key: "log.level", Value: "warn", ChangedAt: at, ChangedBy: "x"}, one, two} {
		write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutChoice(ctx, c) })
	}
	list, err := s.Choices(t.Context())
	if err != nil || !slices.Equal(list, []identity.Setting{two, one}) {
		t.Errorf("got %+v, %v", list, err)
	}
	if v, err := s.Choice(t.Context(), "log.level"); v != "debug" || err != nil {
		t.Errorf("Choice: %q, %v", v, err)
	}
	if v, err := s.Setting(t.Context(), "log.level"); v != "own" || err != nil {
		t.Errorf("Setting of the same name: %q, %v", v, err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.RemoveChoice(ctx, "banner") })
	_, err = s.Choice(t.Context(), "banner")
	is(t, "a removed choice", err, identity.ErrNotFound)
	err = s.Write(t.Context(), func(w identity.StoreWriter) error { return w.RemoveChoice(t.Context(), "banner") })
	is(t, "removing it again", err, identity.ErrNotFound)
}
