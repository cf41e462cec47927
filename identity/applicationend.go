package identity

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ApplicationUses lists the applications that an account has logged in to, those used last first.
func (s *Service) ApplicationUses(ctx context.Context, name string) ([]ApplicationUse, error) {
	acc, err := s.find(ctx, s.store, name)
	if err != nil {
		return nil, err
	}
	list, err := s.store.ApplicationUsers(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	out := []ApplicationUse{}
	for _, u := range list {
		app, err := s.store.Application(ctx, u.Application)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		use := ApplicationUse{ApplicationUser: u, App: app}
		grants, err := s.store.ApplicationGrants(ctx, GrantFilter{User: acc.ID, Application: app.ID})
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			if g.Generation > 0 && s.now().Before(g.ExpiresAt) {
				use.Live++
			}
			if g.UsedAt.After(use.LastAt) {
				use.LastAt = g.UsedAt
			}
		}
		out = append(out, use)
	}
	slices.SortStableFunc(out, func(a, b ApplicationUse) int { return b.LastAt.Compare(a.LastAt) })
	return out, nil
}

// ApplicationUse is an application in the list of a person.
type ApplicationUse struct {
	ApplicationUser
	App  Application
	Live int // log-ins there that go on
}

// ApplicationUseCounts is how many people use each application, by its ID.
func (s *Service) ApplicationUseCounts(ctx context.Context) (map[string]int, error) {
	return s.store.ApplicationUseCounts(ctx)
}

// EndApplication logs an account out of an application and forgets that it agreed: one's own, or that of
// an account that the actor may change. ErrNotFound where the account does not use it.
func (s *Service) EndApplication(ctx context.Context, by Actor, name, id string) error {
	return s.edit(ctx, by, func(e *edit) error {
		acc, err := s.find(ctx, e, name)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, acc.User, true); err != nil {
			return err
		}
		app, err := findApplication(ctx, e, id)
		if err != nil {
			return err
		}
		return s.endUse(ctx, e, acc.ID, s.display(acc.Login, acc.Domain), app)
	})
}

func (s *Service) endUse(ctx context.Context, e *edit, user UserID, shown string, app Application) error {
	gs, err := e.ApplicationGrants(ctx, GrantFilter{User: user, Application: app.ID})
	if err != nil {
		return err
	}
	if err := e.endGrants(ctx, gs, app); err != nil {
		return err
	}
	e.note(EventApplicationEnd, shown, fields{"application": app.ID}, nil)
	return e.RemoveApplicationUser(ctx, app.ID, user)
}

// forgetApplications removes what an account that is removed has had.
func (s *Service) forgetApplications(ctx context.Context, e *edit, u User) error {
	uses, err := e.ApplicationUsers(ctx, u.ID)
	if err != nil {
		return err
	}
	for _, x := range uses {
		app, err := findApplication(ctx, e, x.Application)
		if err != nil {
			return err
		}
		if err := s.endUse(ctx, e, u.ID, s.display(u.Login, u.Domain), app); err != nil {
			return err
		}
	}
	return nil
}

// endGrants removes grants of one application; who subscribed to their end is told after the commit.
func (e *edit) endGrants(ctx context.Context, list []ApplicationGrant, app Application) error {
	if len(list) == 0 {
		return nil
	}
	ids := make([]string, len(list))
	for i, g := range list {
		ids[i] = g.ID
	}
	gone, err := e.RemoveApplicationGrants(ctx, ids...)
	if err != nil {
		return err
	}
	for _, g := range list {
		// A code that nobody used has logged nobody in, and of two who end one grant one tells.
		if slices.Contains(gone, g.ID) && g.Generation > 0 {
			e.ended = append(e.ended, EndedGrant{g, app})
		}
	}
	return nil
}

// sessionGrants does what the end of a browser session, or of the log-in on it, means to applications:
// each is told. The grants end with it, but for those that were given to go on without it
// (offline_access), where nobody has ended the session against the person's will.
func (s *Service) sessionGrants(id string, user UserID, why Reason) {
	if !s.opts.Applications.On || user == "" || why.Code == ReasonShutdown {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), truthTimeout)
	defer cancel()
	own := why.Code == ReasonIdle || why.Code == ReasonExpired || why.Code == ReasonReplaced || why.Code == ReasonClosed || why.Code == ReasonEnded && why.By == nil
	end := func(ctx context.Context, w StoreWriter, e *edit) error {
		list, err := w.ApplicationGrants(ctx, GrantFilter{Session: id, User: user})
		if err != nil {
			return err
		}
		for _, g := range list {
			app, err := w.Application(ctx, g.Application)
			if err != nil {
				return err
			}
			if own && g.Offline() && g.Generation > 0 {
				if err := w.DetachApplicationGrant(ctx, g.ID); err != nil {
					return err
				}
				e.ended = append(e.ended, EndedGrant{g, app})
				continue
			}
			if err := e.endGrants(ctx, []ApplicationGrant{g}, app); err != nil {
				return err
			}
		}
		return nil
	}
	var ended []EndedGrant
	err := s.store.Write(ctx, func(w StoreWriter) error {
		e := &edit{StoreWriter: w}
		err := end(ctx, w, e)
		ended = e.ended
		return err
	})
	if err != nil {
		s.log.Error("ending log-ins at applications", "err", err)
		s.behind.push(func(ctx context.Context, w StoreWriter) error { return end(ctx, w, &edit{StoreWriter: w}) })
		return
	}
	s.tellGrants(ended)
}

// checkGrants ends the grants that f chooses and that are good no more: their accounts or applications
// have changed, or their time is over.
func (s *Service) checkGrants(ctx context.Context, f GrantFilter) error {
	list, err := s.store.ApplicationGrants(ctx, f)
	if err != nil {
		return err
	}
	accounts, apps := map[UserID]*Account{}, map[string]Application{}
	for _, g := range list {
		app, known := apps[g.Application]
		if !known {
			if app, err = s.store.Application(ctx, g.Application); errors.Is(err, ErrNotFound) {
				continue // it went with all it had
			}
			if err != nil {
				return err
			}
			apps[g.Application] = app
		}
		acc, known := accounts[g.User]
		if !known {
			if acc, err = s.byID(ctx, g.User); err != nil {
				return err
			}
			accounts[g.User] = acc
		}
		over := !s.now().Before(g.ExpiresAt)
		if !over && s.holds(acc, app, g) == nil {
			continue
		}
		var e *edit
		err := s.store.Write(ctx, func(w StoreWriter) error {
			e = &edit{StoreWriter: w}
			return e.endGrants(ctx, []ApplicationGrant{g}, app)
		})
		if err != nil {
			return err
		}
		s.tellGrants(e.ended)
	}
	return nil
}

// applicationsOf looks at the grants of accounts that have changed.
func (s *Service) applicationsOf(ctx context.Context, ids []UserID) {
	if !s.opts.Applications.On {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), truthTimeout)
	defer cancel()
	for _, id := range ids {
		if err := s.checkGrants(ctx, GrantFilter{User: id}); err != nil {
			// They are asked about whenever they are used, so nothing is open: applications are told late.
			s.log.Error("looking at log-ins at applications", "user", string(id), "err", err)
			return
		}
	}
}

// SweepGrants ends grants whose time is over; with all, those too whose account or application has
// changed while no server ran.
func (s *Service) SweepGrants(ctx context.Context, all bool) error {
	const most = 1 << 20 // that are swept at once
	f := GrantFilter{Expired: s.now(), Limit: most}
	if all {
		apps, err := s.store.Applications(ctx)
		if err != nil {
			return err
		}
		for _, a := range apps {
			if err := s.checkGrants(ctx, GrantFilter{Application: a.ID, Limit: most}); err != nil {
				return err
			}
		}
	}
	return s.checkGrants(ctx, f)
}

// ApplicationKey is a key that ID tokens are signed with, in PKCS #8.
type ApplicationKey struct {
	ID        string
	Algorithm string
	Key       []byte
	CreatedAt time.Time
}

// SealedKey is one as the store has it.
type SealedKey struct {
	ID        string
	Algorithm string
	Sealed    []byte
	CreatedAt time.Time
}

// ApplicationKeys reads the keys, the oldest first.
func (s *Service) ApplicationKeys(ctx context.Context) ([]ApplicationKey, error) {
	list, err := s.store.ApplicationKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]ApplicationKey, len(list))
	for i, k := range list {
		text, err := s.seal.open(keyOwner(k.ID), Record{Sealed: k.Sealed})
		if err != nil {
			return nil, faultf(ErrUnavailable, "the key %s of ID tokens cannot be read: it was sealed with another seal key, or damaged", k.ID)
		}
		out[i] = ApplicationKey{k.ID, k.Algorithm, text, k.CreatedAt}
	}
	return out, nil
}

// keyOwner takes the place of an account in the seal, so that no record opens in the place of a key.
func keyOwner(id string) UserID { return UserID("key of applications " + id) }

// AddApplicationKey keeps a key, sealed.
func (s *Service) AddApplicationKey(ctx context.Context, k ApplicationKey) error {
	sealed := SealedKey{k.ID, k.Algorithm, s.seal.seal(keyOwner(k.ID), k.Key).Sealed, k.CreatedAt.UTC().Truncate(timeUnit)}
	return s.edit(ctx, Actor{Level: LevelRoot, Via: ViaServer}, func(e *edit) error {
		e.note("application.key", k.ID, nil, fields{"algorithm": k.Algorithm})
		return e.AddApplicationKey(ctx, sealed)
	})
}

// RemoveApplicationKeys removes keys that nothing is signed with any more.
func (s *Service) RemoveApplicationKeys(ctx context.Context, ids ...string) error {
	return s.edit(ctx, Actor{Level: LevelRoot, Via: ViaServer}, func(e *edit) error {
		for _, id := range ids {
			e.note("application.key", id, fields{"id": id}, nil)
		}
		return e.RemoveApplicationKeys(ctx, ids...)
	})
}
