package identity

import "context"

// Lend returns what ses may do in the place of the account that g names, no further than g says: what
// a share of files opens to whoever has its address. The account must be one that could log in on the
// session's road now: ErrDisabled, ErrExpired, ErrClassDenied, ErrRoadClosed. Nothing is attached to
// the session, which stays who it is; whoever uses the credentials asks again before each step.
func (s *Service) Lend(ctx context.Context, ses *Session, g Grant) (Credentials, error) {
	acc, err := s.byID(ctx, g.User)
	if err != nil {
		return Credentials{}, err
	}
	if acc == nil {
		return Credentials{}, ErrDisabled
	}
	a, err := s.qualify(ses, acc, &g)
	if err != nil {
		return Credentials{}, err
	}
	return a.creds, nil
}

// Guess runs check, which compares a secret that is no account's (that of a share), as a log-in runs:
// not from a banned address, after the delay that failures of the same what have earned, and counted
// where check answers ErrCredentials.
func (s *Service) Guess(ctx context.Context, ses *Session, what string, check func() error) error {
	try, err := s.throttle.enter(ctx, BlockOf(ses.Remote().Addr()), string(keyed(s.seal.names, what)))
	if err != nil {
		return err
	}
	leave, err := try.slow(ctx)
	if err != nil {
		try.drop()
		return err
	}
	defer leave()
	err = check()
	try.end(err, true)
	return err
}
