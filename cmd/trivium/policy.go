package main

import (
	"cmp"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

type decision struct {
	Resource string  `json:"resource"`
	Required int     `json:"required"`
	Allowed  bool    `json:"allowed"`
	Held     int     `json:"held"`
	Pattern  string  `json:"pattern"`
	Source   string  `json:"source"`
	Client   string  `json:"client"`
	User     *string `json:"user"`
	Needed   string  `json:"needed"`
	Lost     []rule  `json:"lost"`
}

type rule struct {
	Pattern string `json:"pattern"`
	Level   int    `json:"level"`
	Source  string `json:"source"`
	Note    string `json:"note"`
	By      string `json:"by"`
	Why     string `json:"why"`
}

type known struct {
	Resource string `json:"resource"`
	Group    string `json:"group"`
	Text     string `json:"text"`
	Required int    `json:"required"`
	Pattern  string `json:"pattern"`
	Source   string `json:"source"`
}

type review struct {
	Applied   bool       `json:"applied"`
	UndoUntil *time.Time `json:"undo_until"`
	Rules     []struct {
		Pattern string `json:"pattern"`
		Before  *int   `json:"before"`
		After   *int   `json:"after"`
	} `json:"rules"`
	Resources []struct {
		Resource string `json:"resource"`
		For      string `json:"for"`
		Before   int    `json:"before"`
		After    int    `json:"after"`
	} `json:"resources"`
	Sessions []sessionChange `json:"sessions"`
	Affected int             `json:"affected"`
}

type sessionChange struct {
	ID       string   `json:"id"`
	User     string   `json:"user"`
	Protocol string   `json:"protocol"`
	Ends     bool     `json:"ends"`
	Loses    []string `json:"loses"`
	Wins     []string `json:"wins"`
}

// effect is what a change means to a session.
func (x sessionChange) effect() string {
	var parts []string
	if x.Ends {
		parts = append(parts, "ends")
	}
	if len(x.Loses) > 0 {
		parts = append(parts, "loses "+strings.Join(x.Loses, ", "))
	}
	if len(x.Wins) > 0 {
		parts = append(parts, "wins "+strings.Join(x.Wins, ", "))
	}
	return strings.Join(parts, "; ")
}

type policyCmd struct {
	List    policyListCmd    `cmd:"" aliases:"ls" help:"List the rules, the most specific first."`
	Set     policySetCmd     `cmd:"" help:"Set a rule in the store; it counts at once, for live sessions too."`
	Unset   policyUnsetCmd   `cmd:"" help:"Remove a rule from the store."`
	Undo    policyUndoCmd    `cmd:"" help:"Take your last change of rules back, within 10 minutes."`
	Import  policyImportCmd  `cmd:"" help:"Turn the <Limit> sections of a ProFTPD configuration into rules."`
	Explain policyExplainCmd `cmd:"" aliases:"show" help:"Say who may use a resource, which rule decides, and why."`
}

type policyListCmd struct {
	All bool `name:"all" help:"Every resource that rules can be about, with the level that it needs now."`
}

// Run lists rules, or resources.
func (c *policyListCmd) Run(s *shell) error {
	if c.All {
		return s.resources()
	}
	return tableOf(s, "/policy", nil, "No rules; the defaults of each kind hold.", []string{"RESOURCE", "LEVEL", "SOURCE", "BY", "NOTE"}, func(r rule) []string {
		return []string{r.Pattern, required(r.Level), r.Source, r.By, r.Note}
	})
}

func (s *shell) resources() error {
	return tableOf(s, "/policy/catalogue", nil, "Nothing is known; is the server running?", []string{"GROUP", "RESOURCE", "LEVEL", "BY RULE", "WHAT"}, func(k known) []string {
		why := k.Source
		if k.Pattern != "" {
			why = k.Pattern + " (" + k.Source + ")"
		}
		return []string{k.Group, k.Resource, required(k.Required), why, k.Text}
	})
}

// required is a level that something needs.
func required(n int) string {
	if n == nobody {
		return "never"
	}
	return level(n)
}

// nobody is the level that nobody holds.
const nobody = 125

type policySetCmd struct {
	Pattern string `arg:"" name:"resource" help:"Such as 'ftp:SITE CHMOD', 'file:/pub/** for group:staff', default:web."`
	Level   string `arg:"" name:"level" help:"A level by name or number, or never."`
	Note    string `name:"note" placeholder:"TEXT" help:"Why, for those who read the list."`
	DryRun  bool   `name:"dry-run" help:"Change nothing; say which live sessions would lose or win what."`
}

// Help has the examples.
func (c *policySetCmd) Help() string {
	return "Examples:\n\n  trivium policy set 'ftp:SITE CHMOD' staff\n  trivium policy set 'login:ftp for user:alice' never --dry-run\n  trivium policy set 'file:/pub/board/** for group:editors' user --note 'they write it'\n  trivium policy set default:ftp never"
}

// Run sets a rule.
func (c *policySetCmd) Run(s *shell) error {
	return s.changePolicy(map[string]any{"pattern": c.Pattern, "level": c.Level, "note": c.Note}, c.DryRun)
}

type policyUnsetCmd struct {
	Pattern string `arg:"" name:"resource" help:"As policy list shows it."`
	DryRun  bool   `name:"dry-run" help:"Change nothing; say which live sessions would lose or win what."`
}

// Run removes a rule.
func (c *policyUnsetCmd) Run(s *shell) error {
	return s.changePolicy(map[string]any{"pattern": c.Pattern}, c.DryRun)
}

func (s *shell) changePolicy(change map[string]any, dry bool) error {
	var r review
	body, err := s.send(http.MethodPost, "/policy/changes", nil, map[string]any{"changes": []any{change}, "dry_run": dry}, &r)
	if err != nil {
		return err
	}
	return s.review(body, r)
}

type policyUndoCmd struct{}

// Run takes a change back.
func (c *policyUndoCmd) Run(s *shell) error {
	var r review
	body, err := s.send(http.MethodPost, "/policy/undo", nil, nil, &r)
	if err != nil {
		return err
	}
	return s.review(body, r)
}

type policyImportCmd struct {
	File  string            `arg:"" name:"file" help:"proftpd.conf; - is standard input."`
	Maps  map[string]string `name:"map" placeholder:"FOLDER=PATH" help:"Where a real folder lies here: /srv/ftp=/pub."`
	Apply bool              `name:"apply" help:"Set the rules; else only show them."`
}

// Help has the examples.
func (c *policyImportCmd) Help() string {
	return "Without --apply nothing is changed. What cannot be said as rules is listed line by line.\n\nExamples:\n\n  trivium policy import /etc/proftpd/proftpd.conf --map /srv/ftp=/pub\n  trivium policy import /etc/proftpd/proftpd.conf --map /srv/ftp=/pub --apply"
}

// maxImport bounds the file.
const maxImport = 900_000

// Run reads a configuration.
func (c *policyImportCmd) Run(s *shell) error {
	var from io.Reader = s.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it is only read
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxImport+1))
	if err != nil {
		return err
	}
	if len(text) > maxImport {
		return usage("%s is larger than %d bytes", c.File, maxImport)
	}
	var got struct {
		Rules []struct {
			Pattern string `json:"pattern"`
			Level   int    `json:"level"`
			Line    int    `json:"line"`
		} `json:"rules"`
		Skipped []struct {
			Line int    `json:"line"`
			Text string `json:"text"`
			Why  string `json:"why"`
		} `json:"skipped"`
		Review *review `json:"review"`
	}
	if shown, err := s.submit(http.MethodPost, "/policy/import", nil, map[string]any{"text": strings.ToValidUTF8(string(text), "?"), "maps": c.Maps, "apply": c.Apply}, &got); shown || err != nil {
		return err
	}
	for _, r := range got.Rules {
		if err := s.lines("rule      " + r.Pattern + " = " + required(r.Level) + "   (line " + strconv.Itoa(r.Line) + ")"); err != nil {
			return err
		}
	}
	for _, x := range got.Skipped {
		if err := s.lines("not said  line " + strconv.Itoa(x.Line) + ", " + x.Text + ": " + x.Why); err != nil {
			return err
		}
	}
	switch {
	case got.Review == nil || len(got.Review.Rules) == 0:
		return s.say("There is nothing to set.")
	case !got.Review.Applied:
		return s.say("Nothing was changed. Sessions that would lose or win something: %d. Set the rules with --apply.", got.Review.Affected)
	}
	return s.say("Set %d rules. Take them back with: trivium policy undo", len(got.Review.Rules))
}

// review shows what a change did, or would do.
func (s *shell) review(body []byte, r review) error {
	if s.JSON {
		return s.json(body)
	}
	if len(r.Rules) == 0 {
		return s.say("Nothing changes: the rules are so already.")
	}
	shown := func(n *int) string {
		if n == nil {
			return "no rule"
		}
		return required(*n)
	}
	var lines []string
	for _, x := range r.Rules {
		lines = append(lines, "rule      "+x.Pattern+": "+shown(x.Before)+" → "+shown(x.After))
	}
	for _, x := range r.Resources {
		text := "resource  " + x.Resource + ": " + required(x.Before) + " → " + required(x.After)
		if x.For != "" {
			text += " for " + x.For
		}
		lines = append(lines, text)
	}
	for _, x := range r.Sessions {
		lines = append(lines, "session   "+x.ID+" "+cmp.Or(x.User, "anonymous")+" "+x.Protocol+": "+x.effect())
	}
	if more := r.Affected - len(r.Sessions); more > 0 {
		lines = append(lines, "          and "+strconv.Itoa(more)+" more sessions")
	}
	if !r.Applied {
		lines = append(lines, "Nothing was changed.")
	} else if r.UndoUntil != nil {
		lines = append(lines, "Done. Take it back with: trivium policy undo")
	} else {
		lines = append(lines, "Taken back.")
	}
	return s.lines(lines...)
}

// lines shows a result of several lines.
func (s *shell) lines(lines ...string) error {
	for _, l := range lines {
		if err := s.result(l); err != nil {
			return err
		}
	}
	return nil
}

type policyExplainCmd struct {
	Resource string `arg:"" name:"resource" help:"Such as 'ftp:SITE CHMOD', ftp:STOR:/pub/a, web:/admin/users, file:/pub/a, xmpp:muc:create, login:ftp."`
	User     string `name:"user" xor:"who" placeholder:"LOGIN" help:"For this account."`
	Level    string `name:"level" xor:"who" placeholder:"LEVEL" help:"For this level."`
	Class    string `name:"class" placeholder:"CLASS" help:"For a session of this class of addresses."`
}

// Help has the examples.
func (c *policyExplainCmd) Help() string {
	return "Examples:\n\n  trivium policy explain 'ftp:SITE CHMOD' --user alice\n  trivium policy explain ftp:STOR:/pub/incoming/a --user alice --class lan\n  trivium policy explain web:/admin/users --level staff"
}

// Run explains.
func (c *policyExplainCmd) Run(s *shell) error {
	var d decision
	if shown, err := s.fetch("/policy/explain", query("resource", c.Resource, "user", c.User, "level", c.Level, "class", c.Class), &d); shown || err != nil {
		return err
	}
	return s.lines(strings.Split(d.sentence(), "\n")...)
}

func (d decision) sentence() string {
	needs := d.Resource + " needs " + level(d.Required)
	if d.Required == nobody {
		needs = d.Resource + " is for nobody"
	}
	why := "default"
	if d.Source == "route" {
		why = "what it asks by itself"
	}
	if d.Pattern != "" {
		why = "rule " + d.Pattern + " of " + d.Source
	}
	held := "the level asked about is " + level(d.Held)
	if d.User != nil {
		held = *d.User + " has " + level(d.Held)
	}
	text := needs + " (" + why + "), " + held + "."
	if d.Allowed {
		text = "yes — " + text
		if strings.HasPrefix(d.Resource, "file:") {
			text += " Permission bits must allow it as well."
		}
	} else {
		text = "no — " + text + " The client sees: " + d.Client + seen(d.Client)
		if d.Needed != "" {
			text += "\n" + d.Needed
		}
	}
	for _, r := range d.Lost {
		text += "\nnot by " + r.Pattern + " = " + required(r.Level) + " (" + r.Source + "): " + r.Why
	}
	return text
}

// seen says what the protocol's own answer means.
func seen(client string) string {
	switch client {
	case "404":
		return ", as for a page that does not exist."
	case "502":
		return ", as for a command that does not exist."
	case "550":
		return ", as for a file that does not exist."
	case "item-not-found", "service-unavailable":
		return ", as for a service that does not exist."
	}
	return "."
}

type class struct {
	Name         string   `json:"name"`
	From         []string `json:"from"`
	Hosts        []string `json:"hosts"`
	All          []string `json:"all"`
	Any          []string `json:"any"`
	Not          bool     `json:"not"`
	Protocols    []string `json:"protocols"`
	MaxLevel     *int     `json:"max_level"`
	TLSRequired  bool     `json:"tls_required"`
	SecondFactor bool     `json:"second_factor"`
}

type classCmd struct {
	List classListCmd `cmd:"" aliases:"ls" help:"List classes in the order in which they are tried."`
	Test classTestCmd `cmd:"" help:"Say which class an address is in."`
}

type classListCmd struct{}

// Run lists classes.
func (c *classListCmd) Run(s *shell) error {
	return tableOf(s, "/classes", nil, "No classes: all addresses are alike.", []string{"CLASS", "ADDRESSES", "ROADS", "HIGHEST LEVEL", "TLS", "2FA"}, func(x class) []string {
		most := "any"
		if x.MaxLevel != nil {
			most = level(*x.MaxLevel)
		}
		tls := "optional"
		if x.TLSRequired {
			tls = "required"
		}
		factor := "optional"
		if x.SecondFactor {
			factor = "required"
		}
		return []string{x.Name, x.condition(), orAll(x.Protocols), most, tls, factor}
	})
}

func (x class) condition() string {
	list := append(append([]string{}, x.From...), x.Hosts...)
	if len(x.All) > 0 {
		list = append(list, "all of "+strings.Join(x.All, "+"))
	}
	if len(x.Any) > 0 {
		list = append(list, "any of "+strings.Join(x.Any, "+"))
	}
	text := strings.Join(list, ", ")
	if x.Not {
		text = "not " + text
	}
	return text
}

type classTestCmd struct {
	Address string `arg:"" name:"address" help:"An IP address."`
}

// Run says which class it is.
func (c *classTestCmd) Run(s *shell) error {
	if _, err := netip.ParseAddr(c.Address); err != nil {
		return usage("%q is not an IP address", c.Address)
	}
	var found struct {
		Class *string `json:"class"`
		By    string  `json:"by"`
		Match string  `json:"match"`
		Host  string  `json:"host"`
	}
	if shown, err := s.fetch("/classes/test", query("address", c.Address), &found); shown || err != nil {
		return err
	}
	if found.Class == nil {
		return s.result(c.Address + " is in no class.")
	}
	why := map[string]string{"network": "it lies in " + found.Match, "class": "it is in the class " + found.Match, "classes": "it is in all of the classes " + found.Match,
		"host": "its name is " + found.Host + ", which " + found.Match + " matches", "none": "nothing that the class leaves out applies to it"}[found.By]
	return s.result(c.Address + " is in class " + *found.Class + ": " + why + ".")
}
