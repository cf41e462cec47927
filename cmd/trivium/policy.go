package main

import (
	"net/netip"
	"strings"
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
}

type rule struct {
	Pattern string `json:"pattern"`
	Level   int    `json:"level"`
	Source  string `json:"source"`
}

type policyCmd struct {
	List    policyListCmd    `cmd:"" aliases:"ls" help:"List the rules, the most specific first."`
	Explain policyExplainCmd `cmd:"" help:"Say who may use a resource, and which rule decides."`
}

type policyListCmd struct{}

// Run lists rules.
func (c *policyListCmd) Run(s *shell) error {
	var list []rule
	body, err := s.get("/policy", nil, &list)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(body)
	}
	var rows [][]string
	for _, r := range list {
		rows = append(rows, []string{r.Pattern, level(r.Level), r.Source})
	}
	return s.table("No rules; the defaults of each kind hold.", []string{"RESOURCE", "LEVEL", "SOURCE"}, rows)
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
	body, err := s.get("/policy/explain", query("resource", c.Resource, "user", c.User, "level", c.Level, "class", c.Class), &d)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(body)
	}
	return s.result(d.sentence())
}

func (d decision) sentence() string {
	needs := d.Resource + " needs " + level(d.Required)
	if d.Required == 125 {
		needs = d.Resource + " is for nobody"
	}
	why := "default"
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
		return text
	}
	return "no — " + text + " The client sees: " + d.Client + seen(d.Client)
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
	var list []class
	body, err := s.get("/classes", nil, &list)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(body)
	}
	var rows [][]string
	for _, x := range list {
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
		rows = append(rows, []string{x.Name, x.condition(), orAll(x.Protocols), most, tls, factor})
	}
	return s.table("No classes: all addresses are alike.", []string{"CLASS", "ADDRESSES", "ROADS", "HIGHEST LEVEL", "TLS", "2FA"}, rows)
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
	}
	body, err := s.get("/classes/test", query("address", c.Address), &found)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.json(body)
	}
	if found.Class == nil {
		return s.result(c.Address + " is in no class.")
	}
	return s.result(c.Address + " is in class " + *found.Class + ".")
}
