package identity

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Resource names something that a level guards: kind, colon, segments: "web:/admin/users",
// "file:/pub/a", "ftp:SITE CHMOD", "xmpp:muc:create", "login:ftp".
type Resource string

// Decision is the answer of the policy table for one resource and one subject.
type Decision struct {
	Resource Resource `json:"resource"`
	Required Level    `json:"required"` // LevelNobody: never
	Allowed  bool     `json:"allowed"`
	Held     Level    `json:"held"`
	Pattern  string   `json:"pattern"` // of the rule that decided; "" where the default of the kind did
	Source   string   `json:"source"`  // "config", "store", "route", "default"
	Client   string   `json:"client"`  // what a client sees that may not: "404", "550", "502", "item-not-found" …
}

// Rule is one row of the policy table.
type Rule struct {
	Pattern string `json:"pattern"`
	Level   Level  `json:"level"`
	Source  string `json:"source"`
}

// The kinds of resources.
const (
	kindWeb   = "web"
	kindFTP   = "ftp"
	kindXMPP  = "xmpp"
	kindFile  = "file"
	kindLogin = "login"
)

// Where a rule is from.
const (
	sourceConfig  = "config"
	sourceRoute   = "route"
	sourceDefault = "default"
)

// The part of the web that no rule opens below LevelStaff.
const (
	adminSegment = "admin"
	adminPattern = "web:/admin/**"
	adminFloor   = LevelStaff
)

// policyTable holds the rules, the most specific first, and the default of each kind.
type policyTable struct {
	rules    []policyRule
	defaults map[string]Level
}

type policyRule struct {
	Rule
	kind     string
	segments []string // without the last "**"
	rest     bool     // ends in "**"
	literals int
}

// ParseRule reads a pattern (`kind:segments`, `*` for one segment, `**` at the end for the rest,
// none included) and its level, "never" for LevelNobody. The error says what is wrong.
func ParseRule(pattern, level string) (Rule, error) {
	if _, err := parsePattern(pattern); err != nil {
		return Rule{}, err
	}
	if strings.EqualFold(level, "never") {
		return Rule{pattern, LevelNobody, sourceConfig}, nil
	}
	l, err := ParseLevel(level)
	if err != nil {
		return Rule{}, err
	}
	return Rule{pattern, l, sourceConfig}, nil
}

func parsePattern(pattern string) (policyRule, error) {
	kind, segments := Resource(pattern).split()
	r := policyRule{kind: kind, segments: segments}
	switch kind {
	case kindWeb, kindFTP, kindXMPP, kindFile, kindLogin:
	default:
		return r, fmt.Errorf("%q begins with no kind of resource; the kinds are web, ftp, xmpp, file and login, as in web:/admin/**: %w", pattern, ErrInvalid)
	}
	if n := len(segments); n > 0 && segments[n-1] == "**" {
		r.rest, r.segments = true, segments[:n-1]
	}
	for _, s := range r.segments {
		switch {
		case s == "*":
		case strings.Contains(s, "*"):
			return r, fmt.Errorf("%q: * stands for a whole segment, ** for the rest at the end: %w", pattern, ErrInvalid)
		default:
			r.literals++
		}
	}
	return r, nil
}

// split cuts a resource into its kind and segments. What begins with a slash is a path: there
// the slash alone separates. The verbs of FTP mean the same in any case (RFC 959 section 5.3).
func (r Resource) split() (kind string, segments []string) {
	kind, rest, ok := strings.Cut(string(r), ":")
	if !ok {
		return "", nil
	}
	if kind == kindFTP {
		rest = strings.ToUpper(rest)
	}
	separator := ":/"
	if strings.HasPrefix(rest, "/") {
		rest, separator = path.Clean(rest), "/"
	}
	return kind, strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune(separator, c) })
}

func newPolicyTable(rules map[string]string, defaults map[string]Level) (*policyTable, error) {
	t := &policyTable{defaults: defaults}
	for pattern, level := range rules {
		rule, err := ParseRule(pattern, level)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		r, _ := parsePattern(pattern) // ParseRule has read it
		r.Rule = rule
		t.rules = append(t.rules, r)
	}
	slices.SortFunc(t.rules, func(a, b policyRule) int {
		return cmp.Or(a.moreSpecific(b), -cmp.Compare(a.Level, b.Level), strings.Compare(a.Pattern, b.Pattern))
	})
	return t, nil
}

// moreSpecific is below 0 where a comes before b: more literal segments, then `*` before `**`.
func (r policyRule) moreSpecific(b policyRule) int {
	rest := 0
	if r.rest != b.rest {
		rest = -1
		if r.rest {
			rest = 1
		}
	}
	return cmp.Or(-cmp.Compare(r.literals, b.literals), rest, -cmp.Compare(len(r.segments), len(b.segments)))
}

func (r policyRule) matches(kind string, segments []string) bool {
	if r.kind != kind || len(segments) < len(r.segments) || len(segments) > len(r.segments) && !r.rest {
		return false
	}
	for i, want := range r.segments {
		if want != "*" && want != segments[i] {
			return false
		}
	}
	return true
}

// required finds the level of a resource, and the rule that says so. def, where given, stands in
// for the default of the kind.
func (t *policyTable) required(res Resource, def ...Level) Rule {
	kind, segments := res.split()
	found := Rule{Level: LevelNobody, Source: sourceDefault}
	if l, ok := t.defaults[kind]; ok {
		found.Level = l
	}
	if len(def) > 0 {
		found = Rule{Level: def[0], Source: sourceRoute}
	}
	for _, r := range t.rules {
		if r.matches(kind, segments) {
			found = r.Rule
			break
		}
	}
	if kind == kindWeb && len(segments) > 0 && segments[0] == adminSegment && found.Level < adminFloor {
		found = Rule{adminPattern, adminFloor, sourceDefault}
	}
	return found
}

// Allowed reports whether the session may use the resource now. The answer counts for this
// moment alone: roads ask again for each use.
func (s *Service) Allowed(ses *Session, r Resource) bool {
	if ses == nil {
		return LevelNone.Allows(s.Required(r))
	}
	ses.mu.Lock()
	level, done := ses.level, ses.done
	ses.mu.Unlock()
	return !done && level.Allows(s.Required(r))
}

// Required returns the level that r needs, whoever asks; a road that knows a stricter or other
// default of its own (the web's route table) passes it as def, else the default of the kind
// stands: of web Options.DefaultRequired, of ftp and xmpp LevelLoggedIn (ftp LevelAnonymous where
// anonymous log-in is on), of login LevelUser, of file LevelNone.
func (s *Service) Required(r Resource, def ...Level) Level { return s.policy.required(r, def...).Level }

// Explain says which rule decides for an account (user, as `login` or `login@domain`) or, where
// user is "", for a held level.
func (s *Service) Explain(ctx context.Context, r Resource, user string, level Level) (Decision, error) {
	if user != "" {
		acc, err := s.User(ctx, user)
		if err != nil {
			return Decision{}, err
		}
		level = acc.Level
	}
	rule := s.policy.required(r, s.routeDefault(r)...)
	d := Decision{Resource: r, Required: rule.Level, Allowed: level.Allows(rule.Level), Held: level,
		Pattern: rule.Pattern, Source: rule.Source}
	if !d.Allowed {
		d.Client = clientSees(r, level, rule.Level)
	}
	return d, nil
}

// UseRoutes tells Explain the levels that a road's own table asks (the web's routes); false means
// that the road knows no such resource. It is called before Run.
func (s *Service) UseRoutes(levelOf func(Resource) (Level, bool)) { s.routeLevel = levelOf }

func (s *Service) routeDefault(r Resource) []Level {
	if s.routeLevel != nil {
		if l, ok := s.routeLevel(r); ok {
			return []Level{l}
		}
	}
	return nil
}

// clientSees is what each road answers to who may not: the same as where there is no such thing.
func clientSees(r Resource, held, need Level) string {
	kind, segments := r.split()
	switch kind {
	case kindWeb:
		if need <= LevelLoggedIn && held < LevelLoggedIn {
			return "303 /login"
		}
		return "404"
	case kindFile:
		return "404, 550"
	case kindFTP:
		return "502"
	case kindXMPP:
		if len(segments) > 1 {
			return "item-not-found"
		}
		return "service-unavailable"
	case kindLogin:
		return "401, 530, not-authorized"
	default:
		return "404"
	}
}

// Rules lists the table, the most specific first.
func (s *Service) Rules() []Rule {
	out := make([]Rule, 0, len(s.policy.rules))
	for _, r := range s.policy.rules {
		out = append(out, r.Rule)
	}
	return out
}
