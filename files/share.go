package files

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
	"unicode/utf8"

	"trivium/identity"
)

// Errors of shares.
var (
	ErrShareGone  = errors.New("the link is no longer available") // ended, expired, used up, or never there
	ErrShareLimit = errors.New("the account has too many links")
)

// Bounds of shares.
const (
	maxShares        = 1000 // of one account
	maxShareNote     = 200  // bytes
	maxSharePassword = 256
	shareIterations  = 10_000
)

// Share is a link to a file or a folder that its owner has given out. Whoever has the code reads what
// the owner may read now, or adds to the folder (Drop), and nothing else.
type Share struct {
	ID        string // in lists; opens nothing
	Code      string // in the address
	Owner     identity.UserID
	Path      string // as the owner saw it
	Canonical string // the same path for everybody
	Dir       bool
	Drop      bool // files can be added, and nothing is shown
	Note      string
	Salt      []byte // of the password; empty: there is none
	Hash      []byte
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	Limit     int       // downloads, or files added; 0: no limit
	Count     int       // of them until now
}

// Locked reports whether the share has a password.
func (s Share) Locked() bool { return len(s.Hash) > 0 }

// Over reports whether the share has expired or is used up.
func (s Share) Over(now time.Time) bool {
	return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt) || s.Limit > 0 && s.Count >= s.Limit
}

// CheckPassword answers identity.ErrCredentials to a wrong one.
func (s Share) CheckPassword(password identity.Secret) error {
	text := password.Reveal()
	if len(text) > maxSharePassword {
		return identity.ErrCredentials
	}
	if subtle.ConstantTimeCompare(shareHash(s.Salt, text), s.Hash) != 1 {
		return identity.ErrCredentials
	}
	return nil
}

func shareHash(salt []byte, text string) []byte {
	h, err := pbkdf2.Key(sha256.New, text, salt, shareIterations, sha256.Size)
	if err != nil {
		return nil // only in FIPS mode with a short salt; then nothing is equal to it
	}
	return h
}

// ShareStore keeps shares. files/storetest holds the contract as a test.
type ShareStore interface {
	// PutShare inserts a share, or fs.ErrExist where its ID or code is taken.
	PutShare(ctx context.Context, s Share) error
	// Share reads one by its code, or fs.ErrNotExist.
	Share(ctx context.Context, code string) (Share, error)
	// Shares lists those of an account, or all of them for "", the newest first.
	Shares(ctx context.Context, owner identity.UserID) ([]Share, error)
	// CountShare adds one to the count, unless that is at the limit: fs.ErrNotExist, as for a share
	// that is not there. nil means that it is durable.
	CountShare(ctx context.Context, id string) error
	DropShare(ctx context.Context, ids ...string) error
}

// ShareOptions is what a share may be.
type ShareOptions struct {
	Drop      bool
	Note      string
	Password  identity.Secret
	ExpiresAt time.Time
	Limit     int
}

// MayShare reports whether the session could give out an entry that this Tree returned.
func (t *Tree) MayShare(i Info) bool {
	v, err := t.now()
	if err != nil || v.s.o.Shares == nil || !v.sharer() || i.place.m == nil || i.Part || i.Link {
		return false
	}
	return v.opens(&i, false)
}

// sharer reports whether the session may give anything out.
func (v *view) sharer() bool {
	return !v.c.Anonymous() && (v.c.Grant == nil || v.c.Grant.Path == "" && v.c.MayWrite())
}

// opens reports whether the session has the rights itself that a share gives.
func (v *view) opens(i *Info, drop bool) bool {
	a := v.access(i)
	switch {
	case drop:
		return a.Create
	case i.Dir:
		return a.List && a.Enter
	}
	return a.Read
}

// Share gives out a file or a folder that the session may read, or a folder that it may add to. A
// session that a token narrows cannot: fs.ErrPermission.
func (t *Tree) Share(ctx context.Context, p string, o ShareOptions) (Share, error) {
	s, err := t.share(ctx, p, o)
	if err != nil {
		return Share{}, failed("share", p, err)
	}
	return s, nil
}

func (t *Tree) share(ctx context.Context, p string, o ShareOptions) (Share, error) {
	v, err := t.now()
	if err != nil {
		return Share{}, err
	}
	store := v.s.o.Shares
	switch {
	case store == nil:
		return Share{}, ErrUnsupported
	case !v.sharer():
		return Share{}, fs.ErrPermission
	case len(o.Note) > maxShareNote || !utf8.ValidString(o.Note) || len(o.Password.Reveal()) > maxSharePassword || o.Limit < 0,
		!o.ExpiresAt.IsZero() && !o.ExpiresAt.After(v.s.now()):
		return Share{}, identity.ErrInvalid
	}
	info, err := v.stat(ctx, p, true)
	if err != nil {
		return Share{}, err
	}
	_, canon := t.Canonical(ctx, p)
	switch {
	case info.place.m == nil || info.Part || path.Clean(canon) == "/":
		return Share{}, ErrUnsupported
	case o.Drop && !info.Dir:
		return Share{}, ErrNotDir
	case !v.opens(&info, o.Drop):
		return Share{}, fs.ErrPermission
	}
	list, err := store.Shares(ctx, v.c.UserID)
	if err != nil {
		return Share{}, err
	}
	if len(list) >= maxShares {
		return Share{}, ErrShareLimit
	}
	s := Share{ID: rand.Text()[:12], Code: rand.Text(), Owner: v.c.UserID, Path: info.Path, Canonical: canon, Dir: info.Dir, Drop: o.Drop, Note: o.Note,
		CreatedAt: v.s.now(), ExpiresAt: o.ExpiresAt, Limit: o.Limit}
	if !o.Password.IsZero() {
		s.Salt = make([]byte, 16)
		_, _ = rand.Read(s.Salt) // never fails (crypto/rand)
		s.Hash = shareHash(s.Salt, o.Password.Reveal())
	}
	return s, store.PutShare(ctx, s)
}

// Shares lists the shares of an account, or of all for "", the newest first.
func (s *Service) Shares(ctx context.Context, owner identity.UserID) ([]Share, error) {
	if s.o.Shares == nil {
		return nil, nil
	}
	return s.o.Shares.Shares(ctx, owner)
}

// EndShare takes a share back, by its ID; one of owner, or anybody's for "". fs.ErrNotExist where
// there is none.
func (s *Service) EndShare(ctx context.Context, owner identity.UserID, id string) (Share, error) {
	list, err := s.Shares(ctx, owner)
	if err != nil {
		return Share{}, err
	}
	for _, x := range list {
		if x.ID == id {
			return x, s.o.Shares.DropShare(ctx, id)
		}
	}
	return Share{}, fs.ErrNotExist
}

// Shared finds a share by its code; ErrShareGone where there is none, or it is over.
func (s *Service) Shared(ctx context.Context, code string) (Share, error) {
	if s.o.Shares == nil || len(code) > 64 {
		return Share{}, ErrShareGone
	}
	x, err := s.o.Shares.Share(ctx, code)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && x.Over(s.now()):
		return Share{}, ErrShareGone
	case err != nil:
		return Share{}, fmt.Errorf("reading a share: %w", err)
	}
	return x, nil
}

// UseShare counts one download, or one file added; ErrShareGone where that would be one too many.
func (s *Service) UseShare(ctx context.Context, x Share) error {
	err := s.o.Shares.CountShare(ctx, x.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrShareGone
	}
	return err
}

// Lender gives a session another's credentials (identity.Service.Lend).
type Lender interface {
	Lend(ctx context.Context, ses *identity.Session, g identity.Grant) (identity.Credentials, error)
}

// ViewShare is the view of a session that uses a share: what its owner sees there, as long as both the
// session and the share last. Who the owner is now is asked at every operation. The policy on files is
// asked for the session itself, so a share opens nothing that rules hide from it.
func (s *Service) ViewShare(ses *identity.Session, x Share, by Lender) *Tree {
	g := identity.Grant{User: x.Owner, Roads: []identity.Road{identity.RoadWeb}, Files: identity.FilesRead, Path: x.Canonical}
	if x.Drop {
		g.Files = identity.FilesWrite
	}
	return &Tree{s: s, ses: ses, who: &guest{session: ses, ses: ses, grant: g, by: by}}
}

// guest is a session that uses what somebody else has shared.
type guest struct {
	session
	ses   *identity.Session
	grant identity.Grant
	by    Lender
}

// Credentials are the owner's, narrowed to the share.
func (g *guest) Credentials() (identity.Credentials, bool) {
	c, err := g.by.Lend(context.Background(), g.ses, g.grant)
	return c, err == nil
}
