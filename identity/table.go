package identity

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// subject is whom a rule may be narrowed to.
type subject struct {
	login     UserName
	domain    string
	anonymous bool
	group     string // primary
	groups    []string
	class     string
}

// subject is who the session is, what it holds, and whether it has ended.
func (s *Session) subject() (who subject, level Level, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who.class = s.class.name()
	if s.has != nil {
		c := &s.has.creds
		who.login, who.domain, who.anonymous, who.group, who.groups = c.Login, c.Domain, c.UserID == "", c.Group, c.Groups
	}
	return who, s.level, s.done
}

// subjectOf is an account without a session.
func (s *Service) subjectOf(a *Account) subject {
	who := subject{login: a.Login, domain: a.Domain, group: string(a.Group.Name)}
	for _, g := range a.Groups {
		who.groups = append(who.groups, string(g.Name))
	}
	return who
}

// concerns reports whether the rule counts for who. A group is one of the member's own domain;
// user:anonymous stands for anonymous sessions.
func (r *policyRule) concerns(who subject) bool {
	switch r.scope {
	case scopeUser:
		if who.anonymous {
			return r.name == nobody
		}
		return who.login != "" && r.name == who.login && r.domain == who.domain
	case scopeGroup:
		return who.login != "" && r.domain == who.domain && (who.group == string(r.name) || slices.Contains(who.groups, string(r.name)))
	case scopeClass:
		return r.class == who.class
	default:
		return true
	}
}

// maxVerbs bounds the verbs whose rules are kept apart; the roads know fewer.
const maxVerbs = 512

// policyTable holds the rules in the order in which they are asked, and the default of each kind.
type policyTable struct {
	rules    []policyRule
	kinds    map[string][]policyRule
	defaults map[string]Level

	mu    sync.Mutex           // guards verbs
	verbs map[string]verbRules // of ftp, as they have been asked for
}

// verbRules are the rules of one verb of ftp: of the verb as such, and with a path behind it.
type verbRules struct{ bare, path []policyRule }

// newPolicyTable reads the rules; users and groups that name no domain are of the given one, and
// classes must be among those that exist.
func newPolicyTable(rules map[string]string, defaults map[string]Level, domain string, classes []Class) (*policyTable, error) {
	t := &policyTable{defaults: defaults, kinds: map[string][]policyRule{}, verbs: map[string]verbRules{}}
	for pattern, level := range rules {
		rule, err := ParseRule(pattern, level)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		r, _ := parsePattern(pattern) // ParseRule has read it
		r.Rule = rule
		if r.domain == "" {
			r.domain = domain
		}
		if r.scope == scopeClass && !slices.ContainsFunc(classes, func(c Class) bool { return c.Name == r.class }) {
			return nil, fmt.Errorf("policy: %q: there is no class %q: %w", pattern, r.class, ErrInvalid)
		}
		t.rules = append(t.rules, r)
	}
	slices.SortFunc(t.rules, func(a, b policyRule) int { return a.before(&b) })
	for _, r := range t.rules {
		t.kinds[r.kind] = append(t.kinds[r.kind], r)
	}
	return t, nil
}

// required finds the level that a resource needs of who, and the rule that says so. def, where
// given, stands in for the default of the kind.
func (t *policyTable) required(who subject, res Resource, def ...Level) Rule {
	kind, _, _ := strings.Cut(string(res), ":")
	found := Rule{Level: LevelNobody, Source: sourceDefault}
	if l, ok := t.defaults[kind]; ok {
		found.Level = l
	}
	if len(def) > 0 {
		found = Rule{Level: def[0], Source: sourceRoute}
	}
	if kind == kindFTP {
		return t.requiredVerb(who, res, found)
	}
	rules := t.kinds[kind]
	if len(rules) == 0 && kind != kindWeb {
		return found
	}
	a := res.split()
	if r := first(rules, who, a); r != nil {
		found = *r
	}
	if kind == kindWeb && len(a.segments) > 0 && a.segments[0] == adminSegment && found.Level < adminFloor {
		found = Rule{Pattern: adminPattern, Resource: adminPattern, Level: adminFloor, Source: sourceDefault}
	}
	return found
}

// first is the rule that decides, nil where none says anything.
func first(rules []policyRule, who subject, a asked) *Rule {
	for i := range rules {
		if r := &rules[i]; r.concerns(who) && r.matches(a) {
			return &r.Rule
		}
	}
	return nil
}

// requiredVerb is required for ftp. Where there is a path, what the verb as such needs counts as
// well: the stricter of both.
func (t *policyTable) requiredVerb(who subject, res Resource, found Rule) Rule {
	if len(t.kinds[kindFTP]) == 0 {
		return found
	}
	a := res.split()
	if len(a.segments) == 0 {
		return found
	}
	of := t.ofVerb(a.segments[0])
	bare := a
	if a.path {
		bare = asked{kind: a.kind, segments: a.segments[:1]}
	}
	if r := first(of.bare, who, bare); r != nil {
		found = *r
	}
	if a.path {
		if r := first(of.path, who, a); r != nil && (r.Level >= found.Level) {
			return *r
		}
	}
	return found
}

// ofVerb are the rules that a verb can meet.
func (t *policyTable) ofVerb(verb string) verbRules {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of, ok := t.verbs[verb]; ok {
		return of
	}
	var of verbRules
	for _, r := range t.kinds[kindFTP] {
		switch {
		case len(r.segments) > 0 && !verbMatches(r.segments[0], verb):
		case r.path:
			of.path = append(of.path, r)
		default:
			of.bare = append(of.bare, r)
		}
	}
	if len(t.verbs) < maxVerbs {
		t.verbs[verb] = of
	}
	return of
}
