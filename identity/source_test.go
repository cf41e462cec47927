package identity_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trivium/identity"
)

// people is a directory in memory.
type people struct {
	mu     sync.Mutex
	list   map[string]identity.Person // by login
	secret map[string]string
	down   error
	hang   bool          // until the context ends
	slow   time.Duration // of a no
	cut    int           // People fails after as many; 0: never
	asked  atomic.Int64
}

func (p *people) add(login, password string, change func(*identity.Person)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list == nil {
		p.list, p.secret = map[string]identity.Person{}, map[string]string{}
	}
	who := identity.Person{Subject: "s-" + login, Login: login}
	if change != nil {
		change(&who)
	}
	p.list[login], p.secret[login] = who, password
}

func (p *people) set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

func (p *people) Check(ctx context.Context, login identity.UserName, password identity.Secret) (identity.Person, error) {
	p.asked.Add(1)
	p.mu.Lock()
	who, ok := p.list[string(login)]
	ok = ok && p.secret[string(login)] == password.Reveal()
	down, hang, slow := p.down, p.hang, p.slow
	p.mu.Unlock()
	switch {
	case hang:
		<-ctx.Done()
		return identity.Person{}, ctx.Err()
	case down != nil:
		return identity.Person{}, down
	case !ok:
		if slow > 0 {
			<-time.After(slow)
		}
		return identity.Person{}, identity.ErrCredentials
	}
	return who, nil
}

func (p *people) Find(_ context.Context, login identity.UserName) (identity.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, ok := p.list[string(login)]
	if !ok {
		return who, identity.ErrNotFound
	}
	return who, p.down
}

func (p *people) People(_ context.Context, fn func(identity.Person) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, who := range p.list {
		if n++; p.cut > 0 && n > p.cut {
			return errors.New("cut off")
		}
		if err := fn(who); err != nil {
			return err
		}
	}
	return p.down
}

func (p *people) Probe(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.down
}

// office is a house with one directory of that name.
func office(t *testing.T, change func(*identity.Directory)) (*house, *people) {
	t.Helper()
	p := &people{}
	h := newHouse(t, func(o *identity.Options) {
		d := identity.Directory{Name: "office", Kind: "memory", Source: p, Cache: 2 * time.Minute, Waiting: 4}
		if change != nil {
			change(&d)
		}
		o.Sources = []identity.Directory{d}
	})
	return h, p
}

// from writes an account of the directory.
func (h *house) sourced(login string) identity.User {
	h.t.Helper()
	return h.person(login, func(u *identity.User) { u.Source, u.Subject = "office", "s-"+login })
}

// try logs in by FTP and goes again.
func (h *house) try(name, password string) error {
	h.t.Helper()
	ses, _ := h.open(identity.ProtocolFTP, home)
	defer ses.Close()
	_, err := h.login(ses, name, password)
	return err
}

func TestSourceChecksPassword(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) { d.Cache = 0 })
	h.sourced("alice")
	h.sourced("other")
	h.person("local", nil)
	p.add("alice", "there", func(w *identity.Person) { w.Email, w.Name = "alice@example.com", "Alice A." })
	p.add("other", "there", func(w *identity.Person) { w.Subject = "somebody else by now" })
	p.add("stranger", "there", nil)
	p.add("local", "there", nil)
	for _, c := range []struct {
		what, name, password string
		want                 error
		asked                int64
	}{
		{"the password there", "alice", "there", nil, 1},
		{"another spelling", "ALICE@example.org", "there", nil, 1},
		{"the password that lies here", "alice", testPassword, identity.ErrCredentials, 1},
		{"none", "alice", "", identity.ErrCredentials, 0},
		{"another person of that login", "other", "there", identity.ErrCredentials, 1},
		{"who has no account here", "stranger", "there", identity.ErrCredentials, 0},
		{"whom nobody knows", "nobody", "there", identity.ErrCredentials, 0},
		{"a local account", "local", testPassword, nil, 0},
		{"a local account, by the password there", "local", "there", identity.ErrCredentials, 0},
	} {
		p.asked.Store(0)
		wantErr(t, c.what, h.try(c.name, c.password), c.want)
		if n := p.asked.Load(); n != c.asked {
			t.Errorf("%s: asked %d times, want %d", c.what, n, c.asked)
		}
	}
	a, err := h.User(t.Context(), "alice")
	if err != nil || a.Profile.Email != "alice@example.com" || a.Profile.Name != "Alice A." {
		t.Errorf("profile %+v, %v", a.Profile, err)
	}
	_, err = h.SetUser(t.Context(), identity.Actor{Level: identity.LevelRoot}, "alice", identity.UserChange{State: new(identity.UserDisabled)})
	wantErr(t, "disabling", err, nil)
	wantErr(t, "disabled here", h.try("alice", "there"), identity.ErrDisabled)
	err = h.SetPassword(t.Context(), identity.Actor{Level: identity.LevelRoot}, "alice", identity.NewSecret("a fine password"), nil)
	wantErr(t, "setting the password of a directory", err, identity.ErrRefused)
}

func TestSourceMakesAccounts(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) {
		d.Intake = identity.Intake{Create: true, Groups: []string{"everybody"},
			Levels:      map[string]identity.Level{"admins": identity.LevelAdmin, "teachers": identity.LevelStaff},
			Memberships: map[string][]string{"teachers": {"staff", "press"}, "ski": {"ski"}}}
		d.Cache = 0
	})
	p.add("alice", "there", func(w *identity.Person) {
		w.Email, w.Phone, w.UID, w.GID, w.Group, w.Groups = "no address", "+49 30 1", 12345, 13000, "school", []string{"Teachers", "other"}
	})
	p.add("bob", "there", func(w *identity.Person) { w.UID, w.GID, w.Group = 12345, 999, "wheel" })
	p.add("off", "there", func(w *identity.Person) { w.Disabled = true })
	p.add("al/ice", "there", nil)
	wantErr(t, "wrong", h.try("alice", "wrong"), identity.ErrCredentials)
	if _, err := h.User(t.Context(), "alice"); !errors.Is(err, identity.ErrNotFound) {
		t.Fatalf("a wrong password makes an account: %v", err)
	}
	wantErr(t, "right", h.try("alice", "there"), nil)
	a, err := h.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if a.Level != identity.LevelStaff || a.UID != 12345 || a.GID != 13000 || a.Group.Name != "school" || a.Source != "office" || a.Subject != "s-alice" ||
		a.Profile.Email != "" || a.Profile.Phone != "+49 30 1" || !slices.Equal(groupNames(a), []string{"everybody", "press", "staff"}) {
		t.Errorf("made %+v in %v", a.User, groupNames(a))
	}
	wantErr(t, "a uid that is taken", h.try("bob", "there"), nil)
	if b, err := h.User(t.Context(), "bob"); err != nil || b.UID == 12345 || b.GID != b.UID || b.Level != identity.LevelUser {
		t.Errorf("made %+v, %v", b.User, err)
	}
	wantErr(t, "disabled there", h.try("off", "there"), identity.ErrCredentials)
	wantErr(t, "no name", h.try("al/ice", "there"), identity.ErrCredentials)
	p.add("alice", "there", func(w *identity.Person) { w.Groups = []string{"ski", "ADMINS"} })
	wantErr(t, "again", h.try("alice", "there"), nil)
	if a, err = h.User(t.Context(), "alice"); err != nil || a.Level != identity.LevelAdmin || !slices.Equal(groupNames(a), []string{"everybody", "ski"}) {
		t.Errorf("followed: %+v in %v, %v", a.User, groupNames(a), err)
	}
	wantErr(t, "removing", h.RemoveUser(t.Context(), identity.Actor{Level: identity.LevelRoot}, "bob"), nil)
	wantErr(t, "removed here", h.try("bob", "there"), identity.ErrCredentials)
	p.add("robert", "there", func(w *identity.Person) { w.Subject = "s-bob" })
	wantErr(t, "removed here, by another login", h.try("robert", "there"), identity.ErrCredentials)
}

func groupNames(a identity.Account) (names []string) {
	for _, g := range a.Groups {
		names = append(names, string(g.Name))
	}
	return names
}

func TestSourceCache(t *testing.T) {
	t.Parallel()
	h, p := office(t, nil)
	u := h.sourced("alice")
	p.add("alice", "there", nil)
	for range 3 {
		wantErr(t, "right", h.try("alice", "there"), nil)
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times for three log-ins", n)
	}
	wantErr(t, "wrong", h.try("alice", "wrong"), identity.ErrCredentials)
	p.add("alice", "changed", nil)
	wantErr(t, "the old one for a while", h.try("alice", "there"), nil)
	h.clock.pass(2*time.Minute + time.Second)
	wantErr(t, "the old one later", h.try("alice", "there"), identity.ErrCredentials)
	wantErr(t, "the new one", h.try("alice", "changed"), nil)
	h.set(u, func(u *identity.User) { u.State = identity.UserDisabled; u.CredentialVersion++ })
	wantErr(t, "disabled here", h.try("alice", "changed"), identity.ErrDisabled)
}

func TestSourceGone(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) { d.Timeout = 20 * time.Millisecond })
	h.sourced("alice")
	h.person("local", nil)
	p.add("alice", "there", nil)
	p.set(func() { p.hang = true })
	for range 3 {
		wantErr(t, "it hangs", h.try("alice", "there"), identity.ErrUnavailable)
	}
	p.asked.Store(0)
	wantErr(t, "left alone", h.try("alice", "there"), identity.ErrUnavailable)
	wantErr(t, "a name that nobody has looks the same", h.try("stranger", "there"), identity.ErrUnavailable)
	wantErr(t, "local", h.try("local", testPassword), nil)
	wantErr(t, "local, wrong", h.try("local", "wrong"), identity.ErrCredentials)
	if n := p.asked.Load(); n != 0 {
		t.Errorf("it was asked %d times while it is left alone", n)
	}
	p.set(func() { p.hang, p.down = false, errors.New("refused") })
	h.clock.pass(6 * time.Second)
	wantErr(t, "one question finds out", h.try("alice", "there"), identity.ErrUnavailable)
	wantErr(t, "it is not back", h.try("alice", "there"), identity.ErrUnavailable)
	if n := p.asked.Load(); n != 1 {
		t.Errorf("it was asked %d times to find out", n)
	}
	p.set(func() { p.down = nil })
	wantErr(t, "longer now", h.try("alice", "there"), identity.ErrUnavailable)
	h.clock.pass(11 * time.Second)
	wantErr(t, "it is back", h.try("alice", "there"), nil)
	wantErr(t, "a name that nobody has", h.try("stranger", "there"), identity.ErrCredentials)
	list, err := h.Directories(t.Context())
	if err != nil || len(list) != 1 || list[0].Gone || list[0].Accounts != 1 || list[0].Fault != "" {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestSourceBounded holds that a directory that hangs has bounded company, and that others than its
// people do not wait for it.
func TestSourceBounded(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) { d.Checks, d.Waiting, d.Timeout = 1, 1, time.Minute })
	for _, name := range []string{"a", "b", "c"} {
		h.sourced(name)
		p.add(name, "there", nil)
	}
	h.person("local", nil)
	p.set(func() { p.hang = true })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	failed := make(chan error, 3)
	var going sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		ses, _ := h.open(identity.ProtocolFTP, home)
		going.Go(func() {
			defer ses.Close()
			_, err := h.Login(ctx, ses, identity.Login{Method: identity.MethodPassword, Name: name, Secret: identity.NewSecret("there")})
			failed <- err
		})
	}
	wantErr(t, "the third", <-failed, identity.ErrBusy)
	wantErr(t, "local", h.try("local", testPassword), nil)
	stop()
	going.Wait()
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times at once", n)
	}
	// Clients that went say nothing about the directory.
	p.set(func() { p.hang = false })
	wantErr(t, "afterwards", h.try("a", "there"), nil)
}

// TestSourceRefusalsTakeAsLong holds that a name without an account, and a wrong password that is
// kept here, take as long as a wrong password that a slow directory is asked about.
func TestSourceRefusalsTakeAsLong(t *testing.T) {
	t.Parallel()
	const slow = 60 * time.Millisecond
	p := &people{slow: slow}
	h := newHouse(t, func(o *identity.Options) {
		o.Now = time.Now
		o.Sources = []identity.Directory{{Name: "office", Source: p}}
	})
	h.sourced("alice")
	h.person("local", nil)
	wantErr(t, "wrong there", h.try("alice", "wrong"), identity.ErrCredentials)
	for _, name := range []string{"nobody", "local", "no/name"} {
		began := time.Now()
		wantErr(t, name, h.try(name, "wrong"), identity.ErrCredentials)
		if took := time.Since(began); took < slow {
			t.Errorf("%s: a refusal after %s, the directory takes %s", name, took, slow)
		}
	}
}

func TestSourceSync(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) {
		d.Intake = identity.Intake{Create: true, Levels: map[string]identity.Level{"admins": identity.LevelAdmin}}
	})
	root := identity.Actor{Level: identity.LevelRoot, Via: "cli"}
	h.person("local", func(u *identity.User) { u.Level = identity.LevelRoot })
	p.add("alice", "there", nil)
	p.add("bob", "there", nil)
	p.add("local", "there", nil)
	p.add("off", "there", func(w *identity.Person) { w.Disabled = true })
	p.add("nameless", "there", func(w *identity.Person) { w.Subject = "" })
	dry, err := h.SyncDirectory(t.Context(), root, "office", true, false)
	if err != nil || dry.Created != 2 || dry.Skipped != 2 || dry.People != 5 {
		t.Errorf("dry: %+v, %v", dry, err)
	}
	if _, err := h.User(t.Context(), "alice"); !errors.Is(err, identity.ErrNotFound) {
		t.Error("a dry run has made an account")
	}
	r, err := h.SyncDirectory(t.Context(), root, "office", false, false)
	if err != nil || r.Created != 2 || r.Skipped != 2 || len(r.Notes) != 2 {
		t.Errorf("first: %+v, %v", r, err)
	}
	r, err = h.SyncDirectory(t.Context(), root, "office", false, false)
	if err != nil || r.Created+r.Changed+r.Disabled+r.Enabled != 0 {
		t.Errorf("nothing has changed: %+v, %v", r, err)
	}

	ses, end := h.open(identity.ProtocolXMPP, home)
	if _, err := h.login(ses, "alice", "there"); err != nil {
		t.Fatal(err)
	}
	p.add("alice", "there", func(w *identity.Person) { w.Disabled = true })
	p.add("bob", "there", func(w *identity.Person) { w.Groups = []string{"admins"} })
	r, err = h.SyncDirectory(t.Context(), root, "office", false, false)
	if err != nil || r.Disabled != 1 || r.Changed != 1 {
		t.Errorf("changed: %+v, %v", r, err)
	}
	if len(end.ended) != 1 || end.ended[0].Code != identity.ReasonDisabled {
		t.Errorf("the session of who was disabled: %+v", end.ended)
	}
	p.add("alice", "there", nil)
	p.set(func() { delete(p.list, "bob") })
	r, err = h.SyncDirectory(t.Context(), root, "office", false, false)
	if err != nil || r.Enabled != 1 || r.Disabled != 1 {
		t.Errorf("enabled again, and gone: %+v, %v", r, err)
	}
	if b, _ := h.User(t.Context(), "bob"); b.State != identity.UserDisabled || b.Level != identity.LevelAdmin {
		t.Errorf("who is gone: %+v", b.User)
	}
	// What a person has disabled stays so.
	disabled := identity.UserDisabled
	if _, err := h.SetUser(t.Context(), root, "alice", identity.UserChange{State: &disabled}); err != nil {
		t.Fatal(err)
	}
	if r, err = h.SyncDirectory(t.Context(), root, "office", false, false); err != nil || r.Enabled != 0 {
		t.Errorf("disabled by a person: %+v, %v", r, err)
	}
	if st, err := h.Directories(t.Context()); err != nil || st[0].LastSync == nil || st[0].LastSync.People != r.People || st[0].Accounts != 2 {
		t.Errorf("state %+v, %v", st, err)
	}
	h.start() // the report outlives the process
	if st, err := h.Directories(t.Context()); err != nil || st[0].LastSync == nil || st[0].LastSync.People != r.People {
		t.Errorf("state after a restart %+v, %v", st, err)
	}
	_, err = h.SyncDirectory(t.Context(), root, "nonsuch", false, false)
	wantErr(t, "no such source", err, identity.ErrNotFound)
	_, err = h.SyncDirectory(t.Context(), identity.Actor{Level: identity.LevelStaff}, "office", false, false)
	wantErr(t, "by staff", err, identity.ErrRefused)
}

// TestSourceSyncKeepsPeople holds that a directory that is half there, or cut off, disables nobody.
func TestSourceSyncKeepsPeople(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) { d.Intake.Create = true })
	root := identity.Actor{Level: identity.LevelRoot}
	names := []string{}
	for c := 'a'; c <= 'z'; c++ {
		names = append(names, "user"+string(c))
		p.add("user"+string(c), "there", nil)
	}
	if r, err := h.SyncDirectory(t.Context(), root, "office", false, false); err != nil || r.Created != len(names) {
		t.Fatalf("%+v, %v", r, err)
	}
	p.set(func() { p.cut = 3 })
	r, err := h.SyncDirectory(t.Context(), root, "office", false, false)
	wantErr(t, "cut off", err, identity.ErrUnavailable)
	if r.Disabled != 0 || r.Fault == "" {
		t.Errorf("cut off: %+v", r)
	}
	p.set(func() {
		p.cut = 0
		for _, n := range names[:20] {
			delete(p.list, n)
		}
	})
	r, err = h.SyncDirectory(t.Context(), root, "office", false, false)
	wantErr(t, "most are gone", err, identity.ErrRefused)
	if r.Disabled != 0 {
		t.Errorf("most are gone: %+v", r)
	}
	if r, err = h.SyncDirectory(t.Context(), root, "office", false, true); err != nil || r.Disabled != 20 {
		t.Errorf("by force: %+v, %v", r, err)
	}
}

func TestAttachToSource(t *testing.T) {
	t.Parallel()
	h, p := office(t, func(d *identity.Directory) { d.Cache = 0 })
	root := identity.Actor{Level: identity.LevelRoot}
	h.person("alice", nil)
	p.add("alice", "there", nil)
	ses, end := h.open(identity.ProtocolFTP, home)
	if _, err := h.login(ses, "alice", testPassword); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AttachUser(t.Context(), root, "alice", "office"); err != nil {
		t.Fatal(err)
	}
	if len(end.ended) != 1 {
		t.Error("a session by the old password goes on")
	}
	wantErr(t, "the old password", h.try("alice", testPassword), identity.ErrCredentials)
	wantErr(t, "the one there", h.try("alice", "there"), nil)
	if _, err := h.DetachUser(t.Context(), root, "alice"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the one there, detached", h.try("alice", "there"), identity.ErrCredentials)
	wantErr(t, "a new password", h.SetPassword(t.Context(), root, "alice", identity.NewSecret("a fine password"), nil), nil)
	wantErr(t, "by it", h.try("alice", "a fine password"), nil)
	_, err := h.DetachUser(t.Context(), root, "alice")
	wantErr(t, "twice", err, identity.ErrInvalid)
	h.person("bob", nil)
	_, err = h.AttachUser(t.Context(), root, "bob", "office")
	wantErr(t, "who is not there", err, identity.ErrNotFound)
}
