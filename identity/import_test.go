package identity_test

import (
	"context"
	"crypto/sha1" //nolint:gosec // RFC 5802 names it
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"

	"trivium/identity"
	"trivium/identity/crypt3"
)

// foreign is what app gives identity.
func foreign(text string) (identity.ForeignHash, error) {
	h, err := crypt3.Parse(text)
	return identity.ForeignHash{Kind: h.Kind, Cost: h.Cost, Weak: h.Weak, Memory: h.Memory, Decoy: h.Decoy, Matches: h.Matches}, err
}

func withForeign(o *identity.Options) { o.Foreign = foreign }

// oldPassword is the one of these hashes, which mkpasswd of Debian 12 made.
const (
	oldPassword = "correct horse"
	oldSHA512   = "$6$FdHRmCbAXJzOISbl$R3XxUuCuHdzIhggv6UyF81E.3mKiWjZXHsScNyfwSnwDknRXPvee2LG58wlNx8vpC2eB0fv0oR3STU5Tq6V3X0"
	oldDES      = "L4Eio3AiM.UYQ"
	oldYescrypt = "$y$j9T$VsaMycLr3e70RVHkgi5ml1$ZswhNvBNHX4CNZGKt/6SJRsMXtZ0FTRxZg02d3sOO8."
)

func n32(n uint32) *uint32 { return &n }

// keysOf is what another server keeps for SCRAM, in the form of RFC 5803.
func keysOf(t *testing.T, h func() hash.Hash, name, password, salt string, iterations int) string {
	c := newSCRAMClient(t, h, password, []byte(salt), iterations)
	b := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-%s$%d:%s$%s:%s", name, iterations, b([]byte(salt)), b(c.stored), b(c.server))
}

// scramIn logs in by SCRAM.
func scramIn(h *house, name, password string, kind identity.SCRAMHash) error {
	ses, _ := h.open(identity.ProtocolXMPP, home)
	defer ses.Close()
	newHash := sha256.New
	if kind == identity.SCRAMSHA1 {
		newHash = sha1.New
	}
	x, err := h.BeginSCRAM(h.t.Context(), ses, identity.Login{Name: name}, kind)
	if err != nil {
		return err
	}
	c := newSCRAMClient(h.t.(*testing.T), newHash, password, x.Salt, x.Iterations)
	_, _, err = x.Finish(h.t.Context(), []byte(authMessage), c.proof(newHash))
	return err
}

func (h *house) bring(o identity.ImportOptions, list ...identity.ImportUser) []identity.Imported {
	h.t.Helper()
	out, err := h.ImportUsers(h.t.Context(), owner, o, list)
	if err != nil {
		h.t.Fatal(err)
	}
	return out
}

func TestForeignHashUpgrades(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withForeign)
	got := h.bring(identity.ImportOptions{}, identity.ImportUser{Login: "alice", UID: n32(1001), Hashes: []string{oldSHA512}})
	if r := got[0]; r.Action != identity.ImportAdded || r.Password != identity.PasswordKept || !r.NeedsPlain || r.Hash != "sha512crypt" || r.UID != 1001 {
		t.Fatalf("report: %+v", r)
	}
	salt, _, err := h.SCRAMParameters(t.Context(), mustUser(t, h, "alice").ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := scramIn(h, "alice", oldPassword, identity.SCRAMSHA256); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("SCRAM before the first log-in: %v", err)
	}
	wrong, _ := h.open(identity.ProtocolFTP, "192.0.2.77:1")
	if _, err := h.login(wrong, "alice", "wrong horse"); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("a wrong password: %v", err)
	}
	if err := scramIn(h, "alice", "wrong horse", identity.SCRAMSHA256); !errors.Is(err, identity.ErrCredentials) {
		t.Errorf("a wrong password became one: %v", err)
	}
	before := mustUser(t, h, "alice")
	first, _ := h.in(identity.ProtocolFTP, "alice", oldPassword)
	if err := scramIn(h, "alice", oldPassword, identity.SCRAMSHA256); err != nil {
		t.Errorf("SCRAM after it: %v", err)
	}
	after := mustUser(t, h, "alice")
	if after.CredentialVersion != before.CredentialVersion {
		t.Error("the first log-in changed the version of the credential")
	}
	if _, ok := first.Credentials(); !ok {
		t.Error("the session that upgraded the record has lost its credentials")
	}
	if again, _, err := h.SCRAMParameters(t.Context(), after.ID); err != nil || string(again) != string(salt) {
		t.Errorf("the salt changed, on which the keys of tokens hang: %v", err)
	}
	rows, err := h.Audit(t.Context(), identity.AuditFilter{Event: "password.upgrade"})
	if err != nil || len(rows) != 1 || !strings.Contains(rows[0].Before, "sha512crypt") || strings.Contains(rows[0].Before+rows[0].After, "$6$") {
		t.Errorf("audit: %+v, %v", rows, err)
	}
}

func mustUser(t *testing.T, h *house, name string) identity.Account {
	t.Helper()
	a, err := h.User(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestImportedSCRAM(t *testing.T) {
	t.Parallel()
	sha1Keys := keysOf(t, sha1.New, "SHA-1", oldPassword, "d2b1ad4e-4f9a-4f6a-9b63-000000000001", 4096)
	sha256Keys := keysOf(t, sha256.New, "SHA-256", oldPassword, "0123456789abcdef", 4096)
	for _, tt := range []struct {
		name       string
		hashes     []string
		argon      bool
		password   identity.ImportPassword
		needsPlain bool
		at, later  map[identity.SCRAMHash]bool // which work at once, and after a plain log-in
	}{
		{"SHA-256", []string{sha256Keys}, false, identity.PasswordSCRAM, false,
			map[identity.SCRAMHash]bool{identity.SCRAMSHA256: true}, map[identity.SCRAMHash]bool{identity.SCRAMSHA256: true}},
		{"SHA-1", []string{sha1Keys}, false, identity.PasswordSCRAM, true,
			map[identity.SCRAMHash]bool{identity.SCRAMSHA1: true}, map[identity.SCRAMHash]bool{identity.SCRAMSHA1: true, identity.SCRAMSHA256: true}},
		{"both, with salts of their own", []string{sha1Keys, sha256Keys}, false, identity.PasswordSCRAM, false,
			map[identity.SCRAMHash]bool{identity.SCRAMSHA256: true}, map[identity.SCRAMHash]bool{identity.SCRAMSHA256: true}},
		{"few iterations", []string{keysOf(t, sha256.New, "SHA-256", oldPassword, "0123456789abcdef", 10)}, false, identity.PasswordKept, true,
			nil, map[identity.SCRAMHash]bool{identity.SCRAMSHA1: true, identity.SCRAMSHA256: true}},
		{"under the policy argon2id", []string{sha256Keys}, true, identity.PasswordKept, false, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, func(o *identity.Options) {
				withForeign(o)
				o.SCRAMSHA1, o.Argon2id = true, tt.argon
			})
			r := h.bring(identity.ImportOptions{}, identity.ImportUser{Login: "alice", Hashes: tt.hashes})[0]
			if r.Password != tt.password || r.NeedsPlain != tt.needsPlain {
				t.Errorf("report: %+v", r)
			}
			check := func(when string, want map[identity.SCRAMHash]bool) {
				for _, kind := range []identity.SCRAMHash{identity.SCRAMSHA1, identity.SCRAMSHA256} {
					if err := scramIn(h, "alice", oldPassword, kind); (err == nil) != want[kind] {
						t.Errorf("%s by %s: %v", when, kind, err)
					}
				}
				if err := scramIn(h, "alice", "wrong", identity.SCRAMSHA256); !errors.Is(err, identity.ErrCredentials) {
					t.Errorf("%s with a wrong password: %v", when, err)
				}
			}
			check("at once", tt.at)
			h.in(identity.ProtocolFTP, "alice", oldPassword)
			check("later", tt.later)
		})
	}
}

func TestImportReports(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withForeign)
	alice := h.person("alice", nil)
	for _, tt := range []struct {
		name   string
		in     identity.ImportUser
		o      identity.ImportOptions
		action identity.ImportAction
		reason string
		warn   string
	}{
		{name: "uid 0", in: identity.ImportUser{Login: "toor", UID: n32(0)}, action: identity.ImportSkipped, reason: "uid 0"},
		{name: "a path", in: identity.ImportUser{Login: "../x"}, action: identity.ImportSkipped, reason: "not a name"},
		{name: "nothing", in: identity.ImportUser{Login: ""}, action: identity.ImportSkipped, reason: "not a name"},
		{name: "a name without end", in: identity.ImportUser{Login: strings.Repeat("a", 1<<20)}, action: identity.ImportSkipped, reason: "longer"},
		{name: "reserved", in: identity.ImportUser{Login: "ftp"}, action: identity.ImportSkipped, reason: "reserved"},
		{name: "another domain", in: identity.ImportUser{Login: "x@example.com"}, action: identity.ImportSkipped, reason: "domain"},
		{name: "a system account", in: identity.ImportUser{Login: "daemon", UID: n32(1)}, o: identity.ImportOptions{MinUID: 1000}, action: identity.ImportSkipped, reason: "below"},
		{name: "two alphabets", in: identity.ImportUser{Login: "аlice"}, action: identity.ImportSkipped, reason: "two alphabets"},
		{name: "one that looks like another", in: identity.ImportUser{Login: "аӏісе"}, action: identity.ImportSkipped, reason: "looks like"},
		{name: "in capitals", in: identity.ImportUser{Login: "ALICE", UID: n32(4)}, action: identity.ImportSkipped, reason: "there is a user"},
		{name: "once more", in: identity.ImportUser{Login: "alice"}, action: identity.ImportSame},
		{name: "a uid that is taken", in: identity.ImportUser{Login: "other", UID: &alice.UID}, o: identity.ImportOptions{UIDs: identity.UIDMust}, action: identity.ImportSkipped, reason: "the uid"},
		{name: "a uid that is taken, renumbered", in: identity.ImportUser{Login: "other", UID: &alice.UID}, o: identity.ImportOptions{UIDs: identity.UIDNew}, action: identity.ImportAdded},
		{name: "a uid that virtual users share", in: identity.ImportUser{Login: "virtual", UID: &alice.UID, GID: &alice.UID}, action: identity.ImportAdded, warn: "has a new one"},
		{name: "a level that nobody holds", in: identity.ImportUser{Login: "x1", Level: level(identity.LevelNobody)}, action: identity.ImportSkipped, reason: "cannot hold"},
		{name: "a hash that runs for years", in: identity.ImportUser{Login: "x2", Hashes: []string{"$6$rounds=999999999$a$" + strings.Repeat(".", 86)}}, action: identity.ImportAdded, warn: "more work"},
		{name: "a weak hash", in: identity.ImportUser{Login: "x3", Hashes: []string{oldDES}}, action: identity.ImportAdded, warn: "weak"},
		{name: "no password", in: identity.ImportUser{Login: "x4"}, action: identity.ImportAdded, warn: "no password"},
		{name: "a profile with faults", in: identity.ImportUser{Login: "x5", Profile: identity.Profile{Email: "no address", Name: "Five"}}, action: identity.ImportAdded, warn: "e-mail"},
		{name: "a level by a group", in: identity.ImportUser{Login: "x6", Groups: []identity.ImportGroup{{Name: "wheel"}}},
			o: identity.ImportOptions{MakeGroups: true, LevelOfGroup: map[string]identity.Level{"wheel": identity.LevelAdmin}}, action: identity.ImportAdded},
		{name: "a group that there is not", in: identity.ImportUser{Login: "x7", Groups: []identity.ImportGroup{{Name: "nowhere"}}}, action: identity.ImportAdded, warn: "nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dry := tt.o
			dry.DryRun = true
			said := h.bring(dry, tt.in)[0]
			_, err := h.User(t.Context(), tt.in.Login)
			if tt.action == identity.ImportAdded && !errors.Is(err, identity.ErrNotFound) {
				t.Fatalf("the dry run made the account: %v", err)
			}
			did := h.bring(tt.o, tt.in)[0]
			if said.Action != did.Action || said.Reason != did.Reason || strings.Join(said.Warnings, ";") != strings.Join(did.Warnings, ";") {
				t.Errorf("the dry run said\n%+v, and it was\n%+v", said, did)
			}
			if did.Action != tt.action || !strings.Contains(did.Reason, tt.reason) || !strings.Contains(strings.Join(did.Warnings, ";"), tt.warn) {
				t.Errorf("report: %.400v", did)
			}
		})
	}
	if a := mustUser(t, h, "x6"); a.Level != identity.LevelAdmin || len(a.Groups) != 1 {
		t.Errorf("x6: %+v", a)
	}
}

func level(l identity.Level) *identity.Level { return &l }

func TestImportConflicts(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withForeign)
	own := h.person("own", nil) // has testPassword
	h.bring(identity.ImportOptions{}, identity.ImportUser{Login: "bare"})
	list := []identity.ImportUser{
		{Login: "new", Hashes: []string{oldSHA512}},
		{Login: "own", UID: &own.UID, Hashes: []string{oldSHA512}, Profile: identity.Profile{Name: "Own"}},
		{Login: "bare", Hashes: []string{oldSHA512}, Groups: []identity.ImportGroup{{Name: "staff", GID: n32(500)}}},
	}
	_, err := h.ImportUsers(t.Context(), owner, identity.ImportOptions{Conflict: identity.ConflictFail}, list)
	if !errors.Is(err, identity.ErrExists) || !strings.Contains(err.Error(), "own") {
		t.Fatalf("fail: %v", err)
	}
	if _, err := h.User(t.Context(), "new"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("what failed left an account: %v", err)
	}
	got := h.bring(identity.ImportOptions{Conflict: identity.ConflictUpdate, MakeGroups: true}, list...)
	for i, want := range []identity.ImportAction{identity.ImportAdded, identity.ImportUpdated, identity.ImportUpdated} {
		if got[i].Action != want {
			t.Errorf("%s: %+v", list[i].Login, got[i])
		}
	}
	if got[1].Password != identity.PasswordOwn {
		t.Errorf("own: %+v", got[1])
	}
	h.in(identity.ProtocolFTP, "own", testPassword)
	h.in(identity.ProtocolFTP, "bare", oldPassword)
	if a := mustUser(t, h, "bare"); len(a.Groups) != 1 || a.Groups[0].GID != 500 {
		t.Errorf("bare: %+v", a.Groups)
	}
	for i, r := range h.bring(identity.ImportOptions{Conflict: identity.ConflictUpdate, MakeGroups: true}, list...) {
		if r.Action != identity.ImportSame {
			t.Errorf("again %d: %+v", i, r)
		}
	}
}

func TestImportRights(t *testing.T) {
	t.Parallel()
	h := newHouse(t, withForeign)
	h.person("boss", func(u *identity.User) { u.Level = identity.LevelAdmin })
	h.bring(identity.ImportOptions{MakeGroups: true}, identity.ImportUser{Login: "root2", Level: level(identity.LevelRoot), Groups: []identity.ImportGroup{{Name: "wheel", GID: n32(400)}}})
	boss := identity.Actor{User: "boss", Level: identity.LevelAdmin, Via: "web"}
	ctx := t.Context()
	if _, err := h.ImportUsers(ctx, identity.Actor{User: "mod", Level: identity.LevelModerator}, identity.ImportOptions{}, nil); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a moderator: %v", err)
	}
	if _, err := h.ImportUsers(ctx, boss, identity.ImportOptions{LevelOfGroup: map[string]identity.Level{"x": identity.LevelRoot}}, nil); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a level above by group: %v", err)
	}
	out, err := h.ImportUsers(ctx, boss, identity.ImportOptions{Conflict: identity.ConflictUpdate}, []identity.ImportUser{
		{Login: "up", Level: level(identity.LevelRoot)},
		{Login: "root2", Profile: identity.Profile{Name: "Changed"}},
		{Login: "boss", Level: level(identity.LevelUser)},
		{Login: "fine"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []identity.ImportAction{identity.ImportSkipped, identity.ImportSkipped, identity.ImportSkipped, identity.ImportAdded} {
		if out[i].Action != want {
			t.Errorf("%s: %+v", out[i].Login, out[i])
		}
	}
	if _, err := h.ImportUsers(ctx, owner, identity.ImportOptions{}, make([]identity.ImportUser, identity.MaxImport+1)); !errors.Is(err, identity.ErrInvalid) {
		t.Errorf("too many: %v", err)
	}
}

// TestUnknownNamesCostAsImported: after an import of costly hashes some names that nobody has cost
// as much, each always.
func TestUnknownNamesCostAsImported(t *testing.T) {
	t.Parallel()
	tried := make(chan string, 1000)
	h := newHouse(t, func(o *identity.Options) {
		o.Foreign = func(text string) (identity.ForeignHash, error) {
			if !strings.HasPrefix(text, "slow") {
				return identity.ForeignHash{}, identity.ErrInvalid
			}
			return identity.ForeignHash{Kind: "slow", Decoy: "slow decoy", Matches: func(p string) bool {
				tried <- text
				return text == "slow real" && p == oldPassword
			}}, nil
		}
	})
	slow := func(name string) bool {
		ses, _ := h.open(identity.ProtocolFTP, home)
		defer ses.Close()
		if _, err := h.login(ses, name, "wrong"); err == nil {
			t.Fatalf("%s logged in", name)
		}
		h.clock.pass(1e12) // past every delay
		select {
		case <-tried:
			return true
		default:
			return false
		}
	}
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprintf("nobody%d", i)
	}
	count := func() (n int) {
		for _, name := range names {
			if slow(name) {
				n++
			}
		}
		return n
	}
	if n := count(); n != 0 {
		t.Errorf("%d names cost an import before there was one", n)
	}
	h.bring(identity.ImportOptions{}, identity.ImportUser{Login: "one", Hashes: []string{"slow real"}}, identity.ImportUser{Login: "two"})
	if n := count(); n < 10 || n > 30 {
		t.Errorf("%d of 40 names cost as an imported one, where half of the accounts do", n)
	}
	if slow(names[0]) != slow(names[0]) {
		t.Error("a name costs now this, now that")
	}
	h.in(identity.ProtocolFTP, "one", oldPassword)
	<-tried
	if n := count(); n != 0 {
		t.Errorf("%d names cost an import after the last hash has gone", n)
	}
}

// TestCostlyHashesWaitForOneAnother is about memory: a storm of log-ins runs few at once.
func TestCostlyHashesWaitForOneAnother(t *testing.T) {
	t.Parallel()
	at, most := make(chan int, 1), 0
	at <- 0
	release := make(chan struct{})
	h := newHouse(t, func(o *identity.Options) {
		o.Foreign = func(string) (identity.ForeignHash, error) {
			return identity.ForeignHash{Kind: "big", Memory: 128 << 10, Decoy: "big", Matches: func(string) bool {
				n := <-at + 1
				most = max(most, n)
				at <- n
				<-release
				at <- <-at - 1
				return false
			}}, nil
		}
	})
	list := make([]identity.ImportUser, 8)
	for i := range list {
		list[i] = identity.ImportUser{Login: fmt.Sprintf("u%d", i), Hashes: []string{"big"}}
	}
	h.bring(identity.ImportOptions{}, list...)
	done := make(chan error, len(list))
	for i := range list {
		go func() {
			ses, _ := h.open(identity.ProtocolFTP, fmt.Sprintf("192.0.2.%d:1", i+1))
			defer ses.Close()
			_, err := h.Login(context.Background(), ses, identity.Login{Method: identity.MethodPassword, Name: list[i].Login, Secret: identity.NewSecret("x")})
			done <- err
		}()
	}
	for range list {
		release <- struct{}{}
	}
	for range list {
		if err := <-done; !errors.Is(err, identity.ErrCredentials) {
			t.Error(err)
		}
	}
	if most > 2 {
		t.Errorf("%d ran at once", most)
	}
}
