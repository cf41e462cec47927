package identity

import (
	"context"
	"errors"
	"time"
)

// Bounds of questions in chat: whoever has the password must not be able to wear the person down.
const (
	askTime     = 60 * time.Second
	maxAsks     = 3 // of one account
	askWindow   = 10 * time.Minute
	askCodeSize = 6
)

// ChatState is how far a question in chat has come.
type ChatState string

// The states.
const (
	ChatWaiting ChatState = "waiting"
	ChatAllowed ChatState = "allowed"
	ChatDenied  ChatState = "denied"
	ChatLate    ChatState = "late" // no answer, or nobody to ask
)

// chatAsk is a question that was put to a person's chat clients. browsers.mu guards state.
type chatAsk struct {
	code   string
	state  ChatState
	cancel func()
}

// askState is how often an account was asked lately.
type askState struct {
	at     []time.Time
	denied time.Time
}

// UseChat gives identity the chat road as a factor; before Run.
func (s *Service) UseChat(c Chat) { s.chat = c }

// CanAskChat reports whether the account of the session could be asked in chat now: for the page
// that offers it as a factor.
func (s *Service) CanAskChat(b *Browser) bool {
	c, ok := b.Credentials()
	return ok && !c.Anonymous() && s.chat != nil && s.chat.Reachable(c.Login, c.Domain)
}

// AskChat asks the person's chat clients about a log-in that waits, or about setting chat up as a
// factor where the session is logged in, and returns the code that both sides show. The answer is
// for ChatAnswer. method and url are of the page; ErrThrottled where the person was asked too often,
// ErrNotFound where no client is there.
func (s *Service) AskChat(ctx context.Context, b *Browser, method, url string) (code string, err error) {
	var acc *Account
	if a, ok := b.attached(); ok && !a.creds.Anonymous() {
		acc, err = s.byID(ctx, a.creds.UserID)
	} else if h := s.halfOf(b.record); h != nil && h.claim.acc.Factors.Has(FactorChat) {
		acc = h.claim.acc
	}
	switch {
	case err != nil:
		return "", err
	case acc == nil:
		return "", ErrEnded
	case s.chat == nil || !s.chat.Reachable(acc.Login, acc.Domain):
		return "", faultf(ErrRefused, "none of your chat apps is online, so none can be asked")
	}
	if err := s.mayAsk(acc.ID); err != nil {
		return "", err
	}
	ask := &chatAsk{code: randomCode(askCodeSize, askCodeSize/2), state: ChatWaiting}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	ask.cancel = cancel
	s.browsers.mu.Lock()
	if old := b.record.ask; old != nil {
		old.cancel()
	}
	b.record.ask = ask
	s.browsers.mu.Unlock()
	q := ChatQuestion{Login: acc.Login, Domain: acc.Domain, Code: ask.code, Method: method, URL: url,
		From: remoteText(b.Session) + ", " + b.Details().UserAgent}
	go func() {
		defer cancel()
		yes, err := s.chat.Confirm(wait, q)
		state := ChatLate
		switch {
		case err != nil:
		case yes:
			state = ChatAllowed
		default:
			state = ChatDenied
		}
		s.chatAnswered(b, acc, ask, state)
	}()
	return ask.code, nil
}

// mayAsk counts a question.
func (s *Service) mayAsk(id UserID) error {
	now := s.now()
	s.askMu.Lock()
	defer s.askMu.Unlock()
	st := s.asks.get(id)
	if left := st.denied.Add(askWindow).Sub(now); !st.denied.IsZero() && left > 0 {
		return &waitError{ErrThrottled, left}
	}
	for len(st.at) > 0 && now.Sub(st.at[0]) >= askWindow {
		st.at = st.at[1:]
	}
	if len(st.at) >= maxAsks {
		return &waitError{ErrThrottled, st.at[0].Add(askWindow).Sub(now)}
	}
	st.at = append(st.at, now)
	return nil
}

// chatAnswered notes what came. A no ends the waiting log-in, counts as a wrong one, and keeps
// whoever has the password from asking again for a while.
func (s *Service) chatAnswered(b *Browser, acc *Account, ask *chatAsk, state ChatState) {
	s.browsers.mu.Lock()
	ask.state = state
	s.browsers.mu.Unlock()
	if state != ChatDenied {
		return
	}
	s.askMu.Lock()
	s.asks.get(acc.ID).denied = s.now()
	s.askMu.Unlock()
	_, _ = s.proveFactor(context.Background(), b.Session, acc, func() (FactorKind, error) { return FactorChat, ErrCredentials })
}

// ChatAsked is a question in chat as pages show it.
type ChatAsked struct {
	Code  string
	State ChatState
}

// ChatAnswer returns how far the question of the session has come; false where none was asked.
func (s *Service) ChatAnswer(b *Browser) (ChatAsked, bool) {
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	ask := b.record.ask
	if ask == nil {
		return ChatAsked{}, false
	}
	return ChatAsked{ask.code, ask.state}, true
}

// errNotYet says that the question in chat has no answer yet.
func errNotYet() error { return faultf(ErrInvalid, "your chat app has not answered yet") }

// FinishChat ends a waiting log-in that the person has allowed in chat. ErrInvalid while there is no
// answer; ErrCredentials where it was no: the log-in is over then.
func (s *Service) FinishChat(ctx context.Context, b *Browser) (Cookie, error) {
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	h := s.halfOf(rec)
	if h == nil {
		return Cookie{}, ErrEnded
	}
	switch err := s.takeAnswer(rec); {
	case errors.Is(err, ErrCredentials):
		s.LeaveHalfway(b)
		return Cookie{}, err
	case err != nil:
		return Cookie{}, err
	}
	return s.raise(ctx, rec, h, FactorChat)
}

// takeAnswer is nil where the person has allowed what was asked; an answer counts once.
func (s *Service) takeAnswer(rec *browserRecord) error {
	s.browsers.mu.Lock()
	defer s.browsers.mu.Unlock()
	if rec.ask == nil || rec.ask.state == ChatWaiting {
		return errNotYet()
	}
	state := rec.ask.state
	rec.ask = nil
	switch state {
	case ChatAllowed:
		return nil
	case ChatDenied:
		return ErrCredentials
	}
	return faultf(ErrInvalid, "no answer came from your chat app in %d seconds; ask again", int(askTime.Seconds()))
}

// AddChat makes chat a second factor of the logged-in session's account, once the person has allowed
// that there (AskChat).
func (s *Service) AddChat(ctx context.Context, b *Browser) (codes []Secret, err error) {
	if a, ok := b.attached(); !ok || a.creds.Anonymous() {
		return nil, ErrEnded
	}
	if err := s.takeAnswer(b.record); err != nil {
		return nil, err
	}
	codes, _, err = s.addFactor(ctx, b, FactorChat, func(acc *Account) (FactorRow, error) {
		if acc.Factors.Has(FactorChat) {
			return FactorRow{}, faultf(ErrExists, "chat is a second factor already")
		}
		return s.newFactor(acc.ID, FactorChat, "Chat"), nil
	})
	return codes, err
}
