package identity_test

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"trivium/identity"
	"trivium/identity/factor"
	"trivium/identity/factor/factortest"
)

var site = identity.Site{ID: "example.org", Name: "Example", Origins: []string{"https://example.org"}}

const origin = "https://example.org"

// fortress is a house with second factors.
func fortress(t *testing.T, change func(*identity.Options)) *house {
	return newHouse(t, func(o *identity.Options) {
		o.TOTP, o.Passkeys = factor.TOTP{}, factor.Passkeys{}
		if change != nil {
			change(o)
		}
	})
}

// phone is an authenticator app.
type phone struct {
	h      *house
	secret string
}

func (p phone) code() identity.Secret {
	p.h.t.Helper()
	c, err := totp.GenerateCode(p.secret, p.h.clock.now())
	if err != nil {
		p.h.t.Fatal(err)
	}
	return identity.NewSecret(c)
}

// next waits for the next code.
func (p phone) next() identity.Secret {
	p.h.clock.pass(30 * time.Second)
	return p.code()
}

// wrong is a code that is not right now.
func (p phone) wrong() identity.Secret {
	text := []byte(p.code().Reveal())
	text[0] = '0' + (text[0]-'0'+5)%10
	return identity.NewSecret(string(text))
}

// app sets an authenticator app up on a logged-in session.
func (h *house) app(b *identity.Browser) (phone, []identity.Secret) {
	h.t.Helper()
	key, err := h.OfferTOTP(h.t.Context(), b)
	if err != nil {
		h.t.Fatal(err)
	}
	p := phone{h, key.Secret.Reveal()}
	codes, _, err := h.AddTOTP(h.t.Context(), b, p.code())
	if err != nil {
		h.t.Fatal(err)
	}
	return p, codes
}

// half begins a log-in that waits for its second factor.
func (h *house) half(name string) (*identity.Browser, identity.Cookie) {
	h.t.Helper()
	b, _, err := h.StartAnonymous(h.t.Context(), h.visit())
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := h.Upgrade(h.t.Context(), b, form(name, testPassword), false)
	wantErr(h.t, "the password alone", err, identity.ErrFactor)
	b, _, err = h.Resume(h.t.Context(), h.with(identity.CookieAnonymous, c.Value))
	if err != nil {
		h.t.Fatalf("the cookie of the waiting log-in: %v", err)
	}
	return b, c
}

func TestTOTP(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	alice := h.person("alice", nil)
	token := h.tokens.add(alice, identity.Grant{Roads: []identity.Road{identity.RoadFTP, identity.RoadXMPP, identity.RoadWeb}, API: true})
	ftp, ended := h.in(identity.ProtocolFTP, "alice", testPassword)
	app, _ := h.in(identity.ProtocolFTP, "alice", token)
	other, _ := h.browse("alice")
	b, _ := h.browse("alice")

	key, err := h.OfferTOTP(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if uri := key.URI.Reveal(); !strings.HasPrefix(uri, "otpauth://totp/example.org:alice@example.org?") {
		t.Errorf("the app is told %q", uri)
	}
	p := phone{h, key.Secret.Reveal()}
	_, _, err = h.AddTOTP(t.Context(), b, p.wrong())
	wantErr(t, "setting it up with a wrong code", err, identity.ErrCredentials)
	again, err := h.OfferTOTP(t.Context(), b)
	if err != nil || again.Secret.Reveal() != p.secret {
		t.Errorf("after a wrong code another key is offered: %v", err)
	}
	codes, set, err := h.AddTOTP(t.Context(), b, p.code())
	if err != nil || set != nil || len(codes) != 10 {
		t.Fatalf("set up: %d codes, cookie %v, %v", len(codes), set, err)
	}
	if b.Level() != identity.LevelUser || other.Level() != identity.LevelNone || ftp.Level() != identity.LevelNone || app.Level() != identity.LevelUser {
		t.Errorf("levels after it: own %v, other browser %v, FTP by password %v, FTP by token %v", b.Level(), other.Level(), ftp.Level(), app.Level())
	}
	if r := ended.reasons(); len(r) != 1 || r[0].Code != identity.ReasonRevoked {
		t.Errorf("the FTP session heard %v", r)
	}

	for _, tt := range []struct {
		what     string
		protocol identity.Protocol
		secret   string
		want     error
	}{
		{"FTP by password", identity.ProtocolFTP, testPassword, identity.ErrFactor},
		{"FTP by a wrong password", identity.ProtocolFTP, "wrong", identity.ErrCredentials},
		{"FTP by token", identity.ProtocolFTP, token, nil},
		{"WebDAV by password", identity.ProtocolDAV, testPassword, identity.ErrFactor},
		{"WebDAV by token", identity.ProtocolDAV, token, nil},
		{"API by password", identity.ProtocolAPI, testPassword, identity.ErrFactor},
		{"XMPP by password", identity.ProtocolXMPP, testPassword, identity.ErrFactor},
		{"XMPP by token", identity.ProtocolXMPP, token, nil},
	} {
		ses, _ := h.open(tt.protocol, home)
		_, err := h.login(ses, "alice", tt.secret)
		wantErr(t, tt.what, err, tt.want)
		if in := ses.Level() != identity.LevelNone; in != (tt.want == nil) {
			t.Errorf("%s: level %v", tt.what, ses.Level())
		}
		ses.Close()
	}

	w, cookie := h.half("alice")
	state, ok, err := h.Halfway(t.Context(), w)
	if err != nil || !ok || state.User != "alice" || !state.TOTP || !state.Recovery || state.Passkey || state.Enrol || state.Tries != 5 {
		t.Fatalf("the log-in waits as %+v, %v, %v", state, ok, err)
	}
	if w.Level() != identity.LevelAnonymous {
		t.Errorf("a waiting log-in has the level %v", w.Level())
	}
	_, err = h.FinishCode(t.Context(), w, p.code())
	wantErr(t, "the code that set it up, again", err, identity.ErrCredentials)
	code := p.next()
	ls, err := h.FinishCode(t.Context(), w, code)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the cookie of the waiting log-in, after it", h.resumes(identity.CookieAnonymous, cookie), identity.ErrNotFound)
	wantErr(t, "the new cookie", h.resumes(identity.CookieLoggedIn, ls), nil)
	if w.Level() != identity.LevelUser {
		t.Errorf("level %v after both factors", w.Level())
	}
	_, err = h.FinishCode(t.Context(), w, p.next())
	wantErr(t, "where no log-in waits", err, identity.ErrEnded)

	w, _ = h.half("alice")
	_, err = h.FinishCode(t.Context(), w, code)
	wantErr(t, "a replayed code", err, identity.ErrCredentials)
	text := codes[3].Reveal()
	if _, err = h.FinishCode(t.Context(), w, identity.NewSecret(" "+strings.ToLower(text)+" ")); err != nil {
		t.Errorf("a recovery code as people type it: %v", err)
	}
	w, _ = h.half("alice")
	_, err = h.FinishCode(t.Context(), w, codes[3])
	wantErr(t, "a recovery code twice", err, identity.ErrCredentials)
	list, err := h.Factors(t.Context(), "alice")
	if err != nil || len(list) != 2 || list[0].Kind == list[1].Kind || list[0].Left+list[1].Left != 9 {
		t.Errorf("factors %+v, %v", list, err)
	}

	h.FlushBehind(t.Context())
	h.start() // what the sessions were opened by outlives the process
	back, _, err := h.Resume(t.Context(), h.with(identity.CookieLoggedIn, ls.Value))
	if err != nil || back.Level() != identity.LevelUser {
		t.Errorf("after a restart: %v", err)
	}
	wantErr(t, "a waiting log-in does not outlive it", h.resumes(identity.CookieAnonymous, cookie), identity.ErrNotFound)
	rows, err := h.store.Factors(t.Context(), alice.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if strings.Contains(string(r.Sealed), p.secret) || strings.Contains(string(r.Sealed), codes[0].Reveal()) {
			t.Errorf("the %s lies open in the store", r.Kind)
		}
	}
}

// A waiting log-in has five tries and ten minutes; a password that changes meanwhile ends it, and
// whoever planted the cookie that it began under does not come along.
func TestHalfwayEnds(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	h.person("alice", nil)
	b, _ := h.browse("alice")
	p, codes := h.app(b)

	planted, as, err := h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	csrf := planted.CSRFToken()
	set, err := h.Upgrade(t.Context(), planted, form("alice", testPassword), false)
	wantErr(t, "the password", err, identity.ErrFactor)
	if set.Kind != identity.CookieAnonymous || set.Value.Reveal() == as.Value.Reveal() || planted.CSRFToken() == csrf || planted.Current() {
		t.Error("the cookie of the waiting log-in is the one from before")
	}
	wantErr(t, "the planted cookie", h.resumes(identity.CookieAnonymous, as), identity.ErrNotFound)
	wantErr(t, "the planted cookie as a logged-in one", h.resumes(identity.CookieLoggedIn, as), identity.ErrNotFound)
	wantErr(t, "the waiting one as a logged-in one", h.resumes(identity.CookieLoggedIn, set), identity.ErrNotFound)

	w, _ := h.half("alice")
	for i := range 5 {
		_, err := h.FinishCode(t.Context(), w, p.wrong())
		wantErr(t, "a wrong code", err, identity.ErrCredentials)
		if _, ok, _ := h.Halfway(t.Context(), w); ok != (i < 4) {
			t.Errorf("after %d wrong codes it waits: %v", i+1, ok)
		}
	}
	_, err = h.FinishCode(t.Context(), w, p.next())
	wantErr(t, "a right code after five wrong ones", err, identity.ErrEnded)

	w, _ = h.half("alice")
	h.clock.pass(11 * time.Minute)
	_, err = h.FinishCode(t.Context(), w, p.code())
	wantErr(t, "a right code after eleven minutes", err, identity.ErrEnded)

	w, _ = h.half("alice")
	if err := h.SetPassword(t.Context(), identity.Actor{Level: identity.LevelRoot}, "alice", identity.NewSecret("another one"), nil); err != nil {
		t.Fatal(err)
	}
	_, err = h.FinishCode(t.Context(), w, codes[0])
	wantErr(t, "after the password was changed", err, identity.ErrCredentials)
	if w.Level() != identity.LevelAnonymous {
		t.Errorf("level %v", w.Level())
	}

	w, _, err = h.StartAnonymous(t.Context(), h.visit())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.FinishCode(t.Context(), w, p.next())
	wantErr(t, "without a password", err, identity.ErrEnded)
	_, _, err = h.AddTOTP(t.Context(), w, p.code())
	wantErr(t, "setting up without a password", err, identity.ErrInvalid)
	_, err = h.OfferTOTP(t.Context(), w)
	wantErr(t, "asking for a key without a password", err, identity.ErrEnded)
}

// Who has the password and guesses codes, over as many sessions and addresses at once as they like,
// gets a handful of tries; the person still comes in by a recovery code.
func TestCodesAreBoundedPerAccount(t *testing.T) {
	t.Parallel()
	h := fortress(t, func(o *identity.Options) { o.Limits.BanAfter = 10 })
	h.person("alice", nil)
	b, _ := h.browse("alice")
	p, codes := h.app(b)
	wrong := p.wrong()

	const botnet = 60
	var looked, waited atomic.Int64
	var wg sync.WaitGroup
	for i := range botnet {
		wg.Go(func() {
			v := h.visit()
			v.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 99)
			w, _, err := h.StartAnonymous(t.Context(), v)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := h.Upgrade(t.Context(), w, form("alice", testPassword), false); !errors.Is(err, identity.ErrFactor) {
				t.Errorf("the password alone: %v", err)
				return
			}
			for range 5 {
				switch _, err := h.FinishCode(t.Context(), w, wrong); {
				case errors.Is(err, identity.ErrCredentials):
					looked.Add(1)
				case errors.Is(err, identity.ErrThrottled):
					if identity.RetryAfter(err) <= 0 {
						t.Error("it does not say for how long")
					}
					waited.Add(1)
				case errors.Is(err, identity.ErrBusy):
				default:
					t.Errorf("a wrong code: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if looked.Load() > 11 || looked.Load() < 10 || waited.Load() == 0 {
		t.Errorf("%d codes were looked at and %d had to wait, of %d", looked.Load(), waited.Load(), 5*botnet)
	}
	w, _ := h.half("alice")
	_, err := h.FinishCode(t.Context(), w, p.next())
	wantErr(t, "even the right code has to wait", err, identity.ErrThrottled)
	if _, err := h.FinishCode(t.Context(), w, codes[0]); err != nil {
		t.Errorf("a recovery code of the person: %v", err)
	}
	h.clock.pass(24 * time.Hour)
	w, _ = h.half("alice")
	if _, err := h.FinishCode(t.Context(), w, p.next()); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

func TestPasskeys(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	heard := &notices{}
	h.AddNotifier(heard)
	h.person("alice", nil)
	h.person("bob", nil)
	key := factortest.New(t, site.ID, origin)
	b, _ := h.browse("alice")
	add := func(b *identity.Browser, k *factortest.Key) error {
		options, err := h.OfferPasskey(t.Context(), b, site)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = h.AddPasskey(t.Context(), b, site, " phone ", k.Create(options))
		return err
	}
	if err := add(b, key); err != nil {
		t.Fatal(err)
	}
	if list, err := h.Factors(t.Context(), "alice"); err != nil || len(list) != 1 || list[0].Kind != identity.FactorPasskey || list[0].Label != "phone" {
		t.Errorf("factors %+v, %v", list, err)
	}
	thief, _ := h.browse("bob")
	wantErr(t, "a credential ID that alice has", add(thief, key.Clone()), identity.ErrExists)

	// A passkey asks for nothing by itself.
	ses, _ := h.in(identity.ProtocolFTP, "alice", testPassword)
	ses.Close()
	h.browse("alice")

	visitor := func() *identity.Browser {
		v, _, err := h.StartAnonymous(t.Context(), h.visit())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	ask := func(b *identity.Browser) []byte {
		options, err := h.AskPasskey(t.Context(), b, site)
		if err != nil {
			t.Fatal(err)
		}
		return options
	}
	enter := func(b *identity.Browser, answer []byte) error {
		_, err := h.UpgradePasskey(t.Context(), b, site, answer, false)
		return err
	}
	v := visitor()
	if err := enter(v, key.Get(ask(v))); err != nil {
		t.Fatal(err)
	}
	if c, _ := v.Credentials(); c.User != "alice" || v.Level() != identity.LevelUser || v.Method() != identity.MethodPasskey || !h.Confirmed(v) {
		t.Errorf("logged in as %q, level %v, by %s", c.User, v.Level(), v.Method())
	}

	for _, tt := range []struct {
		what   string
		answer func(k *factortest.Key, own, other []byte) []byte
	}{
		{"an answer to another session's question", func(k *factortest.Key, _, other []byte) []byte { return k.Get(other) }},
		{"another site's page", func(k *factortest.Key, own, _ []byte) []byte { k.Origin = "https://evil.example"; return k.Get(own) }},
		{"another port of the site", func(k *factortest.Key, own, _ []byte) []byte {
			k.Origin = "https://example.org:8443"
			return k.Get(own)
		}},
		{"another site's key", func(k *factortest.Key, own, _ []byte) []byte { k.RP = "evil.example"; return k.Get(own) }},
		{"without user verification", func(k *factortest.Key, own, _ []byte) []byte { k.NoUser = true; return k.Get(own) }},
		{"client data of another ceremony", func(k *factortest.Key, own, _ []byte) []byte { k.Type = "webauthn.create"; return k.Get(own) }},
		{"the handle of another account", func(k *factortest.Key, own, _ []byte) []byte { k.Handle = []byte("nobody"); return k.Get(own) }},
		{"an unknown credential", func(k *factortest.Key, own, _ []byte) []byte {
			k.ID = []byte("12345678901234567890")
			return k.Get(own)
		}},
		{"another's private key", func(k *factortest.Key, own, _ []byte) []byte {
			x := factortest.New(t, site.ID, origin)
			x.ID, x.Handle, x.Counter = k.ID, k.Handle, k.Counter
			return x.Get(own)
		}},
		{"no JSON", func(*factortest.Key, []byte, []byte) []byte { return []byte("}{") }},
		{"nothing", func(*factortest.Key, []byte, []byte) []byte { return nil }},
	} {
		v := visitor()
		own, other := ask(v), ask(visitor())
		k := key.Clone()
		err := enter(v, tt.answer(k, own, other))
		wantErr(t, tt.what, err, identity.ErrCredentials)
		if v.Level() != identity.LevelAnonymous {
			t.Errorf("%s: level %v", tt.what, v.Level())
		}
	}
	v = visitor()
	answer := key.Get(ask(v))
	if err := enter(v, answer); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Downgrade(t.Context(), v, identity.Reason{Code: identity.ReasonEnded}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a replayed answer", enter(v, answer), identity.ErrCredentials)
	v = visitor()
	late := key.Get(ask(v))
	h.clock.pass(6 * time.Minute)
	wantErr(t, "an answer after six minutes", enter(v, late), identity.ErrCredentials)

	// A copy is made; both are used. The one whose counter is behind gives it away.
	v = visitor()
	copied := key.Clone()
	if err := enter(v, key.Get(ask(v))); err != nil {
		t.Fatal(err)
	}
	v = visitor()
	wantErr(t, "the copy", enter(v, copied.Get(ask(v))), identity.ErrRefused)
	v = visitor()
	wantErr(t, "the original after that", enter(v, key.Get(ask(v))), identity.ErrRefused)
	if v.Level() != identity.LevelAnonymous {
		t.Errorf("level %v", v.Level())
	}
	if list, err := h.Factors(t.Context(), "alice"); err != nil || !list[0].Cloned {
		t.Errorf("factors %+v, %v", list, err)
	}
	h.FlushBehind(t.Context())
	if rows, err := h.Audit(t.Context(), identity.AuditFilter{Event: identity.EventFactorClone}); err != nil || len(rows) != 1 || rows[0].Subject != "alice" {
		t.Errorf("the audit log says %v, %v", rows, err)
	}
	if got := heard.of(identity.NoticeClone); len(got) != 1 || got[0].Login != "alice" || got[0].What != "phone" {
		t.Errorf("told of the copy: %+v", got)
	}
	if got := heard.of(identity.NoticeFactor); len(got) != 1 || got[0].Removed {
		t.Errorf("told of the new passkey: %+v", got)
	}
	list, err := h.Factors(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	by := identity.Actor{User: "alice", Level: identity.LevelUser}
	wantErr(t, "removing another's", h.RemoveFactor(t.Context(), identity.Actor{User: "bob", Level: identity.LevelUser}, "alice", list[0].ID, nil), identity.ErrRefused)
	if err := h.RenameFactor(t.Context(), by, list[0].ID, "old phone"); err != nil {
		t.Error(err)
	}
	if err := h.RemoveFactor(t.Context(), by, "alice", list[0].ID, nil); err != nil {
		t.Error(err)
	}
	v = visitor()
	wantErr(t, "a removed passkey", enter(v, key.Get(ask(v))), identity.ErrCredentials)
}

func (n *notices) of(kind identity.NoticeKind) (list []identity.Notice) {
	for _, x := range n.list {
		if x.Kind == kind {
			list = append(list, x)
		}
	}
	return list
}

// A passkey as the second factor: of this account alone.
func TestPasskeyAfterPassword(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	h.person("alice", nil)
	h.person("bob", nil)
	keys := map[string]*factortest.Key{}
	for _, name := range []string{"alice", "bob"} {
		b, _ := h.browse(name)
		keys[name] = factortest.New(t, site.ID, origin)
		options, err := h.OfferPasskey(t.Context(), b, site)
		if err != nil {
			t.Fatal(err)
		}
		if codes, _, err := h.AddPasskey(t.Context(), b, site, "", keys[name].Create(options)); err != nil || len(codes) != 0 {
			t.Fatalf("%d codes, %v", len(codes), err)
		}
		h.app(b)
	}
	w, _ := h.half("alice")
	options, err := h.AskPasskey(t.Context(), w, site)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.FinishPasskey(t.Context(), w, site, keys["bob"].Get(options))
	wantErr(t, "bob's passkey for alice", err, identity.ErrCredentials)
	if options, err = h.AskPasskey(t.Context(), w, site); err != nil {
		t.Fatal(err)
	}
	keys["alice"].Leave = true // as many do where they are told which credentials are allowed
	if _, err = h.FinishPasskey(t.Context(), w, site, keys["alice"].Get(options)); err != nil {
		t.Errorf("her own: %v", err)
	}
}

// Where policy wants a second factor, who has none sets one up before anything else.
func TestFactorDemanded(t *testing.T) {
	t.Parallel()
	lab := netip.MustParsePrefix("198.51.100.0/24")
	h := fortress(t, func(o *identity.Options) {
		o.FactorFrom = identity.LevelStaff
		o.Classes = []identity.Class{{Name: "wild", From: []netip.Prefix{lab}, SecondFactor: true}}
	})
	h.person("alice", nil)
	h.person("boss", func(u *identity.User) { u.Level = identity.LevelStaff })
	h.in(identity.ProtocolFTP, "alice", testPassword)
	ses, _ := h.open(identity.ProtocolFTP, home)
	_, err := h.login(ses, "boss", testPassword)
	wantErr(t, "FTP of staff by password", err, identity.ErrFactor)
	ses, _ = h.open(identity.ProtocolFTP, "198.51.100.7:1")
	_, err = h.login(ses, "alice", testPassword)
	wantErr(t, "FTP from a class that wants one", err, identity.ErrFactor)

	w, _ := h.half("boss")
	state, ok, err := h.Halfway(t.Context(), w)
	if err != nil || !ok || !state.Enrol || state.TOTP || state.Passkey || w.Level() != identity.LevelAnonymous {
		t.Fatalf("staff without a factor waits as %+v, %v, level %v", state, err, w.Level())
	}
	key, err := h.OfferTOTP(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	p := phone{h, key.Secret.Reveal()}
	codes, set, err := h.AddTOTP(t.Context(), w, p.code())
	if err != nil || set == nil || set.Kind != identity.CookieLoggedIn || len(codes) != 10 || w.Level() != identity.LevelStaff {
		t.Fatalf("after setting one up: level %v, %d codes, %v", w.Level(), len(codes), err)
	}
	list, err := h.Factors(t.Context(), "boss")
	if err != nil {
		t.Fatal(err)
	}
	by := identity.Actor{User: "boss", Level: identity.LevelStaff}
	for _, f := range list {
		if f.Kind == identity.FactorTOTP {
			err := h.RemoveFactor(t.Context(), by, "boss", f.ID, w.Session)
			wantErr(t, "removing the last one", err, identity.ErrRefused)
			if err != nil && !strings.Contains(err.Error(), "level staff") {
				t.Errorf("the reason is %q", err)
			}
		}
	}
	// An administrator helps who has lost it.
	if err := h.RemoveFactor(t.Context(), identity.Actor{Level: identity.LevelRoot, Via: "cli"}, "boss", "", nil); err != nil {
		t.Fatal(err)
	}
	if list, err := h.Factors(t.Context(), "boss"); err != nil || len(list) != 0 {
		t.Errorf("factors %v, %v", list, err)
	}
	w, _ = h.half("boss")
	if state, _, _ := h.Halfway(t.Context(), w); !state.Enrol {
		t.Errorf("after that it waits as %+v", state)
	}
	// Who is raised to a level that wants a factor, and who moves into such a class, logs in anew.
	up, _ := h.browse("alice")
	out := h.visit()
	out.Remote = netip.MustParseAddrPort("198.51.100.9:1")
	moved, c := h.browse("alice")
	out.LoggedIn = c.Value
	if _, _, err := h.Resume(t.Context(), out); err != nil && !errors.Is(err, identity.ErrNotFound) {
		t.Error(err)
	}
	if moved.Level() != identity.LevelAnonymous {
		t.Errorf("from the class that wants one the session has the level %v", moved.Level())
	}
	staff := identity.LevelStaff
	if _, err := h.SetUser(t.Context(), identity.Actor{Level: identity.LevelRoot}, "alice", identity.UserChange{Level: &staff}); err != nil {
		t.Fatal(err)
	}
	if up.Level() != identity.LevelAnonymous {
		t.Errorf("raised to staff the session has the level %v", up.Level())
	}
}

// SCRAM tells of the second factor only who has the password.
func TestSCRAMAndFactor(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	h.person("alice", nil)
	b, _ := h.browse("alice")
	h.app(b)
	for _, tt := range []struct {
		what, password string
		want           error
	}{{"wrong", "wrong", identity.ErrCredentials}, {"right", testPassword, identity.ErrFactor}} {
		ses, _ := h.open(identity.ProtocolXMPP, home)
		x, err := h.BeginSCRAM(t.Context(), ses, identity.Login{Name: "alice"}, identity.SCRAMSHA256)
		if err != nil {
			t.Fatalf("%s: already the first message is answered with %v", tt.what, err)
		}
		client := newSCRAMClient(t, sha256.New, tt.password, x.Salt, x.Iterations)
		_, _, err = x.Finish(t.Context(), []byte(authMessage), client.proof(sha256.New))
		wantErr(t, tt.what, err, tt.want)
		ses.Close()
	}
}

func TestConfirmed(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	h.person("alice", nil)
	b, _ := h.browse("alice")
	if !h.Confirmed(b) {
		t.Error("a log-in does not count")
	}
	p, codes := h.app(b)
	h.clock.pass(10 * time.Minute)
	if h.Confirmed(b) {
		t.Error("it counts for more than ten minutes")
	}
	wantErr(t, "a wrong password", h.ConfirmPassword(t.Context(), b, identity.NewSecret("wrong")), identity.ErrCredentials)
	wantErr(t, "a wrong code", h.ConfirmCode(t.Context(), b, p.wrong()), identity.ErrCredentials)
	if h.Confirmed(b) {
		t.Error("what is wrong counts")
	}
	for what, prove := range map[string]func() error{
		"password": func() error { return h.ConfirmPassword(t.Context(), b, identity.NewSecret(testPassword)) },
		"code":     func() error { return h.ConfirmCode(t.Context(), b, p.next()) },
		"recovery": func() error { return h.ConfirmCode(t.Context(), b, codes[5]) },
	} {
		h.clock.pass(10 * time.Minute)
		if h.Confirmed(b) {
			t.Errorf("%s: still confirmed", what)
		}
		if err := prove(); err != nil || !h.Confirmed(b) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if w, err := h.ConfirmWays(t.Context(), b); err != nil || !w.Password || !w.Code || w.Passkey {
		t.Errorf("ways %+v, %v", w, err)
	}
	if _, err := h.Downgrade(t.Context(), b, identity.Reason{Code: identity.ReasonEnded}); err != nil {
		t.Fatal(err)
	}
	if h.Confirmed(b) {
		t.Error("log-out does not end it")
	}
	wantErr(t, "logged out", h.ConfirmPassword(t.Context(), b, identity.NewSecret(testPassword)), identity.ErrCredentials)
	wantErr(t, "logged out, by code", h.ConfirmCode(t.Context(), b, p.next()), identity.ErrEnded)
}
