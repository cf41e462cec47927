package identity

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"
)

// Anonymous is what an anonymous client sends: FTP USER and PASS; both "" on the other roads.
type Anonymous struct {
	Name   string
	Email  string // the "password"
	Domain string // of the virtual host; "" is the default domain
}

// LoginAnonymous gives the session LevelAnonymous, where policy lets this road have it.
func (s *Service) LoginAnonymous(ctx context.Context, ses *Session, a Anonymous) (Credentials, error) {
	c := &claim{ses: ses, login: Login{Method: MethodAnonymous, Name: a.Name}, name: "anonymous"}
	creds, err := s.checkAnonymous(ctx, c, a)
	s.auditLogin(c, err)
	return creds, err
}

func (s *Service) checkAnonymous(ctx context.Context, c *claim, a Anonymous) (Credentials, error) {
	if err := s.admissible(c.ses); err != nil {
		return Credentials{}, err
	}
	try, err := s.throttle.enter(ctx, BlockOf(c.ses.Remote().Addr()), "")
	if err != nil {
		return Credentials{}, err
	}
	if !slices.Contains(s.opts.AnonymousRoads, c.ses.protocol.Road()) || s.keepsOut(c.ses) {
		try.drop()
		return Credentials{}, ErrRoadClosed
	}
	user := a.Email
	if s.opts.AnonymousRequirePassword && c.ses.protocol == ProtocolFTP {
		want := keyed(s.seal.names, s.opts.AnonymousPassword.Reveal())
		if s.opts.AnonymousPassword.IsZero() || subtle.ConstantTimeCompare(want, keyed(s.seal.names, a.Email)) != 1 {
			try.fail(false)
			return Credentials{}, ErrCredentials
		}
		user = a.Name
	}
	try.drop()
	at := s.anonymous(c.ses.classNow().name(), s.now())
	at.method, at.creds.OrigUser, at.creds.AnonUser = MethodAnonymous, a.Name, user
	at.creds.Domain = a.Domain
	if err := s.attachAnonymous(c.ses, at); err != nil {
		return Credentials{}, err
	}
	return at.creds, nil
}

func (s *Service) attachAnonymous(ses *Session, a *attachment) error {
	s.truth.RLock()
	defer s.truth.RUnlock()
	if err := s.open(LevelAnonymous, ses.protocol); err != nil {
		return err
	}
	_, err := s.Registry.attach(ses, a)
	return err
}

// keepsOut reports whether a rule keeps anonymous clients of the session's class from the road. A
// rule for all is about accounts: whether anonymous clients may come at all the config says.
func (s *Service) keepsOut(ses *Session) bool {
	who := subject{anonymous: true, class: ses.classNow().name()}
	rule := s.rules().required(who, Resource(kindLogin+":"+string(ses.protocol.Road())))
	return rule.For != "" && !LevelAnonymous.Allows(rule.Level)
}

// anonymous is what a session without a user holds.
func (s *Service) anonymous(class string, at time.Time) *attachment {
	return &attachment{held: LevelAnonymous, creds: Credentials{
		UID: AnonymousID, GID: AnonymousID, Class: class, Level: LevelAnonymous, LoginAt: at,
	}}
}
