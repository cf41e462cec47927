package files

import (
	"errors"
	"io/fs"
	"path"
	"strconv"
	"time"

	"trivium/identity"
)

// session is what Tree asks an *identity.Session.
type session interface {
	ID() string
	Protocol() identity.Protocol
	Credentials() (identity.Credentials, bool)
	Ended() <-chan struct{}
}

// Tree is one session's view. Its methods are safe for any goroutine.
type Tree struct {
	s   *Service
	ses *identity.Session // what the policy is asked with
	who session

	tokens []string // of locks, presented by With
	moved  bool     // what is removed stands elsewhere: none of it goes into the trash
	checks Checks
}

// View gives a session its view; it asks the session who it is at every operation, so a change of
// groups, level or quota counts at once, and the end of the session ends it.
func (s *Service) View(ses *identity.Session) *Tree { return &Tree{s: s, ses: ses, who: ses} }

// view is a Tree for the length of one operation.
type view struct {
	s      *Service
	ses    *identity.Session
	who    session
	c      identity.Credentials
	domain string
	tokens []string
	moved  bool
	checks Checks
}

// now answers fs.ErrPermission before a log-in and identity.ErrEnded after the session's end.
func (t *Tree) now() (*view, error) {
	select {
	case <-t.who.Ended():
		return nil, identity.ErrEnded
	default:
	}
	c, ok := t.who.Credentials()
	if !ok {
		return nil, fs.ErrPermission
	}
	v := &view{s: t.s, ses: t.ses, who: t.who, c: c, domain: c.Domain, tokens: t.tokens, moved: t.moved, checks: t.checks}
	if v.domain == "" {
		v.domain = t.s.o.Domain
	}
	if !c.Anonymous() && !speakable(string(c.Login)) {
		return nil, fs.ErrPermission
	}
	return v, nil
}

// place is what Access must know of an Info beside what it shows.
type place struct {
	m     *mount // nil: a folder that only holds mounts
	dir   *owned // the folder it lies in; nil for the top of a mount
	canon string
}

// info describes a node of a mount; dir is nil for the mount's top.
func (v *view) info(m *mount, n Node, at, canon string, dir *owned) Info {
	i := entry(m, n, m.owned(n, dir == nil), canon, dir)
	i.Name, i.Path = path.Base(at), at
	i.Owner, i.Group = v.userName(i.UID), v.groupName(i.GID)
	return i
}

// entry is info without what is the same for many entries of a listing: path and names.
func entry(m *mount, n Node, o owned, canon string, dir *owned) Info {
	if o.created != nil {
		n.Created = *o.created
	}
	return Info{
		Name: n.Name, Dir: n.Type.IsDir(), Link: n.Type&fs.ModeSymlink != 0,
		Size: n.Size, Mode: o.mode, ModTime: n.ModTime, Created: n.Created, UID: o.uid, GID: o.gid,
		Links: max(n.Links, 1), Unique: n.Unique,
		place: place{m: m, dir: dir, canon: canon},
	}
}

// virtual describes a folder that only holds mounts.
func (v *view) virtual(at string) Info {
	return Info{Name: path.Base(at), Path: at, Dir: true, Mode: fs.ModeDir | 0o555, ModTime: v.s.started,
		Owner: v.userName(0), Group: v.groupName(0), Links: 1, Unique: "mounts" + at}
}

// userName and groupName fall back to the number.
func (v *view) userName(uid uint32) string {
	if uid == v.c.UID && v.c.User != "" {
		return v.c.User
	}
	if v.s.o.Names != nil {
		if n := v.s.o.Names.UserName(uid); n != "" {
			return n
		}
	}
	if uid == 0 {
		return "root"
	}
	return strconv.FormatUint(uint64(uid), 10)
}

func (v *view) groupName(gid uint32) string {
	if gid == v.c.GID && v.c.Group != "" {
		return v.c.Group
	}
	for i, g := range v.c.GIDs {
		if g == gid && i < len(v.c.Groups) {
			return v.c.Groups[i]
		}
	}
	if v.s.o.Names != nil {
		if n := v.s.o.Names.GroupName(gid); n != "" {
			return n
		}
	}
	if gid == 0 {
		return "root"
	}
	return strconv.FormatUint(uint64(gid), 10)
}

// emit sends an event.
func (v *view) emit(op Op, canon, from string, size, written int64) {
	if v.s.o.Events == nil {
		return
	}
	v.s.o.Events(Changed{At: v.s.now(), Op: op, Domain: v.domain, Path: canon, From: from, Size: size,
		Written: written, Who: v.c.User, Session: v.who.ID(), Road: v.who.Protocol().Road(), Protocol: v.who.Protocol()})
}

// failed wraps an error with what was tried, by the client's path alone: the store's own names are
// nobody's business. A nil error stays nil.
func failed(op, at string, err error) error {
	if err == nil {
		return nil
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &fs.PathError{Op: op, Path: at, Err: err}
}

// now is the clock.
func (s *Service) now() time.Time { return s.o.Now() }
