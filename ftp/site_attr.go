package ftp

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
)

// siteChmod is SITE CHMOD: octal, or symbolic as chmod(1) has it.
func (s *session) siteChmod(arg string) {
	text, name, _ := strings.Cut(arg, " ")
	m, ok := parseModeChange(text)
	if !ok || name == "" {
		s.reply(501, "SITE CHMOD <mode> <path>; the mode is octal, or as u+w,go-x.")
		return
	}
	p, tree, ok := s.path(name)
	if !ok {
		return
	}
	info, err := tree.Stat(s.ctx, p)
	if err != nil {
		s.fail(err)
		return
	}
	mode := m.apply(info.Mode, info.Dir)
	if err := tree.Chmod(s.ctx, p, mode); err != nil {
		s.fail(err)
		return
	}
	s.reply(200, fmt.Sprintf("The mode is %03o.", unixMode(mode)))
}

// modeChange is the first argument of chmod(1): a mode, or clauses that change one.
type modeChange struct {
	octal   fs.FileMode
	clauses []modeClause // nil: octal
}

// modeClause is one of them, such as go-w.
type modeClause struct {
	who  fs.FileMode // the bits of those whom it is about
	op   byte        // one of + - =
	perm fs.FileMode // rwx of all three, of which who takes its own
	exec bool        // X: x for folders, and for files that have one already
	copy uint        // 1 + how far to the right the digit stands that is copied; 0: none
}

// parseModeChange reads it. Setgid and sticky bits of a folder are set by a fourth digit, and, as in
// chmod(1) of GNU, taken away by five.
func parseModeChange(text string) (modeChange, bool) {
	if mode, ok := parseFolderMode(text); ok {
		return modeChange{octal: mode}, true
	}
	var m modeChange
	for clause := range strings.SplitSeq(text, ",") {
		if !m.add(clause) {
			return modeChange{}, false
		}
	}
	return m, true
}

// add reads one clause: whom it is about, then one or more operations.
func (m *modeChange) add(clause string) bool {
	const everybody = fs.FileMode(0o777)
	var who fs.FileMode
	i := 0
	for ; i < len(clause); i++ {
		j := strings.IndexByte("ogua", clause[i])
		if j < 0 {
			break
		}
		if j == 3 {
			who = everybody
		} else {
			who |= 7 << (3 * j)
		}
	}
	if who == 0 {
		who = everybody
	}
	if i == len(clause) {
		return false
	}
	for i < len(clause) {
		c := modeClause{who: who, op: clause[i]}
		if strings.IndexByte("+-=", c.op) < 0 {
			return false
		}
		for i++; i < len(clause); i++ {
			if j := strings.IndexByte("ogu", clause[i]); j >= 0 && c.perm == 0 && !c.exec && c.copy == 0 {
				c.copy = 1 + 3*uint(j)
				i++
				break
			}
			if j := strings.IndexByte("xwr", clause[i]); j >= 0 {
				c.perm |= 0o111 << j
				continue
			}
			if clause[i] != 'X' {
				break
			}
			c.exec = true
		}
		m.clauses = append(m.clauses, c)
	}
	return true
}

// apply gives the mode that comes of it.
func (m modeChange) apply(mode fs.FileMode, dir bool) fs.FileMode {
	if m.clauses == nil && dir {
		return m.octal
	}
	if m.clauses == nil {
		return m.octal.Perm()
	}
	mode &= fs.ModePerm
	for _, c := range m.clauses {
		bits := c.perm
		if c.copy > 0 {
			bits = mode >> (c.copy - 1) & 7 * 0o111
		}
		if c.exec && (dir || mode&0o111 != 0) {
			bits |= 0o111
		}
		switch bits &= c.who; c.op {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		default:
			mode = mode&^c.who | bits
		}
	}
	return mode
}

// parseFolderMode reads an octal mode up to 3777. With more than four digits it is a folder's whole
// mode, and has fs.ModeDir.
func parseFolderMode(text string) (fs.FileMode, bool) {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o3777 || text[0] == '+' {
		return 0, false
	}
	mode := fs.FileMode(n).Perm()
	if n&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	if n&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	if len(text) > 4 {
		mode |= fs.ModeDir
	}
	return mode, true
}

// nobodyThere is the answer to a name of which nothing comes: who may not give a file away learns
// no more than that.
var nobodyThere = answer{550, "There is no such user or group, or you may not give to it."}

// findUser resolves an owner; an answer with a code is a refusal. Only who may change the owner is
// told anything about names.
func (s *session) findUser(name string) (uint32, answer) {
	if !s.ses.Level().Allows(identity.LevelRoot) {
		return 0, replyTo(fs.ErrPermission)
	}
	uid, ok := s.tree.FindUser(s.ctx, name)
	if !ok {
		return 0, nobodyThere
	}
	return uid, answer{}
}

func (s *session) findGroup(name string) (uint32, answer) {
	gid, ok := s.tree.FindGroup(s.ctx, name)
	if !ok {
		return 0, nobodyThere
	}
	return gid, answer{}
}

// siteChgrp is SITE CHGRP: to a group of one's own, by name or number.
func (s *session) siteChgrp(arg string) {
	group, name, _ := strings.Cut(arg, " ")
	if group == "" || name == "" {
		s.reply(501, "SITE CHGRP <group> <path>")
		return
	}
	s.chown("", group, name)
}

// siteChown is SITE CHOWN.
func (s *session) siteChown(arg string) {
	who, name, _ := strings.Cut(arg, " ")
	owner, group, both := strings.Cut(who, ":")
	if owner+group == "" || both && group == "" || name == "" {
		s.reply(501, "SITE CHOWN <owner>[:<group>] <path>")
		return
	}
	s.chown(owner, group, name)
}

// chown changes what is not "".
func (s *session) chown(owner, group, name string) {
	var uid, gid *uint32
	if owner != "" {
		n, a := s.findUser(owner)
		if a.code != 0 {
			s.reply(a.code, a.text)
			return
		}
		uid = &n
	}
	if group != "" {
		n, a := s.findGroup(group)
		if a.code != 0 {
			s.reply(a.code, a.text)
			return
		}
		gid = &n
	}
	p, tree, ok := s.path(name)
	if !ok {
		return
	}
	if err := tree.Chown(s.ctx, p, uid, gid); err != nil {
		s.fail(err)
		return
	}
	s.reply(200, "Done.")
}

// siteUmask is SITE UMASK: what this session makes lacks those bits.
func (s *session) siteUmask(arg string) {
	if arg == "" {
		if s.params.umask < 0 {
			s.reply(200, "The server's umask counts.")
			return
		}
		s.reply(200, fmt.Sprintf("The umask is %03o.", s.params.umask))
		return
	}
	mask, ok := parseMode(arg)
	if !ok {
		s.reply(501, "SITE UMASK <octal mask up to 777>")
		return
	}
	s.params.umask = int(mask)
	s.reply(200, fmt.Sprintf("The umask is %03o.", mask))
}

// siteUtime is SITE UTIME, in both forms that there are.
func (s *session) siteUtime(arg string) {
	t, name, ok := parseUtime(arg)
	if !ok {
		s.reply(501, "SITE UTIME YYYYMMDDhhmm[ss] <path>, or SITE UTIME <path> <access> <change> <creation> UTC")
		return
	}
	if _, ok := s.setTime(t, name); ok {
		s.reply(200, "The time is "+factTime(t)+".")
	}
}

// parseUtime reads `time path` and `path atime mtime ctime UTC`, of whose times the second counts:
// the others are not kept.
func parseUtime(arg string) (t time.Time, name string, ok bool) {
	if rest, utc := strings.CutSuffix(arg, " UTC"); utc {
		var times [3]time.Time
		ok := true
		for i := 2; ok && i >= 0; i-- {
			at := strings.LastIndexByte(rest, ' ')
			if at <= 0 {
				ok = false
				break
			}
			times[i], ok = parseUnixTime(rest[at+1:])
			rest = rest[:at]
		}
		if ok {
			return times[1], rest, true
		}
	}
	text, name, _ := strings.Cut(arg, " ")
	t, ok = parseUnixTime(text)
	return t, name, ok && name != ""
}

// parseUnixTime is a time with or without seconds.
func parseUnixTime(text string) (time.Time, bool) {
	const minutes = len("200601021504")
	if len(text) == minutes {
		text += "00"
	}
	if strings.Contains(text, ".") {
		return time.Time{}, false
	}
	return parseFactTime(text)
}
