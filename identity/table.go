package identity

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

// subject is whom a rule may be narrowed to.
type subject struct {
	id        UserID
	login     UserName
	domain    string
	anonymous bool
	gid       uint32
	group     string // primary
	gids      []uint32
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
		who.id, who.login, who.domain, who.anonymous = c.UserID, c.Login, c.Domain, c.UserID == ""
		who.gid, who.group, who.gids, who.groups = c.GID, c.Group, c.GIDs, c.Groups
	}
	return who, s.level, s.done
}

// subjectOf is an account without a session.
func (s *Service) subjectOf(a *Account) subject {
	who := subject{id: a.ID, login: a.Login, domain: a.Domain, gid: a.GID, group: string(a.Group.Name)}
	for _, g := range a.Groups {
		who.gids, who.groups = append(who.gids, g.GID), append(who.groups, string(g.Name))
	}
	return who
}

// concerns reports whether the rule counts for who. A group is one of the member's own domain;
// user:anonymous stands for anonymous sessions. Rules of the store go by the ID and the gid, those of
// the config by names.
func (r *policyRule) concerns(who *subject) bool {
	switch r.scope {
	case scopeUser:
		switch {
		case who.anonymous:
			return r.name == nobody
		case who.login == "":
			return false
		case r.user != "":
			return r.user == who.id
		}
		return r.name == who.login && r.domain == who.domain
	case scopeGroup:
		switch {
		case who.login == "":
			return false
		case r.gid != 0:
			return r.gid == who.gid || slices.Contains(who.gids, r.gid)
		}
		return r.domain == who.domain && (who.group == string(r.name) || slices.Contains(who.groups, string(r.name)))
	case scopeClass:
		return r.class == who.class
	default:
		return true
	}
}

// none is the rank of no rule: later than that of any.
const none = math.MaxInt32

// policyTable holds the rules in the order in which they are asked, and the default of each kind. The
// place of a rule in that order is its rank; trees find the least rank of those that match, so that a
// decision costs the length of the path and not the number of rules. Nothing changes it once it is made.
type policyTable struct {
	rules   []policyRule
	version int64 // of the store's rules; 0: there never were any

	web, xmpp, file, login, kind trees
	ftp, ftpPath                 trees                // of verbs as such, and with a path behind them
	verbs                        map[string]verbPlace // of those that stand in a group or in a rule for all

	mu   sync.Mutex         // guards what follows
	path map[string][]int32 // the rules with a path that a verb of ftp can meet, as they have been asked for
}

// verbPlace is where a verb of ftp is looked for: the groups that it is in, and the places below the
// roots of the rules for all, so that those are not asked for what they have not.
type verbPlace struct {
	groups     []string
	bare, path []*tree
}

// maxVerbs bounds the verbs whose rules are kept apart; the roads know fewer.
const maxVerbs = 512

// named is a user or group of the config's rules.
type named struct{ name, domain string }

// trees are the rules of one kind, by whom they are narrowed to.
type trees struct {
	all           *tree
	users, groups map[named]*tree
	userIDs       map[UserID]*tree
	gids          map[uint32]*tree
	classes       map[string]*tree
	anonymous     *tree
	narrowed      bool
	level         Level // the default of the kind, before rules about it
}

// tree is a place in the patterns: what follows by its segment, what follows any, and the rules that
// end here.
type tree struct {
	next        map[string]*tree
	star        *tree
	exact, rest int32 // ranks of the rules that end here, without and with a "**"
	least       int32 // rank of those and of all below
}

func newTree() *tree { return &tree{exact: none, rest: none, least: none} }

func (n *tree) add(segments []string, rest bool, rank int32) {
	n.least = min(n.least, rank)
	for _, s := range segments {
		var child *tree
		switch {
		case s == "*":
			if n.star == nil {
				n.star = newTree()
			}
			child = n.star
		default:
			if n.next == nil {
				n.next = map[string]*tree{}
			}
			if child = n.next[s]; child == nil {
				child = newTree()
				n.next[s] = child
			}
		}
		n = child
		n.least = min(n.least, rank)
	}
	if rest {
		n.rest = min(n.rest, rank)
	} else {
		n.exact = min(n.exact, rank)
	}
}

// find is the least rank of the rules that match, or best where none is before it.
func (n *tree) find(segments []string, best int32) int32 {
	if n == nil || n.least >= best {
		return best
	}
	best = min(best, n.rest)
	if len(segments) == 0 {
		return min(best, n.exact)
	}
	if child := n.next[segments[0]]; child != nil {
		best = child.find(segments[1:], best)
	}
	return n.star.find(segments[1:], best)
}

// findVerb is find for ftp, where the first segment is a verb with these roots.
func (n *tree) findVerb(segments []string, roots []*tree, best int32) int32 {
	if n == nil || n.least >= best {
		return best
	}
	best = min(best, n.rest)
	for _, root := range roots {
		best = root.find(segments[1:], best)
	}
	return best
}

// at is where a rule belongs.
func (t *trees) at(r *policyRule) *tree {
	t.narrowed = t.narrowed || r.scope != scopeAll
	switch {
	case r.scope == scopeUser && r.name == nobody && r.user == "":
		if t.anonymous == nil {
			t.anonymous = newTree()
		}
		return t.anonymous
	case r.scope == scopeUser && r.user != "":
		return branch(&t.userIDs, r.user)
	case r.scope == scopeUser:
		return branch(&t.users, named{string(r.name), r.domain})
	case r.scope == scopeGroup && r.gid != 0:
		return branch(&t.gids, r.gid)
	case r.scope == scopeGroup:
		return branch(&t.groups, named{string(r.name), r.domain})
	case r.scope == scopeClass:
		return branch(&t.classes, r.class)
	}
	if t.all == nil {
		t.all = newTree()
	}
	return t.all
}

func branch[K comparable](m *map[K]*tree, k K) *tree {
	if *m == nil {
		*m = map[K]*tree{}
	}
	n := (*m)[k]
	if n == nil {
		n = newTree()
		(*m)[k] = n
	}
	return n
}

// find is the least rank of the rules that count for who and match; verb and roots:
// of ftp.
func (t *trees) find(who *subject, segments []string, verb *verbPlace, roots []*tree) int32 {
	best := int32(none)
	if t.narrowed {
		best = t.findNarrowed(who, segments, verb)
	}
	if verb != nil {
		return t.all.findVerb(segments, roots, best)
	}
	return t.all.find(segments, best)
}

// findNarrowed is find among the rules that are not for all.
func (t *trees) findNarrowed(who *subject, segments []string, verb *verbPlace) int32 {
	best := int32(none)
	look := func(n *tree) {
		switch {
		case n == nil || n.least >= best:
		case verb != nil:
			best = n.findVerb(segments, n.roots(segments[0], verb.groups), best)
		default:
			best = n.find(segments, best)
		}
	}
	switch {
	case who.anonymous:
		look(t.anonymous)
	case who.login != "":
		if len(t.userIDs) > 0 {
			look(t.userIDs[who.id])
		}
		if len(t.users) > 0 {
			look(t.users[named{string(who.login), who.domain}])
		}
		if len(t.gids) > 0 {
			look(t.gids[who.gid])
			for _, g := range who.gids {
				look(t.gids[g])
			}
		}
		if len(t.groups) > 0 {
			look(t.groups[named{who.group, who.domain}])
			for _, g := range who.groups {
				look(t.groups[named{g, who.domain}])
			}
		}
	}
	if len(t.classes) > 0 {
		look(t.classes[who.class])
	}
	return best
}

// newPolicyTable reads the rules of the config; users and groups that name no domain are of the given
// one, and classes must be among those that exist. The store's rules stand beside them.
func newPolicyTable(rules map[string]string, defaults map[string]Level, domain string, classes []Class, stored ...policyRule) (*policyTable, error) {
	var own []policyRule
	for _, pattern := range slices.Sorted(maps.Keys(rules)) {
		rule, err := ParseRule(pattern, rules[pattern])
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
		own = append(own, r)
	}
	return compile(append(own, stored...), defaults), nil
}

// compile sorts the rules and grows the trees.
func compile(rules []policyRule, defaults map[string]Level) *policyTable {
	t := &policyTable{rules: rules, path: map[string][]int32{}, verbs: map[string]verbPlace{}}
	for _, kind := range defaultKinds() {
		level, ok := defaults[kind]
		if !ok {
			level = LevelNobody
		}
		t.of(kind, false).level = level
	}
	slices.SortFunc(t.rules, func(a, b policyRule) int { return a.before(&b) })
	for i := range t.rules {
		r := &t.rules[i]
		if of := t.of(r.kind, r.path); of != nil {
			of.at(r).add(r.segments, r.rest, int32(i)) //nolint:gosec // far fewer than that
		}
	}
	t.placeVerbs()
	return t
}

// placeVerbs looks up once what each verb can meet.
func (t *policyTable) placeVerbs() {
	groups := map[string][]string{anyVerb: nil}
	for group, verbs := range verbGroups {
		for _, v := range verbs {
			groups[v] = append(groups[v], group)
		}
	}
	for _, of := range []*trees{&t.ftp, &t.ftpPath} {
		if of.all != nil {
			for verb := range of.all.next {
				groups[verb] = append([]string(nil), groups[verb]...) // it is there, in a group or not
			}
		}
	}
	for verb, in := range groups {
		t.verbs[verb] = verbPlace{in, t.ftp.all.roots(verb, in), t.ftpPath.all.roots(verb, in)}
	}
}

// anyVerb stands for the verbs that have no place of their own; none has this name.
const anyVerb = ""

// roots are the places below the root where a verb may be.
func (n *tree) roots(verb string, groups []string) []*tree {
	if n == nil {
		return nil
	}
	var out []*tree
	add := func(child *tree) {
		if child != nil && !slices.Contains(out, child) {
			out = append(out, child)
		}
	}
	add(n.next[verb])
	add(n.next[groupAll])
	for _, g := range groups {
		add(n.next[g])
	}
	add(n.star)
	return out
}

// of are the trees of a kind; nil where there is no such kind.
func (t *policyTable) of(kind string, path bool) *trees {
	switch kind {
	case kindWeb:
		return &t.web
	case kindXMPP:
		return &t.xmpp
	case kindFile:
		return &t.file
	case kindLogin:
		return &t.login
	case kindDefault:
		return &t.kind
	case kindFTP:
		if path {
			return &t.ftpPath
		}
		return &t.ftp
	}
	return nil
}

// verdict is what the table says of a resource: the level, and the rank of the rule that says so, or
// none and where else the level is from.
type verdict struct {
	level  Level
	rank   int32
	source string
}

// required finds the level that a resource needs of who, and the rule that says so. def, where
// given, is what the code itself asks, which the default of the kind raises and does not lower.
func (t *policyTable) required(who subject, res Resource, def ...Level) Rule {
	return t.rule(t.decide(&who, res, def...))
}

// rule is the rule of a verdict.
func (t *policyTable) rule(v verdict) Rule {
	switch {
	case v.rank != none:
		return t.rules[v.rank].Rule
	case v.source == sourceFloor:
		return Rule{Pattern: adminPattern, Resource: adminPattern, Level: v.level, Source: sourceDefault}
	}
	return Rule{Level: v.level, Source: v.source}
}

// segmentsKept is how many segments of a resource are taken apart without asking for memory.
const segmentsKept = 16

func (t *policyTable) decide(who *subject, res Resource, def ...Level) verdict {
	var room [segmentsKept]string
	a := res.splitInto(room[:0])
	if a.kind == kindFTP {
		return t.decideVerb(who, &a, def)
	}
	of := t.of(a.kind, false)
	switch {
	case of == nil:
		return verdict{LevelNobody, none, sourceDefault}
	case a.kind == kindDefault && len(a.segments) == 1:
		return t.fallback(who, a.segments[0], nil)
	}
	v := verdict{rank: of.find(who, a.segments, nil, nil)}
	if v.rank != none {
		v.level = t.rules[v.rank].Level
	} else {
		v = t.fallback(who, a.kind, def)
	}
	if a.kind == kindWeb && v.level < adminFloor && len(a.segments) > 0 && a.segments[0] == adminSegment {
		return verdict{adminFloor, none, sourceFloor}
	}
	return v
}

// fallback is what counts where no rule says anything: the default of the kind, and what the code asks.
// What the code leaves open before the log-in (the log-in, a shared link) stays open, unless the default is NOBODY: then
// only what a rule names is there.
func (t *policyTable) fallback(who *subject, kind string, def []Level) verdict {
	v := verdict{LevelNobody, none, sourceDefault}
	if of := t.of(kind, false); of != nil {
		v.level = of.level
	}
	if t.kind.all != nil || t.kind.narrowed {
		if rank := t.kind.find(who, []string{kind}, nil, nil); rank != none {
			v = verdict{t.rules[rank].Level, rank, ""}
		}
	}
	if len(def) > 0 && v.level != LevelNobody && (def[0] < LevelLoggedIn || def[0] >= v.level) {
		return verdict{def[0], none, sourceRoute}
	}
	return v
}

// decideVerb is decide for ftp. Where there is a path, what the verb as such needs counts as well: the
// stricter of both.
func (t *policyTable) decideVerb(who *subject, a *asked, def []Level) verdict {
	if len(a.segments) == 0 {
		return t.fallback(who, kindFTP, def)
	}
	place, ok := t.verbs[a.segments[0]]
	if !ok {
		place = t.verbs[anyVerb]
	}
	bare := a.segments
	if a.path {
		bare = a.segments[:1]
	}
	v := verdict{rank: t.ftp.find(who, bare, &place, place.bare)}
	if v.rank != none {
		v.level = t.rules[v.rank].Level
	} else {
		v = t.fallback(who, kindFTP, def)
	}
	if a.path {
		if rank := t.ftpPath.find(who, a.segments, &place, place.path); rank != none && t.rules[rank].Level >= v.level {
			return verdict{t.rules[rank].Level, rank, ""}
		}
	}
	return v
}

// confines reports whether any rule of ftp is about the verb with a path behind it.
func (t *policyTable) confines(verb string) bool {
	if t.ftpPath.all == nil && !t.ftpPath.narrowed {
		return false
	}
	return len(t.pathRules(verb)) > 0
}

// pathRules are the ranks of the rules with a path that a verb can meet.
func (t *policyTable) pathRules(verb string) []int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if of, ok := t.path[verb]; ok {
		return of
	}
	var of []int32
	for i := range t.rules {
		r := &t.rules[i]
		if r.kind == kindFTP && r.path && verbMatches(r.segments[0], verb) {
			of = append(of, int32(i)) //nolint:gosec // far fewer than that
		}
	}
	if len(t.path) < maxVerbs {
		t.path[verb] = of
	}
	return of
}

// ofKind are the rules of a kind that count for who, in the order in which they are asked.
func (t *policyTable) ofKind(who *subject, kind string) []Rule {
	var out []Rule
	for i := range t.rules {
		if r := &t.rules[i]; r.kind == kind && r.concerns(who) {
			out = append(out, r.Rule)
		}
	}
	return out
}

// splitKind is the kind of a resource.
func (r Resource) splitKind() string {
	kind, _, _ := strings.Cut(string(r), ":")
	return kind
}
