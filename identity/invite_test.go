package identity_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
)

// invited is a house where people are invited.
type invited struct {
	*house
	told *notices
	ses  *identity.Session
}

func newInvited(t *testing.T) *invited {
	h := newHouse(t, strict)
	i := &invited{house: h, told: &notices{}}
	h.AddNotifier(i.told)
	h.person("admin1", func(u *identity.User) { u.Level = identity.LevelAdmin })
	h.person("staff1", func(u *identity.User) { u.Level = identity.LevelStaff })
	i.ses, _ = h.open(identity.ProtocolWeb, "192.0.2.1:4000")
	return i
}

func (i *invited) invite(by identity.Actor, n identity.NewInvite) (identity.Invitation, string) {
	i.t.Helper()
	inv, code, err := i.Invite(i.t.Context(), by, n)
	if err != nil {
		i.t.Fatal(err)
	}
	return inv, code.Reveal()
}

func (i *invited) redeem(code, login, password string) (identity.Account, error) {
	i.t.Helper()
	o, err := i.OpenInvitation(i.t.Context(), i.ses, code)
	if err != nil {
		return identity.Account{}, err
	}
	return o.Redeem(i.t.Context(), i.ses, login, identity.NewSecret(password), identity.Profile{})
}

// wants checks the kind of an error and what it says.
func (i *invited) wants(what string, err, kind error, words string) {
	i.t.Helper()
	if !errors.Is(err, kind) || err != nil && !strings.Contains(err.Error(), words) {
		i.t.Errorf("%s: %v, want %q with %q", what, err, kind, words)
	}
}

var staffOne = identity.Actor{User: "staff1", Level: identity.LevelStaff, Via: "web"}

const goodPassword = "correct horse battery"

func TestJoin(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	if _, err := i.AddGroup(t.Context(), owner, "choir", 0); err != nil {
		t.Fatal(err)
	}
	inv, code := i.invite(adminOne, identity.NewInvite{Level: identity.LevelCustomer, Groups: []string{"choir"}, Note: "for the choir", Contact: true})
	if !strings.HasPrefix(code, inv.ID) || len(code) != 28 || strings.Contains(fmt.Sprintf("%+v", inv), code) {
		t.Errorf("code %q of %+v", code, inv)
	}
	var met []string
	i.OnContact(func(_ context.Context, inviter, joined identity.Account) {
		met = append(met, string(inviter.Login)+" "+string(joined.Login))
	})
	_, err := i.redeem(code, "admin1", goodPassword)
	i.wants("a name that is taken", err, identity.ErrExists, "taken")
	_, err = i.redeem(code, "carol", "password1")
	i.wants("a weak password", err, identity.ErrInvalid, "too easy")
	_, err = i.redeem(code, "c\u0430rol", goodPassword)
	i.wants("letters of two scripts", err, identity.ErrInvalid, "several scripts")
	_, err = i.redeem(code, "ftp", goodPassword)
	i.wants("a reserved name", err, identity.ErrInvalid, "reserved")
	a, err := i.redeem(strings.ToUpper(code[:8])+"-"+code[8:], "Carol", goodPassword)
	if err != nil || a.Level != identity.LevelCustomer || len(a.Groups) != 1 || a.State != identity.UserActive {
		t.Fatalf("%+v, %v", a, err)
	}
	if len(met) != 1 || met[0] != "admin1 carol" {
		t.Errorf("contacts %q", met)
	}
	i.in(identity.ProtocolFTP, "carol", goodPassword)
	_, err = i.redeem(code, "dave", goodPassword)
	i.wants("a second time", err, identity.ErrExpired, "used already")
	uses, err := i.InviteUses(t.Context(), inv.ID)
	if err != nil || len(uses[inv.ID]) != 1 || uses[inv.ID][0].Login != "carol" || uses[inv.ID][0].Remote != "192.0.2.1" {
		t.Errorf("uses %+v, %v", uses, err)
	}
	for _, event := range []string{"invite.add", "invite.use", "user.add"} {
		rows, err := i.Audit(t.Context(), identity.AuditFilter{Event: event})
		if err != nil || len(rows) != 1 || strings.Contains(fmt.Sprint(rows), code[8:]) {
			t.Errorf("%s: %+v, %v", event, rows, err)
		}
	}
}

func TestInviteRights(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	i.person("user1", nil)
	if _, err := i.AddGroup(t.Context(), owner, "choir", 0); err != nil {
		t.Fatal(err)
	}
	userOne := identity.Actor{User: "user1", Level: identity.LevelUser, Via: "web"}
	for _, tt := range []struct {
		what string
		by   identity.Actor
		n    identity.NewInvite
		want error
	}{
		{"staff, a user", staffOne, identity.NewInvite{}, nil},
		{"staff, a customer", staffOne, identity.NewInvite{Level: identity.LevelCustomer}, identity.ErrRefused},
		{"staff, into a group", staffOne, identity.NewInvite{Groups: []string{"choir"}}, identity.ErrRefused},
		{"staff, too often", staffOne, identity.NewInvite{Uses: 21}, identity.ErrInvalid},
		{"staff, a reset", staffOne, identity.NewInvite{User: "user1"}, identity.ErrRefused},
		{"a user", userOne, identity.NewInvite{}, identity.ErrRefused},
		{"a user, a contact", userOne, identity.NewInvite{ContactOnly: true}, nil},
		{"an administrator, one of them", adminOne, identity.NewInvite{Level: identity.LevelAdmin}, identity.ErrRefused},
		{"an administrator, a moderator", adminOne, identity.NewInvite{Level: identity.LevelModerator, Uses: 1000}, nil},
		{"an administrator, too often", adminOne, identity.NewInvite{Uses: 1001}, identity.ErrInvalid},
		{"an administrator's password", adminOne, identity.NewInvite{User: "admin1"}, identity.ErrRefused},
		{"nobody", owner, identity.NewInvite{Level: identity.LevelNobody}, identity.ErrInvalid},
		{"for ever", owner, identity.NewInvite{TTL: 400 * 24 * time.Hour}, identity.ErrInvalid},
		{"a reset for two", owner, identity.NewInvite{User: "user1", Uses: 2}, identity.ErrInvalid},
		{"another domain", owner, identity.NewInvite{Domain: "elsewhere.example"}, identity.ErrInvalid},
		{"a contact of nobody", owner, identity.NewInvite{Contact: true}, identity.ErrInvalid},
		{"a note of lines", owner, identity.NewInvite{Note: "a\nb"}, identity.ErrInvalid},
		{"a header in the address", owner, identity.NewInvite{Mail: "a@example.com\r\nBcc: b@example.com"}, identity.ErrInvalid},
		{"nobody's password", owner, identity.NewInvite{User: "none"}, identity.ErrNotFound},
	} {
		_, _, err := i.Invite(t.Context(), tt.by, tt.n)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", tt.what, err)
		}
	}
	mine, err := i.Invitations(t.Context(), staffOne, identity.InviteFilter{})
	all, err2 := i.Invitations(t.Context(), adminOne, identity.InviteFilter{})
	if err != nil || err2 != nil || len(mine) != 1 || len(all) != 3 {
		t.Errorf("%d and %d, %v, %v", len(mine), len(all), err, err2)
	}
	i.wants("revoking another's", i.RevokeInvite(t.Context(), userOne, mine[0].ID), identity.ErrNotFound, "")
	if err := i.RevokeInvite(t.Context(), staffOne, mine[0].ID); err != nil {
		t.Error(err)
	}
}

// TestInviteVoid: what its maker may not give any more, nobody gets.
func TestInviteVoid(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what string
		do   func(i *invited, inv identity.Invitation, code string) error
		want error
	}{
		{"nothing", func(*invited, identity.Invitation, string) error { return nil }, nil},
		{"revoked", func(i *invited, inv identity.Invitation, _ string) error {
			return i.RevokeInvite(i.t.Context(), adminOne, inv.ID)
		}, identity.ErrExpired},
		{"revoked by its code", func(i *invited, _ identity.Invitation, code string) error {
			return i.RevokeInvite(i.t.Context(), adminOne, code)
		}, identity.ErrExpired},
		{"expired", func(i *invited, _ identity.Invitation, _ string) error { i.clock.pass(8 * 24 * time.Hour); return nil }, identity.ErrExpired},
		{"its maker is disabled", func(i *invited, _ identity.Invitation, _ string) error {
			state := identity.UserDisabled
			_, err := i.SetUser(i.t.Context(), owner, "staff1", identity.UserChange{State: &state})
			return err
		}, identity.ErrExpired},
		{"its maker has a lower level", func(i *invited, _ identity.Invitation, _ string) error {
			level := identity.LevelUser
			_, err := i.SetUser(i.t.Context(), owner, "staff1", identity.UserChange{Level: &level})
			return err
		}, identity.ErrExpired},
		{"its maker is gone", func(i *invited, _ identity.Invitation, _ string) error {
			return i.RemoveUser(i.t.Context(), owner, "staff1")
		}, identity.ErrExpired},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			i := newInvited(t)
			inv, code := i.invite(staffOne, identity.NewInvite{})
			if err := tt.do(i, inv, code); err != nil {
				t.Fatal(err)
			}
			_, err := i.redeem(code, "carol", goodPassword)
			i.wants("joining", err, tt.want, "")
		})
	}
}

// TestInviteRace: of many who use a code at the same time one gets an account.
func TestInviteRace(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	_, code := i.invite(adminOne, identity.NewInvite{})
	_, reset := i.invite(owner, identity.NewInvite{User: "staff1"})
	race := func(code string, login func(n int) string) (won int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for n := range 8 {
			wg.Go(func() {
				o, err := i.OpenInvitation(t.Context(), i.ses, code)
				if err == nil {
					_, err = o.Redeem(t.Context(), i.ses, login(n), identity.NewSecret(fmt.Sprint(goodPassword, n)), identity.Profile{})
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, identity.ErrExpired):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return won
	}
	if won := race(code, func(n int) string { return fmt.Sprint("carol", n) }); won != 1 {
		t.Errorf("%d accounts of one invitation", won)
	}
	if won := race(reset, func(int) string { return "" }); won != 1 {
		t.Errorf("%d passwords of one link", won)
	}
	all, err := i.Users(t.Context(), identity.UserFilter{Text: "carol"})
	if err != nil || len(all) != 1 {
		t.Errorf("%d accounts, %v", len(all), err)
	}
}

// TestGuessing: whoever tries codes is banned, and what is over is no guess.
func TestGuessing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *identity.Options) {
		o.Limits.BanAfter = 5
		o.Limits.BanFor = time.Hour
		o.Limits.BanWindow = time.Hour
	})
	i := &invited{house: h, told: &notices{}}
	i.ses, _ = h.open(identity.ProtocolWeb, "192.0.2.1:4000")
	inv, code := i.invite(owner, identity.NewInvite{})
	for range 10 {
		if _, err := i.OpenInvitation(t.Context(), i.ses, code); err != nil {
			t.Fatal(err)
		}
	}
	wrong := []string{"", "x", inv.ID + strings.Repeat("0", 20), strings.Repeat("z", 28), strings.Repeat("a", 1<<16)}
	for _, guess := range wrong {
		_, err := i.OpenInvitation(t.Context(), i.ses, guess)
		i.wants("a guess", err, identity.ErrNotFound, "not valid")
	}
	_, err := i.OpenInvitation(t.Context(), i.ses, code)
	i.wants("after guesses", err, identity.ErrBanned, "")
}

func TestFirstPassword(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	if _, err := i.AddUser(t.Context(), owner, identity.NewUser{Login: "carol", Invited: true}); err != nil {
		t.Fatal(err)
	}
	old, first := i.invite(owner, identity.NewInvite{User: "carol"})
	inv, code := i.invite(owner, identity.NewInvite{User: "carol"})
	if inv.Kind != identity.InviteFirst || old.Kind != identity.InviteFirst {
		t.Errorf("kinds %q, %q", inv.Kind, old.Kind)
	}
	_, err := i.redeem(first, "", goodPassword)
	i.wants("the older link", err, identity.ErrExpired, "void")
	_, err = i.redeem(code, "dave", goodPassword)
	i.wants("another name", err, identity.ErrInvalid, "account carol")
	a, err := i.redeem(code, "carol", goodPassword)
	if err != nil || a.State != identity.UserActive {
		t.Fatalf("%+v, %v", a, err)
	}
	i.in(identity.ProtocolFTP, "carol", goodPassword)
}

func TestReset(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	i.person("carol", func(u *identity.User) { u.Profile.Email = "Carol@example.com"; u.MustChange = true })
	web, _ := i.open(identity.ProtocolWeb, "192.0.2.7:4000")
	if _, err := i.login(web, "carol", testPassword); err != nil {
		t.Fatal(err)
	}
	_, code := i.invite(adminOne, identity.NewInvite{User: "carol"})
	_, err := i.redeem(code, "", "password1")
	i.wants("a weak password", err, identity.ErrInvalid, "too easy")
	a, err := i.redeem(code, "", goodPassword)
	if err != nil || a.MustChange {
		t.Fatalf("%+v, %v", a, err)
	}
	if web.Reason().Code != identity.ReasonRevoked {
		t.Error("a session of before goes on")
	}
	_, err = i.redeem(code, "", "another correct horse")
	i.wants("a second time", err, identity.ErrExpired, "")
	i.in(identity.ProtocolFTP, "carol", goodPassword)

	// The password is changed meanwhile: the link is void.
	_, code = i.invite(adminOne, identity.NewInvite{User: "carol"})
	if err := i.SetPassword(t.Context(), owner, "carol", identity.NewSecret("yet another horse 9"), nil); err != nil {
		t.Fatal(err)
	}
	_, err = i.redeem(code, "", goodPassword)
	i.wants("after a change", err, identity.ErrExpired, "void")
	_, code = i.invite(adminOne, identity.NewInvite{User: "carol"})
	i.clock.pass(25 * time.Hour)
	_, err = i.redeem(code, "", goodPassword)
	i.wants("after a day", err, identity.ErrExpired, "expired")
	state := identity.UserDisabled
	if _, err := i.SetUser(t.Context(), owner, "carol", identity.UserChange{State: &state}); err != nil {
		t.Fatal(err)
	}
	_, _, err = i.Invite(t.Context(), adminOne, identity.NewInvite{User: "carol"})
	i.wants("a disabled account", err, identity.ErrInvalid, "disabled")
}

// TestAskReset: the answer tells nothing, and the mail goes to the address of the account alone.
func TestAskReset(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	i.person("carol", func(u *identity.User) { u.Profile.Email = "carol@example.com" })
	i.person("dave", nil)
	ask := func(from, name string) []string {
		t.Helper()
		ses, _ := i.open(identity.ProtocolWeb, from+":4000")
		if err := i.AskReset(t.Context(), ses, name); err != nil {
			t.Fatal(err)
		}
		i.FlushBehind(t.Context())
		ses.Close()
		var to []string
		for _, n := range i.told.list {
			if n.Kind != identity.NoticeReset || n.Code.IsZero() {
				t.Errorf("told %+v", n)
			}
			to = append(to, n.Profile.Email)
		}
		i.told.take()
		return to
	}
	for _, tt := range []struct {
		name string
		want string
	}{
		{"nobody", "[]"}, {"dave", "[]"}, {"carol", "[carol@example.com]"}, {"carol@example.org", "[carol@example.com]"},
		{"CAROL@example.com", "[carol@example.com]"}, {"carol", "[]"}, // the fourth within an hour
		{"a\r\nBcc: x@example.com", "[]"}, {"", "[]"}, {strings.Repeat("x", 1000), "[]"},
	} {
		if got := fmt.Sprint(ask("192.0.2.1", tt.name)); got != tt.want {
			t.Errorf("%q: mails to %s, want %s", tt.name, got, tt.want)
		}
	}
	i.clock.pass(2 * time.Hour)
	if got := fmt.Sprint(ask("192.0.2.2", "carol")); got != "[carol@example.com]" {
		t.Errorf("later: %s", got)
	}
	for n := range 11 {
		err := i.AskReset(t.Context(), i.ses, "nobody")
		if want := n == 10; errors.Is(err, identity.ErrThrottled) != want {
			t.Errorf("ask %d: %v", n, err)
		}
	}
	rows, err := i.Audit(t.Context(), identity.AuditFilter{Event: "reset.ask"})
	if err != nil || len(rows) != 10 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestApprove(t *testing.T) {
	t.Parallel()
	i := newInvited(t)
	user := i.person("user1", nil)
	other := i.person("user2", nil)
	_, code := i.invite(identity.Actor{User: "user1", Level: identity.LevelUser, Via: "xmpp"}, identity.NewInvite{ContactOnly: true})
	_, plain := i.invite(adminOne, identity.NewInvite{})
	i.wants("another's", i.Approve(t.Context(), other.ID, code, "x@example.net"), identity.ErrNotFound, "")
	i.wants("no contact", i.Approve(t.Context(), user.ID, plain, "x@example.net"), identity.ErrNotFound, "")
	i.wants("nonsense", i.Approve(t.Context(), user.ID, "x", "x@example.net"), identity.ErrNotFound, "")
	_, err := i.redeem(code, "carol", goodPassword)
	i.wants("an account", err, identity.ErrInvalid, "no account")
	if err := i.Approve(t.Context(), user.ID, code, "x@example.net"); err != nil {
		t.Error(err)
	}
	i.wants("again", i.Approve(t.Context(), user.ID, code, "y@example.net"), identity.ErrExpired, "")
}
