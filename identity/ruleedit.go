package identity

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// Levels from which on rules may be changed. Below LevelRoot they may be made stricter alone, and no
// stricter than the actor's own level.
const (
	changeRules = LevelAdmin
	lowerRules  = LevelRoot
)

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
			g, err := r.GroupBriefByGID(ctx, x.key.GID)
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

// removeRulesOf takes the rules that are narrowed to an account away with it, and what it was told.
func (e *edit) removeRulesOf(ctx context.Context, id UserID) error {
	if err := e.RemoveNotificationsOf(ctx, id); err != nil {
		return err
	}
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
