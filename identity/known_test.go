package identity_test

import (
	"context"
	"crypto/sha256"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trivium/identity"
)

// countingStore counts how often accounts are read one by one.
type countingStore struct {
	identity.Store
	reads atomic.Int64
	poll  error
}

func (s *countingStore) Account(ctx context.Context, domain string, name identity.UserName) (identity.Account, error) {
	s.reads.Add(1)
	return s.Store.Account(ctx, domain, name)
}

func (s *countingStore) AccountByID(ctx context.Context, id identity.UserID) (identity.Account, error) {
	s.reads.Add(1)
	return s.Store.AccountByID(ctx, id)
}

func (s *countingStore) ChangeSeq(ctx context.Context) (int64, error) {
	if s.poll != nil {
		return 0, s.poll
	}
	return s.Store.ChangeSeq(ctx)
}

// known is a house whose alice has logged in, so that the next log-in reads nothing.
func known(t *testing.T) (*house, *countingStore, identity.User) {
	t.Helper()
	var store *countingStore
	h := newHouse(t, func(o *identity.Options) { store = &countingStore{Store: o.Store}; o.Store = store })
	u := h.person("alice", nil)
	look(h)
	h.in(identity.ProtocolFTP, "alice", testPassword)
	store.reads.Store(0)
	h.in(identity.ProtocolFTP, "alice", testPassword)
	if n := store.reads.Load(); n != 0 {
		t.Fatalf("a known log-in reads the account %d times: the test shows nothing", n)
	}
	return h, store, u
}

func look(h *house) {
	h.t.Helper()
	if err := h.Poll(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func TestKnownAccounts(t *testing.T) {
	t.Parallel()
	disabled := identity.UserDisabled
	disable := func(h *house, u identity.User) {
		h.write(func(ctx context.Context, w identity.StoreWriter) error {
			u.State = identity.UserDisabled
			_, err := w.PutUser(ctx, u)
			return err
		})
	}
	for _, tt := range []struct {
		what    string
		between func(h *house, s *countingStore, u identity.User)
		name    string
		secret  string
		want    error
		reads   bool
	}{
		{"nothing", func(*house, *countingStore, identity.User) {}, "alice", testPassword, nil, false},
		{"a poll without news", func(h *house, _ *countingStore, _ identity.User) { look(h) }, "alice", testPassword, nil, false},
		{"disabled by an operation", func(h *house, _ *countingStore, _ identity.User) {
			if _, err := h.SetUser(h.t.Context(), owner, "alice", identity.UserChange{State: &disabled}); err != nil {
				h.t.Fatal(err)
			}
		}, "alice", testPassword, identity.ErrDisabled, true},
		{"password changed", func(h *house, _ *countingStore, _ identity.User) {
			if err := h.SetPassword(h.t.Context(), owner, "alice", identity.NewSecret("quite another one"), nil); err != nil {
				h.t.Fatal(err)
			}
		}, "alice", testPassword, identity.ErrCredentials, true},
		{"a change of nobody in particular", func(h *house, _ *countingStore, _ identity.User) {
			if _, err := h.AddGroup(h.t.Context(), owner, "staff", 0); err != nil {
				h.t.Fatal(err)
			}
		}, "alice", testPassword, nil, true},
		{"disabled elsewhere, after the poll", func(h *house, _ *countingStore, u identity.User) { disable(h, u); look(h) },
			"alice", testPassword, identity.ErrDisabled, true},
		{"disabled elsewhere, and the poll is late", func(h *house, _ *countingStore, u identity.User) {
			disable(h, u)
			h.clock.pass(2 * time.Second)
		}, "alice", testPassword, identity.ErrDisabled, true},
		{"disabled elsewhere, and the poll fails", func(h *house, s *countingStore, u identity.User) {
			disable(h, u)
			s.poll = identity.ErrUnavailable
			wantErr(h.t, "poll", h.Poll(h.t.Context()), identity.ErrUnavailable)
		}, "alice", testPassword, identity.ErrDisabled, true},
		{"a wrong password", func(*house, *countingStore, identity.User) {}, "alice", "wrong", identity.ErrCredentials, true},
		{"an alias", func(h *house, _ *countingStore, u identity.User) {
			h.write(func(ctx context.Context, w identity.StoreWriter) error {
				return w.PutAlias(ctx, identity.Alias{Domain: "example.org", Name: "boss", Target: u.ID})
			})
		}, "boss", testPassword, nil, true},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			h, store, u := known(t)
			tt.between(h, store, u)
			store.reads.Store(0)
			ses, _ := h.open(identity.ProtocolFTP, home)
			_, err := h.login(ses, tt.name, tt.secret)
			wantErr(t, "log-in", err, tt.want)
			if n := store.reads.Load(); (n > 0) != tt.reads {
				t.Errorf("%d reads, want some: %v", n, tt.reads)
			}
			if _, in := ses.Credentials(); in != (tt.want == nil) {
				t.Errorf("the session has credentials: %v", in)
			}
		})
	}
}

// TestStaleReadIsNotKept: what was read before a change must not be kept after it.
func TestStaleReadIsNotKept(t *testing.T) {
	t.Parallel()
	var store *changingStore
	h := newHouse(t, func(o *identity.Options) { store = &changingStore{Store: o.Store}; o.Store = store })
	h.person("alice", nil)
	look(h)
	h.in(identity.ProtocolFTP, "alice", testPassword) // the password is in the cache of credentials
	if _, err := h.AddGroup(t.Context(), owner, "staff", 0); err != nil {
		t.Fatal(err) // after it the account is read again
	}
	look(h)
	state := identity.UserDisabled
	store.between = func() {
		if _, err := h.SetUser(t.Context(), owner, "alice", identity.UserChange{State: &state}); err != nil {
			t.Error(err)
		}
	}
	for _, what := range []string{"the log-in that read", "the next one"} {
		ses, _ := h.open(identity.ProtocolFTP, home)
		_, err := h.login(ses, "alice", testPassword)
		if err == nil {
			t.Errorf("%s: let in", what)
		}
		if _, in := ses.Credentials(); in {
			t.Errorf("%s: the session has credentials", what)
		}
	}
	if store.between != nil {
		t.Error("the account was not read: the test shows nothing")
	}
}

// TestNobodySlipsThrough logs in again and again while the account is disabled and enabled: as long
// as it is disabled nobody is in.
func TestNobodySlipsThrough(t *testing.T) {
	t.Parallel()
	h, _, _ := known(t)
	var (
		mu      sync.Mutex
		live    = map[*identity.Session]bool{}
		refused atomic.Int64
		all     sync.WaitGroup
	)
	ctx, stop := context.WithCancel(t.Context())
	const workers = 4
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				ses, _, err := h.tryOpen(identity.ProtocolFTP, home)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := h.login(ses, "alice", testPassword); err != nil {
					refused.Add(1)
				} else {
					mu.Lock()
					live[ses] = true
					mu.Unlock()
					select {
					case <-ses.Ended():
					case <-ctx.Done():
					}
					mu.Lock()
					delete(live, ses)
					mu.Unlock()
				}
				ses.Close()
			}
		})
	}
	set := func(state identity.UserState) {
		look(h) // as Run does each second, so that accounts are kept
		if _, err := h.SetUser(t.Context(), owner, "alice", identity.UserChange{State: &state}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 20 {
		set(identity.UserDisabled)
		look(h)
		// Those that were under way have come to their end.
		for until := refused.Load() + 2*workers; refused.Load() < until && !t.Failed(); {
			runtime.Gosched()
			mu.Lock()
			for ses := range live {
				if ses.Reason() == (identity.Reason{}) {
					t.Errorf("round %d: a session of a disabled account", round)
				}
			}
			mu.Unlock()
		}
		if t.Failed() {
			break
		}
		set(identity.UserActive)
	}
	stop()
	all.Wait()
}

// TestKnownBySCRAM: the first step of SCRAM goes without the store only where somebody has logged in
// to the account from there lately, so that nobody else learns by the time that there is one.
func TestKnownBySCRAM(t *testing.T) {
	t.Parallel()
	var store *countingStore
	h := newHouse(t, func(o *identity.Options) { store = &countingStore{Store: o.Store}; o.Store = store })
	h.person("alice", nil)
	look(h)
	begin := func(what, from, password string, reads bool, want error) {
		t.Helper()
		ses, _ := h.open(identity.ProtocolXMPP, from)
		defer ses.Close()
		store.reads.Store(0)
		x, err := h.BeginSCRAM(t.Context(), ses, identity.Login{Name: "alice"}, identity.SCRAMSHA256)
		if err != nil {
			t.Fatal(err)
		}
		if n := store.reads.Load(); (n > 0) != reads {
			t.Errorf("%s: %d reads, want some: %v", what, n, reads)
		}
		c := newSCRAMClient(t, sha256.New, password, x.Salt, x.Iterations)
		_, _, err = x.Finish(t.Context(), []byte(authMessage), c.proof(sha256.New))
		wantErr(t, what, err, want)
	}
	const elsewhere = "198.51.100.77:5"
	begin("the first", home, testPassword, true, nil)
	begin("the second", home, testPassword, false, nil)
	begin("a guess from there", home, "wrong", false, identity.ErrCredentials)
	begin("a guess from elsewhere", elsewhere, "wrong", true, identity.ErrCredentials)
	begin("another from elsewhere", elsewhere, "wrong", true, identity.ErrCredentials)
	if err := h.SetPassword(t.Context(), owner, "alice", identity.NewSecret("another password"), nil); err != nil {
		t.Fatal(err)
	}
	begin("the old password", home, testPassword, true, identity.ErrCredentials)
	begin("the new password", home, "another password", false, nil)
	begin("and again", home, "another password", false, nil)
}
