package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// application is one as the API shows it.
type application struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Public       bool     `json:"public"`
	Redirects    []string `json:"redirects"`
	Scopes       []string `json:"scopes"`
	Level        int      `json:"level"`
	Groups       []string `json:"groups"`
	SecondFactor bool     `json:"second_factor"`
	People       int      `json:"people"`
	Secret       string   `json:"secret"`
}

type applicationCmd struct {
	Add    applicationAddCmd    `cmd:"" help:"Let people log in to an application by their account here."`
	List   applicationListCmd   `cmd:"" aliases:"ls" help:"List applications."`
	Set    applicationSetCmd    `cmd:"" help:"Change the settings of an application."`
	Secret applicationSecretCmd `cmd:"" help:"Give an application another secret."`
	Remove applicationRemoveCmd `cmd:"" aliases:"rm" help:"Remove an application, and log everybody out of it."`
	Uses   applicationUsesCmd   `cmd:"" help:"List the applications that an account has logged in to."`
	End    applicationEndCmd    `cmd:"" help:"Log an account out of an application."`
}

// applicationFlags are the settings.
type applicationFlags struct {
	Redirects       []string `name:"redirect" sep:"none" placeholder:"URL" help:"Where the browser may be sent back to, to the letter; may come again."`
	LogoutRedirects []string `name:"logout-redirect" sep:"none" placeholder:"URL" help:"Where it may be sent after a log-out; may come again."`
	LogoutURI       string   `name:"logout-uri" placeholder:"URL" help:"Is told at once when somebody's session ends."`
	Scopes          []string `name:"scope" placeholder:"SCOPE" help:"That it may ask for: profile, email, groups, offline_access."`
	Level           string   `name:"level" placeholder:"LEVEL" help:"That an account needs; none is any."`
	Groups          []string `name:"group" sep:"none" placeholder:"GROUP" help:"An account is in one of these; may come again."`
	Consent         *bool    `name:"consent" negatable:"" help:"Ask people before it knows them."`
	Factor          *bool    `name:"second-factor" negatable:"" help:"Demand a second factor."`
	Algorithm       string   `name:"algorithm" placeholder:"ALG" help:"RS256 or ES256."`
}

func (f applicationFlags) body() map[string]any {
	body := map[string]any{}
	for name, list := range map[string][]string{"redirects": f.Redirects, "logout_redirects": f.LogoutRedirects, "scopes": f.Scopes, "groups": f.Groups} {
		if len(list) > 0 {
			body[name] = list
		}
	}
	put(body, "logout_uri", f.LogoutURI)
	put(body, "level", f.Level)
	put(body, "algorithm", f.Algorithm)
	if f.Consent != nil {
		body["consent"] = *f.Consent
	}
	if f.Factor != nil {
		body["second_factor"] = *f.Factor
	}
	return body
}

type applicationAddCmd struct {
	Name   string `arg:"" help:"What people read when they log in."`
	ID     string `name:"id" placeholder:"ID" help:"The client ID; else it is made of the name."`
	Public bool   `name:"public" help:"It runs in a browser or on a phone, and keeps no secret."`
	applicationFlags
}

// Help has an example.
func (c *applicationAddCmd) Help() string {
	return "Prints the client secret, which nothing shows a second time; a public client has none.\n\nExample:\n\n  trivium application add Wiki --redirect https://wiki.example.org/oauth/callback --scope profile,email,groups --group staff"
}

// Run adds an application.
func (c *applicationAddCmd) Run(s *shell) error {
	body := c.body()
	body["name"] = c.Name
	put(body, "id", c.ID)
	if c.Public {
		body["public"] = true
	}
	var x application
	if shown, err := s.submit(http.MethodPost, "/applications", nil, body, &x); shown || err != nil {
		return err
	}
	if x.Public {
		return s.say("Added %s. Its client ID is %s; it has no secret.", x.Name, x.ID)
	}
	s.note("Added %s. Its client ID is %s; its secret, which is shown only now:", x.Name, x.ID)
	_, err := fmt.Fprintln(s.stdout, x.Secret)
	return err
}

type applicationListCmd struct{}

// Run lists applications.
func (c *applicationListCmd) Run(s *shell) error {
	return tableOf(s, "/applications", nil, "No applications.", []string{"ID", "NAME", "KIND", "LEVEL", "GROUPS", "SCOPES", "PEOPLE", "REDIRECTS"}, func(x application) []string {
		kind, lv := "secret", "any"
		if x.Public {
			kind = "public"
		}
		if x.Level > 0 {
			lv = level(x.Level)
		}
		if x.SecondFactor {
			lv += ", second factor"
		}
		return []string{x.ID, x.Name, kind, lv, strings.Join(x.Groups, ","), strings.Join(x.Scopes, ","), strconv.Itoa(x.People), strings.Join(x.Redirects, " ")}
	}, "PEOPLE")
}

type applicationSetCmd struct {
	ID   string `arg:"" name:"id" help:"Its client ID."`
	Name string `name:"name" placeholder:"NAME" help:"What people read."`
	applicationFlags
}

// Run changes settings.
func (c *applicationSetCmd) Run(s *shell) error {
	body := c.body()
	put(body, "name", c.Name)
	if shown, err := s.submit(http.MethodPatch, "/applications"+at(c.ID), nil, body, nil); shown || err != nil {
		return err
	}
	return s.say("Changed the application %s.", c.ID)
}

type applicationSecretCmd struct {
	ID string `arg:"" name:"id" help:"Its client ID."`
}

// Run makes another secret.
func (c *applicationSecretCmd) Run(s *shell) error {
	var x application
	if shown, err := s.submit(http.MethodPost, "/applications"+at(c.ID)+"/secret", nil, nil, &x); shown || err != nil {
		return err
	}
	s.note("The new secret of %s, which is shown only now; the old one is good no more:", c.ID)
	_, err := fmt.Fprintln(s.stdout, x.Secret)
	return err
}

type applicationRemoveCmd struct {
	ID string `arg:"" name:"id" help:"Its client ID."`
}

// Run removes an application.
func (c *applicationRemoveCmd) Run(s *shell) error {
	if err := s.confirm("Remove the application "+c.ID+" and log everybody out of it?", "the application "+c.ID+" was not removed"); err != nil {
		return err
	}
	if _, err := s.call(http.MethodDelete, "/applications"+at(c.ID), nil, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"id": c.ID}, "Removed the application %s.", c.ID)
}

type applicationUsesCmd struct {
	User string `arg:"" help:"The account."`
}

// Run lists what an account has logged in to.
func (c *applicationUsesCmd) Run(s *shell) error {
	var list []struct {
		ID     string    `json:"id"`
		Name   string    `json:"name"`
		Scopes []string  `json:"scopes"`
		Live   int       `json:"live"`
		LastAt time.Time `json:"last_at"`
	}
	if shown, err := s.fetch("/application-uses", url.Values{"user": {c.User}}, &list); shown || err != nil {
		return err
	}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{x.ID, x.Name, strings.Join(x.Scopes, ","), strconv.Itoa(x.Live), day(&x.LastAt)})
	}
	return s.table("No applications.", []string{"ID", "NAME", "SCOPES", "LOG-INS", "LAST"}, rows, "LOG-INS")
}

type applicationEndCmd struct {
	User string `arg:"" help:"The account."`
	ID   string `arg:"" name:"id" help:"The client ID of the application."`
}

// Run logs an account out.
func (c *applicationEndCmd) Run(s *shell) error {
	if _, err := s.call(http.MethodDelete, "/application-uses"+at(c.ID), url.Values{"user": {c.User}}, nil); err != nil {
		return err
	}
	return s.done(map[string]any{"user": c.User, "id": c.ID}, "Logged %s out of %s.", c.User, c.ID)
}
