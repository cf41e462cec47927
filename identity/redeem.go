package identity

import (
	"context"
	"errors"
	"time"
)

// Bounds of what somebody does with a code.
const (
	joinTries   = 30 // names that one address block may try within joinWindow
	joinWindow  = time.Hour
	spentLink   = "this link was used already; ask for another one"
	expiredLink = "this link has expired; ask for another one"
	revokedLink = "this link is void; ask for another one"
	wrongLink   = "this link is not valid; open it as it was given to you, or ask for another one"
)

// OpenInvitation is an invitation that somebody has shown the code of. It is good for the session
// that it was opened on.
type OpenInvitation struct {
	Invitation
	Inviter string   // as it is shown; "" for the machine's owner
	Account *Account // whose password it sets; nil: a new one

	InviterJID string // bare; "" for the machine's owner

	code    string
	service *Service
}

// Code is the code in its normal form; whoever has the invitation open has shown it.
func (o *OpenInvitation) Code() string { return o.code }

// OpenInvitation finds an invitation by its code. A wrong code is ErrNotFound and counts as a guess
// of the session's address; one that is over is ErrExpired, and the error says which of it. Whether a
// code is expired is asked here alone (XEP-0445 section 4), whether it is used again at the use.
func (s *Service) OpenInvitation(ctx context.Context, ses *Session, code string) (*OpenInvitation, error) {
	try, err := s.throttle.enter(ctx, BlockOf(ses.Remote().Addr()), "")
	if err != nil {
		return nil, err
	}
	normal := readInviteCode(code)
	if normal == "" {
		try.fail(false)
		return nil, faultf(ErrNotFound, wrongLink)
	}
	inv, err := s.store.Invitation(ctx, normal[:inviteIDLength])
	if err != nil && !errors.Is(err, ErrNotFound) {
		try.drop()
		return nil, unavailable(ctx, err)
	}
	if err != nil || !inv.sameCode(normal) {
		try.fail(false)
		return nil, faultf(ErrNotFound, wrongLink)
	}
	try.drop()
	o := &OpenInvitation{Invitation: inv, code: normal, service: s}
	return o, o.complete(ctx)
}

// complete reads who is concerned, and refuses what is over.
func (o *OpenInvitation) complete(ctx context.Context) error {
	s := o.service
	switch o.State(s.now()) {
	case "revoked":
		return faultf(ErrExpired, revokedLink)
	case "used":
		return faultf(ErrExpired, spentLink)
	case "expired":
		return faultf(ErrExpired, expiredLink)
	}
	inviter, err := s.stillInvites(ctx, s.store, o.Invitation)
	if err != nil {
		return err
	}
	if inviter != nil {
		o.InviterJID = string(inviter.Login) + "@" + inviter.Domain
		if o.Inviter = inviter.Profile.Name; o.Inviter == "" {
			o.Inviter = s.display(inviter.Login, inviter.Domain)
		}
	}
	if o.User == "" {
		return nil
	}
	o.Account, err = s.resettable(ctx, s.store, o.Invitation)
	return err
}

// stillInvites reads who made an invitation. Where that account is gone, or may not invite like this
// any more, the invitation is void.
func (s *Service) stillInvites(ctx context.Context, r StoreReader, inv Invitation) (*Account, error) {
	if inv.Creator == "" {
		return nil, nil
	}
	void := faultf(ErrExpired, revokedLink)
	a, err := r.AccountByID(ctx, inv.Creator)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, void
	case err != nil:
		return nil, unavailable(ctx, err)
	case a.State != UserActive || !a.ExpiresAt.IsZero() && !s.now().Before(a.ExpiresAt):
		return nil, void
	}
	by := Actor{User: s.display(a.Login, a.Domain), Level: a.Level}
	if inv.Kind == InviteAccount {
		if s.MayInvite(by, inv.Level) != nil {
			return nil, void
		}
		for _, name := range inv.Groups {
			g, err := s.findGroup(ctx, r, name, inv.Domain)
			if err != nil || s.mayJoin(ctx, r, by, g, inv.Domain) != nil {
				return nil, void
			}
		}
	}
	return &a, nil
}

// resettable reads the account whose password an invitation sets. It is void once the password has
// been changed otherwise, and where the account may not be used.
func (s *Service) resettable(ctx context.Context, r StoreReader, inv Invitation) (*Account, error) {
	a, err := r.AccountByID(ctx, inv.User)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, unavailable(ctx, err)
	}
	want := UserActive
	if inv.Kind == InviteFirst {
		want = UserInvited
	}
	if err != nil || a.State != want || a.CredentialVersion != inv.CredentialVersion ||
		!a.ExpiresAt.IsZero() && !s.now().Before(a.ExpiresAt) {
		return nil, faultf(ErrExpired, revokedLink)
	}
	return &a, nil
}

// Creates reports whether it makes a new account.
func (o *OpenInvitation) Creates() bool { return o.Kind == InviteAccount }

// Redeem makes the account, or sets the password of the one that there is. Of several at once as many
// succeed as the invitation has uses left; for the others it is ErrExpired. login is a name without
// domain, and may be "" where the account is there.
func (o *OpenInvitation) Redeem(ctx context.Context, ses *Session, login string, password Secret, p Profile) (Account, error) {
	if o.Kind == InviteContact {
		return Account{}, faultf(ErrInvalid, "this invitation makes no account here; add the contact with the account that you have")
	}
	if password.IsZero() {
		return Account{}, faultf(ErrInvalid, "the password is missing")
	}
	s := o.service
	remote := ses.Remote().Addr()
	if wait := s.joins.take(BlockOf(remote), s.now()); wait > 0 {
		return Account{}, &waitError{ErrThrottled, wait}
	}
	use := InviteUse{Invitation: o.ID, Via: string(ses.Protocol()), At: s.now().UTC().Truncate(timeUnit)}
	if remote.IsValid() {
		use.Remote = remote.Unmap().String()
	}
	if o.Creates() {
		return o.join(ctx, use, login, password, p)
	}
	if login != "" {
		if n, err := ParseUserName(login); err != nil || n != o.Account.Login {
			return Account{}, faultf(ErrInvalid, "this link is for the account %s", s.display(o.Account.Login, o.Account.Domain))
		}
	}
	return o.reset(ctx, use, password)
}

// join makes a new account.
func (o *OpenInvitation) join(ctx context.Context, use InviteUse, login string, password Secret, p Profile) (Account, error) {
	s := o.service
	name, err := ParseUserName(login)
	if err != nil {
		return Account{}, err
	}
	n := NewUser{Login: string(name) + "@" + o.Domain, Level: o.Level, Groups: o.Groups, Password: password, Profile: p}
	by := Actor{Level: LevelRoot, Via: "invitation", Remote: use.Remote}
	if err := s.free(ctx, s.store, o.Domain, name); err != nil { // before a password is derived
		return Account{}, taken(err)
	}
	plan, err := s.planUser(ctx, by, n)
	if err != nil {
		return Account{}, err
	}
	use.User, use.Login = plan.user.ID, s.display(plan.user.Login, plan.user.Domain)
	by.User = use.Login
	var a Account
	var inviter *Account
	err = s.edit(ctx, by, func(e *edit) error {
		if inviter, err = s.stillInvites(ctx, e, o.Invitation); err != nil {
			return err
		}
		if err := o.use(ctx, e, use); err != nil {
			return err
		}
		a, err = s.insert(ctx, e, Actor{Level: LevelRoot, Via: by.Via}, plan)
		return err
	})
	if err != nil {
		return Account{}, taken(err)
	}
	if o.Contact && inviter != nil {
		for _, fn := range s.onContact {
			fn(ctx, *inviter, a)
		}
	}
	return a, nil
}

// taken says of a name that it is taken, whatever has it: who joins has no business with more.
func taken(err error) error {
	if errors.Is(err, ErrExists) {
		return faultf(ErrExists, "that name is taken; choose another one")
	}
	return err
}

// use counts the use of an invitation in the transaction of what it is used for.
func (o *OpenInvitation) use(ctx context.Context, e *edit, use InviteUse) error {
	err := e.UseInvitation(ctx, use)
	if errors.Is(err, ErrNotFound) {
		return faultf(ErrExpired, spentLink)
	}
	if err != nil {
		return err
	}
	e.note("invite.use", use.Login, nil, fields{"invitation": o.ID, "kind": string(o.Kind), "invited_by": o.CreatedBy})
	return nil
}

// reset sets the password of an account; its sessions end.
func (o *OpenInvitation) reset(ctx context.Context, use InviteUse, password Secret) (Account, error) {
	s := o.service
	var out Account
	err := s.untilSet(func() error {
		a, err := s.resettable(ctx, s.store, o.Invitation)
		if err != nil {
			return err
		}
		record, err := s.newRecord(ctx, a, password, false)
		if err != nil {
			return err
		}
		use.User, use.Login = a.ID, s.display(a.Login, a.Domain)
		by := Actor{User: use.Login, Level: a.Level, Via: "link", Remote: use.Remote}
		return s.edit(ctx, by, func(e *edit) error {
			if _, err := s.stillInvites(ctx, e, o.Invitation); err != nil {
				return err
			}
			if _, err := s.resettable(ctx, e, o.Invitation); err != nil {
				return err
			}
			now, err := s.unmoved(ctx, e, a, use.Login)
			if err != nil {
				return err
			}
			if err := o.use(ctx, e, use); err != nil {
				return err
			}
			u, err := s.putPassword(ctx, e, now.User, record, PasswordChange{Password: password}, true)
			if err != nil {
				return err
			}
			e.note("password.reset", use.Login, fields{"state": string(now.State)}, fields{"state": string(u.State), "password": true})
			out, err = e.AccountByID(ctx, u.ID)
			return err
		})
	})
	if err != nil {
		return Account{}, err
	}
	if o.Kind == InviteReset {
		n := s.about(NoticePassword, &out)
		n.Remote = use.Remote
		s.notify(ctx, n)
	}
	return out, nil
}

// Accept makes an account that there is a contact of who invites, and uses the invitation for that.
// ErrInvalid where it makes no contacts, or is one's own.
func (o *OpenInvitation) Accept(ctx context.Context, by Actor, id UserID) error {
	s := o.service
	switch {
	case !o.Contact || o.Creator == "":
		return faultf(ErrInvalid, "this invitation makes no contacts")
	case o.Creator == id:
		return faultf(ErrInvalid, "this invitation is your own; send its link to whom you want to invite")
	}
	var inviter *Account
	var joined Account
	err := s.edit(ctx, by, func(e *edit) error {
		var err error
		if joined, err = e.AccountByID(ctx, id); err != nil {
			return err
		}
		if inviter, err = s.stillInvites(ctx, e, o.Invitation); err != nil {
			return err
		}
		return o.use(ctx, e, InviteUse{Invitation: o.ID, User: id, Login: s.display(joined.Login, joined.Domain), Via: by.Via, Remote: by.Remote,
			At: s.now().UTC().Truncate(timeUnit)})
	})
	if err != nil {
		return err
	}
	for _, fn := range s.onContact {
		fn(ctx, *inviter, joined)
	}
	return nil
}

// Approve uses an invitation for becoming a contact (XEP-0379): it returns the account that invites
// where the code is good for that and belongs to inviter. who is a bare JID, of any server. A wrong code
// is ErrNotFound or ErrExpired.
func (s *Service) Approve(ctx context.Context, inviter UserID, code, who string) error {
	normal := readInviteCode(code)
	if normal == "" {
		return ErrNotFound
	}
	inv, err := s.store.Invitation(ctx, normal[:inviteIDLength])
	if err != nil {
		return err
	}
	switch {
	case !inv.sameCode(normal) || inv.Creator != inviter || !inv.Contact:
		return ErrNotFound
	case inv.State(s.now()) != "open":
		return ErrExpired
	}
	who = clip(plain(who), maxAuditField)
	return s.edit(ctx, Actor{User: who, Via: "xmpp"}, func(e *edit) error {
		err := e.UseInvitation(ctx, InviteUse{Invitation: inv.ID, Login: who, Via: string(ProtocolXMPP), At: s.now().UTC().Truncate(timeUnit)})
		if errors.Is(err, ErrNotFound) {
			return ErrExpired
		}
		if err != nil {
			return err
		}
		e.note("invite.use", who, nil, fields{"invitation": inv.ID, "kind": string(InviteContact), "invited_by": inv.CreatedBy})
		return nil
	})
}

// OnContact subscribes to people who have joined by an invitation that makes them contacts of who
// invited them, before Run. fn is called after the account is there, without locks.
func (s *Service) OnContact(fn func(ctx context.Context, inviter, joined Account)) {
	s.onContact = append(s.onContact, fn)
}
