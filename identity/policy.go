package identity

import (
	"context"
	"strings"
)

// Resource names something that a level guards: kind, colon, segments: "web:/admin/users",
// "file:/pub/a", "ftp:SITE CHMOD", "ftp:STOR:/pub/a", "xmpp:muc:create", "login:ftp".
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
	Pattern  string `json:"pattern"` // as it was written: "ftp:WRITE:/pub/** for group:staff"
	Level    Level  `json:"level"`
	Source   string `json:"source"`
	Resource string `json:"resource"` // the pattern without its narrowing
	For      string `json:"for"`      // "user:alice", "group:staff", "class:lan"; "" for all
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

// Allowed reports whether the session may use the resource now. The answer counts for this
// moment alone: roads ask again for each use.
func (s *Service) Allowed(ses *Session, r Resource) bool {
	if ses == nil {
		return LevelNone.Allows(s.Required(r))
	}
	who, level, done := ses.subject()
	return !done && level.Allows(s.policy.required(who, r).Level)
}

// Required returns the level that r needs of nobody in particular; a road that knows a stricter
// or other default of its own (the web's route table) passes it as def, else the default of the
// kind stands: of web Options.DefaultRequired, of ftp and xmpp LevelLoggedIn (ftp LevelAnonymous
// where anonymous log-in is on), of login LevelUser, of file LevelNone.
func (s *Service) Required(r Resource, def ...Level) Level {
	return s.policy.required(subject{}, r, def...).Level
}

// RequiredOf is Required for a session, whose user, groups and class rules may be narrowed to;
// nil: for nobody in particular.
func (s *Service) RequiredOf(ses *Session, r Resource, def ...Level) Level {
	var who subject
	if ses != nil {
		who, _, _ = ses.subject()
	}
	return s.policy.required(who, r, def...).Level
}

// Asker is whom Explain is asked about.
type Asker struct {
	User  string // an account, as `login` or `login@domain`; "": anybody of the level
	Level Level  // held, where User is ""
	Class string // of the session; "": none
}

// Explain says which rule decides about a resource. An unknown account or class is ErrNotFound.
func (s *Service) Explain(ctx context.Context, r Resource, by Asker) (Decision, error) {
	who, level := subject{anonymous: by.User == "" && by.Level == LevelAnonymous}, by.Level
	if by.User != "" {
		acc, err := s.User(ctx, by.User)
		if err != nil {
			return Decision{}, err
		}
		who, level = s.subjectOf(&acc), acc.Level
	}
	if by.Class != "" {
		c, ok := s.Registry.classes.byName[by.Class]
		if !ok {
			return Decision{}, faultf(ErrNotFound, "no class %q", by.Class)
		}
		who.class, level = c.Name, c.capped(level)
	}
	rule := s.policy.required(who, r, s.routeDefault(r)...)
	d := Decision{Resource: r, Required: rule.Level, Allowed: level.Allows(rule.Level), Held: level,
		Pattern: rule.Pattern, Source: rule.Source}
	if !d.Allowed {
		d.Client = clientSees(r, level, rule)
	}
	return d, nil
}

// Confines reports whether any rule is about a verb of FTP with a path behind it, so that it is worth
// asking.
func (s *Service) Confines(verb string) bool {
	return len(s.policy.kinds[kindFTP]) > 0 && len(s.policy.ofVerb(strings.ToUpper(verb)).path) > 0
}

// Guards reports whether a rule keeps the session from a verb of FTP somewhere below a canonical path:
// what takes the whole folder away would carry that out of the rule's reach. Where rules of the same
// pattern are narrowed, the one that counts for the session does.
func (s *Service) Guards(ses *Session, verb, canon string) bool {
	who, level, _ := ses.subject()
	here := pathSegments(canon)
	seen := map[string]bool{}
	rules := s.policy.ofVerb(verb).path
	for i := range rules {
		r := &rules[i]
		if !r.concerns(who) || seen[r.Resource] {
			continue
		}
		seen[r.Resource] = true
		if !level.Allows(r.Level) && r.reachesBelow(here) {
			return true
		}
	}
	return false
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
func clientSees(r Resource, held Level, rule Rule) string {
	a := r.split()
	switch a.kind {
	case kindWeb:
		if rule.Level <= LevelLoggedIn && held < LevelLoggedIn {
			return "303 /login"
		}
		return "404"
	case kindFile:
		return "404, 550"
	case kindFTP:
		if Resource(rule.Resource).split().path {
			return "550"
		}
		return "502"
	case kindXMPP:
		if len(a.segments) > 1 {
			return "item-not-found"
		}
		return "service-unavailable"
	case kindLogin:
		return "401, 530, not-authorized"
	default:
		return "404"
	}
}

// Rules lists the table in the order in which it is asked: what is narrowed to a user, to a
// group, to a class, and the rest; in each the most specific first.
func (s *Service) Rules() []Rule {
	out := make([]Rule, 0, len(s.policy.rules))
	for _, r := range s.policy.rules {
		out = append(out, r.Rule)
	}
	return out
}

// RulesFor lists the rules of a kind ("file") that count for the session, in that order.
func (s *Service) RulesFor(ses *Session, kind string) []Rule {
	var who subject
	if ses != nil {
		who, _, _ = ses.subject()
	}
	var out []Rule
	for i := range s.policy.kinds[kind] {
		if r := &s.policy.kinds[kind][i]; r.concerns(who) {
			out = append(out, r.Rule)
		}
	}
	return out
}
