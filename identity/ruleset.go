package identity

import (
	"context"
	"slices"
	"strings"
	"time"
)

// RuleAnonymous stands in StoredRule.User for anonymous sessions.
const RuleAnonymous UserID = "anonymous"

// StoredRule is a rule of the policy as the store keeps it. Whom it is narrowed to hangs on the ID or
// the gid, so that an account or group made anew inherits none; at most one of User, GID and Class is
// set.
type StoredRule struct {
	Resource string // the pattern without its narrowing, in its normal form
	User     UserID // or RuleAnonymous; "": none
	GID      uint32 // 0: none
	Class    string // "": none
	Level    Level  // LevelNobody: never
	Note     string
	By       string // who has set it, as Actor.User
	At       time.Time

	Name   UserName // of the user or group; only read
	Domain string   // likewise
}

// same reports whether two rules have the same key.
func (r StoredRule) same(o StoredRule) bool {
	return r.Resource == o.Resource && r.User == o.User && r.GID == o.GID && r.Class == o.Class
}

// Bounds of the store's rules.
const (
	maxRules    = 20000
	maxRuleNote = 256 // bytes
)

// normal is the resource of a pattern as the store keeps it, so that each has one form.
func (r *policyRule) normal() string {
	var b strings.Builder
	b.WriteString(r.kind + ":")
	segments := r.segments
	if r.kind == kindFTP && len(segments) > 0 {
		b.WriteString(segments[0])
		if segments = segments[1:]; r.path || r.rest {
			b.WriteByte(':')
		}
	}
	if r.rest {
		segments = append(slices.Clone(segments), "**")
	}
	switch {
	case r.path, r.kind == kindWeb, r.kind == kindFile:
		b.WriteByte('/')
		b.WriteString(strings.Join(segments, "/"))
	default:
		b.WriteString(strings.Join(segments, ":"))
	}
	return b.String()
}

// compiled is a stored rule as the table has it.
func (s *Service) compiled(r StoredRule) (policyRule, error) {
	at := r.At
	p := policyRule{scope: scopeAll, Rule: Rule{Pattern: r.Resource, Resource: r.Resource, Level: r.Level, Source: sourceStore,
		Note: r.Note, By: r.By, At: &at}}
	if err := p.read(); err != nil {
		return p, err
	}
	switch {
	case r.User == RuleAnonymous:
		p.scope, p.name, p.For = scopeUser, nobody, "user:"+string(nobody)
	case r.User != "":
		p.scope, p.user, p.For = scopeUser, r.User, "user:"+s.display(r.Name, r.Domain)
	case r.GID != 0:
		p.scope, p.gid, p.For = scopeGroup, r.GID, "group:"+s.display(r.Name, r.Domain)
	case r.Class != "":
		p.scope, p.class, p.For = scopeClass, r.Class, "class:"+r.Class
	}
	if p.For != "" {
		p.Pattern += forWord + p.For
	}
	return p, nil
}

// tableOf makes the table of the config's rules and these.
func (s *Service) tableOf(version int64, stored []StoredRule) (*policyTable, error) {
	rules := make([]policyRule, 0, len(stored))
	for _, r := range stored {
		p, err := s.compiled(r)
		if err != nil { // of a later version of this program
			s.log.Warn("a rule of the policy is passed over", "rule", r.Resource, "err", err)
			continue
		}
		rules = append(rules, p)
	}
	t, err := newPolicyTable(s.opts.Policy, s.opts.defaultLevels(), s.opts.Domain, s.opts.Classes, rules...)
	if err == nil {
		t.version = version
	}
	return t, err
}

// loadRules reads the rules of the store, and makes them count where nobody is logged in yet.
func (s *Service) loadRules(ctx context.Context, r StoreReader) (*policyTable, error) {
	version, stored, err := r.PolicyRules(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.tableOf(version, stored)
	if err == nil {
		s.policy.Store(t)
	}
	return t, err
}

// rulesChanged makes the store's rules count after a committed change, as reconcile does for accounts.
func (s *Service) rulesChanged(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), truthTimeout)
	defer cancel()
	if err := s.reloadRules(ctx); err != nil {
		s.log.Error("reading the rules of the policy", "err", err) // the poll meets the change again
	}
}

// pollRules meets the changes of rules that were made elsewhere.
func (s *Service) pollRules(ctx context.Context) error {
	version, err := s.store.RulesVersion(ctx)
	if err != nil || version == s.rules().version {
		return err
	}
	return s.reloadRules(ctx)
}

// reloadRules reads the rules and lets them take effect on the live sessions before it returns.
func (s *Service) reloadRules(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	version, stored, err := s.store.PolicyRules(ctx)
	if err != nil {
		return err
	}
	t, err := s.tableOf(version, stored)
	if err != nil {
		return err
	}
	// A log-in that has asked the old table has attached what it made of it before this, and is met.
	s.truth.Lock()
	s.policy.Store(t)
	sessions := s.Registry.all()
	s.truth.Unlock()
	why := Reason{Code: ReasonPolicy, Text: ErrRoadClosed.Error()}
	var out []*Session
	for _, ses := range sessions {
		has, ok := ses.attached()
		switch {
		case !ok:
		case !s.shutOut(t, ses):
			ses.tellChanged()
		case ses.browser != nil && !has.creds.Anonymous():
			s.demote(ses.browser, why)
		default:
			out = append(out, ses)
		}
	}
	s.Registry.finish(out, why, true)
	return nil
}

// shutOut reports whether a table lets what the session is by now log in no more on its road.
func (s *Service) shutOut(t *policyTable, ses *Session) bool {
	who, level, _ := ses.subject()
	rule := t.required(who, Resource(kindLogin+":"+string(ses.protocol.Road())))
	if who.anonymous {
		return rule.For != "" && !LevelAnonymous.Allows(rule.Level) // as keepsOut
	}
	return who.login != "" && !level.Allows(rule.Level)
}

// all lists every session, in no order.
func (r *Registry) all() []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Session, 0, len(r.sessions))
	for _, s := range r.sessions {
		out = append(out, s)
	}
	return out
}

// RuleChange sets one rule of the store or, where Level is nil, removes it.
type RuleChange struct {
	Pattern string // with its narrowing, as in the config
	Level   *Level // LevelNobody: never
	Note    string // why, for people; at most 256 bytes
}

// keyOf resolves whom a pattern is narrowed to.
func (s *Service) keyOf(ctx context.Context, r StoreReader, pattern string) (StoredRule, policyRule, error) {
	p, err := parsePattern(pattern)
	if err != nil {
		return StoredRule{}, p, err
	}
	key := StoredRule{Resource: p.normal()}
	switch p.scope {
	case scopeUser:
		if p.name == nobody {
			key.User = RuleAnonymous
			break
		}
		a, err := s.find(ctx, r, strings.TrimPrefix(p.For, "user:"))
		if err != nil {
			return key, p, err
		}
		key.User, key.Name, key.Domain = a.ID, a.Login, a.Domain
	case scopeGroup:
		g, err := s.findGroup(ctx, r, strings.TrimPrefix(p.For, "group:"), s.opts.Domain)
		if err != nil {
			return key, p, err
		}
		key.GID, key.Name, key.Domain = g.GID, g.Name, g.Domain
	case scopeClass:
		if _, ok := s.Registry.classes.byName[p.class]; !ok {
			return key, p, faultf(ErrNotFound, "no class %q; classes stand in the configuration, as [[class]]", p.class)
		}
		key.Class = p.class
	}
	return key, p, nil
}

// CheckRule says what is wrong with a pattern: ErrInvalid, or ErrNotFound where there is no such user, group
// or class.
func (s *Service) CheckRule(ctx context.Context, pattern string) error {
	_, _, err := s.keyOf(ctx, s.store, pattern)
	return err
}
