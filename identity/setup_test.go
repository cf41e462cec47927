package identity_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"trivium/identity"
)

func TestSetup(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	code, err := a.SetupCode(ctx)
	a.must("making the code", err)
	if !regexp.MustCompile(`^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$`).MatchString(code) {
		t.Errorf("code: %s", code)
	}
	again, err := a.SetupCode(ctx)
	if again != code || err != nil {
		t.Errorf("the code changed from %s to %s, %v", code, again, err)
	}
	a.add("user1", identity.LevelModerator)
	admin := identity.NewUser{Login: "admin1", Level: identity.LevelUser, Password: identity.NewSecret("correct horse")}
	for _, wrong := range []string{"", "0000-0000-0000-0000", code[:len(code)-1], code + "0"} {
		_, err := a.Setup(ctx, wrong, admin)
		a.refused("the code "+wrong, err, identity.ErrNotFound, "setup-link")
	}
	short := admin
	short.Password = identity.NewSecret("abc")
	_, err = a.Setup(ctx, code, short)
	a.refused("a short password", err, identity.ErrInvalid, "too short")
	short.Password = identity.Secret{}
	_, err = a.Setup(ctx, code, short)
	a.refused("no password", err, identity.ErrInvalid)
	taken := admin
	taken.Login = "user1"
	_, err = a.Setup(ctx, code, taken)
	a.refused("a taken name", err, identity.ErrExists)

	typed := strings.ToLower(strings.ReplaceAll(code, "-", " "))
	root, err := a.Setup(ctx, typed, admin)
	a.must("setting up", err)
	if root.Level != identity.LevelRoot || root.Login != "admin1" {
		t.Errorf("account: %+v", root.User)
	}
	a.in("admin1", "correct horse")
	_, err = a.Setup(ctx, code, identity.NewUser{Login: "admin2", Password: identity.NewSecret("correct horse")})
	a.refused("the code again", err, identity.ErrNotFound)
	_, err = a.SetupCode(ctx)
	a.refused("asking for the code", err, identity.ErrNotFound, "administrator")
	rows, err := a.Audit(ctx, identity.AuditFilter{Subject: "admin1", Event: "user.add"})
	if err != nil || len(rows) != 1 || rows[0].Via != "setup" || rows[0].Actor != "admin1" || strings.Contains(rows[0].Detail+rows[0].After, code) {
		t.Errorf("audit: %+v, %v", rows, err)
	}
}

func TestSetupAtOnce(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	codes := make([]string, 8)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			var err error
			if codes[i], err = a.SetupCode(ctx); err != nil {
				t.Errorf("making the code: %v", err)
			}
		})
	}
	wg.Wait()
	for _, c := range codes {
		if c != codes[0] {
			t.Errorf("two codes: %s and %s", c, codes[0])
		}
	}
	var mu sync.Mutex
	won := 0
	for i := range codes {
		wg.Go(func() {
			_, err := a.Setup(ctx, codes[0], identity.NewUser{Login: fmt.Sprintf("admin%d", i), Password: identity.NewSecret("correct horse")})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case !errors.Is(err, identity.ErrNotFound):
				t.Errorf("losing: %v", err)
			}
		})
	}
	wg.Wait()
	list, err := a.Users(ctx, identity.UserFilter{})
	if won != 1 || err != nil || len(list) != 1 {
		t.Errorf("%d won, %d accounts, %v", won, len(list), err)
	}
}

func TestSetupEndsWithAnyAdministrator(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	code, err := a.SetupCode(ctx)
	a.must("making the code", err)
	a.add("user1", identity.LevelUser)
	level := identity.LevelAdmin
	_, err = a.SetUser(ctx, owner, "user1", identity.UserChange{Level: &level})
	a.must("promoting", err)
	_, err = a.Setup(ctx, code, identity.NewUser{Login: "admin1", Password: identity.NewSecret("correct horse")})
	a.refused("the code", err, identity.ErrNotFound)
	if _, err := a.store.Setting(ctx, "setup_code"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("the code is still kept: %v", err)
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	ctx := t.Context()
	a.must("recording", a.Record(ctx, identity.AuditEvent{Event: "token.issue", Actor: "user1", Subject: "a\x00b\xff", Detail: strings.Repeat("é", 20000)}))
	rows, err := a.Audit(ctx, identity.AuditFilter{Event: "token.*"})
	if err != nil || len(rows) != 1 || rows[0].Time.IsZero() || rows[0].Subject != "a\ufffdb\ufffd" || len(rows[0].Detail) > 16<<10 {
		t.Errorf("rows: %d, %v", len(rows), err)
	}
}

func FuzzProfile(f *testing.F) {
	f.Add("user1@example.org", "One User", "+49 30 1", "about\nme", "de-CH", "Europe/Berlin")
	f.Add("x", "a\x00", "\u202e", "\xff", "_", "../etc/passwd")
	f.Add("\"a b\"@example.org", " ", "", "\t", "en-u-ca-buddhist", "Local")
	db := newAccounts(f)
	db.add("user1", identity.LevelUser)
	f.Fuzz(func(t *testing.T, email, name, phone, about, lang, zone string) {
		set := func(p identity.Profile) (identity.Account, error) {
			return db.SetUser(t.Context(), owner, "user1", identity.UserChange{Profile: &p})
		}
		got, err := set(identity.Profile{Email: email, Name: name, Phone: phone, About: about, Lang: lang, Formats: lang, TimeZone: zone})
		if err != nil {
			if !errors.Is(err, identity.ErrInvalid) {
				t.Errorf("refused otherwise than as not valid: %v", err)
			}
			return
		}
		if strings.ContainsAny(got.Profile.Name+got.Profile.Email+got.Profile.Phone, "\r\n\x00") {
			t.Errorf("a control character passed: %+v", got.Profile)
		}
		again, err := set(got.Profile)
		if err != nil || again.Profile != got.Profile {
			t.Errorf("the normal form %+v is none: %+v, %v", got.Profile, again.Profile, err)
		}
	})
}
