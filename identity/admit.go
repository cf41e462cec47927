package identity

import (
	"context"
	"errors"
	"slices"
)

// admitTries bounds how often a log-in begins anew because the account changes meanwhile.
const admitTries = 3

// admit makes the checks that follow the secret and attaches the credentials. As a change of the
// account may have been committed since it was read, it is read again, and attached in the same
// step: whoever revokes looks for sessions when that step is over, or has committed before it.
func (s *Service) admit(ctx context.Context, c *claim) (*attachment, error) {
	acc, at := c.acc, s.now()
	if err := s.showCertificate(ctx, c); err != nil {
		return nil, err
	}
	for range admitTries {
		a, err := s.qualify(c.ses, acc, c.grant)
		if err != nil {
			return nil, err
		}
		a.method, a.factor = c.login.Method, c.factor
		a.certify(c.cert)
		if err := s.proofHolds(c.ses.classNow(), acc, a); err != nil {
			return nil, err
		}
		a.creds.OrigUser, a.creds.LoginAt = c.login.Name, at
		s.age(c.ses, a)
		fresh, err := s.attachIfSame(ctx, c, acc, a)
		s.Registry.giveWay(c.gives)
		switch {
		case err != nil:
			return nil, err
		case fresh == acc:
			s.loggedIn(c, &a.creds)
			return a, nil
		case fresh == nil:
			return nil, ErrDisabled
		case c.grant == nil && fresh.CredentialVersion != acc.CredentialVersion:
			return nil, ErrCredentials
		}
		acc = fresh
	}
	return nil, ErrBusy
}

// attachIfSame attaches what was made of acc, and returns acc, where the account has not changed
// since it was read; else what it is now, nil where it is gone.
func (s *Service) attachIfSame(ctx context.Context, c *claim, acc *Account, a *attachment) (*Account, error) {
	s.truth.RLock()
	defer s.truth.RUnlock()
	if !s.known.holds(acc) {
		fresh, err := s.byID(ctx, acc.ID)
		if err != nil || fresh == nil || fresh.ChangeSeq != acc.ChangeSeq {
			return fresh, err
		}
	}
	if c.grant != nil && !s.known.holdsToken(c.tokenKey, c.known) {
		if err := s.tokenHolds(ctx, c.grant); err != nil {
			return nil, err
		}
	}
	if err := s.open(acc.Level, c.ses.protocol); err != nil {
		return nil, err
	}
	if err := s.certificateHolds(ctx, acc.ID, c.cert); err != nil {
		if errors.Is(err, ErrCredentials) {
			return nil, err
		}
		return nil, unavailable(ctx, err)
	}
	var err error
	c.gives, err = s.Registry.attach(c.ses, a)
	return acc, err
}

// tokenHolds re-reads the token of a log-in.
func (s *Service) tokenHolds(ctx context.Context, g *Grant) error {
	if g == nil {
		return nil
	}
	err := s.tokens.TokenValid(ctx, g.TokenID)
	if err == nil || errors.Is(err, ErrCredentials) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrExpired) {
		if err != nil {
			return ErrCredentials
		}
		return nil
	}
	return unavailable(ctx, err)
}

func (s *Service) loggedIn(c *claim, creds *Credentials) {
	if creds.Grant != nil {
		s.tokens.TokenUsed(context.Background(), creds.Grant.TokenID, creds.LoginAt, c.ses)
		if g := creds.Grant; g.Fresh && !g.Passing && s.notes.first.take(g.TokenID, s.now()) == 0 {
			s.Tell(creds.UserID, Notice{Kind: NoticeTokenUse, At: creds.LoginAt, Protocol: c.ses.protocol, Client: ClientName(plain(c.ses.Details().UserAgent)),
				Remote: remoteText(c.ses), Session: c.ses.id, What: g.Label})
		}
	}
	s.behind.login(creds.UserID, creds.LoginAt)
	s.certificateUsed(c, creds.LoginAt)
	s.sighted(c.ses, c.login.Method, creds)
}

// qualify decides what an account, narrowed by a token, may be on a session; log-ins and changes
// of the account ask it alike.
func (s *Service) qualify(ses *Session, acc *Account, grant *Grant) (*attachment, error) {
	class := ses.classNow()
	now, road := s.now(), ses.protocol.Road()
	expires := acc.ExpiresAt
	if grant != nil && !grant.ExpiresAt.IsZero() && (expires.IsZero() || grant.ExpiresAt.Before(expires)) {
		expires = grant.ExpiresAt
	}
	switch {
	case acc.State != UserActive:
		return nil, ErrDisabled
	case !expires.IsZero() && !now.Before(expires):
		return nil, ErrExpired
	case !class.open(road):
		return nil, ErrClassDenied
	case acc.MustChange && grant == nil && ses.protocol != ProtocolWeb:
		return nil, ErrMustChange
	case len(acc.Roads) > 0 && !slices.Contains(acc.Roads, road), grant != nil && !grant.opens(ses.protocol):
		return nil, ErrRoadClosed
	}
	held := acc.Level
	if grant != nil && !grant.Admin {
		held = held.Min(LevelCustomer)
	}
	level := class.capped(held)
	who := s.subjectOf(acc)
	who.class = class.name()
	if !level.Allows(s.rules().decide(&who, Resource(kindLogin+":"+string(road))).level) {
		return nil, ErrRoadClosed
	}
	a := &attachment{held: held, rank: acc.Level, roads: acc.Roads, expires: expires, creds: Credentials{
		UserID: acc.ID, Login: acc.Login, Domain: acc.Domain, User: s.display(acc.Login, acc.Domain),
		UID: acc.UID, GID: acc.GID, Group: string(acc.Group.Name), Class: class.name(),
		Level: level, Profile: acc.Profile, QuotaBytes: acc.QuotaBytes, QuotaFiles: acc.QuotaFiles, Rates: acc.Rates,
		Grant: grant, CredentialVersion: acc.CredentialVersion, MustChange: acc.MustChange,
	}}
	for _, g := range acc.Groups {
		a.creds.GIDs = append(a.creds.GIDs, g.GID)
		a.creds.Groups = append(a.creds.Groups, string(g.Name))
	}
	for _, g := range append([]Group{acc.Group}, acc.Groups...) {
		if g.NoFolder {
			a.creds.NoFolders = append(a.creds.NoFolders, string(g.Name))
		}
	}
	return a, nil
}

// opens reports whether a token is meant for the protocol; web stands for WebDAV too, the API
// has a scope of its own.
func (g *Grant) opens(p Protocol) bool {
	if p == ProtocolAPI {
		return g.API
	}
	return slices.Contains(g.Roads, p.Road())
}
