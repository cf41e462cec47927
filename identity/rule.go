package identity

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// scope says for whom a rule counts; the narrower one is asked first.
type scope uint8

const (
	scopeUser scope = iota
	scopeGroup
	scopeClass
	scopeAll
)

var scopeNames = map[string]scope{"user": scopeUser, "group": scopeGroup, "class": scopeClass}

// forWord stands between the pattern of a rule and whom it is narrowed to.
const forWord = " for "

// ParseRule reads a pattern and its level, "never" for LevelNobody. A pattern is `kind:segments`,
// `*` for one segment, `**` at the end for the rest, none included; of ftp the verb, or a group of
// verbs, and a path behind it (`ftp:WRITE:/pub/**`); and it may end in whom it is narrowed to
// (` for user:alice`, ` for group:staff`, ` for class:lan`). The error says what is wrong.
func ParseRule(pattern, level string) (Rule, error) {
	r, err := parsePattern(pattern)
	if err != nil {
		return Rule{}, err
	}
	if strings.EqualFold(level, "never") {
		r.Level = LevelNobody
	} else if r.Level, err = ParseLevel(level); err != nil {
		return Rule{}, err
	}
	return r.Rule, nil
}

// policyRule is a rule, taken apart.
type policyRule struct {
	Rule
	asked         // the pattern; segments without the last "**"
	rest     bool // ends in "**"
	literals int
	scope    scope
	name     UserName // of the user or group
	domain   string   // of the user or group; "": the default one
	class    string
	user     UserID // of a rule of the store, instead of the name; "" for user:anonymous
	gid      uint32 // likewise
}

// Bounds of a pattern; paths of files may be longer, and are matched by patterns that are not.
const (
	maxPattern  = 1024 // bytes
	maxSegments = 64
)

// parsePattern reads all but the level.
func parsePattern(pattern string) (policyRule, error) {
	r := policyRule{scope: scopeAll, Rule: Rule{Pattern: pattern, Resource: pattern, Source: sourceConfig}}
	if len(pattern) > maxPattern {
		return r, fmt.Errorf("%.40q…: a pattern has at most %d bytes: %w", pattern, maxPattern, ErrInvalid)
	}
	if err := r.narrow(); err != nil {
		return r, err
	}
	return r, r.read()
}

// read takes the resource apart.
func (r *policyRule) read() error {
	pattern := r.Pattern
	r.asked = Resource(r.Resource).split()
	switch r.kind {
	case kindWeb, kindXMPP, kindFile, kindLogin:
	case kindDefault:
		if len(r.segments) != 1 || r.path || !slices.Contains(defaultKinds(), r.segments[0]) {
			return fmt.Errorf("%q: a default is that of a kind: default:web, default:ftp, default:xmpp, default:file or default:login: %w", pattern, ErrInvalid)
		}
	case kindFTP:
		if strings.HasPrefix(r.Resource, kindFTP+":/") {
			return fmt.Errorf("%q: a verb stands before the path, as in ftp:STOR:/pub/** or ftp:ALL:/pub/**: %w", pattern, ErrInvalid)
		}
	default:
		return fmt.Errorf("%q: it begins with no kind of resource; the kinds are web, ftp, xmpp, file and login, as in web:/admin/**: %w", pattern, ErrInvalid)
	}
	if n := len(r.segments); r.kind == kindFTP && !r.path && (n > 2 || n == 2 && r.segments[1] != "**") {
		return fmt.Errorf("%q: the path behind a verb begins with a slash, as in ftp:STOR:/pub/**: %w", pattern, ErrInvalid)
	}
	if n := len(r.segments); n > 0 && r.segments[n-1] == "**" && !(r.path && r.kind == kindFTP && n == 1) {
		r.rest, r.segments = true, r.segments[:n-1]
	}
	if len(r.segments) > maxSegments {
		return fmt.Errorf("%.40q…: a pattern has at most %d segments: %w", pattern, maxSegments, ErrInvalid)
	}
	for i, s := range r.segments {
		switch {
		case s == "*":
		case strings.Contains(s, "*"):
			return fmt.Errorf("%q: * stands for a whole segment, ** for the rest at the end: %w", pattern, ErrInvalid)
		case i == 0 && r.kind == kindFTP: // how narrow a verb is counts after the path
		default:
			r.literals++
		}
	}
	return nil
}

// narrow takes the end " for user:alice" off the pattern. Where what stands behind the last "for"
// has no colon, or a slash, it is part of a name.
func (r *policyRule) narrow() error {
	i := strings.LastIndex(r.Pattern, forWord)
	if i < 0 {
		return nil
	}
	kind, name, ok := strings.Cut(r.Pattern[i+len(forWord):], ":")
	if !ok || strings.Contains(name, "/") {
		return nil
	}
	who, ok := scopeNames[kind]
	if !ok {
		return fmt.Errorf("%q: a rule is narrowed by for user:NAME, for group:NAME or for class:NAME: %w", r.Pattern, ErrInvalid)
	}
	var err error
	if who == scopeClass {
		r.class = name
		_, err = ParseUserName(name) // classes are named by the same letters
	} else {
		r.name, r.domain, err = ParseAddress(name, "")
	}
	if err != nil {
		return fmt.Errorf("%q: %w", r.Pattern, err)
	}
	r.scope, r.Resource, r.For = who, r.Pattern[:i], kind+":"+name
	return nil
}

// asked is a resource, taken apart.
type asked struct {
	kind     string
	segments []string
	path     bool // of ftp: there is a path behind the verb
}

// split takes a resource apart. What begins with a slash is a path: there the slash alone
// separates. The verbs of FTP mean the same in any case (RFC 959 section 5.3), paths do not.
func (r Resource) split() asked { return r.splitInto(nil) }

// splitInto is split, whose segments come into room where that is enough.
func (r Resource) splitInto(room []string) asked {
	kind, rest, ok := strings.Cut(string(r), ":")
	if !ok {
		return asked{}
	}
	if kind == kindFTP {
		if i := strings.IndexByte(rest, ':'); i >= 0 && i+1 < len(rest) && rest[i+1] == '/' {
			return asked{kind, pathSegments(append(room, strings.ToUpper(rest[:i])), rest[i+1:]), true}
		}
		rest = strings.ToUpper(rest)
	}
	if strings.HasPrefix(rest, "/") {
		return asked{kind, pathSegments(room, rest), true}
	}
	for len(rest) > 0 {
		i := strings.IndexAny(rest, ":/")
		if i < 0 {
			return asked{kind: kind, segments: append(room, rest)}
		}
		if i > 0 {
			room = append(room, rest[:i])
		}
		rest = rest[i+1:]
	}
	return asked{kind: kind, segments: room}
}

// pathSegments appends those of a path.
func pathSegments(room []string, p string) []string {
	for p = path.Clean(p); len(p) > 0; {
		i := strings.IndexByte(p, '/')
		if i < 0 {
			return append(room, p)
		}
		if i > 0 {
			room = append(room, p[:i])
		}
		p = p[i+1:]
	}
	return room
}

// The groups of verbs of FTP, as ProFTPD's <Limit> has them. RNFR stands with what writes: it
// takes a file from its place.
const (
	groupRead  = "READ"
	groupWrite = "WRITE"
	groupDirs  = "DIRS"
	groupAll   = "ALL"
)

var verbGroups = map[string][]string{
	groupRead: {"RETR", "SIZE", "HASH", "RANG", "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512", "MD5", "MMD5", "SITE CPFR"},
	groupWrite: {"APPE", "DELE", "MKD", "XMKD", "RMD", "XRMD", "RNFR", "RNTO", "STOR", "STOU", "MFMT", "MFCT", "MFF", "COMB",
		"SITE CHMOD", "SITE CHGRP", "SITE CHOWN", "SITE UTIME", "SITE SYMLINK", "SITE MKDIR", "SITE RMDIR", "SITE CPTO", "SITE COPY"},
	groupDirs: {"CDUP", "XCUP", "CWD", "XCWD", "LIST", "MDTM", "MLSD", "MLST", "NLST", "PWD", "XPWD", "STAT", "AVBL", "DSIZ"},
}

// VerbsOf lists the verbs of a group: READ, WRITE or DIRS.
func VerbsOf(group string) []string { return slices.Clone(verbGroups[group]) }

// FTPVerb is the verb that a rule of ftp is for, in capitals; "" where it is for a group of them or all,
// and for rules of other kinds.
func (r Rule) FTPVerb() string {
	a := Resource(r.Resource).split()
	if a.kind != kindFTP || len(a.segments) == 0 || verbRank(a.segments[0]) > 0 || a.segments[0] == "**" {
		return ""
	}
	return a.segments[0]
}

// verbRank is how narrow the verb of a rule is: itself, a group, all.
func verbRank(verb string) int {
	switch verb {
	case groupRead, groupWrite, groupDirs:
		return 1
	case groupAll, "*":
		return 2
	}
	return 0
}

func verbMatches(want, verb string) bool {
	switch want {
	case verb, "*", groupAll:
		return true
	case groupRead, groupWrite, groupDirs:
		return slices.Contains(verbGroups[want], verb)
	}
	return false
}

// before is below 0 where a is asked before b: the narrower scope, then more literal segments, then
// `*` before `**`, then the longer one, then the narrower verb, then the stricter.
func (a *policyRule) before(b *policyRule) int {
	rest, verb := 0, 0
	if a.rest != b.rest {
		rest = -1
		if a.rest {
			rest = 1
		}
	}
	if a.kind == kindFTP && b.kind == kindFTP && len(a.segments) > 0 && len(b.segments) > 0 {
		verb = cmp.Compare(verbRank(a.segments[0]), verbRank(b.segments[0]))
	}
	return cmp.Or(cmp.Compare(a.scope, b.scope), -cmp.Compare(a.literals, b.literals), rest,
		-cmp.Compare(len(a.segments), len(b.segments)), verb, -cmp.Compare(a.Level, b.Level), strings.Compare(a.Pattern, b.Pattern), -strings.Compare(a.Source, b.Source))
}

// reachesBelow reports whether the pattern of a verb with a path can stand for something below the
// folder that it does not stand for itself.
func (r *policyRule) reachesBelow(folder []string) bool {
	path := r.segments[1:]
	if len(path) <= len(folder) {
		return false // with a ** it covers the folder too, which is asked for itself
	}
	for i, segment := range folder {
		if path[i] != "*" && path[i] != segment {
			return false
		}
	}
	return true
}

// matches reports whether the pattern stands for the resource, which is of the rule's kind.
func (r *policyRule) matches(a asked) bool {
	if len(a.segments) < len(r.segments) || len(a.segments) > len(r.segments) && !r.rest {
		return false
	}
	for i, want := range r.segments {
		switch {
		case want == "*" || want == a.segments[i]:
		case i == 0 && r.kind == kindFTP && verbMatches(want, a.segments[0]):
		default:
			return false
		}
	}
	return r.kind != kindFTP || r.path == a.path
}
