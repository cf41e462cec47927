package identity

import (
	"context"
	"time"
)

// NoticeKind says what a person is told.
type NoticeKind string

// The kinds of notices.
const (
	NoticeDevice   NoticeKind = "device"   // a log-in from a device that the account has not met
	NoticePassword NoticeKind = "password" // the password was changed
	NoticeFactor   NoticeKind = "factor"   // a second factor was added or removed
	NoticeClone    NoticeKind = "clone"    // a copy of a passkey was used, and refused
	NoticeEmail    NoticeKind = "email"    // the e-mail address was changed; goes to the old one as well
	NoticeToken    NoticeKind = "token"    // an app password was made, or taken back by somebody else
	NoticeTokenUse NoticeKind = "use"      // an app password was used for the first time
	NoticeSession  NoticeKind = "session"  // an administrator has ended a session
	NoticeExport   NoticeKind = "export"   // all that is kept of the account was downloaded
	NoticeQuota    NoticeKind = "quota"    // most of the space is used
	NoticeContact  NoticeKind = "contact"  // somebody asks to be a contact
	NoticeShare    NoticeKind = "share"    // something was downloaded by a link, or added to a drop box
	NoticeReset    NoticeKind = "reset"    // the link that was asked for, by e-mail alone
	NoticeInvited  NoticeKind = "invited"  // the link that opens a new account, by e-mail alone
)

// Notice is something that a person is to hear of their account, by whichever roads reach them.
type Notice struct {
	Kind    NoticeKind
	User    UserID
	Login   UserName
	Domain  string
	Profile Profile // e-mail, language, time zone
	At      time.Time

	// What it is about, where it is known; the rest is "".
	Protocol Protocol
	Client   string // in words, as ClientName
	Remote   string // a host address
	Session  string // ID
	Location string // of Remote, in words
	By       string // who did it; "" is the person, or nobody in particular
	What     string // what it is about: the label of a factor or app password, a path, a JID
	Removed  bool   // of NoticeFactor: it was taken away
	Email    string // where NoticeEmail goes beside Profile.Email

	Code  Secret    // of NoticeReset and NoticeInvited: the code of the link
	Until time.Time // how long the code is good

	Ways NoticeWays // beside the page; Notifiers keep to them
}

// Notifier brings notices to people.
type Notifier interface {
	// Notify delivers n or takes it into its care; it may block for as long as a store takes, and
	// not for a network. An error is logged.
	Notify(ctx context.Context, n Notice) error
}

// AddNotifier adds a way to bring notices to people, before Run.
func (s *Service) AddNotifier(n Notifier) { s.notifiers = append(s.notifiers, n) }

// noticeTimeout bounds the delivery of one notice.
const noticeTimeout = 10 * time.Second

// notify tells n on all ways.
func (s *Service) notify(ctx context.Context, n Notice) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeTimeout)
	defer cancel()
	ways, err := s.keepNotice(ctx, n)
	if err != nil {
		s.log.Error("telling a person", "kind", string(n.Kind), "user", s.display(n.Login, n.Domain), "err", err)
	}
	n.Ways = ways
	for _, to := range s.notifiers {
		if err := to.Notify(ctx, n); err != nil {
			s.log.Error("telling a person", "kind", string(n.Kind), "user", s.display(n.Login, n.Domain), "err", err)
		}
	}
}

// about begins a notice to an account.
func (s *Service) about(kind NoticeKind, a *Account) Notice {
	return Notice{Kind: kind, User: a.ID, Login: a.Login, Domain: a.Domain, Profile: a.Profile, At: s.now()}
}

// tellEmail says, to the old address too, that the e-mail address was changed: who has both that and
// an open session could take the account.
func (s *Service) tellEmail(ctx context.Context, by Actor, a *Account, old string) {
	n := s.about(NoticeEmail, a)
	n.Email, n.Remote = old, by.Remote
	if !s.isSelf(by, a.User) {
		n.By = by.User
	}
	s.notify(ctx, n)
}
