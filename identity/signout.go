package identity

import "context"

// EventSignOut is the row of the audit log about an account that was signed out everywhere.
const EventSignOut = "session.signout"

// SignOut ends all sessions of an account, on every road and node, but keep (nil: none), and makes void
// what browsers and chat clients keep to come back without a password. The password and the app passwords
// stay: whoever has them logs in again. It returns how many sessions of this node ended.
func (s *Service) SignOut(ctx context.Context, by Actor, name string, keep *Session) (ended int, err error) {
	undo := func() {}
	var owner UserID
	var before []Info
	err = s.edit(ctx, by, func(e *edit) error {
		acc, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, acc.User, true); err != nil {
			return err
		}
		u := acc.User
		owner = u.ID
		before = s.Registry.List(Filter{Owner: owner})
		u.CredentialVersion++
		if _, err := e.PutUser(ctx, u); err != nil {
			return err
		}
		e.concern(u.ID)
		e.note(EventSignOut, s.display(u.Login, u.Domain), nil, fields{"kept": keep != nil})
		undo = s.adopt(keep, u.ID, u.CredentialVersion)
		return nil
	})
	if err != nil {
		undo()
		return 0, err
	}
	// Those that a token has opened do not hang on the password.
	var left []*Session
	for _, ses := range s.Registry.ofOwner(owner) {
		if ses != keep {
			left = append(left, ses)
		}
	}
	s.Registry.finish(left, Reason{Code: ReasonEnded, Text: "signed out everywhere", By: &by}, true)
	for _, i := range before {
		if keep == nil || i.ID != keep.ID() {
			ended++
		}
	}
	return ended, nil
}
