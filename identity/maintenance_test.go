package identity_test

import (
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

func closeFor(h *house, c identity.MaintenanceChange) (identity.Maintenance, int) {
	h.t.Helper()
	c.On = true
	m, n, err := h.SetMaintenance(h.t.Context(), boss, c)
	if err != nil {
		h.t.Fatal(err)
	}
	return m, n
}

var boss = identity.Actor{User: "boss", Level: identity.LevelAdmin, Via: "web"}

func TestMaintenanceKeepsOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) { o.AnonymousRoads = []identity.Road{identity.RoadFTP} })
	h.person("user", nil)
	h.person("mod", func(u *identity.User) { u.Level = identity.LevelModerator })
	h.person("admin", func(u *identity.User) { u.Level = identity.LevelAdmin })
	h.person("gone", func(u *identity.User) { u.Level, u.State = identity.LevelAdmin, identity.UserDisabled })
	closeFor(h, identity.MaintenanceChange{Message: "New disks", Until: h.clock.now().Add(time.Hour)})
	for _, x := range []struct {
		name     string
		protocol identity.Protocol
		login    string
		password string
		want     error
	}{
		{"a user by FTP", identity.ProtocolFTP, "user", testPassword, identity.ErrMaintenance},
		{"a user in chat", identity.ProtocolXMPP, "user", testPassword, identity.ErrMaintenance},
		{"a wrong password learns nothing", identity.ProtocolFTP, "user", "wrong", identity.ErrCredentials},
		{"a name that there is not learns nothing", identity.ProtocolFTP, "nobody-here", testPassword, identity.ErrCredentials},
		{"a moderator by FTP", identity.ProtocolFTP, "mod", testPassword, identity.ErrMaintenance},
		{"a moderator by the API", identity.ProtocolAPI, "mod", testPassword, identity.ErrMaintenance},
		{"an administrator by FTP", identity.ProtocolFTP, "admin", testPassword, nil},
		{"an administrator in chat", identity.ProtocolXMPP, "admin", testPassword, nil},
		{"a disabled administrator", identity.ProtocolFTP, "gone", testPassword, identity.ErrDisabled},
	} {
		t.Run(x.name, func(t *testing.T) {
			ses, _ := h.open(x.protocol, "192.0.2.1:4000")
			_, err := h.login(ses, x.login, x.password)
			wantErr(t, x.name, err, x.want)
			if x.want == identity.ErrMaintenance {
				if got := identity.RetryAfter(err); got != time.Hour {
					t.Errorf("to come again after %v", got)
				}
				if got := identity.MaintenanceMessage(err); got != "New disks" {
					t.Errorf("said %q", got)
				}
			}
		})
	}
	ses, _ := h.open(identity.ProtocolFTP, "192.0.2.1:4000")
	_, err := h.LoginAnonymous(t.Context(), ses, identity.Anonymous{Name: "ftp", Email: "a@b"})
	wantErr(t, "somebody anonymous", err, identity.ErrMaintenance)
	if _, _, err := h.SetMaintenance(t.Context(), boss, identity.MaintenanceChange{}); err != nil {
		t.Fatal(err)
	}
	h.in(identity.ProtocolFTP, "user", testPassword)
	if err := h.Closed(); err != nil {
		t.Error(err)
	}
}

func TestMaintenanceOnTheWeb(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("user", nil)
	h.person("mod", func(u *identity.User) { u.Level = identity.LevelModerator })
	closeFor(h, identity.MaintenanceChange{})
	for name, want := range map[string]error{"user": identity.ErrMaintenance, "mod": nil} {
		b, _, err := h.StartAnonymous(t.Context(), h.visit())
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Upgrade(t.Context(), b, form(name, testPassword), false)
		wantErr(t, name, err, want)
	}
}

func TestMaintenanceEndsSessions(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("user", nil)
	chief := h.person("admin", func(u *identity.User) { u.Level = identity.LevelAdmin })
	user, told := h.in(identity.ProtocolFTP, "user", testPassword)
	admin, _ := h.in(identity.ProtocolFTP, "admin", testPassword)
	browser, cookie := h.browse("user")
	early, _ := h.open(identity.ProtocolFTP, "192.0.2.9:4000")
	if _, n := closeFor(h, identity.MaintenanceChange{}); n != 0 || user.Level() == identity.LevelNone {
		t.Error("a session ended though nobody asked for it")
	}
	if _, n := closeFor(h, identity.MaintenanceChange{Message: "New disks", End: true}); n != 2 {
		t.Errorf("%d sessions ended", n)
	}
	why := told.reasons()
	if len(why) != 1 || why[0].Code != identity.ReasonMaintenance || !strings.Contains(why[0].Text, "New disks") {
		t.Errorf("told %+v", why)
	}
	if browser.Level() != identity.LevelNone {
		t.Error("the browser session goes on")
	}
	if _, _, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, cookie.Value)); err == nil {
		t.Error("the cookie is good yet")
	}
	for name, s := range map[string]*identity.Session{"an administrator's": admin, "one before its log-in": early} {
		select {
		case <-s.Ended():
			t.Errorf("%s ended", name)
		default:
		}
	}
	// Whoever was let in as an administrator, and is none any more, goes.
	h.clock.pass(2 * time.Second)
	late, lateTold := h.in(identity.ProtocolFTP, "admin", testPassword)
	h.set(chief, func(u *identity.User) { u.Level = identity.LevelUser })
	select {
	case <-late.Ended():
	default:
		t.Error("an administrator who is none any more stays")
	}
	if why := lateTold.reasons(); len(why) != 1 || why[0].Code != identity.ReasonMaintenance {
		t.Errorf("told %+v", why)
	}
}

func TestMaintenanceIsCheckedAndKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("user", nil)
	ctx := t.Context()
	for name, x := range map[string]struct {
		by   identity.Actor
		c    identity.MaintenanceChange
		want error
	}{
		"a moderator":        {identity.Actor{User: "mod", Level: identity.LevelModerator}, identity.MaintenanceChange{On: true}, identity.ErrRefused},
		"nobody":             {identity.Actor{Level: identity.LevelNobody}, identity.MaintenanceChange{On: true}, identity.ErrRefused},
		"a second FTP reply": {boss, identity.MaintenanceChange{On: true, Message: "a\r\n230 welcome"}, identity.ErrInvalid},
		"a line separator":   {boss, identity.MaintenanceChange{On: true, Message: "a\u2028b"}, identity.ErrInvalid},
		"no XML character":   {boss, identity.MaintenanceChange{On: true, Message: "a\ufffe"}, identity.ErrInvalid},
		"not UTF-8":          {boss, identity.MaintenanceChange{On: true, Message: "a\xff"}, identity.ErrInvalid},
		"too long":           {boss, identity.MaintenanceChange{On: true, Message: strings.Repeat("x", identity.MaxMaintenanceMessage+1)}, identity.ErrInvalid},
		"over already":       {boss, identity.MaintenanceChange{On: true, Until: h.clock.now().Add(-time.Second)}, identity.ErrInvalid},
		"without an end":     {boss, identity.MaintenanceChange{On: true, Until: h.clock.now().Add(400 * 24 * time.Hour)}, identity.ErrInvalid},
	} {
		_, _, err := h.SetMaintenance(ctx, x.by, x.c)
		wantErr(t, name, err, x.want)
	}
	if h.Maintenance().On {
		t.Fatal("a refused change holds")
	}
	began, _ := closeFor(h, identity.MaintenanceChange{Message: "one"})
	h.clock.pass(time.Minute)
	changed, _ := closeFor(h, identity.MaintenanceChange{Message: "two"})
	if changed.Since != began.Since || changed.Message != "two" {
		t.Errorf("%+v after %+v", changed, began)
	}
	h.start() // as after a restart
	if got := h.Maintenance(); got != changed {
		t.Errorf("kept %+v, want %+v", got, changed)
	}
	ses, _ := h.open(identity.ProtocolFTP, "192.0.2.1:4000")
	_, err := h.login(ses, "user", testPassword)
	wantErr(t, "after a restart", err, identity.ErrMaintenance)
	if _, _, err := h.SetMaintenance(ctx, boss, identity.MaintenanceChange{}); err != nil {
		t.Fatal(err)
	}
	rows, err := h.Audit(ctx, identity.AuditFilter{Event: "maintenance.*", Limit: 10})
	if err != nil || len(rows) != 3 || rows[0].Event != identity.EventMaintenanceOff || rows[0].Actor != "boss" || !strings.Contains(rows[1].After, `"two"`) {
		t.Errorf("%+v, %v", rows, err)
	}
}
