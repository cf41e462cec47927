package identity

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Bounds of resets that people ask for.
const (
	resetAsksPerPrefix  = 10 // within resetWindow
	resetMailsOfAccount = 3
	resetWindow         = time.Hour
	maxResetAsks        = 256 // that wait
	maxSameEmail        = 5   // accounts of one e-mail address
)

// resetAsk is a person who has forgotten a password.
type resetAsk struct {
	text   string
	remote netip.Addr
}

// resets answers them behind, so that the answer to who asks takes as long whether there is such an
// account or not.
type resets struct {
	queue    chan resetAsk
	prefixes *allowance[netip.Prefix]
	accounts *allowance[UserID]
}

func newResets() *resets {
	return &resets{queue: make(chan resetAsk, maxResetAsks), prefixes: newAllowance[netip.Prefix](resetAsksPerPrefix, resetWindow),
		accounts: newAllowance[UserID](resetMailsOfAccount, resetWindow)}
}

// AskReset asks for a link that sets another password, sent to the e-mail address of the account with
// that login, alias or address. The answer tells nothing of accounts: it is nil, or ErrThrottled or
// ErrBusy where too many ask.
func (s *Service) AskReset(_ context.Context, ses *Session, name string) error {
	remote := ses.Remote().Addr()
	if wait := s.resets.prefixes.take(BlockOf(remote), s.now()); wait > 0 {
		return &waitError{ErrThrottled, wait}
	}
	select {
	case s.resets.queue <- resetAsk{clip(plain(strings.TrimSpace(name)), maxEmail), remote}:
		return nil
	default:
		return ErrBusy
	}
}

// answerResets sends what was asked for until ctx ends.
func (s *Service) answerResets(ctx context.Context) {
	for {
		select {
		case ask := <-s.resets.queue:
			s.answerReset(ctx, ask)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) answerReset(ctx context.Context, ask resetAsk) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), truthTimeout)
	defer cancel()
	accounts, err := s.forgetful(ctx, ask.text)
	if err != nil {
		s.log.Error("looking for who forgot a password", "err", err)
		return
	}
	by := Actor{Level: LevelRoot, Via: "web", Remote: ask.remote.Unmap().String()}
	e := AuditEvent{Time: s.now(), Event: "reset.ask", Via: by.Via, Remote: by.Remote, Result: "ok", Subject: unknownName}
	if len(accounts) == 0 {
		e.Result = ErrNotFound.Error()
		s.behind.record(e)
	}
	for i := range accounts {
		a := &accounts[i]
		e.Subject, e.Result = s.display(a.Login, a.Domain), "ok"
		switch wait := s.resets.accounts.take(a.ID, s.now()); {
		case a.Profile.Email == "":
			e.Result = "the account has no e-mail address"
		case wait > 0:
			e.Result = ErrThrottled.Error()
		default:
			if _, _, err := s.Invite(ctx, by, NewInvite{User: string(a.Login) + "@" + a.Domain, Mail: a.Profile.Email}); err != nil {
				e.Result = resultOf(err)
			}
		}
		s.behind.record(e)
	}
}

// forgetful finds the active accounts that a person may mean.
func (s *Service) forgetful(ctx context.Context, text string) ([]Account, error) {
	var out []Account
	name, domain, err := ParseAddress(text, s.opts.Domain)
	if err == nil && slices.Contains(s.domains, domain) {
		a, err := s.store.Account(ctx, domain, name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil && a.State == UserActive {
			out = append(out, a)
		}
	}
	if !strings.Contains(text, "@") {
		return out, nil
	}
	more, err := s.store.AccountsByEmail(ctx, text, maxSameEmail)
	if err != nil {
		return nil, err
	}
	for _, a := range more {
		if a.State == UserActive && !slices.ContainsFunc(out, func(b Account) bool { return a.ID == b.ID }) {
			out = append(out, a)
		}
	}
	return out, nil
}
