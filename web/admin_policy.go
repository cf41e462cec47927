package web

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"trivium/identity"
	"trivium/web/text"
)

// policyView is the matrix of one group of resources, the rules, and Try it.
type policyView struct {
	page
	Group    string
	Tabs     []policyTab
	Columns  []identity.Level
	Rows     []policyRow
	Editable bool // the group has rows that a rule can be about
	Lower    bool // the visitor may make rules less strict
	Rules    []policyRuleRow
	More     int // rules that are not shown
	Undo     stamp
	CanUndo  bool
	Extra    field // further rules, a line each
	Note     field

	Address     field // whose class is asked for
	ClassAnswer string

	Resource, User, Class field
	Decision              *identity.Decision
}

type policyTab struct {
	Href, Label string
	Here        bool
}

// policyRow is one resource: what it needs, who by, and what the store says of it.
type policyRow struct {
	Resource string
	Texts    []string
	Required identity.Level
	By       string // the rule, or where the level is from
	Fixed    bool
	Raises   bool
	Cells    []policyCell
	Select   string // name of its select
	Options  []option
}

type policyCell struct {
	Level   identity.Level
	Allowed bool
}

type policyRuleRow struct {
	identity.Rule
	Stored bool
}

// reviewView shows what a change of rules would do.
type reviewView struct {
	page
	identity.Review
	Group, Text, Note string // of the form that applies it
	More              int    // sessions that are not shown
}

// matrixLevels are the columns: what a session can hold.
func matrixLevels() []identity.Level {
	all := identity.Levels()
	return all[:len(all)-1]
}

var policyLabels = map[string]string{identity.GroupDefaults: "admin_policy.defaults", identity.GroupLogin: "admin_policy.log_in", identity.GroupPages: "admin_policy.web_pages", identity.GroupAPI: "API",
	identity.GroupFTP: "admin_policy.ftp_commands", identity.GroupXMPP: "XMPP", identity.GroupFiles: "admin_policy.files"}

// maxShownRules bounds the list of rules on the page; trivium policy list has all.
const maxShownRules = 300

func (s *Server) getPolicy(v *visit) error {
	view := &policyView{Group: v.QueryParam("group")}
	view.Resource.Value, view.User.Value, view.Class.Value = v.QueryParam("resource"), v.QueryParam("user"), v.QueryParam("class")
	status := http.StatusOK
	if view.Resource.Value != "" && view.User.Value != "" {
		d, err := s.explain(v, view)
		switch a := answerTo(err); {
		case err == nil:
			view.Decision = &d
		case a.fallback:
			return err
		default:
			status = http.StatusUnprocessableEntity
			text := a.words(v.words, err)
			if a.status == http.StatusNotFound {
				text = "admin_policy.there_is_neither_an_account_nor"
			}
			view.User.Error = text
		}
	}
	if view.Address.Value = v.QueryParam("address"); view.Address.Value != "" {
		if a, err := netip.ParseAddr(strings.TrimSpace(view.Address.Value)); err != nil {
			status, view.Address.Error = http.StatusUnprocessableEntity, v.T("classes.no_address")
		} else {
			view.ClassAnswer = s.classAnswer(v, a)
		}
	}
	return s.showPolicy(v, status, view)
}

// classAnswer says in words which class an address is in, and why.
func (s *Server) classAnswer(v *visit, a netip.Addr) string {
	why, ok := s.opt.Registry.ExplainClass(v.ctx(), a)
	if !ok {
		return v.T("classes.in_none", a.String())
	}
	reason := ""
	switch why.By {
	case "network":
		reason = v.T("classes.by_network", why.Match)
	case "class":
		reason = v.T("classes.by_class", why.Match)
	case "classes":
		reason = v.T("classes.by_classes", why.Match)
	case "host":
		reason = v.T("classes.by_host", why.Host, why.Match)
	default:
		reason = v.T("classes.by_none")
	}
	return v.T("classes.in", a.String(), why.Class, reason)
}

// explain takes the subject for a level where it is the name of one, else for an account.
func (s *Server) explain(v *visit, view *policyView) (identity.Decision, error) {
	by := identity.Asker{User: view.User.Value, Class: view.Class.Value}
	if l, err := identity.ParseLevel(by.User); err == nil {
		by.User, by.Level = "", l
	}
	return s.opt.Identity.Explain(v.ctx(), identity.Resource(view.Resource.Value), by)
}

func (s *Server) showPolicy(v *visit, status int, view *policyView) error {
	if _, ok := policyLabels[view.Group]; !ok {
		view.Group = identity.GroupDefaults
	}
	view.Columns, view.Lower = matrixLevels(), v.level.Allows(identity.LevelRoot)
	view.Resource = field{ID: "resource", Name: "resource", Label: "admin_policy.resource", Type: "text", Value: view.Resource.Value, Error: view.Resource.Error, Required: true, Help: "admin_policy.such_as_web_admin_users_ftp"}
	view.User = field{ID: "user", Name: "user", Label: "admin_policy.user_or_level", Type: "text", Value: view.User.Value, Error: view.User.Error, Required: true, Help: "admin_policy.a_user_name_or_a_level"}
	view.Class = field{ID: "class", Name: "class", Label: "admin_policy.class", Type: "text", Value: view.Class.Value, Help: "admin_policy.of_addresses_empty_none"}
	view.Address = field{ID: "address", Name: "address", Label: v.T("classes.address"), Type: "text", Value: view.Address.Value, Error: view.Address.Error, Required: true, Help: v.T("classes.help")}
	view.Extra = field{ID: "extra", Name: "extra", Label: "admin_policy.further_rules", Type: "text", Rows: 3, Value: view.Extra.Value, Error: view.Extra.Error,
		Help: "admin_policy.a_line_each_ftp_write_pub"}
	view.Note = field{ID: "note", Name: "note", Label: "admin_policy.note", Type: "text", Value: view.Note.Value, Help: "admin_policy.why_for_those_who_read_the"}
	for _, f := range []*field{&view.User, &view.Extra, &view.Address} {
		if f.Error != "" {
			view.trouble(f, f.Error)
		}
	}
	for _, g := range identity.CatalogueGroups() {
		view.Tabs = append(view.Tabs, policyTab{Href: policyPath(g), Label: policyLabels[g], Here: g == view.Group})
	}
	rules := s.opt.Identity.Rules()
	stored := map[string]identity.Level{}
	for _, r := range rules {
		if r.Source == "store" {
			stored[r.Pattern] = r.Level
		}
		if len(view.Rules) < maxShownRules {
			view.Rules = append(view.Rules, policyRuleRow{r, r.Source == "store"})
		}
	}
	view.More = len(rules) - len(view.Rules)
	at := map[string]int{}
	for _, e := range s.opt.Identity.Catalogue() {
		if e.Group != view.Group {
			continue
		}
		if i, ok := at[string(e.Resource)]; ok { // another operation at the same path
			view.Rows[i].Texts = append(view.Rows[i].Texts, e.Text)
			continue
		}
		at[string(e.Resource)] = len(view.Rows)
		view.Rows = append(view.Rows, newPolicyRow(v.words, e, stored))
		view.Editable = view.Editable || !e.Fixed
	}
	until, err := s.opt.Identity.UndoUntil(v.ctx(), v.actor())
	if err != nil {
		return err
	}
	v.fill(&view.page, "admin.policy", "admin_policy.policy")
	view.CanUndo, view.Undo = !until.IsZero(), view.Stamp(until)
	return s.write(v, status, "admin_policy", view)
}

func policyPath(group string) string {
	return "/admin/policy?" + url.Values{"group": {group}}.Encode()
}

func newPolicyRow(words *text.Language, e identity.CatalogueEntry, stored map[string]identity.Level) policyRow {
	r := policyRow{Resource: string(e.Resource), Texts: []string{words.Echo("service", e.Text)}, Required: e.Required, Fixed: e.Fixed, Raises: e.Raises}
	switch {
	case e.Pattern == r.Resource:
		r.By = words.T("admin_policy.rule_of_the", words.Echo("service", e.Source))
	case e.Pattern != "":
		r.By = e.Pattern + " (" + words.Echo("service", e.Source) + ")"
	case e.Source == "route":
		r.By = "admin_policy.by_itself"
	default:
		r.By = words.Echo("service", e.Source)
	}
	for _, l := range matrixLevels() {
		r.Cells = append(r.Cells, policyCell{l, l.Allows(e.Required)})
	}
	if e.Fixed {
		return r
	}
	was := ""
	if l, ok := stored[r.Resource]; ok {
		was = strconv.Itoa(int(l))
	}
	r.Select = rulePrefix + was + ":" + r.Resource
	r.Options = append(r.Options, option{Value: "", Label: "admin_policy.no_rule_here", Selected: was == ""})
	for _, l := range identity.Levels() {
		o := option{Value: strconv.Itoa(int(l)), Label: levelWord(words, l) + " " + levelNumber(l)}
		if l == identity.LevelNobody {
			o.Label = "admin_policy.never_nobody_125"
		}
		o.Selected = o.Value == was
		r.Options = append(r.Options, o)
	}
	return r
}

// rulePrefix begins the name of a row's select; the level of its rule until now and the resource follow,
// so that a form that has been open for long changes what was changed in it alone.
const rulePrefix = "r"

var errRuleLine = errors.New("each line is a rule and a level, as in: file:/pub/** = user")

// policyForm reads the changes of a form: of the selects, of the ticked rules, and of the lines.
func policyForm(form url.Values) ([]identity.RuleChange, error) {
	var out []identity.RuleChange
	add := func(pattern, level string) error {
		c := identity.RuleChange{Pattern: pattern, Note: strings.TrimSpace(form.Get("note"))}
		if level != "" {
			r, err := identity.ParseRule(pattern, level)
			if err != nil {
				return err
			}
			c.Level = &r.Level
		}
		out = append(out, c)
		return nil
	}
	var fields []string
	for name := range form {
		fields = append(fields, name)
	}
	slices.Sort(fields)
	for _, name := range fields {
		rest, ok := strings.CutPrefix(name, rulePrefix)
		was, pattern, isRule := strings.Cut(rest, ":")
		if _, err := strconv.Atoi(was); !ok || !isRule || was != "" && err != nil {
			continue
		}
		if now := form.Get(name); now != was {
			if err := add(pattern, now); err != nil {
				return nil, err
			}
		}
	}
	for _, pattern := range form["remove"] {
		if err := add(pattern, ""); err != nil {
			return nil, err
		}
	}
	for line := range strings.Lines(form.Get("extra")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		i := strings.LastIndex(line, "=")
		if i < 0 {
			return nil, errRuleLine
		}
		if err := add(strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:])); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ruleLines is changes as lines of a form.
func ruleLines(changes []identity.RuleChange) string {
	var b strings.Builder
	for _, c := range changes {
		level := ""
		switch {
		case c.Level == nil:
		case *c.Level == identity.LevelNobody:
			level = "never"
		default:
			level = c.Level.String()
		}
		b.WriteString(c.Pattern + " = " + level + "\n")
	}
	return b.String()
}

// postPolicyReview shows what the change would do, and changes nothing.
func (s *Server) postPolicyReview(v *visit) error {
	form := v.Request().PostForm
	changes, err := policyForm(form)
	if err == nil && len(changes) == 0 {
		return v.sorry(policyPath(v.form("group")), "admin_policy.nothing_was_changed_choose_another_level")
	}
	var r identity.Review
	if err == nil {
		r, err = s.opt.Identity.ChangeRules(v.ctx(), v.actor(), changes, true)
	}
	if err != nil {
		return s.wrongPolicy(v, err, ruleLines(changes))
	}
	view := &reviewView{Review: r, Group: v.form("group"), Text: ruleLines(changes), Note: v.text("note"), More: r.Affected - len(r.Sessions)}
	v.fill(&view.page, "admin.policy", "admin_policy.review")
	return s.write(v, http.StatusOK, "admin_policy_review", view)
}

// sorry is see with a flash that says why nothing was done.
func (v *visit) sorry(path, text string) error {
	v.flash(flash{Kind: flashError, Text: text})
	return v.see(path)
}

// wrongPolicy shows the page again with what is wrong; what was chosen in it stands as lines.
func (s *Server) wrongPolicy(v *visit, err error, lines string) error {
	a := answerTo(err)
	text := a.words(v.words, err)
	if errors.Is(err, errRuleLine) {
		a.status, text = http.StatusUnprocessableEntity, v.T("admin_policy.further_rules_are_wrong")
	} else if a.fallback {
		return err
	}
	if a.status == http.StatusNotFound {
		a.status, text = http.StatusUnprocessableEntity, v.spoken(err)
	}
	view := &policyView{Group: v.form("group")}
	if view.Extra.Value = lines; lines == "" {
		view.Extra.Value = v.form("extra")
	}
	view.Extra.Error, view.Note.Value = text, v.text("note")
	return s.showPolicy(v, a.status, view)
}

func (s *Server) postPolicyApply(v *visit) error {
	changes, err := policyForm(v.Request().PostForm)
	var r identity.Review
	if err == nil {
		r, err = s.opt.Identity.ChangeRules(v.ctx(), v.actor(), changes, false)
	}
	if err != nil {
		return s.wrongPolicy(v, err, ruleLines(changes))
	}
	if !r.Applied {
		return v.done(policyPath(v.form("group")), "admin_policy.nothing_changed_the_rules_were_so")
	}
	return v.done(policyPath(v.form("group")), "admin_policy.rules_changed_you_can_undo_that", len(r.Rules))
}

func (s *Server) postPolicyUndo(v *visit) error {
	to := policyPath(v.form("group"))
	r, err := s.opt.Identity.UndoRules(v.ctx(), v.actor())
	if errors.Is(err, identity.ErrNotFound) {
		return v.sorry(to, "admin_policy.nothing_was_taken_back_there_is")
	}
	if err != nil {
		return v.refused(to, "admin_policy.nothing_was_taken_back", err)
	}
	return v.done(to, "admin_policy.rules_are_as_before", len(r.Rules))
}
