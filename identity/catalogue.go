package identity

import (
	"cmp"
	"slices"
	"strings"
)

// Known is a resource that a road knows, for the list of all that policy can be about.
type Known struct {
	Resource Resource `json:"resource"` // with * for a segment and ** for the rest, where paths differ there
	Group    string   `json:"group"`    // one of the Group constants
	Text     string   `json:"text"`     // what it is
	Own      *Level   `json:"own"`      // what the code asks by itself; null: the default of its kind
	Raises   bool     `json:"raises"`   // rules raise what the code asks, and never lower it
	Fixed    bool     `json:"fixed"`    // no rule counts
}

// The groups of the catalogue, in its order.
const (
	GroupDefaults = "defaults"
	GroupLogin    = "login"
	GroupPages    = "pages"
	GroupAPI      = "api"
	GroupFTP      = "ftp"
	GroupXMPP     = "xmpp"
	GroupFiles    = "files"
)

// CatalogueGroups lists them.
func CatalogueGroups() []string {
	return []string{GroupDefaults, GroupLogin, GroupPages, GroupAPI, GroupFTP, GroupXMPP, GroupFiles}
}

// CatalogueEntry is a resource with the level that it needs now, of nobody in particular.
type CatalogueEntry struct {
	Known
	Required Level  `json:"required"`
	Pattern  string `json:"pattern"` // of the rule that says so; "" where none does
	Source   string `json:"source"`  // as Decision.Source; "fixed" where no rule counts
}

// AddResources registers what a road knows; list is called for each look. It is called before Run.
func (s *Service) AddResources(list func() []Known) { s.resources = append(s.resources, list) }

// allKnown lists what all roads know, the defaults and the log-ins first.
func (s *Service) allKnown() []Known {
	var all []Known
	for _, kind := range defaultKinds() {
		all = append(all, Known{Resource: Resource(kindDefault + ":" + kind), Group: GroupDefaults, Text: "where no rule of " + kind + " says anything"})
	}
	for _, road := range []Road{RoadFTP, RoadWeb, RoadXMPP} {
		all = append(all, Known{Resource: Resource(kindLogin + ":" + string(road)), Group: GroupLogin, Text: "logging in over " + string(road)})
	}
	for _, list := range s.resources {
		all = append(all, list()...)
	}
	slices.SortStableFunc(all, func(a, b Known) int {
		return cmp.Or(cmp.Compare(slices.Index(CatalogueGroups(), a.Group), slices.Index(CatalogueGroups(), b.Group)),
			strings.Compare(string(a.Resource), string(b.Resource)))
	})
	return all
}

// Catalogue lists every resource that the roads know, with its present level and the rule that says so.
func (s *Service) Catalogue() []CatalogueEntry {
	t := s.rules()
	known := s.allKnown()
	out := make([]CatalogueEntry, 0, len(known))
	for _, k := range known {
		e := CatalogueEntry{Known: k, Source: "fixed"}
		if k.Fixed {
			e.Required = LevelNone
		} else {
			rule := t.rule(k.decide(t, &subject{}))
			e.Required, e.Pattern, e.Source = rule.Level, rule.Pattern, rule.Source
		}
		out = append(out, e)
	}
	return out
}

// decide is what a table says of a known resource.
func (k Known) decide(t *policyTable, who *subject) verdict {
	var def []Level
	if k.Own != nil {
		def = []Level{*k.Own}
	}
	if kind, ok := strings.CutPrefix(string(k.Resource), kindDefault+":"); ok {
		return t.fallback(who, kind, nil)
	}
	v := t.decide(who, k.asked(), def...)
	if k.Raises {
		v = v.raised(def)
	}
	return v
}

// asked is the resource to ask about: of a subtree its top.
func (k Known) asked() Resource {
	r := strings.TrimSuffix(string(k.Resource), "/**")
	if strings.HasSuffix(r, ":") {
		r += "/"
	}
	return Resource(r)
}

// floored reports whether rules raise what the code asks of a resource, and do not lower it.
func (s *Service) floored(r Resource) bool {
	return strings.HasPrefix(string(r), "web:/api/")
}
