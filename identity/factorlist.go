package identity

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFactors bounds the passkeys of one account.
const maxFactors = 20

// maxFactorLabel is in characters.
const maxFactorLabel = 64

// The events of factors in the audit log.
const (
	EventFactorAdd    = "factor.add"
	EventFactorRemove = "factor.remove"
	EventFactorClone  = "factor.clone" // a passkey was used whose counter went back
)

// Factors lists the factors of an account (login or login@domain), the oldest first.
func (s *Service) Factors(ctx context.Context, name string) ([]Factor, error) {
	acc, err := s.find(ctx, s.store, name)
	if err != nil {
		return nil, err
	}
	rows, err := s.store.Factors(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Factor, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.shown())
	}
	return out, nil
}

// enroller is the account that a browser session may set factors up for: its own, or that of a log-in
// which waits because policy wants a factor and there is none. half is the latter, else nil.
func (s *Service) enroller(ctx context.Context, b *Browser) (acc *Account, half *halfway, err error) {
	var id UserID
	if a, ok := b.attached(); ok && !a.creds.Anonymous() {
		id = a.creds.UserID
	} else if half = s.halfOf(b.record); half != nil {
		id = half.claim.acc.ID
	} else {
		return nil, nil, ErrEnded
	}
	if acc, err = s.byID(ctx, id); err != nil {
		return nil, nil, err
	}
	if acc == nil || half != nil && acc.CredentialVersion != half.claim.acc.CredentialVersion {
		return nil, nil, ErrEnded
	}
	if half != nil && acc.Factors.Usable() {
		return nil, nil, faultf(ErrRefused, "the account has a second factor: show that one first")
	}
	return acc, half, nil
}

// addFactor adds what make returns to the account of a session. The recovery codes are new ones,
// where the account had none and the factor is one that log-ins ask for.
func (s *Service) addFactor(ctx context.Context, b *Browser, kind FactorKind, make func(*Account) (FactorRow, error)) (codes []Secret, set *Cookie, err error) {
	rec := b.record
	rec.change.Lock()
	defer rec.change.Unlock()
	acc, half, err := s.enroller(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	by := Actor{User: s.display(acc.Login, acc.Domain), Level: acc.Level, Via: "web", Remote: addrText(b.Remote())}
	undo, label := func() {}, ""
	err = s.edit(ctx, by, func(e *edit) error {
		codes = nil
		now, err := e.AccountByID(ctx, acc.ID)
		if err != nil {
			return err
		}
		row, err := make(&now)
		if err != nil {
			return err
		}
		if err := e.AddFactor(ctx, row); err != nil {
			return err
		}
		label = row.Label
		after := now.Factors | SetOf(kind)
		if !after.Has(FactorRecovery) && (after.Asked() || s.factorDemanded(now.Level, b.classNow())) {
			fresh, list, err := s.newRecovery(now.ID)
			if err != nil {
				return err
			}
			if err := e.AddFactor(ctx, fresh); err != nil {
				return err
			}
			codes = list
		}
		version := now.CredentialVersion
		if after.Asked() && !now.Factors.Asked() {
			// What a password alone has opened ends, and so do the tokens of chat clients that it got.
			u := now.User
			u.CredentialVersion++
			version = u.CredentialVersion
			if _, err := e.PutUser(ctx, u); err != nil {
				return err
			}
		}
		e.note(EventFactorAdd, by.User, nil, fields{"kind": string(kind), "label": row.Label})
		e.concern(now.ID)
		if half == nil {
			undo = s.adoptAs(b.Session, now.ID, func(a *attachment) {
				a.creds.CredentialVersion = version
				if a.factor == "" {
					a.factor = kind
				}
			})
		}
		return nil
	})
	if err != nil {
		undo()
		if errors.Is(err, ErrExists) && kind == FactorPasskey {
			err = faultf(ErrExists, "this passkey is known already")
		}
		return nil, nil, err
	}
	n := s.about(NoticeFactor, acc)
	n.Protocol, n.Remote, n.Session, n.Client, n.What = ProtocolWeb, remoteText(b.Session), b.ID(), ClientName(plain(b.Details().UserAgent)), label
	s.notify(ctx, n)
	s.browsers.mu.Lock()
	rec.enrol = nil
	s.browsers.mu.Unlock()
	if half == nil {
		return codes, nil, nil
	}
	if half.claim.acc, err = s.byID(ctx, acc.ID); err != nil || half.claim.acc == nil {
		return nil, nil, ErrEnded
	}
	cookie, err := s.raise(ctx, rec, half, kind)
	return codes, &cookie, err
}

// checkFactorLabel is a label as it is kept.
func checkFactorLabel(label, usual string) (string, error) {
	label = strings.TrimSpace(label)
	if label == "" {
		return usual, nil
	}
	if !utf8.ValidString(label) || utf8.RuneCountInString(label) > maxFactorLabel || strings.ContainsFunc(label, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "", faultf(ErrInvalid, "a name has at most %d characters and no control characters", maxFactorLabel)
	}
	return label, nil
}

// RenameFactor gives a factor of the actor's own account another label.
func (s *Service) RenameFactor(ctx context.Context, by Actor, id, label string) error {
	acc, err := s.find(ctx, s.store, by.User)
	if err != nil {
		return err
	}
	if label, err = checkFactorLabel(label, ""); err != nil {
		return err
	}
	if label == "" {
		return faultf(ErrInvalid, "a name cannot be empty")
	}
	return s.edit(ctx, by, func(e *edit) error {
		rows, err := e.Factors(ctx, acc.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rows, func(r FactorRow) bool { return r.ID == id })
		if i < 0 {
			return faultf(ErrNotFound, "no factor %q", id)
		}
		next := rows[i]
		next.Label = label
		return e.ChangeFactor(ctx, rows[i], next)
	})
}

// RemoveFactor removes a factor of an account; with "" all of them. Recovery codes go with the last
// factor that they stand in for. Of one's own account the last one that policy wants is refused;
// ses is the actor's session, nil where there is none. Administrators remove what people have lost.
func (s *Service) RemoveFactor(ctx context.Context, by Actor, name, id string, ses *Session) error {
	var told []Notice
	err := s.edit(ctx, by, func(e *edit) error {
		told = nil
		acc, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, acc.User, true); err != nil {
			return err
		}
		rows, err := e.Factors(ctx, acc.ID)
		if err != nil {
			return err
		}
		var left FactorSet
		var gone, recovery []string
		for _, r := range rows {
			switch {
			case id == "" || r.ID == id:
				gone = append(gone, r.ID)
				n := s.about(NoticeFactor, &acc)
				n.What, n.Removed, n.Remote = r.Label, true, hostText(actorAddr(by))
				if !s.isSelf(by, acc.User) {
					n.By = by.User
				}
				told = append(told, n)
				e.note(EventFactorRemove, s.display(acc.Login, acc.Domain), fields{"kind": string(r.Kind), "label": r.Label}, fields{})
			case r.Kind == FactorRecovery:
				recovery = append(recovery, r.ID)
			default:
				left |= SetOf(r.Kind)
			}
		}
		if len(gone) == 0 {
			if id == "" {
				return nil
			}
			return faultf(ErrNotFound, "no factor %q of %q", id, name)
		}
		if s.isSelf(by, acc.User) && !left.Usable() && acc.Factors.Usable() {
			if reason := s.demandText(acc.Level, ses); reason != "" {
				return faultf(ErrRefused, "it is your last second factor, and %s; set up another one first", reason)
			}
		}
		if !left.Usable() {
			gone = append(gone, recovery...)
		}
		e.concern(acc.ID)
		return e.RemoveFactors(ctx, acc.ID, gone...)
	})
	if err != nil {
		return err
	}
	for _, n := range told {
		s.notify(ctx, n)
	}
	return nil
}

// demandText says why policy wants a second factor; "" where it does not.
func (s *Service) demandText(level Level, ses *Session) string {
	switch {
	case s.factorDemanded(level, nil):
		return "this server asks for one from the level " + s.opts.FactorFrom.String() + " on"
	case ses != nil && s.factorDemanded(level, ses.classNow()):
		return "this server asks for one from your address"
	}
	return ""
}

// RenewRecovery gives the account of a logged-in session new recovery codes; the old ones are void.
func (s *Service) RenewRecovery(ctx context.Context, b *Browser) ([]Secret, error) {
	a, ok := b.attached()
	if !ok || a.creds.Anonymous() {
		return nil, ErrEnded
	}
	by := Actor{User: a.creds.User, Level: a.creds.Level, Via: "web", Remote: addrText(b.Remote())}
	var codes []Secret
	err := s.edit(ctx, by, func(e *edit) error {
		acc, err := e.AccountByID(ctx, a.creds.UserID)
		if err != nil {
			return err
		}
		if !acc.Factors.Usable() {
			return faultf(ErrRefused, "recovery codes stand in for a second factor, and the account has none")
		}
		rows, err := e.Factors(ctx, acc.ID)
		if err != nil {
			return err
		}
		var old []string
		for _, r := range rows {
			if r.Kind == FactorRecovery {
				old = append(old, r.ID)
			}
		}
		if err := e.RemoveFactors(ctx, acc.ID, old...); err != nil {
			return err
		}
		row, list, err := s.newRecovery(acc.ID)
		if err != nil {
			return err
		}
		codes = list
		e.note(EventFactorAdd, by.User, nil, fields{"kind": string(FactorRecovery), "label": row.Label})
		e.concern(acc.ID)
		return e.AddFactor(ctx, row)
	})
	return codes, err
}
