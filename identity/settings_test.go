package identity_test

import (
	"errors"
	"strings"
	"testing"

	"trivium/identity"
)

func TestSettings(t *testing.T) {
	h := newHouse(t, nil)
	var heard []string
	h.OnSetting(func(key, value string, set bool) {
		if !set {
			value = "-"
		}
		heard = append(heard, key+"="+value)
	})
	admin := identity.Actor{User: "admin1", Level: identity.LevelAdmin, Via: "web"}
	for _, tt := range []struct {
		name, key, value string
		by               identity.Actor
		want             error
	}{
		{"one", "log.level", "debug", admin, nil},
		{"again", "log.level", "warn", admin, nil},
		{"empty value", "maintenance", "", admin, nil},
		{"no key", "", "x", admin, identity.ErrInvalid},
		{"a key of other characters", "log level", "x", admin, identity.ErrInvalid},
		{"upper case", "Log", "x", admin, identity.ErrInvalid},
		{"too long a key", strings.Repeat("a", 129), "x", admin, identity.ErrInvalid},
		{"too long a value", "a", strings.Repeat("a", 8<<10+1), admin, identity.ErrInvalid},
		{"not UTF-8", "a", "\xff", admin, identity.ErrInvalid},
		{"a moderator", "a", "x", identity.Actor{User: "m", Level: identity.LevelModerator}, identity.ErrRefused},
		{"nobody", "a", "x", identity.Actor{User: "m", Level: identity.LevelNobody}, identity.ErrRefused},
	} {
		if err := h.SetSetting(t.Context(), tt.by, tt.key, tt.value); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if v, err := h.Setting(t.Context(), "log.level"); v != "warn" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
	list, err := h.Settings(t.Context())
	if err != nil || len(list) != 2 || list[0].ChangedBy != "admin1" || !list[0].ChangedAt.Equal(h.clock.now()) {
		t.Errorf("got %+v, %v", list, err)
	}
	if err := h.UnsetSetting(t.Context(), identity.Actor{Level: identity.LevelStaff}, "log.level"); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("unset by staff: %v", err)
	}
	if err := h.UnsetSetting(t.Context(), admin, "log.level"); err != nil {
		t.Error(err)
	}
	if err := h.UnsetSetting(t.Context(), admin, "log.level"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("unset twice: %v", err)
	}
	if got := strings.Join(heard, " "); got != "log.level=debug log.level=warn maintenance= log.level=-" {
		t.Errorf("heard %s", got)
	}
	rows, err := h.Audit(t.Context(), identity.AuditFilter{Event: "setting.*"})
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if r := rows[0]; r.Event != identity.EventSettingUnset || r.Subject != "log.level" || r.Before != `{"value":"warn"}` || r.Actor != "admin1" {
		t.Errorf("the row: %+v", r)
	}
}
