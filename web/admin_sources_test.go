package web_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"trivium/identity"
	"trivium/identity/oidc"
	"trivium/web"
)

// staffroom is a directory in memory.
type staffroom struct {
	people map[string]identity.Person
	down   error
}

func (d *staffroom) Check(context.Context, identity.UserName, identity.Secret) (identity.Person, error) {
	return identity.Person{}, identity.ErrCredentials
}

func (d *staffroom) Find(_ context.Context, login identity.UserName) (identity.Person, error) {
	p, ok := d.people[string(login)]
	if !ok {
		return p, identity.ErrNotFound
	}
	return p, nil
}

func (d *staffroom) People(_ context.Context, fn func(identity.Person) error) error {
	for _, p := range d.people {
		if err := fn(p); err != nil {
			return err
		}
	}
	return d.down
}

func (d *staffroom) Probe(context.Context) error { return d.down }

func TestSourcesPage(t *testing.T) {
	d := &staffroom{people: map[string]identity.Person{"dora": {Subject: "1", Login: "dora", Name: "Dora <b>", Groups: []string{"teachers"}}, "taken": {Subject: "2", Login: "taken"}}}
	s := newSite(t, func(w *web.Options, i *identity.Options) {
		i.Sources = []identity.Directory{{Name: "office", Kind: "ldap", Where: "ldaps://ldap.example.org", Source: d,
			Intake: identity.Intake{Create: true, Groups: []string{"everybody"}, Levels: map[string]identity.Level{"teachers": identity.LevelStaff}, Memberships: map[string][]string{"teachers": {"staffroom"}}}}}
		gone := oidc.New(oidc.Options{Name: "company", Label: "The company", Issuer: "http://127.0.0.1:1", ClientID: "x"})
		t.Cleanup(func() { _ = gone.Close() })
		w.Providers = append(w.Providers, gone)
		i.Providers = append(i.Providers, identity.Provider{Name: "company"})
	})
	s.user("root1", identity.LevelRoot)
	s.user("taken", identity.LevelUser)
	s.user("mod1", identity.LevelModerator)
	s.browser().login("mod1").get("/admin/sources").expect(t, http.StatusNotFound, "Page not found")
	b := s.browser().login("root1")
	from := "/admin/sources"
	b.get(from).expect(t, http.StatusOK, "3 accounts have their password here", "ldaps://ldap.example.org", "The company", "/login/oidc/company/callback")
	b.post(from, from+"/office/test").expect(t, http.StatusOK, "The directory answers.")
	b.post(from, from+"/office/test", "login", "dora").expect(t, http.StatusOK, `data-testid="prospect"`, "Dora &lt;b&gt;", "A log-in would make the account", "staff (30)", "staffroom", "everybody")
	b.post(from, from+"/office/test", "login", "taken").expect(t, http.StatusOK, "No account here:", "there is a user")
	b.post(from, from+"/office/test", "login", "nobody").expect(t, http.StatusUnprocessableEntity, "Nobody in the directory")
	b.post(from, from+"/office/test", "login", "a*b").expect(t, http.StatusUnprocessableEntity)
	b.post(from, from+"/office/preview").expect(t, http.StatusOK, "1 created", "dry run: nothing was written", "taken")
	if _, err := s.identity.User(t.Context(), "dora"); !errors.Is(err, identity.ErrNotFound) {
		t.Fatalf("a dry run made an account: %v", err)
	}
	b.post(from, from+"/office/sync").expect(t, http.StatusOK, "1 created")
	if a, err := s.identity.User(t.Context(), "dora"); err != nil || a.Level != identity.LevelStaff {
		t.Errorf("after the sync: %+v, %v", a.User, err)
	}
	b.post(from, from+"/office/test", "login", "dora").expect(t, http.StatusOK, "The account <strong>dora</strong> has")
	d.down = errors.New("connection refused <b>")
	b.post(from, from+"/office/test").expect(t, http.StatusServiceUnavailable, "connection refused &lt;b&gt;")
	b.post(from, from+"/company/test").expect(t, http.StatusOK, "does not answer")
	b.post(from, from+"/nosuch/test").expect(t, http.StatusNotFound, "Page not found")
	b.post(from, from+"/nosuch/sync").expect(t, http.StatusNotFound, "Page not found")
}
