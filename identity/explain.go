package identity

import (
	"context"
	"fmt"
	"strings"
)

// Asker is whom Explain is asked about.
type Asker struct {
	User  string // an account, as `login` or `login@domain`; "": anybody of the level
	Level Level  // held, where User is ""
	Class string // of the session; "": none
}

// maxLosers bounds the rules that Explain tells of beside the one that decided.
const maxLosers = 50

// Explain says which rule decides about a resource, which other ones match and why they lost, and what
// would be needed. An unknown account or class is ErrNotFound.
func (s *Service) Explain(ctx context.Context, r Resource, by Asker) (Decision, error) {
	who, level := subject{anonymous: by.User == "" && by.Level == LevelAnonymous}, by.Level
	if by.User != "" {
		acc, err := s.User(ctx, by.User)
		if err != nil {
			return Decision{}, err
		}
		who, level = s.subjectOf(&acc), acc.Level
	}
	uncapped := level
	if by.Class != "" {
		c, ok := s.Registry.classes.byName[by.Class]
		if !ok {
			return Decision{}, faultf(ErrNotFound, "no class %q", by.Class)
		}
		who.class, level = c.Name, c.capped(level)
	}
	t := s.rules()
	v := t.decide(&who, r, s.routeDefault(r)...)
	if s.floored(r) {
		v = v.raised(s.routeDefault(r))
	}
	rule := t.rule(v)
	d := Decision{Resource: r, Required: rule.Level, Allowed: level.Allows(rule.Level), Held: level,
		Pattern: rule.Pattern, Source: rule.Source, Lost: t.losers(&who, r, v)}
	if !d.Allowed {
		d.Client = clientSees(r, level, rule)
		d.Needed = needed(r, rule, by, level, uncapped)
	}
	return d, nil
}

// raised is a verdict where rules raise what the code asks, and do not lower it.
func (v verdict) raised(def []Level) verdict {
	if len(def) > 0 && def[0] > v.level {
		return verdict{def[0], none, sourceRoute}
	}
	return v
}

// needed says what would let the subject in.
func needed(r Resource, rule Rule, by Asker, held, uncapped Level) string {
	switch {
	case rule.Level == LevelNobody && rule.Pattern == "":
		return fmt.Sprintf("No level suffices, as the default of its kind is nobody: a rule that names it would be needed, such as %q = loggedin.", string(r))
	case rule.Level == LevelNobody:
		return fmt.Sprintf("No level suffices: the rule %q would have to go, or a narrower one to be set.", rule.Pattern)
	case uncapped.Allows(rule.Level):
		return fmt.Sprintf("The class %s caps the level at %s (%d); from an address outside of it %s (%d) is enough.", by.Class, held, held, uncapped, uncapped)
	}
	need := fmt.Sprintf("The level %s (%d) would be needed", rule.Level, rule.Level)
	if by.User != "" && rule.Source != sourceFloor && !strings.HasPrefix(string(r), kindWeb+":/"+adminSegment) {
		return need + fmt.Sprintf(", or a rule for this account: %q = %s.", string(r)+forWord+"user:"+by.User, held)
	}
	return need + "."
}

// losers are the rules that match a resource and did not decide, in the order in which they were asked,
// at most maxLosers.
func (t *policyTable) losers(who *subject, res Resource, v verdict) []Loser {
	lost := []Loser{}
	a := res.split()
	if a.kind == "" {
		return lost
	}
	bare := a
	if a.kind == kindFTP && a.path {
		bare = asked{kind: a.kind, segments: a.segments[:1]}
	}
	fallback := asked{kind: kindDefault, segments: []string{a.kind}}
	for i := range t.rules {
		if len(lost) == maxLosers {
			break
		}
		r := &t.rules[i]
		var hit bool
		switch r.kind {
		case a.kind:
			hit = r.matches(a) || a.path && a.kind == kindFTP && r.matches(bare)
		case kindDefault:
			hit = r.matches(fallback)
		}
		if hit && int32(i) != v.rank { //nolint:gosec // far fewer than that
			lost = append(lost, Loser{r.Rule, t.why(who, r, v)})
		}
	}
	return lost
}

// why says why a rule that matches did not decide.
func (t *policyTable) why(who *subject, r *policyRule, v verdict) string {
	switch {
	case !r.concerns(who):
		return "it is for " + r.For + " alone"
	case v.source == sourceFloor:
		return "nothing below /admin opens under " + adminFloor.String()
	case v.rank == none && v.source == sourceRoute:
		return "what is asked here by itself is stricter"
	case r.kind == kindDefault:
		return "a default counts where no rule says anything"
	case v.rank == none:
		return "it was not reached"
	}
	won := &t.rules[v.rank]
	switch {
	case r.kind == kindFTP && r.path != won.path:
		return "of a verb and of its path the stricter counts"
	case r.scope != won.scope:
		return "a rule for " + won.scope.String() + " is asked before one for " + r.scope.String()
	case r.literals != won.literals:
		return fmt.Sprintf("it names %d segments, the other one %d", r.literals, won.literals)
	case r.rest != won.rest:
		return "* is asked before **"
	case len(r.segments) != len(won.segments):
		return "the longer pattern is asked first"
	case r.kind == kindFTP && len(r.segments) > 0 && len(won.segments) > 0 && verbRank(r.segments[0]) != verbRank(won.segments[0]):
		return "a verb is asked before its group, and a group before ALL"
	}
	return "of equals the stricter counts"
}

// String is the scope in a sentence.
func (s scope) String() string {
	switch s {
	case scopeUser:
		return "a user"
	case scopeGroup:
		return "a group"
	case scopeClass:
		return "a class"
	default:
		return "all"
	}
}

// clientSees is what each road answers to who may not: the same as where there is no such thing.
func clientSees(r Resource, held Level, rule Rule) string {
	a := r.split()
	switch a.kind {
	case kindWeb:
		if strings.HasPrefix(string(r), "web:/api/") && held < LevelLoggedIn {
			return "401"
		}
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
