package files

import "trivium/identity"

// standing is what an open file or upload was allowed by, to be asked again while it moves: the session
// may have left the group, or a rule may keep it out by now.
type standing struct {
	t     *Tree
	owner identity.UserID
	m     *mount
	at    string // as the client said it
	canon string
	dir   owned // the folder that it lies in
	entry owned // what stood there, where something did

	exists, write bool
}

// standing notes what a path is allowed by now.
func (v *view) standing(t *Tree, s *spot, entry owned, write bool) standing {
	return standing{t: t, owner: v.c.UserID, m: s.m, at: s.at, canon: s.canon(), dir: s.diro, entry: entry, exists: s.exists, write: write}
}

// holds asks all that opening has asked, but for the disk: rules, mounts, the token and the bits, as the
// session is now. It may be called from any goroutine, and does not block.
func (w *standing) holds() bool {
	v, err := w.t.now()
	if err != nil || v.c.UserID != w.owner || v.shows(w.m, w.at) != nil || !v.visible(w.canon) || !agrees(v.checks.At, w.canon) {
		return false
	}
	switch {
	case !w.write:
		return v.read(w.m, w.entry, w.canon)
	case w.exists:
		return v.write(w.m, w.entry, w.canon)
	}
	return v.add(w.m, w.dir, w.canon)
}

// Still reports whether the session may read the file yet. Roads ask when its rights have changed
// (identity.Holder.SessionChanged, identity.Session.OnChange), and cut what they send where not.
func (f *File) Still() bool { return f.stands.holds() }

// Still reports whether the session may write there yet; see File.Still.
func (u *Upload) Still() bool { return u.stands.holds() }
