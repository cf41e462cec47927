package identity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Levels from which on rules may be changed. Below LevelRoot they may be made stricter alone, and no
// stricter than the actor's own level.
const (
	changeRules = LevelAdmin
	lowerRules  = LevelRoot
)

// UndoFor is how long a change of rules can be taken back.
const UndoFor = 10 * time.Minute

// undoSetting begins the names of the settings that keep an administrator's last change.
const undoSetting = "policy_undo."

// Bounds of a Review.
const (
	maxReviewSessions  = 1000
	maxReviewResources = 100 // of one session
)

// Review is what a change of rules does, or would do.
type Review struct {
	Applied   bool             `json:"applied"`
	UndoUntil *time.Time       `json:"undo_until"` // null where nothing was applied
	Rules     []RuleEdit       `json:"rules"`
	Resources []ResourceChange `json:"resources"`
	Sessions  []SessionChange  `json:"sessions"` // that lose or win something, at most 1,000
	Affected  int              `json:"affected"` // how many they are in all
}

// RuleEdit is one changed rule.
type RuleEdit struct {
	Pattern string `json:"pattern"`
	Before  *Level `json:"before"` // null: there was none
	After   *Level `json:"after"`  // null: there is none any more
}

// ResourceChange is a resource whose level is another one, for those whom a changed rule is about.
type ResourceChange struct {
	Resource Resource `json:"resource"`
	For      string   `json:"for"`
	Before   Level    `json:"before"`
	After    Level    `json:"after"`
}

// SessionChange is what a live session loses and wins; of each at most 100.
type SessionChange struct {
	ID       string     `json:"id"`
	User     string     `json:"user"` // "" for anonymous
	Protocol Protocol   `json:"protocol"`
	Level    Level      `json:"level"`
	Ends     bool       `json:"ends"` // it may no longer be logged in
	Loses    []Resource `json:"loses"`
	Wins     []Resource `json:"wins"`
}

// draft is a change of rules that is not made yet.
type draft struct {
	edits    []ruleDraft
	old, new *policyTable
}

// ruleDraft is one rule before and after; nil where there is none.
type ruleDraft struct {
	key           StoredRule
	parsed        policyRule
	before, after *StoredRule
}

// ChangeRules sets and removes rules of the store, all or none. With dry it changes nothing, and says
// what it would do: what it refuses then it would refuse. The change has taken effect on live sessions
// when it returns, and can be taken back by the same actor for UndoFor.
func (s *Service) ChangeRules(ctx context.Context, by Actor, changes []RuleChange, dry bool) (Review, error) {
	if !by.Level.Allows(changeRules) {
		return Review{}, faultf(ErrRefused, "changing the policy needs the level %s; yours is %s", changeRules, by.Level)
	}
	if dry {
		d, err := s.draft(ctx, s.store, by, changes)
		if err == nil {
			err = s.checkDraft(ctx, s.store, by, d, true)
		}
		if err != nil {
			return Review{}, err
		}
		return s.review(d), nil
	}
	return s.applyRules(ctx, by, false, func(e *edit) (*draft, error) { return s.draft(ctx, e, by, changes) })
}

// applyRules commits what plan drafts; undo: it takes a change back, which is not taken back again.
func (s *Service) applyRules(ctx context.Context, by Actor, undo bool, plan func(*edit) (*draft, error)) (Review, error) {
	var r Review
	err := s.edit(ctx, by, func(e *edit) error {
		if err := e.TouchRules(ctx); err != nil {
			return err
		}
		d, err := plan(e)
		if err != nil {
			return err
		}
		if err := s.checkDraft(ctx, e, by, d, !undo); err != nil {
			return err
		}
		r = s.review(d)
		if len(d.edits) == 0 {
			return nil
		}
		for _, x := range d.edits {
			if err := x.write(ctx, e); err != nil {
				return err
			}
			x.note(e)
		}
		r.Applied, e.rules = true, true
		if undo {
			return e.PutSetting(ctx, undoSetting+by.User, "")
		}
		record := undoRecord{At: s.now()}
		for _, x := range d.edits {
			record.Rules = append(record.Rules, undoRule{x.key, x.before, x.after})
		}
		text, err := json.Marshal(record)
		if err != nil {
			return err
		}
		until := record.At.Add(UndoFor)
		r.UndoUntil = &until
		return e.PutSetting(ctx, undoSetting+by.User, string(text))
	})
	if err != nil {
		return Review{}, err
	}
	return r, nil
}

func (x ruleDraft) write(ctx context.Context, e *edit) error {
	if x.after == nil {
		return e.RemoveRule(ctx, x.key)
	}
	return e.PutRule(ctx, *x.after)
}

func (x ruleDraft) note(e *edit) {
	event := "policy.set"
	shown := func(r *StoredRule) fields {
		if r == nil {
			return nil
		}
		return fields{"level": ruleLevel(r.Level), "note": r.Note}
	}
	after := shown(x.after)
	if after == nil {
		event = "policy.unset"
	}
	e.note(event, x.parsed.Pattern, shown(x.before), after)
}

// ruleLevel is the level of a rule for people.
func ruleLevel(l Level) string {
	if l == LevelNobody {
		return "never"
	}
	return l.String()
}

// draft reads the changes and makes the table that they would give.
func (s *Service) draft(ctx context.Context, r StoreReader, by Actor, changes []RuleChange) (*draft, error) {
	version, stored, err := r.PolicyRules(ctx)
	if err != nil {
		return nil, err
	}
	var edits []ruleDraft
	for _, c := range changes {
		key, parsed, err := s.keyOf(ctx, r, c.Pattern)
		if err != nil {
			return nil, err
		}
		if len(c.Note) > maxRuleNote {
			return nil, faultf(ErrInvalid, "the note on %q is longer than %d bytes", c.Pattern, maxRuleNote)
		}
		x := ruleDraft{key: key, parsed: parsed}
		if c.Level != nil {
			if !slices.Contains(Levels(), *c.Level) {
				return nil, faultf(ErrInvalid, "%d is not a level; the levels are %s", *c.Level, levelList())
			}
			after := key
			after.Level, after.Note, after.By, after.At = *c.Level, plain(c.Note), by.User, s.now().UTC().Truncate(timeUnit)
			x.after = &after
		}
		if slices.ContainsFunc(edits, func(o ruleDraft) bool { return o.key.same(key) }) {
			return nil, faultf(ErrInvalid, "the rule %q is changed twice", c.Pattern)
		}
		edits = append(edits, x)
	}
	return s.drafted(version, stored, edits)
}

// drafted fills in what was before, leaves out what is no change, and makes both tables.
func (s *Service) drafted(version int64, stored []StoredRule, edits []ruleDraft) (*draft, error) {
	at := make(map[StoredRule]int, len(stored))
	for i := range stored {
		at[keyAlone(stored[i])] = i
	}
	after := slices.Clone(stored)
	gone := map[int]bool{}
	d := &draft{}
	for _, x := range edits {
		i, is := at[keyAlone(x.key)]
		if is {
			before := stored[i]
			x.before = &before
		}
		switch {
		case x.after == nil && !is:
			return nil, faultf(ErrNotFound, "there is no rule %q in the store; rules of the configuration are changed there", x.parsed.Pattern)
		case x.after == nil:
			gone[i] = true
		case is && x.before.Level == x.after.Level && x.before.Note == x.after.Note:
			continue
		case is:
			after[i] = *x.after
		default:
			after = append(after, *x.after)
		}
		d.edits = append(d.edits, x)
	}
	kept := after[:0]
	for i, r := range after {
		if !gone[i] {
			kept = append(kept, r)
		}
	}
	if len(kept) > maxRules {
		return nil, faultf(ErrRefused, "the store keeps at most %d rules of the policy; take some out, or write wider ones", maxRules)
	}
	var err error
	if d.old, err = s.tableOf(version, stored); err != nil {
		return nil, err
	}
	d.new, err = s.tableOf(version, kept)
	return d, err
}

// keyAlone is a rule without all but its key.
func keyAlone(r StoredRule) StoredRule {
	return StoredRule{Resource: r.Resource, User: r.User, GID: r.GID, Class: r.Class}
}

// checkDraft says why the actor may not make the change, or nil.
func (s *Service) checkDraft(ctx context.Context, r StoreReader, by Actor, d *draft, rights bool) error {
	if rights && !by.Level.Allows(lowerRules) {
		if err := s.mayTighten(ctx, r, by, d); err != nil {
			return err
		}
	}
	return s.keepsDoor(ctx, r, d)
}

// mayTighten is for those below LevelRoot: they make rules stricter, not above their own level, and not
// for those who stand at or above it.
func (s *Service) mayTighten(ctx context.Context, r StoreReader, by Actor, d *draft) error {
	for _, x := range d.edits {
		if x.after != nil && x.after.Level > by.Level {
			return faultf(ErrRefused, "%q = %s is above your own level, %s: only root sets that", x.parsed.Pattern, ruleLevel(x.after.Level), by.Level)
		}
		switch {
		case x.key.User != "" && x.key.User != RuleAnonymous:
			a, err := r.AccountByID(ctx, x.key.User)
			if err != nil {
				return err
			}
			if !by.above(a.Level) {
				return faultf(ErrRefused, "%q has the level %s and yours is %s: only root sets rules for them", s.display(a.Login, a.Domain), a.Level, by.Level)
			}
		case x.key.GID != 0:
			g, err := r.GroupByGID(ctx, x.key.GID)
			if err != nil {
				return err
			}
			err = s.noneAbove(ctx, r, by, g, func(a Account) error {
				return faultf(ErrRefused, "%q has the member %q, whose level %s is not below yours: only root sets rules for it",
					g.Name, s.display(a.Login, a.Domain), a.Level)
			})
			if err != nil {
				return err
			}
		}
	}
	for _, c := range s.resourceChanges(d) {
		if c.After < c.Before {
			return faultf(ErrRefused, "that would lower what %s needs from %s to %s: only root does that", c.Resource, ruleLevel(c.Before), ruleLevel(c.After))
		}
	}
	return nil
}

// meant is whom a changed rule is about, where that can be said without an account.
func (x ruleDraft) meant() subject {
	switch k := x.key; {
	case k.User == RuleAnonymous:
		return subject{anonymous: true}
	case k.User != "":
		return subject{id: k.User, login: k.Name, domain: k.Domain}
	case k.GID != 0:
		return subject{login: "*", domain: k.Domain, gid: k.GID, group: string(k.Name)}
	}
	return subject{class: x.key.Class}
}

// touched lists the known resources that a changed rule can be about, and what stands for the rest of
// its pattern, as a session of that login would meet it.
func (s *Service) touched(d *draft, known []Known, login string) []Known {
	var out []Known
	seen := map[Resource]bool{}
	add := func(k Known) {
		if !seen[k.Resource] {
			seen[k.Resource] = true
			out = append(out, k)
		}
	}
	for i := range d.edits {
		p := &d.edits[i].parsed
		for _, k := range known {
			if p.reaches(k) {
				add(k)
			}
		}
		for _, r := range p.examples(login) {
			k := Known{Resource: r, Raises: s.floored(r)}
			if def := s.routeDefault(r); def != nil {
				k.Own = &def[0]
			}
			add(k)
		}
	}
	return out
}

// reaches reports whether the rule can say something of a known resource.
func (r *policyRule) reaches(k Known) bool {
	if k.Fixed {
		return false
	}
	a := k.asked().split()
	if r.kind == kindDefault {
		return a.kind == r.segments[0] || a.kind == kindDefault && a.segments[0] == r.segments[0]
	}
	return a.kind == r.kind && r.matches(a)
}

// examples are resources that the pattern itself stands for: where it has "*" the login, or a name.
func (r *policyRule) examples(login string) []Resource {
	if r.kind == kindDefault {
		return nil
	}
	if login == "" {
		login = "x"
	}
	whole := *r
	whole.rest = false
	whole.segments = slices.Clone(r.segments)
	for i, segment := range whole.segments {
		if segment == "*" && (i > 0 || r.kind != kindFTP) {
			whole.segments[i] = login
		}
	}
	if r.kind != kindFTP || len(whole.segments) == 0 {
		if len(whole.segments) == 0 && !r.path && r.kind != kindWeb && r.kind != kindFile {
			return nil
		}
		return []Resource{Resource(whole.normal())}
	}
	verbs := []string{whole.segments[0]}
	switch verbRank(verbs[0]) {
	case 1:
		verbs = verbGroups[verbs[0]]
	case 2: // one of each group stands for them
		verbs = []string{"RETR", "STOR", "DELE", "LIST", "CWD"}
	}
	out := make([]Resource, 0, len(verbs))
	for _, v := range verbs {
		whole.segments[0] = v
		out = append(out, Resource(whole.normal()))
	}
	return out
}

// resourceChanges lists what the change makes of resources for those whom its rules are about.
func (s *Service) resourceChanges(d *draft) []ResourceChange {
	out := []ResourceChange{}
	known := s.allKnown()
	for i := range d.edits {
		x := &d.edits[i]
		who := x.meant()
		one := &draft{edits: d.edits[i : i+1]}
		for _, k := range s.touched(one, known, string(x.key.Name)) {
			before, after := k.decide(d.old, &who).level, k.decide(d.new, &who).level
			c := ResourceChange{k.Resource, x.parsed.For, before, after}
			if before != after && !slices.Contains(out, c) {
				out = append(out, c)
			}
		}
	}
	return out
}

// review tells what the change does to rules, resources and live sessions.
func (s *Service) review(d *draft) Review {
	r := Review{Rules: []RuleEdit{}, Resources: s.resourceChanges(d), Sessions: []SessionChange{}}
	for _, x := range d.edits {
		e := RuleEdit{Pattern: x.parsed.Pattern}
		if x.before != nil {
			e.Before = &x.before.Level
		}
		if x.after != nil {
			e.After = &x.after.Level
		}
		r.Rules = append(r.Rules, e)
	}
	if len(d.edits) == 0 {
		return r
	}
	known := s.allKnown()
	touched := map[UserID][]Known{}
	for _, ses := range s.Registry.all() {
		who, level, done := ses.subject()
		if done || who.login == "" && !who.anonymous {
			continue
		}
		list, ok := touched[who.id]
		if !ok {
			list = s.touched(d, known, string(who.login))
			touched[who.id] = list
		}
		c := SessionChange{ID: ses.id, User: s.shownName(who), Protocol: ses.protocol, Level: level, Loses: []Resource{}, Wins: []Resource{}}
		for _, k := range list {
			if !concernsRoad(k.Resource, ses.protocol) {
				continue
			}
			before, after := level.Allows(k.decide(d.old, &who).level), level.Allows(k.decide(d.new, &who).level)
			switch {
			case before && !after && len(c.Loses) < maxReviewResources:
				c.Loses = append(c.Loses, k.Resource)
			case after && !before && len(c.Wins) < maxReviewResources:
				c.Wins = append(c.Wins, k.Resource)
			}
		}
		c.Ends = s.shutOut(d.new, ses) && !s.shutOut(d.old, ses)
		if !c.Ends && len(c.Loses) == 0 && len(c.Wins) == 0 {
			continue
		}
		if r.Affected++; len(r.Sessions) < maxReviewSessions {
			r.Sessions = append(r.Sessions, c)
		}
	}
	slices.SortFunc(r.Sessions, func(a, b SessionChange) int { return strings.Compare(a.User+"\n"+a.ID, b.User+"\n"+b.ID) })
	return r
}

// shownName is whom a session is of, for people.
func (s *Service) shownName(who subject) string {
	if who.login == "" {
		return ""
	}
	return s.display(who.login, who.domain)
}

// concernsRoad reports whether a session of the protocol meets the resource.
func concernsRoad(r Resource, p Protocol) bool {
	switch kind := r.splitKind(); kind {
	case kindFTP:
		return p == ProtocolFTP
	case kindXMPP:
		return p.Road() == RoadXMPP
	case kindWeb:
		api, dav := strings.HasPrefix(string(r), "web:/api"), strings.HasPrefix(string(r), "web:/dav")
		return p == ProtocolWeb && !api && !dav || p == ProtocolAPI && api || p == ProtocolDAV && dav
	case kindLogin:
		return strings.HasSuffix(string(r), ":"+string(p.Road()))
	case kindFile:
		return p != ProtocolAPI
	}
	return false
}

// keepsDoor refuses a change after which nobody of LevelRoot, or nobody who administers, could come in
// by the web to take it back.
func (s *Service) keepsDoor(ctx context.Context, r StoreReader, d *draft) error {
	asks := slices.ContainsFunc(d.edits, func(x ruleDraft) bool {
		return x.parsed.kind == kindWeb || x.parsed.kind == kindLogin || x.parsed.kind == kindDefault
	})
	if !asks {
		return nil
	}
	for _, door := range []struct {
		least Level
		pages []Resource
		who   string
	}{
		{LevelRoot, []Resource{"web:/admin", "web:/admin/policy"}, "root"},
		{LevelAdmin, []Resource{"web:/admin"}, "administrator"},
	} {
		var before, after bool
		_, err := anyAdministrator(ctx, r, func(u User) bool {
			if !u.Level.Allows(door.least) || !administers(u, s.now()) {
				return false
			}
			a, err := r.AccountByID(ctx, u.ID)
			if err != nil {
				return false
			}
			before = before || s.reachesAll(d.old, &a, door.pages)
			after = after || s.reachesAll(d.new, &a, door.pages)
			return after
		})
		if err != nil {
			return err
		}
		if before && !after {
			return faultf(ErrRefused, "that would shut out the last %s: nobody of that level could log in on the web and open %s any more. "+
				"Set rules that keep web:/login, login:web and %s open to them, in the same change", door.who, door.pages[len(door.pages)-1], door.pages[0])
		}
	}
	return nil
}

// reachesAll reports whether an account could log in on the web from some address, and open the pages.
func (s *Service) reachesAll(t *policyTable, a *Account, pages []Resource) bool {
	if len(a.Roads) > 0 && !slices.Contains(a.Roads, RoadWeb) {
		return false
	}
	var from []*Class
	outside := true // there are addresses of no class
	for i := range s.Registry.classes.list {
		c := &s.Registry.classes.list[i]
		outside = outside && !c.everybody()
		from = append(from, c)
	}
	if outside {
		from = append(from, nil)
	}
	return slices.ContainsFunc(from, func(c *Class) bool {
		if !c.open(RoadWeb) {
			return false
		}
		who, level := s.subjectOf(a), c.capped(a.Level)
		who.class = c.name()
		if !LevelNone.Allows(t.decide(&subject{class: who.class}, "web:/login", LevelNone).level) ||
			!level.Allows(t.decide(&who, Resource(kindLogin+":"+string(RoadWeb))).level) {
			return false
		}
		return !slices.ContainsFunc(pages, func(p Resource) bool {
			return !level.Allows(t.decide(&who, p, s.routeDefault(p)...).level)
		})
	})
}

// everybody reports whether the class takes every address that none before it has taken.
func (c *Class) everybody() bool {
	four, six := false, false
	for _, p := range c.From {
		four = four || p.Bits() == 0 && p.Addr().Is4()
		six = six || p.Bits() == 0 && p.Addr().Is6()
	}
	return four && six && !c.Not
}

// undoRecord is the last change of an administrator, as the store keeps it.
type undoRecord struct {
	At    time.Time
	Rules []undoRule
}

type undoRule struct {
	Key           StoredRule
	Before, After *StoredRule
}

// readUndo is the change that the actor can still take back; ErrNotFound where there is none.
func (s *Service) readUndo(ctx context.Context, r StoreReader, by Actor) (undoRecord, error) {
	var u undoRecord
	text, err := r.Setting(ctx, undoSetting+by.User)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &u)
	}
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return u, err
	case err != nil || text == "" || s.now().Sub(u.At) > UndoFor:
		return u, faultf(ErrNotFound, "there is no change of yours to take back; that is possible for %d minutes", int(UndoFor/time.Minute))
	}
	return u, nil
}

// UndoUntil is until when the actor's last change of rules can be taken back; the zero time where there
// is none.
func (s *Service) UndoUntil(ctx context.Context, by Actor) (time.Time, error) {
	u, err := s.readUndo(ctx, s.store, by)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return u.At.Add(UndoFor), err
}

// UndoRules takes the actor's last change of rules back, where nobody has changed the same rules since.
func (s *Service) UndoRules(ctx context.Context, by Actor) (Review, error) {
	if !by.Level.Allows(changeRules) {
		return Review{}, faultf(ErrRefused, "changing the policy needs the level %s; yours is %s", changeRules, by.Level)
	}
	return s.applyRules(ctx, by, true, func(e *edit) (*draft, error) {
		u, err := s.readUndo(ctx, e, by)
		if err != nil {
			return nil, err
		}
		version, stored, err := e.PolicyRules(ctx)
		if err != nil {
			return nil, err
		}
		var edits []ruleDraft
		for _, x := range u.Rules {
			i := slices.IndexFunc(stored, x.Key.same)
			var now *StoredRule
			if i >= 0 {
				now = &stored[i]
			}
			p, err := s.compiled(x.Key)
			if err != nil {
				return nil, err
			}
			if (now == nil) != (x.After == nil) || now != nil && (now.Level != x.After.Level || now.By != x.After.By || !now.At.Equal(x.After.At)) {
				return nil, faultf(ErrRefused, "the rule %q has been changed since; nothing was taken back", p.Pattern)
			}
			edits = append(edits, ruleDraft{key: x.Key, parsed: p, after: x.Before})
		}
		return s.drafted(version, stored, edits)
	})
}

// removeRulesOf takes the rules that are narrowed to an account away with it.
func (e *edit) removeRulesOf(ctx context.Context, id UserID) error {
	n, err := e.RemoveRulesOf(ctx, id)
	e.rules = e.rules || n > 0
	return err
}

// rulesOfGroup counts the store's rules that are narrowed to a group.
func (s *Service) rulesOfGroup(gid uint32) int {
	n := 0
	for _, r := range s.rules().rules {
		if r.gid == gid && gid != 0 {
			n++
		}
	}
	return n
}
