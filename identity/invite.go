package identity

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// InviteKind says what the code of an invitation is good for.
type InviteKind string

// The kinds.
const (
	InviteAccount InviteKind = "account" // making an account
	InviteFirst   InviteKind = "first"   // setting the first password of an account that is invited
	InviteReset   InviteKind = "reset"   // setting another password
	InviteContact InviteKind = "contact" // becoming a contact of who invites, without an account (XEP-0379)
)

// Bounds of invitations.
const (
	maxInviteUses     = 1000
	maxStaffUses      = 20 // of who may not change accounts
	maxInviteTTL      = 366 * 24 * time.Hour
	defaultInviteTTL  = 7 * 24 * time.Hour
	resetTTL          = 24 * time.Hour
	maxInviteNote     = 256 // characters
	maxInviteGroups   = 32
	maxOpenInvites    = 200                 // of one person
	inviteMemory      = 90 * 24 * time.Hour // how long what is over is still listed
	inviteIDLength    = 8                   // characters of 5 bits: no secret
	inviteCodeLength  = 20                  // further ones, which are
	inviteIDTries     = 3
	inviteAlphabet    = "0123456789abcdefghjkmnpqrstvwxyz"
	inviteSweepPeriod = time.Hour
)

// Invitation is a right that is given with a code. The code is known to who has the link alone.
type Invitation struct {
	ID   string // begins the code
	Hash []byte // SHA-256 of the code
	Kind InviteKind

	Domain            string
	User              UserID // whose password InviteFirst and InviteReset set
	CredentialVersion int64  // of that account when it was made: another password makes it void

	Level   Level    // of a new account
	Groups  []string // names
	Contact bool     // who joins and who invites become contacts
	Note    string

	Uses, Used int // how often it may be, and has been used
	CreatedBy  string
	Creator    UserID // "" for the machine's owner
	CreatedAt  time.Time
	ExpiresAt  time.Time
	RevokedAt  time.Time // zero: not revoked
}

// InviteUse is one use of an invitation.
type InviteUse struct {
	Invitation  string
	User        UserID
	Login       string // as it is shown
	Via, Remote string
	At          time.Time
}

// InviteFilter chooses invitations; zero fields choose all.
type InviteFilter struct {
	Creator UserID
	User    UserID
	Open    time.Time // those that can be used at that time
	Limit   int       // 0: 500
}

// NewInvite is what Invite needs; zero fields take defaults.
type NewInvite struct {
	User        string        // an account that there is, for its password; "": a new one
	Level       Level         // of a new account; 0: the default level
	Groups      []string      // that it is to be in
	Contact     bool          // who joins becomes a contact of who invites
	ContactOnly bool          // and makes no account here
	Note        string        // for the list
	Uses        int           // 0: once
	TTL         time.Duration // 0: 7 days, or 24 hours of a link that sets a password
	Domain      string        // of new accounts; "": the default domain
	Mail        string        // e-mail address that the link goes to; "": none
}

// State says in a word how an invitation stands at a time.
func (i Invitation) State(now time.Time) string {
	switch {
	case !i.RevokedAt.IsZero():
		return "revoked"
	case i.Used >= i.Uses:
		return "used"
	case !now.Before(i.ExpiresAt):
		return "expired"
	}
	return "open"
}

// newInviteCode returns a random code and the part of it that is no secret.
func newInviteCode() (id, code string) {
	var b [inviteIDLength + inviteCodeLength]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	for i, c := range b {
		b[i] = inviteAlphabet[int(c)%len(inviteAlphabet)]
	}
	return string(b[:inviteIDLength]), string(b[:])
}

// readInviteCode is the normal form of a code that a person may have typed; "" where it can be none.
func readInviteCode(s string) string {
	if len(s) > 4*(inviteIDLength+inviteCodeLength) {
		return ""
	}
	code := strings.ToLower(readSetupCode(s))
	if len(code) != inviteIDLength+inviteCodeLength || strings.Trim(code, inviteAlphabet) != "" {
		return ""
	}
	return code
}

func hashInviteCode(code string) []byte {
	sum := sha256.Sum256([]byte(code))
	return sum[:]
}

// MayInvite says why the actor may not invite people to make accounts of a level (0: the default
// one), or nil.
func (s *Service) MayInvite(by Actor, level Level) error {
	if level == LevelNone {
		level = s.opts.DefaultLevel
	}
	if by.Level.Allows(changeAccounts) {
		return mayGive(by, level)
	}
	switch {
	case !level.Holdable():
		return mayGive(by, level)
	case by.Level == LevelNobody || !by.Level.Allows(s.opts.InviteLevel):
		return faultf(ErrRefused, "inviting people to make an account needs the level %s; yours is %s", s.opts.InviteLevel, by.Level)
	case level > LevelUser || level > by.Level:
		return faultf(ErrRefused, "your own level is %s: you can invite people up to the level %s", by.Level, min(LevelUser, by.Level))
	}
	return nil
}

// Invite makes an invitation and returns its code, which nothing shows a second time. A link that
// sets a password takes the place of those that there are for the account.
func (s *Service) Invite(ctx context.Context, by Actor, n NewInvite) (Invitation, Secret, error) {
	inv, err := s.planInvite(by, n)
	if err != nil {
		return Invitation{}, Secret{}, err
	}
	var code string
	for try := 0; ; try++ {
		inv.ID, code = newInviteCode()
		inv.Hash = hashInviteCode(code)
		err = s.edit(ctx, by, func(e *edit) error { return s.putInvite(ctx, e, by, n, &inv) })
		if !errors.Is(err, ErrExists) || try == inviteIDTries {
			break
		}
	}
	if err != nil {
		return Invitation{}, Secret{}, err
	}
	if n.Mail != "" {
		s.mailInvite(ctx, inv, n.Mail, code)
	}
	return inv, NewSecret(code), nil
}

// planInvite checks what can be checked without the store.
func (s *Service) planInvite(by Actor, n NewInvite) (Invitation, error) {
	inv := Invitation{Kind: InviteAccount, Domain: n.Domain, Level: n.Level, Groups: n.Groups, Contact: n.Contact || n.ContactOnly,
		Note: strings.TrimSpace(n.Note), Uses: max(n.Uses, 0), CreatedBy: by.User, CreatedAt: s.now().UTC().Truncate(timeUnit)}
	if inv.Uses == 0 {
		inv.Uses = 1
	}
	ttl := n.TTL
	switch {
	case n.User != "":
		inv.Kind, inv.Level, inv.Groups, inv.Contact = InviteReset, LevelNone, nil, false
		if ttl == 0 {
			ttl = resetTTL
		}
	case n.ContactOnly:
		inv.Kind, inv.Level, inv.Groups = InviteContact, LevelNone, nil
	default:
		if inv.Level == LevelNone {
			inv.Level = s.opts.DefaultLevel
		}
		if err := s.MayInvite(by, inv.Level); err != nil {
			return inv, err
		}
	}
	if ttl == 0 {
		ttl = defaultInviteTTL
	}
	inv.ExpiresAt = inv.CreatedAt.Add(ttl)
	most := maxInviteUses
	if !by.Level.Allows(changeAccounts) {
		most = maxStaffUses
	}
	if inv.Domain == "" {
		inv.Domain = s.opts.Domain
	}
	_, domain, err := s.address("a@" + inv.Domain)
	switch {
	case err != nil:
		return inv, err
	case ttl < time.Minute || ttl > maxInviteTTL:
		return inv, faultf(ErrInvalid, "an invitation is good for a minute to a year")
	case n.User != "" && inv.Uses != 1:
		return inv, faultf(ErrInvalid, "a link that sets a password works once")
	case inv.Uses > most:
		return inv, faultf(ErrInvalid, "an invitation of yours may be used %d times at most", most)
	case len(inv.Groups) > maxInviteGroups:
		return inv, faultf(ErrInvalid, "an invitation puts people into %d groups at most", maxInviteGroups)
	case inv.Contact && by.User == "":
		return inv, faultf(ErrInvalid, "who joins can become a contact of a person alone, and you act as the machine's owner")
	case utf8.RuneCountInString(inv.Note) > maxInviteNote:
		return inv, faultf(ErrInvalid, "note: at most %d characters", maxInviteNote)
	}
	inv.Domain = domain
	if n.Mail != "" {
		if _, err := (Profile{Email: n.Mail}).checked(); err != nil {
			return inv, err
		}
	}
	return inv, checkText("note", inv.Note, maxInviteNote, false)
}

// putInvite checks the rest and writes the invitation.
func (s *Service) putInvite(ctx context.Context, e *edit, by Actor, n NewInvite, inv *Invitation) error {
	shown := "new accounts"
	if by.User != "" {
		creator, err := s.find(ctx, e, by.User)
		if err != nil {
			return err
		}
		inv.Creator = creator.ID
	}
	switch {
	case n.User != "":
		a, err := s.find(ctx, e, n.User)
		if err != nil {
			return err
		}
		if err := s.mayChange(by, a.User, false); err != nil {
			return err
		}
		shown = s.display(a.Login, a.Domain)
		switch a.State {
		case UserInvited:
			inv.Kind = InviteFirst
			if n.TTL == 0 {
				inv.ExpiresAt = inv.CreatedAt.Add(defaultInviteTTL)
			}
		case UserActive:
		default:
			return faultf(ErrInvalid, "%q is disabled, so a link would do nothing; enable it first", shown)
		}
		inv.User, inv.Domain, inv.CredentialVersion = a.ID, a.Domain, a.CredentialVersion
		if err := e.RevokeInvitations(ctx, a.ID, inv.CreatedAt); err != nil {
			return err
		}
	default:
		open, err := e.Invitations(ctx, InviteFilter{Creator: inv.Creator, Open: inv.CreatedAt, Limit: maxOpenInvites})
		if err != nil {
			return err
		}
		if inv.Creator != "" && len(open) >= maxOpenInvites {
			return faultf(ErrRefused, "%d invitations of yours are open; revoke some first", len(open))
		}
		for i, name := range inv.Groups {
			g, err := s.findGroup(ctx, e, name, inv.Domain)
			if err != nil {
				return err
			}
			if err := s.mayJoin(ctx, e, by, g, inv.Domain); err != nil {
				return err
			}
			inv.Groups[i] = string(g.Name)
		}
	}
	if err := e.PutInvitation(ctx, *inv); err != nil {
		return err
	}
	e.note("invite.add", shown, nil, inv.shown())
	return nil
}

// shown is what the audit log says of an invitation.
func (i Invitation) shown() fields {
	f := fields{"invitation": i.ID, "kind": string(i.Kind), "note": i.Note, "uses": int64(i.Uses), "expires_at": i.ExpiresAt.Format(time.RFC3339),
		"groups": strings.Join(i.Groups, ",")}
	if i.Level != LevelNone {
		f["level"] = i.Level.String()
	}
	return f
}

// mailInvite sends the link of an invitation to an address.
func (s *Service) mailInvite(ctx context.Context, inv Invitation, to, code string) {
	n := Notice{Kind: NoticeInvited, Domain: inv.Domain, Profile: Profile{Email: to}, At: inv.CreatedAt, By: inv.CreatedBy,
		Code: NewSecret(code), Until: inv.ExpiresAt}
	if inv.Kind == InviteReset {
		n.Kind = NoticeReset
	}
	if a, err := s.byID(ctx, inv.User); err == nil && a != nil {
		n.User, n.Login, n.Domain, n.Profile.Lang, n.Profile.TimeZone = a.ID, a.Login, a.Domain, a.Profile.Lang, a.Profile.TimeZone
	}
	s.notify(ctx, n)
}

// Invitations lists invitations, the newest first: all for administrators, else those that the
// actor made.
func (s *Service) Invitations(ctx context.Context, by Actor, f InviteFilter) ([]Invitation, error) {
	if !by.Level.Allows(LevelAdmin) {
		own, err := s.find(ctx, s.store, by.User)
		if err != nil {
			return nil, err
		}
		f.Creator = own.ID
	}
	return s.store.Invitations(ctx, f)
}

// InviteUses lists the uses of invitations, the newest first of each.
func (s *Service) InviteUses(ctx context.Context, ids ...string) (map[string][]InviteUse, error) {
	out := make(map[string][]InviteUse, len(ids))
	for _, id := range ids {
		uses, err := s.store.InviteUses(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(uses) > 0 {
			out[id] = uses
		}
	}
	return out, nil
}

// RevokeInvite makes an invitation void: one's own, or as an administrator anybody's. name is its ID
// or the whole code. ErrNotFound where there is none.
func (s *Service) RevokeInvite(ctx context.Context, by Actor, name string) error {
	id := strings.ToLower(readSetupCode(name))
	if code := readInviteCode(name); code != "" {
		id = code[:inviteIDLength]
	}
	return s.edit(ctx, by, func(e *edit) error {
		inv, err := e.Invitation(ctx, id)
		if err == nil && !by.Level.Allows(LevelAdmin) && (by.User == "" || inv.CreatedBy != by.User) {
			err = ErrNotFound
		}
		if errors.Is(err, ErrNotFound) {
			return faultf(ErrNotFound, "no invitation %q", clip(plain(name), inviteIDLength))
		}
		if err != nil {
			return err
		}
		if !inv.RevokedAt.IsZero() {
			return nil
		}
		inv.RevokedAt = s.now().UTC().Truncate(timeUnit)
		if err := e.RevokeInvitation(ctx, inv.ID, inv.RevokedAt); err != nil {
			return err
		}
		e.note("invite.revoke", cmp.Or(inv.Note, inv.ID), fields{"invitation": inv.ID, "state": "open"}, fields{"invitation": inv.ID, "state": "revoked"})
		return nil
	})
}

// sweepInvites removes what has been over for long.
func (s *Service) sweepInvites(now time.Time) {
	if now.Sub(s.invitesSwept) < inviteSweepPeriod {
		return
	}
	s.invitesSwept = now
	s.behind.push(func(ctx context.Context, w StoreWriter) error {
		return w.ForgetInvitations(ctx, now.Add(-inviteMemory))
	})
}

// sameCode compares in constant time.
func (i Invitation) sameCode(code string) bool {
	return subtle.ConstantTimeCompare(i.Hash, hashInviteCode(code)) == 1
}
