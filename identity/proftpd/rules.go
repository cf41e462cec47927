package proftpd

import (
	"fmt"
	"slices"
	"strings"

	"trivium/identity"
)

// Options say where things lie.
type Options struct {
	// Maps are real folders and their canonical paths: "/srv/ftp" → "/pub".
	Maps map[string]string
	// ClassOf finds the class that has just these addresses; "" where there is none. nil: there is none.
	ClassOf func(addresses []string) string
}

// Result is what came out.
type Result struct {
	Rules   []LimitRule   `json:"rules"`
	Skipped []SkippedLine `json:"skipped"` // by line
}

// LimitRule is a rule of the policy and the <Limit> that it is from.
type LimitRule struct {
	Pattern string         `json:"pattern"`
	Level   identity.Level `json:"level"`
	Line    int            `json:"line"`
}

// who is somebody of whom a <Limit> is asked.
type who struct {
	user, class string
	groups      []string
	anonymous   bool
}

// Read translates a configuration. The error says that the text is no such thing.
func Read(text string, o Options) (Result, error) {
	if len(text) > maxText {
		return Result{}, fmt.Errorf("the configuration is larger than %d bytes: %w", maxText, identity.ErrInvalid)
	}
	r := &reader{maps: o.Maps, classOf: o.ClassOf}
	r.read(text)
	out := Result{Rules: []LimitRule{}}
	for _, s := range r.all {
		for _, made := range r.say(s) {
			if !slices.ContainsFunc(out.Rules, func(x LimitRule) bool { return x.Pattern == made.Pattern }) {
				out.Rules = append(out.Rules, made)
			}
			if len(out.Rules) > maxRules {
				return Result{}, fmt.Errorf("that would make more than %d rules: %w", maxRules, identity.ErrInvalid)
			}
		}
	}
	slices.SortStableFunc(r.skipped, func(a, b SkippedLine) int { return a.Line - b.Line })
	if out.Skipped = r.skipped; out.Skipped == nil {
		out.Skipped = []SkippedLine{}
	}
	return out, nil
}

// The answers of a <Limit>, as ProFTPD tells them apart.
const (
	unsaid = iota // nothing says anything: allowed in the end, and asked further up
	allowed
	denied
)

func (l *limit) asks(command string) bool { return slices.Contains(l.commands, command) }

// answer is what one <Limit> says of somebody.
func (l *limit) answer(w *who) int {
	hit := func(list []test) bool { return slices.ContainsFunc(list, func(t test) bool { return t.about(w) }) }
	if l.denyFirst {
		if hit(l.deny) || !hit(l.allow) {
			return denied
		}
		return allowed
	}
	switch {
	case hit(l.allow):
		return allowed
	case hit(l.deny):
		return denied
	}
	return unsaid
}

func (t test) about(w *who) bool {
	if t.kind == '*' {
		return true
	}
	if t.kind != 'c' && w.anonymous {
		return false
	}
	is := func(n name) bool {
		var found bool
		switch t.kind {
		case 'u':
			found = w.user == n.name
		case 'g':
			found = slices.Contains(w.groups, n.name)
		default:
			found = w.class == n.name
		}
		return found != n.not
	}
	if t.and {
		return !slices.ContainsFunc(t.names, func(n name) bool { return !is(n) })
	}
	return slices.ContainsFunc(t.names, is)
}

// ask goes from a section up to the top, for the command itself, then its groups, then ALL.
func (s *section) ask(command string, w *who) int {
	for _, c := range append([]string{command}, append(groupsOf(command), "ALL")...) {
		if c == "ALL" && command == "LOGIN" {
			break
		}
		for at := s; at != nil; at = at.parent {
			for _, l := range at.limits {
				if !l.asks(c) {
					continue
				}
				if a := l.answer(w); a != unsaid {
					return a
				}
			}
		}
	}
	return unsaid
}

func groupsOf(command string) []string {
	var out []string
	for _, g := range []string{"READ", "WRITE", "DIRS"} {
		if command != g && slices.Contains(identity.VerbsOf(g), command) {
			out = append(out, g)
		}
	}
	return out
}

// mentioned collects what the <Limit>s of a section and of those around it name.
type mentioned struct {
	commands               []string
	users, groups, classes []string
	outer                  bool // something further up says something
}

func (s *section) mentions() mentioned {
	var m mentioned
	add := func(list *[]string, x string) {
		if !slices.Contains(*list, x) {
			*list = append(*list, x)
		}
	}
	for at := s; at != nil; at = at.parent {
		for _, l := range at.limits {
			m.outer = m.outer || at != s
			for _, c := range l.commands {
				add(&m.commands, c)
			}
			for _, t := range slices.Concat(l.allow, l.deny) {
				for _, n := range t.names {
					switch t.kind {
					case 'u':
						add(&m.users, n.name)
					case 'g':
						add(&m.groups, n.name)
					default:
						add(&m.classes, n.name)
					}
				}
			}
		}
	}
	return m
}

// Bounds of what one section and those around it name, as all combinations are tried.
const (
	maxGroups   = 6
	maxUsers    = 200
	maxClasses  = 20
	maxCommands = 100
)

// say makes the rules of a section, or says why it cannot.
func (r *reader) say(s *section) []LimitRule {
	var live []*limit
	for _, l := range s.limits {
		if l.off == "" {
			live = append(live, l)
		} else if s.off == "" {
			r.skip(l.line, "<Limit "+strings.Join(l.commands, " ")+">", "nothing of it is taken, as %s", l.off)
		}
	}
	if len(live) == 0 || s.off != "" {
		return nil
	}
	m := s.mentions()
	if len(m.groups) > maxGroups || len(m.users) > maxUsers || len(m.classes) > maxClasses || len(m.commands) > maxCommands {
		r.skip(live[0].line, "<Limit>", "with what is around it, it names more than %d groups, %d users, %d classes or %d commands", maxGroups, maxUsers, maxClasses, maxCommands)
		return nil
	}
	var out []LimitRule
	for _, c := range m.commands {
		if why := s.spoilt(c); why != "" {
			for _, l := range live {
				if l.asks(c) {
					r.skip(l.line, "<Limit "+c+">", "it is not taken, as it hangs together with a section of which %s", why)
				}
			}
			continue
		}
		out = append(out, r.sayCommand(s, c, &m, live)...)
	}
	return out
}

// spoilt says why nothing can be said of a command: what is asked for it, here or further up, has a
// section that cannot.
func (s *section) spoilt(command string) string {
	for at := s; at != nil; at = at.parent {
		for _, l := range at.limits {
			if l.off != "" && slices.ContainsFunc(l.commands, func(c string) bool { return related(c, command) }) {
				return l.off
			}
		}
	}
	return ""
}

// related reports whether one of two commands is the other, or a group with it.
func related(a, b string) bool {
	switch {
	case a == b:
		return true
	case a == "LOGIN" || b == "LOGIN":
		return false
	}
	return a == "ALL" || b == "ALL" || slices.Contains(identity.VerbsOf(a), b) || slices.Contains(identity.VerbsOf(b), a)
}

// sayCommand makes the rules of one command in a section.
func (r *reader) sayCommand(s *section, command string, m *mentioned, live []*limit) []LimitRule {
	line := live[0].line
	for _, l := range live {
		if l.asks(command) {
			line = l.line
		}
	}
	text := "<Limit " + command + ">"
	resource, fault := r.resource(s, command)
	if fault != "" {
		if slices.ContainsFunc(live, func(l *limit) bool { return l.asks(command) }) {
			r.skip(line, text, "%s", fault)
		}
		return nil
	}
	level := func(answer int, narrow bool) identity.Level {
		switch {
		case answer == denied:
			return identity.LevelNobody
		case s.anonymous:
			return identity.LevelAnonymous
		case command == "LOGIN":
			return identity.LevelUser
		case r.anon && !narrow:
			return identity.LevelAnonymous
		}
		return identity.LevelLoggedIn
	}
	said := func(w who) int {
		if a := s.ask(command, &w); a != unsaid {
			return a
		}
		return allowed
	}
	if s.anonymous {
		if len(m.classes) > 0 {
			r.skip(line, text, "a rule is for anonymous sessions or for a class, not for both")
			return nil
		}
		return []LimitRule{{resource + " for user:anonymous", level(said(who{anonymous: true}), true), line}}
	}
	base := said(who{})
	users, groups, classes := map[string]int{}, map[string]int{}, map[string]int{}
	differs := base == denied || m.outer
	note := func(to map[string]int, name string, w who) {
		to[name] = said(w)
		differs = differs || to[name] != base
	}
	for _, u := range m.users {
		note(users, u, who{user: u})
	}
	for _, g := range m.groups {
		note(groups, g, who{groups: []string{g}})
	}
	for _, c := range m.classes {
		note(classes, c, who{class: c})
	}
	// Does what the rules say hold for everybody: each user, of each of the groups, from each class?
	for _, u := range append([]string{""}, m.users...) {
		for set := range 1 << len(m.groups) {
			for _, c := range append([]string{""}, m.classes...) {
				w := who{user: u, class: c}
				ours, found := base, false
				for i, g := range m.groups {
					if set&(1<<i) == 0 {
						continue
					}
					w.groups = append(w.groups, g)
					if !found || groups[g] == denied { // of equals the stricter
						ours, found = groups[g], true
					}
				}
				if a, is := users[u]; is {
					ours, found = a, true
				}
				if a, is := classes[c]; is && !found {
					ours = a
				}
				if theirs := said(w); theirs != ours {
					r.skip(line, text, "rules would say it otherwise: %s %s there, and %s by rules, which ask for the user first, then for groups, then for the class",
						w.words(), words(theirs), words(ours))
					return nil
				}
			}
		}
	}
	if !differs {
		return nil
	}
	var out []LimitRule
	narrowed := func(kind string, names []string, of map[string]int) {
		for _, n := range names {
			out = append(out, LimitRule{resource + " for " + kind + ":" + n, level(of[n], kind != "class"), line})
		}
	}
	narrowed("user", m.users, users)
	narrowed("group", m.groups, groups)
	narrowed("class", m.classes, classes)
	if base == denied || m.outer || len(out) == 0 {
		out = append(out, LimitRule{resource, level(base, false), line})
	}
	good := out[:0]
	for _, x := range out {
		if _, err := identity.ParseRule(x.Pattern, x.Level.String()); err != nil {
			r.skip(line, text, "%v", err)
			continue
		}
		good = append(good, x)
	}
	return good
}

func words(answer int) string {
	if answer == denied {
		return "is denied"
	}
	return "is allowed"
}

func (w *who) words() string {
	text := "somebody"
	if w.user != "" {
		text = "the user " + w.user
	}
	if len(w.groups) > 0 {
		text += " of " + strings.Join(w.groups, " and ")
	}
	if w.class != "" {
		text += " from the class " + w.class
	}
	return text
}

// resource is the pattern of a command in a section, without its narrowing; fault says why there is none.
func (r *reader) resource(s *section, command string) (resource, fault string) {
	if command == "LOGIN" {
		if s.path != nil && !s.anonymous {
			return "", "a log-in has no folder"
		}
		return "login:ftp", ""
	}
	verb, ok := map[string]string{"XMKD": "MKD", "XRMD": "RMD", "XCWD": "CWD", "XPWD": "PWD", "XCUP": "CDUP"}[command]
	if !ok {
		verb = command
	}
	for _, c := range verb {
		if c != ' ' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return "", "that is no command"
		}
	}
	path := s.path
	if path == nil && !r.onPaths(verb) {
		return "ftp:" + verb, ""
	}
	resource = "ftp:" + verb + ":/"
	for _, p := range path {
		resource += p + "/"
	}
	if s.inside {
		resource += "*/"
	}
	return resource + "**", ""
}

// onPaths reports whether a command is limited in a folder as well, so that at the top it is to be a rule
// on paths too: a rule on the verb itself would not be opened by one on a path.
func (r *reader) onPaths(verb string) bool {
	if verb != "ALL" && verb != "READ" && verb != "WRITE" && verb != "DIRS" && len(groupsOf(verb)) == 0 {
		return false
	}
	return slices.ContainsFunc(r.all, func(s *section) bool { return s.path != nil && len(s.limits) > 0 && s.off == "" })
}
