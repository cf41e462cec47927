package identity

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// Bounds of accounts that people make for themselves.
const (
	registerPerPrefix = 3   // of one address block in registerWindow
	registerInAll     = 100 // of all in registerWindow
	registerWindow    = time.Hour
)

// registrations counts accounts that people have made for themselves lately.
type registrations struct {
	mu       sync.Mutex
	prefixes *recent[netip.Prefix, []time.Time]
	all      []time.Time
}

// take counts one more, or says how long there can be none.
func (r *registrations) take(p netip.Prefix, now time.Time) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prefixes == nil {
		r.prefixes = newRecent[netip.Prefix](maxTracked, func(*[]time.Time) {})
	}
	of := r.prefixes.get(p)
	for _, list := range []*[]time.Time{of, &r.all} {
		for len(*list) > 0 && now.Sub((*list)[0]) >= registerWindow {
			*list = (*list)[1:]
		}
	}
	switch {
	case len(*of) >= registerPerPrefix:
		return registerWindow - now.Sub((*of)[0])
	case len(r.all) >= registerInAll:
		return registerWindow - now.Sub(r.all[0])
	}
	*of, r.all = append(*of, now), append(r.all, now)
	return 0
}

// Register makes an account for the person at a session that is not logged in. Whether people may
// do that is the road's to decide; the account has the default level and a password. ErrThrottled
// where too many came from that address, or from everywhere; attempts at names that are taken count.
func (s *Service) Register(ctx context.Context, ses *Session, login string, password Secret, p Profile) (Account, error) {
	if password.IsZero() || password.Reveal() == "" {
		return Account{}, faultf(ErrInvalid, "the password is missing")
	}
	name, domain, err := s.address(login)
	if err != nil {
		return Account{}, err
	}
	if err := s.checkNewPassword(User{Login: name, Domain: domain, Profile: p}, password); err != nil {
		return Account{}, err
	}
	if err := s.Closed(); err != nil {
		return Account{}, err
	}
	remote := ses.Remote().Addr()
	if wait := s.registered.take(BlockOf(remote), s.now()); wait > 0 {
		return Account{}, &waitError{ErrThrottled, wait}
	}
	by := Actor{Level: LevelRoot, Via: "registration", Remote: remote.String()}
	return s.AddUser(ctx, by, NewUser{Login: login, Password: password, Profile: p})
}
