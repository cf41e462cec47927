package identity

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"
)

// Bounds of revocation.
const (
	truthTimeout = 5 * time.Second // for reading what the store says
	pollEvery    = time.Second
	pollPage     = 1000 // changed accounts that are read at a time
)

// reconcile re-reads accounts after a committed change and decides for each of their sessions:
// refresh, downgrade (web), or end. It has taken effect when it returns, even where ctx has
// ended: the holders have been told.
func (s *Service) reconcile(ctx context.Context, ids ...UserID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), truthTimeout)
	defer cancel()
	s.known.forget() // before the sessions are looked at
	for _, id := range ids {
		if err := s.reconcileOne(ctx, id); err != nil {
			// The poll meets the change again, as it only goes on when all went well.
			s.log.Error("reading a changed account", "user", string(id), "err", err)
		}
	}
	s.tellChange(ctx, ids)
}

// reconcileOne does one account. Reading and deciding is one step under truth, so that of two
// changes the later one stands; holders are called after it.
func (s *Service) reconcileOne(ctx context.Context, id UserID) error {
	s.truth.Lock()
	sessions := s.Registry.ofOwner(id)
	if len(sessions) == 0 {
		s.truth.Unlock()
		return nil
	}
	acc, err := s.byID(ctx, id)
	if err != nil {
		s.truth.Unlock()
		return err
	}
	var after []func()
	for _, ses := range sessions {
		if do := s.decide(ses, acc); do != nil {
			after = append(after, do)
		}
	}
	s.truth.Unlock()
	for _, do := range after {
		do()
	}
	for _, ses := range sessions { // of those that somebody else is just ending
		select {
		case <-ses.ended:
			select {
			case <-ses.told:
			case <-ctx.Done():
			}
		default:
		}
	}
	return nil
}

// decide compares a session with its account (nil: gone) and returns what is left to do outside
// of the lock.
func (s *Service) decide(ses *Session, acc *Account) func() {
	was, ok := ses.attached()
	if !ok || was.creds.Anonymous() {
		return nil
	}
	end := func(why Reason) func() {
		return func() { s.Registry.finish([]*Session{ses}, why, true) }
	}
	if acc == nil || acc.ID != was.creds.UserID {
		return end(Reason{Code: ReasonDisabled, Text: ErrDisabled.Error()})
	}
	if acc.State != UserActive { // which raises the version of the credential too
		return end(Reason{Code: ReasonDisabled, Text: ErrDisabled.Error()})
	}
	// A session that has adopted a change which is not committed yet is ahead.
	if was.creds.Grant == nil && was.creds.CredentialVersion < acc.CredentialVersion {
		return end(Reason{Code: ReasonRevoked, Text: "the password was changed"})
	}
	if s.revoked(was.creds.Grant) {
		return end(Reason{Code: ReasonRevoked, Text: "the token was revoked or changed"})
	}
	if s.certificateGone(acc.ID, was.cert) {
		return end(Reason{Code: ReasonRevoked, Text: certificateGone})
	}
	if m := s.maintenance.Load(); was.creds.LoginAt.After(m.Since) && !m.works(acc.Level, ses.protocol) && m.works(was.rank, ses.protocol) {
		return end(Reason{Code: ReasonMaintenance, Text: ErrMaintenance.Error()}) // it was let in for what it is no more
	}
	now, err := s.qualify(ses, acc, was.creds.Grant)
	if err == nil {
		now.method, now.factor = was.method, was.factor
		now.certify(was.cert)
		err = s.proofHolds(ses.classNow(), acc, now)
	}
	switch {
	case errors.Is(err, ErrDisabled):
		return end(Reason{Code: ReasonDisabled, Text: err.Error()})
	case errors.Is(err, ErrExpired):
		return end(Reason{Code: ReasonExpired, Text: err.Error()})
	case err != nil && ses.browser != nil:
		return func() { s.demote(ses.browser, Reason{Code: ReasonPolicy, Text: err.Error()}) }
	case err != nil:
		return end(Reason{Code: ReasonPolicy, Text: err.Error()})
	}
	now.creds.OrigUser, now.creds.LoginAt = was.creds.OrigUser, was.creds.LoginAt
	s.age(ses, now)
	now.creds.CredentialVersion = max(now.creds.CredentialVersion, was.creds.CredentialVersion)
	same := *was
	same.roads = now.roads
	switch {
	case reflect.DeepEqual(now, was):
		return nil
	case !s.Registry.swap(ses, was, now): // it has ended, or what it is by now is another log-in's
		return s.decide(ses, acc)
	case reflect.DeepEqual(now, &same): // the other roads are nothing to this one
		return nil
	}
	return func() {
		ses.tellChanged()
	}
}

// adopt lets ses, if it belongs to id, live through the change of the password to the new
// CredentialVersion; call it before the change commits, and undo if it does not.
func (s *Service) adopt(ses *Session, id UserID, version int64) (undo func()) {
	return s.adoptAs(ses, id, func(a *attachment) { a.creds.CredentialVersion = version })
}

// adoptAs is adopt for whatever change makes of what the session has.
func (s *Service) adoptAs(ses *Session, id UserID, change func(*attachment)) (undo func()) {
	if ses == nil {
		return func() {}
	}
	was, ok := ses.attached()
	if !ok || was.creds.UserID != id {
		return func() {}
	}
	set := func(change func(*attachment)) {
		s.truth.Lock()
		defer s.truth.Unlock()
		if now, ok := ses.attached(); ok && now.creds.UserID == id {
			next := *now
			change(&next)
			s.Registry.replace(ses, &next)
		}
		if ses.browser != nil {
			ses.browser.touch()
		}
	}
	set(change)
	return func() {
		set(func(a *attachment) { a.creds.CredentialVersion, a.factor = was.creds.CredentialVersion, was.factor })
	}
}

// TokensChanged tells identity that a token was revoked or narrowed: sessions that hold it end.
func (s *Service) TokensChanged(_ context.Context, ids ...string) {
	s.known.forget() // before the sessions are looked at
	s.wait()
	for _, id := range ids {
		// A session may get the token from another one while it is looked at (Registry.Resume).
		for list := s.Registry.ofToken(id); len(list) > 0; list = s.Registry.ofToken(id) {
			s.Registry.finish(list, Reason{Code: ReasonRevoked, Text: "the token was revoked or changed"}, true)
		}
	}
}

// TokensRevoked is TokensChanged for the owners of tokens that are gone: it notes the change with
// their accounts, so that other processes on the same store end the sessions there.
func (s *Service) TokensRevoked(ctx context.Context, owners []UserID, ids ...string) error {
	s.TokensChanged(ctx, ids...)
	slices.Sort(owners)
	err := s.store.Write(ctx, func(w StoreWriter) error { return w.Touch(ctx, slices.Compact(owners)...) })
	s.known.forget() // the accounts have another sequence now
	if errors.Is(err, ErrNotFound) {
		return nil // an owner is gone, and what it had with it
	}
	return err
}

// revoked reports whether a session's token is known to be gone. Where the store does not say, the
// session goes on: it was good, and the poll asks again.
func (s *Service) revoked(g *Grant) bool {
	if g == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), truthTimeout)
	defer cancel()
	err := s.tokens.TokenValid(ctx, g.TokenID)
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrCredentials)
}

// wait returns when log-ins that have read the truth before have attached what they made of it.
func (s *Service) wait() {
	s.truth.Lock()
	defer s.truth.Unlock()
}

// poll meets the changes that were made elsewhere, and those whose reading failed.
func (s *Service) poll(ctx context.Context) error {
	at := s.now()
	seq, err := s.store.ChangeSeq(ctx)
	if err != nil || seq != s.seq {
		s.known.forget()
	}
	if err != nil {
		return err
	}
	s.known.looked(at)
	if err := s.pollBans(ctx); err != nil {
		return err
	}
	if seq <= s.seq {
		return nil
	}
	if err := s.pollRules(ctx); err != nil {
		return err
	}
	if err := s.pollMaintenance(ctx); err != nil {
		return err
	}
	if err := s.pollAnnouncements(ctx); err != nil {
		return err
	}
	for {
		changed, err := s.store.AccountsChanged(ctx, s.seq, pollPage)
		if err != nil {
			return err
		}
		ids := make([]UserID, len(changed))
		for i, acc := range changed {
			if err := s.reconcileOne(ctx, acc.ID); err != nil {
				return err
			}
			ids[i] = acc.ID
		}
		if len(ids) > 0 {
			s.seq = changed[len(ids)-1].ChangeSeq
			s.tellChange(ctx, ids)
		}
		if len(ids) < pollPage {
			s.seq = max(s.seq, seq)
			return s.decoys.load(ctx, s.store)
		}
	}
}

// expire ends the sessions whose account or token has expired, and those that are as old as they may
// be; of these the ones of browsers go back to anonymous.
func (s *Service) expire() {
	var over []*Session
	for _, ses := range s.Registry.expired() {
		if a, ok := ses.attached(); ok && a.aged && ses.browser != nil {
			s.demote(ses.browser, Reason{Code: ReasonExpired, Text: "the session is as old as it may be: log in again"})
			continue
		}
		over = append(over, ses)
	}
	s.Registry.finish(over, Reason{Code: ReasonExpired, Text: ErrExpired.Error()}, true)
}
