package storetest

import (
	"context"
	"testing"

	"trivium/identity"
)

func devices(t *testing.T, s identity.Store) {
	put(t, s, newUser("user1", 10001), newUser("user2", 10002))
	one := identity.Device{User: "id-user1", Near: []byte{1, 0}, Far: []byte{9}, Road: identity.RoadWeb, Token: "tok", Client: "Firefox on Linux",
		FirstSeen: at(1), LastSeen: at(1)}
	two := identity.Device{User: "id-user1", Near: []byte{2}, Far: []byte{9}, Road: identity.RoadFTP, FirstSeen: at(2), LastSeen: at(2)}
	other := identity.Device{User: "id-user2", Near: []byte{1, 0}, Far: []byte{8}, Road: identity.RoadWeb, FirstSeen: at(0), LastSeen: at(0)}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		for _, d := range []identity.Device{one, two, other} {
			if err := w.PutDevice(ctx, d); err != nil {
				return err
			}
		}
		return w.PutAlias(ctx, identity.Alias{Domain: domain, Name: "first", Target: "id-user1"})
	})
	list := func(want ...identity.Device) {
		t.Helper()
		got, err := s.Devices(t.Context(), "id-user1")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "devices", got, want)
	}
	list(two, one)
	again := one
	again.FirstSeen, again.LastSeen, again.Client = at(5), at(5), "Firefox on Windows"
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.PutDevice(ctx, again) })
	again.FirstSeen = one.FirstSeen
	list(again, two)
	for _, c := range []struct {
		name identity.UserName
		near []byte
		from int
		want bool
	}{
		{"user1", one.Near, 5, true},
		{"first", one.Near, 5, true},
		{"user1", one.Near, 6, false},
		{"user1", []byte{7}, 0, false},
		{"user2", two.Near, 0, false},
		{"none", one.Near, 0, false},
	} {
		got, err := s.DeviceKnown(t.Context(), domain, c.name, c.near, at(c.from))
		if err != nil || got != c.want {
			t.Errorf("%s %v since %d: %v, %v", c.name, c.near, c.from, got, err)
		}
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error { return w.ForgetDevices(ctx, at(9)) })
	list(again)
	if got, err := s.Devices(t.Context(), "id-user2"); err != nil || len(got) != 1 {
		t.Errorf("the last device of an account is forgotten: %v, %v", got, err)
	}
	write(t, s, func(ctx context.Context, w identity.StoreWriter) error {
		return w.RemoveDevices(ctx, "id-user1", one.Near, []byte("none"))
	})
	list()
	err := s.Write(t.Context(), func(w identity.StoreWriter) error {
		return w.PutDevice(t.Context(), identity.Device{User: "nobody", Near: []byte{1}, Far: []byte{1}})
	})
	is(t, "a device of nobody", err, identity.ErrNotFound)
}
