package files

import "golang.org/x/text/unicode/norm"

// Checks are questions of a road's own, such as its rules on paths, that an operation asks beside what
// this package decides. They are asked with the canonical path ("/home/alice/a") to which the
// operation's path has led and with its folder open, so that no link or folder that is swapped in
// meanwhile leads round them. nil asks nothing.
type Checks struct {
	// At is asked about each path that an operation names and, where a link at its end is followed,
	// about the link and what it leads to; of Rename and Copy about the first path, of Copy also about
	// all below it, of MkdirAll about each folder that is made, of an upload once more at its Commit.
	// false is fs.ErrNotExist.
	At func(canonical string) bool
	// To is At for the second path of Rename and Copy.
	To func(canonical string) bool
	// Below is asked about all that is in a folder that RemoveAll removes. false is fs.ErrPermission.
	Below func(canonical string) bool
	// Whole is asked about a folder that Rename moves with all that is in it. false is
	// fs.ErrPermission.
	Whole func(from, to string) bool
}

// Checked is the same view with further questions, in the place of those that it had.
func (t *Tree) Checked(c Checks) *Tree {
	checked := *t
	checked.checks = c
	return &checked
}

// toward is the view for the second path of an operation.
func (t *Tree) toward() *Tree { return t.Checked(Checks{At: t.checks.To}) }

func (v *view) toward() *view {
	to := *v
	to.checks = Checks{At: v.checks.To}
	return &to
}

// agrees reports whether a check lets a canonical path be. As in visible, it is asked in the form
// that people read too.
func agrees(check func(string) bool, canon string) bool {
	if check == nil {
		return true
	}
	if !norm.NFC.IsNormalString(canon) && !check(norm.NFC.String(canon)) {
		return false
	}
	return check(canon)
}

// passes asks Checks.At about where a path has led.
func (v *view) passes(s *spot) bool {
	if v.checks.At == nil {
		return true
	}
	if s.m == nil {
		return agrees(v.checks.At, s.at)
	}
	return agrees(v.checks.At, s.canon())
}
