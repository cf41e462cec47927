package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"trivium/identity"
)

// Class is a class of addresses as JSON.
type Class struct {
	Name                  string          `json:"name"`
	From                  []netip.Prefix  `json:"from"`
	Hosts                 []string        `json:"hosts"`
	All                   []string        `json:"all"`
	Any                   []string        `json:"any"`
	Not                   bool            `json:"not"`
	Protocols             []identity.Road `json:"protocols" doc:"roads open to it; empty: all"`
	MaxLevel              *identity.Level `json:"max_level"`
	TLSRequired           bool            `json:"tls_required"`
	SecondFactor          bool            `json:"second_factor"`
	MaxSessions           int             `json:"max_sessions"`
	MaxSessionsPerAddress int             `json:"max_sessions_per_address"`
}

func (a *API) registerPolicy() {
	handle(a, identity.LevelStaff, http.MethodGet, "/policy", "list-policy", "List the policy table, the most specific rule first", a.listPolicy)
	handle(a, identity.LevelStaff, http.MethodGet, "/policy/catalogue", "list-resources", "List every resource that rules can be about, with its present level and the rule that says so", a.listResources)
	tagged(a, identity.LevelAdmin, http.MethodPost, "/policy/changes", "change-policy", "Set and remove rules of the store, all or none; with dry_run say what that would do", a.rulesIn, a.changePolicy)
	tagged(a, identity.LevelAdmin, http.MethodPost, "/policy/import", "import-policy", "Read the <Limit> sections of a ProFTPD configuration, and with apply set them as rules", a.rulesIn, a.importPolicy)
	tagged(a, identity.LevelAdmin, http.MethodPost, "/policy/undo", "undo-policy", "Take back the caller's own last change of rules, within 10 minutes", a.rulesIn, a.undoPolicy)
	handle(a, identity.LevelStaff, http.MethodGet, "/policy/explain", "explain-policy", "Say which rule decides about a resource for a user or level", a.explain)
	handle(a, identity.LevelStaff, http.MethodGet, "/classes/test", "test-class", "Say which class an address is in", a.testClass)
	handle(a, identity.LevelStaff, http.MethodGet, "/classes", "list-classes", "List the classes in the order in which they are tried", a.listClasses)
}

// ruleList is the policy table.
type ruleList []identity.Rule

// listPolicy reads the store, for its tag is good for a change.
func (a *API) listPolicy(ctx context.Context, _ *struct{}) (*struct{ Body ruleList }, error) {
	rules, err := a.id.RulesIn(ctx, a.id.Reader())
	if err != nil {
		return nil, err
	}
	who(ctx).exchange.state = stateTag(ruleList(rules)) // of all, whichever page of it is shown
	return &struct{ Body ruleList }{rules}, nil
}

func (a *API) listResources(context.Context, *struct{}) (*struct {
	Body []identity.CatalogueEntry
}, error) {
	return &struct {
		Body []identity.CatalogueEntry
	}{a.id.Catalogue()}, nil
}

// RuleLevel is a level in a rule: a number or a name, or never.
type RuleLevel struct{ Level }

// UnmarshalJSON is for people's hands.
func (l *RuleLevel) UnmarshalJSON(b []byte) error {
	if strings.EqualFold(strings.Trim(string(b), `"`), "never") {
		l.Level.Level = identity.LevelNobody
		return nil
	}
	return l.Level.Level.UnmarshalJSON(b)
}

// PolicyChange is one rule that is to be set, or without a level removed.
type PolicyChange struct {
	Pattern string     `json:"pattern" maxLength:"1024" doc:"ftp:WRITE:/pub/** for group:staff"`
	Level   *RuleLevel `json:"level,omitempty" doc:"absent: the rule is removed; never is 125"`
	Note    string     `json:"note,omitempty" maxLength:"256"`
}

type changePolicyIn struct {
	Body struct {
		Changes []PolicyChange `json:"changes" minItems:"1" maxItems:"5000"`
		DryRun  bool           `json:"dry_run,omitempty" doc:"change nothing"`
	}
}

type reviewOut struct{ Body identity.Review }

func (a *API) changePolicy(ctx context.Context, in *changePolicyIn) (*reviewOut, error) {
	changes := make([]identity.RuleChange, 0, len(in.Body.Changes))
	for _, c := range in.Body.Changes {
		x := identity.RuleChange{Pattern: c.Pattern, Note: c.Note}
		if c.Level != nil {
			x.Level = &c.Level.Level.Level
		}
		changes = append(changes, x)
	}
	r, err := a.id.ChangeRules(ctx, who(ctx).actor, changes, in.Body.DryRun)
	if err != nil {
		return nil, err
	}
	return &reviewOut{r}, nil
}

func (a *API) undoPolicy(ctx context.Context, _ *struct{}) (*reviewOut, error) {
	r, err := a.id.UndoRules(ctx, who(ctx).actor)
	if err != nil {
		return nil, err
	}
	return &reviewOut{r}, nil
}

// Explanation is a decision and whom it is about.
type Explanation struct {
	identity.Decision
	User *string `json:"user" doc:"null where a level was asked about"`
}

func (a *API) explain(ctx context.Context, in *struct {
	Resource string `query:"resource" required:"true" doc:"ftp:SITE CHMOD, ftp:STOR:/pub/a, web:/admin/users, file:/pub/a, xmpp:muc:create, login:ftp"`
	User     string `query:"user"`
	Level    string `query:"level" doc:"where no user is given; absent: anonymous"`
	Class    string `query:"class" doc:"the class of the session; absent: none"`
}) (*struct{ Body Explanation }, error) {
	level := identity.LevelAnonymous
	if l, err := levelOf(in.Level); err != nil {
		return nil, err
	} else if l != nil {
		level = *l
	}
	out := &struct{ Body Explanation }{}
	if in.User != "" {
		if in.Level != "" {
			return nil, invalid("give user or level, not both")
		}
		acc, err := a.account(ctx, in.User)
		if err != nil {
			return nil, err
		}
		name := a.display(acc.Login, acc.Domain)
		out.Body.User = &name
	}
	d, err := a.id.Explain(ctx, identity.Resource(in.Resource), identity.Asker{User: in.User, Level: level, Class: in.Class})
	if err != nil {
		return nil, err
	}
	out.Body.Decision = d
	return out, nil
}

func (a *API) listClasses(context.Context, *struct{}) (*struct{ Body []Class }, error) {
	out := &struct{ Body []Class }{Body: []Class{}}
	for _, c := range a.o.Classes {
		j := Class{Name: c.Name, From: append([]netip.Prefix{}, c.From...), Hosts: append([]string{}, c.Hosts...),
			All: append([]string{}, c.All...), Any: append([]string{}, c.Any...), Not: c.Not, Protocols: append([]identity.Road{}, c.Roads...),
			TLSRequired: c.TLSRequired, SecondFactor: c.SecondFactor, MaxSessions: c.MaxSessions, MaxSessionsPerAddress: c.MaxSessionsPerAddress}
		if c.MaxLevel != 0 {
			j.MaxLevel = &c.MaxLevel
		}
		out.Body = append(out.Body, j)
	}
	return out, nil
}

// ClassOf is the class of an address as JSON.
type ClassOf struct {
	Address netip.Addr `json:"address"`
	Class   *string    `json:"class" doc:"null: in none"`
	By      string     `json:"by,omitempty" enum:"network,class,classes,host,none" doc:"what decided; none: the class is of those to whom nothing that it names applies"`
	Match   string     `json:"match,omitempty" doc:"the network, class or pattern of names that applied"`
	Host    string     `json:"host,omitempty" doc:"with host: the name of the address"`
}

func (a *API) testClass(ctx context.Context, in *struct {
	Address string `query:"address" required:"true"`
}) (*struct{ Body ClassOf }, error) {
	addr, err := netip.ParseAddr(in.Address)
	if err != nil {
		return nil, invalid("%q is not an IP address", in.Address)
	}
	out := &struct{ Body ClassOf }{ClassOf{Address: addr.Unmap()}}
	if why, ok := a.id.Registry.ExplainClass(ctx, addr); ok {
		out.Body.Class, out.Body.By, out.Body.Match, out.Body.Host = &why.Class, why.By, why.Match, why.Host
	}
	return out, nil
}
