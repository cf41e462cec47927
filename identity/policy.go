package identity

import (
	"context"
	"slices"
	"strings"
	"time"
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
	Needed   string   `json:"needed"`  // what would let it in, as a sentence; "" where it is allowed
	Lost     []Loser  `json:"lost"`    // rules that match as well, and why they did not decide
}

// Loser is a rule that matches a resource and did not decide.
type Loser struct {
	Rule
	Why string `json:"why"`
}

// Rule is one row of the policy table.
type Rule struct {
	Pattern  string `json:"pattern"` // as it was written: "ftp:WRITE:/pub/** for group:staff"
	Level    Level  `json:"level"`
	Source   string `json:"source"`
	Resource string `json:"resource"` // the pattern without its narrowing
	For      string `json:"for"`      // "user:alice", "group:staff", "class:lan"; "" for all

	// Of the rules of the store.
	Note string     `json:"note,omitempty"`
	By   string     `json:"by,omitempty"` // who has set it; "" for the machine's owner
	At   *time.Time `json:"at,omitempty"`
}

// The kinds of resources.
const (
	kindWeb   = "web"
	kindFTP   = "ftp"
	kindXMPP  = "xmpp"
	kindFile  = "file"
	kindLogin = "login"

	kindDefault = "default" // "default:web": what counts where no rule of the kind says anything
)

// defaultKinds are the kinds that have a default.
func defaultKinds() []string { return []string{kindWeb, kindFTP, kindXMPP, kindFile, kindLogin} }

// Where a rule is from.
const (
	sourceConfig  = "config"
	sourceRoute   = "route"
	sourceDefault = "default"
	sourceStore   = "store"
	sourceFloor   = "floor" // of adminPattern; to the outside it is a default
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
	return !done && level.Allows(s.rules().decide(&who, r).level)
}

// rules is the table as it is now.
func (s *Service) rules() *policyTable { return s.policy.Load() }

// Required returns the level that r needs of nobody in particular; a road that knows a level of its
// own (the web's route table) passes it as def. Else the default of the kind stands: of web
// Options.DefaultRequired, of ftp and xmpp LevelLoggedIn (ftp LevelAnonymous where anonymous log-in is
// on), of login LevelUser, of file LevelNone, or what a rule such as default:web says. A default raises
// def and does not lower it, and leaves what is open before the log-in (below LevelLoggedIn) open; but a default of
// LevelNobody closes all that no rule names.
func (s *Service) Required(r Resource, def ...Level) Level {
	return s.rules().decide(&subject{}, r, def...).level
}

// RequiredOf is Required for a session, whose user, groups and class rules may be narrowed to;
// nil: for nobody in particular.
func (s *Service) RequiredOf(ses *Session, r Resource, def ...Level) Level {
	var who subject
	if ses != nil {
		who, _, _ = ses.subject()
	}
	return s.rules().decide(&who, r, def...).level
}

// Confines reports whether any rule is about a verb of FTP with a path behind it, so that it is worth
// asking.
func (s *Service) Confines(verb string) bool { return s.rules().confines(strings.ToUpper(verb)) }

// Guards reports whether a rule keeps the session from a verb of FTP somewhere below a canonical path:
// what takes the whole folder away would carry that out of the rule's reach. Where rules of the same
// pattern are narrowed, the one that counts for the session does.
func (s *Service) Guards(ses *Session, verb, canon string) bool {
	who, level, _ := ses.subject()
	here := pathSegments(nil, canon)
	t := s.rules()
	var seen []string
	for _, i := range t.pathRules(verb) {
		r := &t.rules[i]
		if !r.reachesBelow(here) || !r.concerns(&who) || slices.Contains(seen, r.Resource) {
			continue
		}
		if !level.Allows(r.Level) {
			return true
		}
		seen = append(seen, r.Resource)
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

// Rules lists the table in the order in which it is asked: what is narrowed to a user, to a
// group, to a class, and the rest; in each the most specific first.
func (s *Service) Rules() []Rule { return s.rules().list() }

// RulesIn is Rules as a store has them, for a condition of a change.
func (s *Service) RulesIn(ctx context.Context, r StoreReader) ([]Rule, error) {
	version, stored, err := r.PolicyRules(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.tableOf(version, stored)
	if err != nil {
		return nil, err
	}
	return t.list(), nil
}

func (t *policyTable) list() []Rule {
	out := make([]Rule, 0, len(t.rules))
	for _, r := range t.rules {
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
	return s.rules().ofKind(&who, kind)
}
