package ftp

import (
	"context"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
)

const timeForm = "20060102150405"

// factTime is a time as RFC 3659 section 2.3 has it, without a fraction.
func factTime(t time.Time) string { return t.UTC().Format(timeForm) }

// parseFactTime reads it; a fraction is allowed and dropped.
func parseFactTime(text string) (time.Time, bool) {
	whole, fraction, dot := strings.Cut(text, ".")
	if dot && (fraction == "" || strings.Trim(fraction, "0123456789") != "") {
		return time.Time{}, false
	}
	if len(whole) != len(timeForm) {
		return time.Time{}, false
	}
	t, err := time.Parse(timeForm, whole)
	return t, err == nil && t.Year() > 0
}

// mdtm is MDTM (RFC 3659 section 3). With a time in front of the name it sets it, as clients used
// to before MFMT; a file that has the whole argument for its name comes first.
func (s *session) mdtm(arg string) {
	text, name, two := strings.Cut(arg, " ")
	t, ok := parseFactTime(text)
	if two && ok && name != "" && s.permitted("MFMT", s.srv.verbs["MFMT"]) && !s.isFile(arg) {
		s.modify(t, name)
		return
	}
	if info, ok := s.fileInfo(arg); ok {
		s.reply(213, factTime(info.ModTime))
	}
}

// isFile reports whether a file of that name stands there.
func (s *session) isFile(name string) bool {
	p, err := files.Clean(s.params.cwd, name)
	if err != nil {
		return false
	}
	info, err := s.bound(s.verb).Stat(s.ctx, p)
	return err == nil && !info.Dir
}

// mfmt is MFMT (draft-somers-ftp-mfxx-04 section 3).
func (s *session) mfmt(arg string) {
	if t, name, ok := s.timeAndName(arg); ok {
		s.modify(t, name)
	}
}

// timeAndName reads the argument of MFMT and MFCT; where it is none, it has answered.
func (s *session) timeAndName(arg string) (t time.Time, name string, ok bool) {
	text, name, _ := strings.Cut(arg, " ")
	if t, ok = parseFactTime(text); !ok || name == "" {
		s.reply(501, s.verb+" YYYYMMDDHHMMSS <file>")
		return t, "", false
	}
	return t, name, true
}

// modify is MFMT, and MDTM with a time.
func (s *session) modify(t time.Time, name string) {
	if p, ok := s.setTime(t, name); ok {
		s.reply(213, fmt.Sprintf("Modify=%s; %s", factTime(t), printable(p)))
	}
}

// setTime sets the time of what a client names, or replies why not.
func (s *session) setTime(t time.Time, name string) (p string, ok bool) {
	p, tree, ok := s.pathFor(name, s.verb, "MFMT")
	if !ok {
		return "", false
	}
	if err := tree.Chtimes(s.ctx, p, t); err != nil {
		s.fail(err)
		return "", false
	}
	return p, true
}

// mfct is MFCT (draft-somers-ftp-mfxx-04 section 4).
func (s *session) mfct(arg string) {
	t, name, ok := s.timeAndName(arg)
	if !ok {
		return
	}
	p, tree, ok := s.path(name)
	if !ok {
		return
	}
	if err := tree.SetCreated(s.ctx, p, t); err != nil {
		s.fail(err)
		return
	}
	s.reply(213, fmt.Sprintf("Create=%s; %s", factTime(t), printable(p)))
}

// settable are the facts that MFF sets, in the order of FEAT. Each has the verb that does the same,
// so that a rule which takes that away takes the fact with it.
var settable = []struct {
	name string
	rule identity.Resource
	root bool // LevelRoot alone may
	make func(s *session, value string) (change, answer)
	now  func(files.Info) string
}{
	{"Modify", "ftp:MFMT", false, changeTime("Modify", (*files.Tree).Chtimes), func(i files.Info) string { return factTime(i.ModTime) }},
	{"Create", "ftp:MFCT", false, changeTime("Create", (*files.Tree).SetCreated), func(i files.Info) string { return factTime(i.Created) }},
	{"UNIX.group", "ftp:SITE CHGRP", false, changeGroup, func(i files.Info) string { return word(i.Group, i.GID) }},
	{"UNIX.groupname", "ftp:SITE CHGRP", false, changeGroup, func(i files.Info) string { return word(i.Group, i.GID) }},
	{"UNIX.gid", "ftp:SITE CHGRP", false, changeGroup, func(i files.Info) string { return fmt.Sprint(i.GID) }},
	{"UNIX.mode", "ftp:SITE CHMOD", false, changeMode, func(i files.Info) string { return fmt.Sprintf("%#o", unixMode(i.Mode)) }},
	{"UNIX.owner", "ftp:SITE CHOWN", true, changeOwner, func(i files.Info) string { return word(i.Owner, i.UID) }},
	{"UNIX.ownername", "ftp:SITE CHOWN", true, changeOwner, func(i files.Info) string { return word(i.Owner, i.UID) }},
	{"UNIX.uid", "ftp:SITE CHOWN", true, changeOwner, func(i files.Info) string { return fmt.Sprint(i.UID) }},
}

// change is one change of an entry.
type change func(ctx context.Context, tree *files.Tree, p string) error

// changeTime makes the change of a time, which set does.
func changeTime(fact string, set func(*files.Tree, context.Context, string, time.Time) error) func(*session, string) (change, answer) {
	return func(_ *session, value string) (change, answer) {
		t, ok := parseFactTime(value)
		if !ok {
			return nil, answer{501, fact + "=YYYYMMDDHHMMSS"}
		}
		return func(ctx context.Context, tree *files.Tree, p string) error { return set(tree, ctx, p, t) }, answer{}
	}
}

func changeMode(_ *session, value string) (change, answer) {
	mode, ok := parseMode(value)
	if !ok {
		return nil, answer{501, "UNIX.mode=<octal mode up to 777>"}
	}
	return func(ctx context.Context, tree *files.Tree, p string) error { return tree.Chmod(ctx, p, mode) }, answer{}
}

func changeOwner(s *session, value string) (change, answer) {
	uid, a := s.findUser(value)
	if a.code != 0 {
		return nil, a
	}
	return func(ctx context.Context, tree *files.Tree, p string) error { return tree.Chown(ctx, p, &uid, nil) }, answer{}
}

func changeGroup(s *session, value string) (change, answer) {
	gid, a := s.findGroup(value)
	if a.code != 0 {
		return nil, a
	}
	return func(ctx context.Context, tree *files.Tree, p string) error { return tree.Chown(ctx, p, nil, &gid) }, answer{}
}

// maySet reports whether the session has the fact.
func (s *session) maySet(rule identity.Resource, root bool) bool {
	if !s.isLoggedIn() {
		return !root && identity.LevelLoggedIn.Allows(s.srv.identity.Required(rule))
	}
	return s.allowed(rule) && (!root || s.ses.Level().Allows(identity.LevelRoot))
}

// mffFeature lists the facts (draft-somers-ftp-mfxx-04 section 5.6); "" where there are none.
func (s *session) mffFeature() string {
	var b strings.Builder
	for _, f := range settable {
		if s.maySet(f.rule, f.root) {
			b.WriteString(f.name + ";")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "MFF " + b.String()
}

// pair is one fact of MFF as it came.
type pair struct{ name, value string }

// parseMFF reads the argument of MFF: facts, each with its semicolon, a space, the name.
func parseMFF(arg string) (facts []pair, name string, ok bool) {
	list, name, two := strings.Cut(arg, " ")
	if !two || name == "" || !strings.HasSuffix(list, ";") {
		return nil, "", false
	}
	for fact := range strings.SplitSeq(strings.TrimSuffix(list, ";"), ";") {
		n, value, is := strings.Cut(fact, "=")
		if !is || n == "" {
			return nil, "", false
		}
		facts = append(facts, pair{n, value})
	}
	return facts, name, true
}

// mff is MFF (draft-somers-ftp-mfxx-04 section 5). All facts are read before the first is set.
func (s *session) mff(arg string) {
	facts, name, ok := parseMFF(arg)
	if !ok {
		s.reply(501, "MFF <fact>=<value>;... <file>")
		return
	}
	var changes []change
	twins := []string{s.verb}
	var shown []func(files.Info) string
	for _, fact := range facts {
		found := false
		for _, f := range settable {
			if !strings.EqualFold(fact.name, f.name) || !s.maySet(f.rule, f.root) {
				continue
			}
			found = true
			c, a := f.make(s, fact.value)
			if a.code != 0 {
				s.reply(a.code, a.text)
				return
			}
			changes = append(changes, c)
			twins = append(twins, strings.TrimPrefix(string(f.rule), "ftp:"))
			shown = append(shown, func(i files.Info) string { return f.name + "=" + f.now(i) + ";" })
		}
		if !found {
			s.reply(504, "The fact "+printable(fact.name)+" cannot be set.")
			return
		}
	}
	p, tree, ok := s.pathFor(name, twins...)
	if !ok {
		return
	}
	for _, c := range changes {
		if err := c(s.ctx, tree, p); err != nil {
			s.fail(err)
			return
		}
	}
	info, err := tree.Stat(s.ctx, p)
	if err != nil {
		s.fail(err)
		return
	}
	var b strings.Builder
	for _, show := range shown {
		b.WriteString(show(info))
	}
	s.reply(213, b.String()+" "+printable(name))
}

// parseMode reads an octal mode. Bits above 0777 are not for clients to set.
func parseMode(text string) (fs.FileMode, bool) {
	n, err := strconv.ParseUint(text, 8, 32)
	return fs.FileMode(n), err == nil && n <= 0o777 && text[0] != '+'
}
