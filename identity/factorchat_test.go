package identity_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"trivium/identity"
)

// chatter answers as the test says.
type chatter struct {
	online bool
	asked  chan identity.ChatQuestion
	answer chan bool
}

func (c *chatter) Reachable(identity.UserName, string) bool { return c.online }

func (c *chatter) Confirm(ctx context.Context, q identity.ChatQuestion) (bool, error) {
	c.asked <- q
	select {
	case yes := <-c.answer:
		return yes, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func TestChatAsFactor(t *testing.T) {
	t.Parallel()
	h := fortress(t, nil)
	h.person("alice", nil)
	chat := &chatter{asked: make(chan identity.ChatQuestion, 1), answer: make(chan bool)}
	h.UseChat(chat)
	b, _ := h.browse("alice")
	if h.CanAskChat(b) {
		t.Error("nobody is there, and could be asked")
	}
	_, err := h.AskChat(t.Context(), b, "POST", "https://example.org/security")
	wantErr(t, "asking nobody", err, identity.ErrRefused)
	chat.online = true
	// say answers the question of a session and waits until that is known.
	say := func(b *identity.Browser, yes bool, want identity.ChatState) {
		t.Helper()
		q := <-chat.asked
		shown, ok := h.ChatAnswer(b)
		if !ok || shown.Code != q.Code || len(q.Code) != 7 || shown.State != identity.ChatWaiting || q.Login != "alice" || q.Method != "POST" {
			t.Errorf("the page shows %+v, chat %+v", shown, q)
		}
		chat.answer <- yes
		deadline := time.Now().Add(5 * time.Second)
		for {
			if got, ok := h.ChatAnswer(b); !ok || got.State == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the answer is not there")
			}
			runtime.Gosched()
		}
	}
	if _, err := h.AskChat(t.Context(), b, "POST", "https://example.org/security"); err != nil {
		t.Fatal(err)
	}
	_, err = h.AddChat(t.Context(), b)
	wantErr(t, "before the answer", err, identity.ErrInvalid)
	say(b, true, identity.ChatAllowed)
	codes, err := h.AddChat(t.Context(), b)
	if err != nil || len(codes) != 10 {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	_, err = h.AddChat(t.Context(), b)
	wantErr(t, "one answer twice", err, identity.ErrInvalid)

	w, _ := h.half("alice")
	if s, ok, _ := h.Halfway(t.Context(), w); !ok || !s.Chat || s.TOTP || s.Enrol {
		t.Errorf("it waits as %+v", s)
	}
	if _, err := h.AskChat(t.Context(), w, "POST", "https://example.org/login"); err != nil {
		t.Fatal(err)
	}
	_, err = h.FinishChat(t.Context(), w)
	wantErr(t, "before the answer", err, identity.ErrInvalid)
	say(w, true, identity.ChatAllowed)
	if _, err := h.FinishChat(t.Context(), w); err != nil || w.Level() != identity.LevelUser {
		t.Errorf("allowed: level %v, %v", w.Level(), err)
	}

	h.clock.pass(11 * time.Minute)
	w, _ = h.half("alice")
	if _, err := h.AskChat(t.Context(), w, "POST", "https://example.org/login"); err != nil {
		t.Fatal(err)
	}
	say(w, false, identity.ChatDenied)
	_, err = h.FinishChat(t.Context(), w)
	wantErr(t, "denied", err, identity.ErrCredentials)
	if _, ok, _ := h.Halfway(t.Context(), w); ok {
		t.Error("it waits on after a no")
	}
	// Whoever has the password does not wear the person down.
	w, _ = h.half("alice")
	_, err = h.AskChat(t.Context(), w, "POST", "https://example.org/login")
	wantErr(t, "asking again after a no", err, identity.ErrThrottled)
	h.clock.pass(11 * time.Minute)
	for i := range 5 {
		w, _ = h.half("alice")
		_, err = h.AskChat(t.Context(), w, "POST", "https://example.org/login")
		if i < 3 {
			wantErr(t, "asking", err, nil)
			<-chat.asked
		} else {
			wantErr(t, "asking too often", err, identity.ErrThrottled)
		}
		h.LeaveHalfway(w)
	}
	// Without a client a recovery code still lets in.
	chat.online = false
	w, _ = h.half("alice")
	if s, _, _ := h.Halfway(t.Context(), w); s.Chat {
		t.Error("chat is offered without a client")
	}
	if _, err := h.FinishCode(t.Context(), w, codes[0]); err != nil {
		t.Error(err)
	}
}
