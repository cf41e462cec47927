package identity

import (
	"slices"
	"strings"
)

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
