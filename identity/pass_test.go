package identity_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"trivium/identity"
)

// onPage is a browser with somebody logged in, as its next request finds it.
func (h *house) onPage(name string) *identity.Browser {
	h.t.Helper()
	_, ls := h.browse(name)
	b, _, err := h.Resume(h.t.Context(), h.with(identity.CookieLoggedIn, ls.Value))
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) chatPass(b *identity.Browser) string {
	h.t.Helper()
	jid, pass, err := h.ChatPass(h.t.Context(), b, "the page")
	if err != nil {
		h.t.Fatal(err)
	}
	if jid != "alice@example.org" {
		h.t.Errorf("the pass is for %q", jid)
	}
	return pass.Reveal()
}

func TestPassLogsInOnce(t *testing.T) {
	t.Parallel()
	for what, by := range map[string]func(h *house, pass string) error{
		"PLAIN": func(h *house, pass string) error {
			ses, _ := h.open(identity.ProtocolXMPP, home)
			defer ses.Close()
			_, err := h.login(ses, "alice", pass)
			if i := ses.Info(); err == nil && (i.TokenID != nil || *i.UserAgent != "the page" || i.Level != identity.LevelCustomer) {
				t.Errorf("the session is listed as %+v", i)
			}
			return err
		},
		"SCRAM": func(h *house, pass string) error { return scramIn(h, "alice", pass, identity.SCRAMSHA256) },
	} {
		t.Run(what, func(t *testing.T) {
			h := newHouse(t, nil)
			h.person("alice", func(u *identity.User) { u.Level = identity.LevelAdmin })
			h.person("bob", nil)
			b := h.onPage("alice")
			if !h.MayChat(b.Session) {
				t.Fatal("she may not chat")
			}
			pass := h.chatPass(b)
			wantErr(t, "the first time", by(h, pass), nil)
			wantErr(t, "the second time", by(h, pass), identity.ErrCredentials)
			wantErr(t, "another", by(h, h.chatPass(b)), nil)
			late := h.chatPass(b)
			h.clock.pass(time.Minute)
			wantErr(t, "too late", by(h, late), identity.ErrCredentials)
			for _, p := range []identity.Protocol{identity.ProtocolFTP, identity.ProtocolDAV, identity.ProtocolAPI} {
				ses, _ := h.open(p, home)
				_, err := h.login(ses, "alice", h.chatPass(b))
				wantErr(t, "over "+string(p), err, identity.ErrRoadClosed)
				ses.Close()
			}
			ses, _ := h.open(identity.ProtocolXMPP, home)
			_, err := h.login(ses, "bob", h.chatPass(b))
			wantErr(t, "as another", err, identity.ErrCredentials)
			page, _, err := h.StartAnonymous(t.Context(), h.visit())
			if err == nil {
				_, err = h.Upgrade(t.Context(), page, form("alice", h.chatPass(b)), false)
			}
			wantErr(t, "in the form of the log-in", err, identity.ErrCredentials)
		})
	}
}

// Of many who come with one pass at once, one gets in.
func TestPassOfMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	pass := h.chatPass(h.onPage("alice"))
	var wg sync.WaitGroup
	in := make(chan error, 20)
	for range cap(in) {
		ses, _ := h.open(identity.ProtocolXMPP, home)
		wg.Go(func() {
			_, err := h.login(ses, "alice", pass)
			in <- err
		})
	}
	wg.Wait()
	close(in)
	n := 0
	for err := range in {
		if err == nil {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d got in", n)
	}
}

// TestPassEnds: whatever ends the log-in on the browser ends the chat, and makes passes void that
// nobody has used.
func TestPassEnds(t *testing.T) {
	t.Parallel()
	admin := identity.Actor{Level: identity.LevelRoot, Via: "cli"}
	for what, end := range map[string]func(ctx context.Context, h *house, b *identity.Browser) error{
		"log-out": func(ctx context.Context, h *house, b *identity.Browser) error {
			_, err := h.Downgrade(ctx, b, identity.Reason{Code: identity.ReasonEnded})
			return err
		},
		"end of the session": func(_ context.Context, h *house, b *identity.Browser) error {
			return h.Registry.End(b.ID(), identity.Reason{Code: identity.ReasonEnded})
		},
		"another password": func(ctx context.Context, h *house, _ *identity.Browser) error {
			return h.ChangePassword(ctx, admin, "alice", identity.PasswordChange{Password: identity.NewSecret("another pass phrase")})
		},
		"disabled": func(ctx context.Context, h *house, _ *identity.Browser) error {
			off := identity.UserDisabled
			_, err := h.SetUser(ctx, admin, "alice", identity.UserChange{State: &off})
			return err
		},
		"road closed": func(ctx context.Context, h *house, _ *identity.Browser) error {
			_, err := h.SetUser(ctx, admin, "alice", identity.UserChange{Roads: &[]identity.Road{identity.RoadWeb}})
			return err
		},
		"signed out everywhere": func(ctx context.Context, h *house, _ *identity.Browser) error {
			_, err := h.SignOut(ctx, admin, "alice", nil)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			h := newHouse(t, nil)
			h.person("alice", nil)
			b := h.onPage("alice")
			ses, hold := h.open(identity.ProtocolXMPP, home)
			if _, err := h.login(ses, "alice", h.chatPass(b)); err != nil {
				t.Fatal(err)
			}
			left := h.chatPass(b)
			if err := end(t.Context(), h, b); err != nil {
				t.Fatal(err)
			}
			if len(hold.reasons()) != 1 {
				t.Fatalf("the chat goes on: %+v", hold.reasons())
			}
			other, _ := h.open(identity.ProtocolXMPP, home)
			if _, err := h.login(other, "alice", left); err == nil {
				t.Error("a pass that was left is good")
			}
			if _, _, err := h.ChatPass(t.Context(), b, "the page"); err == nil {
				t.Error("there is another pass")
			}
			if h.MayChat(b.Session) {
				t.Error("she may chat")
			}
		})
	}
}

func TestPassIsRare(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil)
	h.person("alice", nil)
	b := h.onPage("alice")
	for range 30 {
		h.chatPass(b)
	}
	_, _, err := h.ChatPass(t.Context(), b, "the page")
	if !errors.Is(err, identity.ErrThrottled) || identity.RetryAfter(err) <= 0 {
		t.Errorf("the 31st: %v", err)
	}
	h.clock.pass(5 * time.Minute)
	h.chatPass(b)
}
