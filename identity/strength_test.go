package identity_test

import (
	"strings"
	"testing"

	"trivium/identity"
	"trivium/internal/strength"
)

// judge is the real estimator, with a list of one entry.
type judge struct{ *strength.Estimator }

func (j judge) Judge(password string, own ...string) (int, string) {
	e := j.Estimate(password, own...)
	return int(e.Score), string(e.Weak)
}

func (judge) Bad(password string) bool { return password == "hunter22 in the list" }

func strict(o *identity.Options) { o.Passwords, o.PasswordStrength = judge{strength.New()}, 2 }

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	a := newAccounts(t, strict)
	profile := identity.Profile{Name: "Alice Miller", Email: "amiller77@example.com"}
	for _, tt := range []struct{ password, want string }{
		{"brief7", "too short"},
		{"password1", "too easy to guess, as it is dictionary; make it longer"},
		{"aaaaaaaaaaaa", "too easy"},
		{"Alice.Miller", "another name of the account"},
		{"alicemiller1", "too easy"},
		{"amiller77@example.com", "another name"},
		{"amiller77123", "too easy"},
		{"hunter22 in the list", "known to be guessed"},
		{strings.Repeat("x", 1025), "too long"},
		{"\xff12345678", "not UTF-8"},
		{"correct horse battery", ""},
	} {
		err := a.CheckNewPassword("alice.miller", profile, identity.NewSecret(tt.password))
		if tt.want == "" {
			a.must(tt.password, err)
			continue
		}
		a.refused(tt.password, err, identity.ErrInvalid, tt.want)
		if strings.Contains(err.Error(), tt.password) {
			t.Errorf("the fault repeats the password: %v", err)
		}
	}
	// It holds wherever a password is set.
	weak := identity.NewSecret("password1")
	_, err := a.AddUser(t.Context(), owner, identity.NewUser{Login: "bob", Password: weak})
	a.refused("adding", err, identity.ErrInvalid, "too easy")
	a.add("bob", identity.LevelUser)
	a.refused("setting", a.SetPassword(t.Context(), owner, "bob", weak, nil), identity.ErrInvalid, "too easy")
	_, err = a.Setup(t.Context(), setupCode(a), identity.NewUser{Login: "root1", Password: weak})
	a.refused("setting up", err, identity.ErrInvalid, "too easy")
}

func setupCode(a *accounts) string {
	code, err := a.SetupCode(a.t.Context())
	a.must("the code of the set-up link", err)
	return code
}

func TestOneScript(t *testing.T) {
	t.Parallel()
	a := newAccounts(t)
	for _, tt := range []struct {
		login string
		ok    bool
	}{
		{"alice", true}, {"müller2", true}, {"алиса", true}, {"山田たろう", true}, {"김철수", true}, {"الياس", true}, {"alice_1.x", true},
		{"\u0430lice", false}, {"pаypal", false}, {"αlpha", false}, {"алисаx", false}, {"김たろ", false}, {"admin\u0131\u0455", false},
	} {
		_, err := a.AddUser(t.Context(), owner, identity.NewUser{Login: tt.login})
		if tt.ok {
			a.must(tt.login, err)
			continue
		}
		a.refused(tt.login, err, identity.ErrInvalid, "several scripts")
	}
	_, err := a.AddAlias(t.Context(), owner, "\u0430lice", "alice")
	a.refused("an alias", err, identity.ErrInvalid, "several scripts (Cyrillic and Latin)")
	_, err = a.AddGroup(t.Context(), owner, "pаypal", 0)
	a.refused("a group", err, identity.ErrInvalid, "several scripts")
	// All of it in letters of another alphabet, which look like those of a name that there is.
	_, err = a.AddUser(t.Context(), owner, identity.NewUser{Login: "соре"})
	a.must("a name that looks like nobody's", err)
	_, err = a.AddUser(t.Context(), owner, identity.NewUser{Login: "cope-x"})
	a.must("a Latin one", err)
	_, err = a.AddAlias(t.Context(), owner, "core", "alice")
	a.must("a Latin alias", err)
	for what, fn := range map[string]func() error{
		"a login like an alias": func() error { return second(a.AddUser(t.Context(), owner, identity.NewUser{Login: "соге"})) },
		"a login like a login":  func() error { return second(a.AddUser(t.Context(), owner, identity.NewUser{Login: "соре-х"})) },
		"an alias like a login": func() error { return second(a.AddAlias(t.Context(), owner, "соре-х", "alice")) },
		"a group like a login":  func() error { return second(a.AddGroup(t.Context(), owner, "соре-х", 0)) },
		"a name of group likewise": func() error {
			return second(a.SetGroup(t.Context(), owner, "müller2", identity.GroupChange{Name: ptr("соре-х")}))
		},
	} {
		a.refused(what, fn(), identity.ErrExists, "looks like")
	}
}
