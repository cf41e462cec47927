package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// LDAP is one [identity.ldap.NAME]: a directory that checks passwords, and whose people have accounts
// here.
type LDAP struct {
	Name string `toml:"name"`

	URL          []string `toml:"url" type:"ldapurl" example:"ldaps://ldap.example.org" doc:"its servers, tried in this order" note:"ldap:// is upgraded by StartTLS before anything is said; only on loopback may it stay in the clear."`
	StartTLS     bool     `toml:"starttls" default:"false" doc:"ldap:// on loopback is upgraded too"`
	CA           string   `toml:"ca" type:"path" example:"/etc/trivium/ldap-ca.pem" doc:"authorities in PEM that its certificate may be from; empty: those of the system"`
	BindDN       string   `toml:"bind_dn" example:"cn=trivium,ou=services,dc=example,dc=org" doc:"who searches; empty: nobody in particular"`
	BindPassword Secret   `toml:"bind_password" type:"text" example:"@file:/etc/trivium/ldap.password" doc:"its password"`
	BaseDN       string   `toml:"base_dn" example:"ou=people,dc=example,dc=org" doc:"where people are searched for"`
	UserFilter   string   `toml:"user_filter" default:"(&(objectClass=inetOrgPerson)(uid={login}))" doc:"who {login} is; with * in the place of {login} it lists everybody"`
	BindTemplate string   `toml:"bind_template" example:"uid={login},ou=people,dc=example,dc=org" doc:"the DN of {login}, where it can be made without a search" note:"What is known of people is then read by themselves, and nobody can be listed without bind_dn."`
	Disabled     string   `toml:"disabled_filter" example:"(userAccountControl:1.2.840.113556.1.4.803:=2)" doc:"which of them may not log in"`

	IDAttribute    string `toml:"id_attribute" default:"entryUUID" doc:"what stays the same when somebody is renamed; objectGUID in Active Directory"`
	LoginAttribute string `toml:"login_attribute" default:"uid" doc:"the login; sAMAccountName in Active Directory"`
	NameAttribute  string `toml:"name_attribute" default:"displayName" doc:"the display name"`
	MailAttribute  string `toml:"mail_attribute" default:"mail" doc:"the e-mail address"`
	PhoneAttribute string `toml:"phone_attribute" default:"telephoneNumber" doc:"the phone number"`
	UIDAttribute   string `toml:"uid_attribute" default:"uidNumber" doc:"the uid of a new account, taken where it is free and not below uid_min"`
	GIDAttribute   string `toml:"gid_attribute" default:"gidNumber" doc:"the gid of its primary group, as uid_attribute; a group of that number gives the name"`

	GroupBase      string `toml:"group_base" example:"ou=groups,dc=example,dc=org" doc:"where groups are searched for; empty: they are not"`
	GroupFilter    string `toml:"group_filter" default:"(|(objectClass=posixGroup)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))" doc:"what is a group; members stand in memberUid, member or uniqueMember"`
	GroupAttribute string `toml:"group_attribute" default:"cn" doc:"its name"`
	MemberOf       string `toml:"member_of_attribute" example:"memberOf" doc:"attribute of people that holds the DNs of their groups; empty: none"`

	Create   bool     `toml:"create" default:"false" doc:"who is in it has an account here, from the first log-in or sync on; false: an administrator makes the account"`
	Domain   string   `toml:"domain" type:"domain" example:"example.org" doc:"of its accounts; empty: the default domain"`
	Level    string   `toml:"level" type:"level" doc:"of its new accounts; empty: default_level"`
	Groups   []string `toml:"groups" type:"name" doc:"that its new accounts are in"`
	LevelMap []string `toml:"level_map" type:"mapping" example:"admins=admin,teachers=staff" doc:"GROUP=LEVEL: members of a group of the directory hold a level, the highest of theirs" note:"Where it says anything the level follows the directory, and is that of level for who is in none of them."`
	GroupMap []string `toml:"group_map" type:"mapping" example:"teachers=staff" doc:"GROUP=GROUP: members of a group of the directory are in a group here, and leave it with that one"`

	Timeout time.Duration `toml:"timeout" default:"3s" min:"1" doc:"how long one question may take"`
	Checks  int           `toml:"checks" default:"8" min:"1" max:"256" doc:"questions at once"`
	Waiting int           `toml:"waiting" default:"64" max:"4096" doc:"log-ins that wait for a turn; more are told to try later"`
	Cache   time.Duration `toml:"cache" default:"2m" doc:"how long a password that was right is not asked about again; 0: not at all" note:"At most 10m. A password that was changed there is good that long here, and so is that of who has been disabled there since the last sync."`
	Sync    time.Duration `toml:"sync" default:"15m" doc:"how often everybody is read; 0: only by trivium source sync"`
}

// Hook is one [identity.hook.NAME]: a program of somebody else's that is asked over HTTP.
type Hook struct {
	Name string `toml:"name"`

	URL    string `toml:"url" type:"issuer" example:"https://members.example.org/trivium" doc:"what is asked, by POST" note:"http:// on loopback alone."`
	Secret Secret `toml:"secret" type:"text" example:"@file:/etc/trivium/hook.secret" doc:"what it shares with this server, and each question is signed with (HMAC-SHA-256)"`
	CA     string `toml:"ca" type:"path" example:"/etc/trivium/hook-ca.pem" doc:"authorities in PEM that its certificate may be from; empty: those of the system"`
	List   bool   `toml:"list" default:"false" doc:"it answers the question who there is too, so that it can be synchronised"`

	Create   bool     `toml:"create" default:"false" doc:"whom it knows has an account here, from the first log-in or sync on; false: an administrator makes the account"`
	Domain   string   `toml:"domain" type:"domain" example:"example.org" doc:"of its accounts; empty: the default domain"`
	Level    string   `toml:"level" type:"level" doc:"of its new accounts; empty: default_level"`
	Groups   []string `toml:"groups" type:"name" doc:"that its new accounts are in"`
	LevelMap []string `toml:"level_map" type:"mapping" example:"admins=admin,teachers=staff" doc:"GROUP=LEVEL, as in identity.ldap"`
	GroupMap []string `toml:"group_map" type:"mapping" example:"teachers=staff" doc:"GROUP=GROUP, as in identity.ldap"`

	Timeout time.Duration `toml:"timeout" default:"3s" min:"1" doc:"how long one question may take"`
	Checks  int           `toml:"checks" default:"8" min:"1" max:"256" doc:"questions at once"`
	Waiting int           `toml:"waiting" default:"64" max:"4096" doc:"log-ins that wait for a turn; more are told to try later"`
	Cache   time.Duration `toml:"cache" default:"2m" doc:"how long a password that was right is not asked about again, at most 10m; 0: not at all"`
	Sync    time.Duration `toml:"sync" default:"15m" doc:"how often everybody is read, where list is on; 0: only by trivium source sync"`
}

// OIDC is one [identity.oidc.NAME]: a provider of OpenID Connect, by which people log in on the web.
type OIDC struct {
	Name string `toml:"name"`

	Label        string   `toml:"label" example:"Example Company" doc:"what its button says; empty: the name of the section"`
	Issuer       string   `toml:"issuer" type:"issuer" example:"https://id.example.org" doc:"its address, as it says it itself" note:"http:// on loopback alone."`
	ClientID     string   `toml:"client_id" example:"trivium" doc:"the name that it knows this server by"`
	ClientSecret Secret   `toml:"client_secret" type:"text" example:"@file:/etc/trivium/oidc.secret" doc:"and the secret; empty: a public client, with PKCE alone"`
	Scopes       []string `toml:"scopes" default:"openid,profile,email" doc:"what it is asked to tell"`
	CA           string   `toml:"ca" type:"path" example:"/etc/trivium/oidc-ca.pem" doc:"authorities in PEM that its certificate may be from; empty: those of the system"`

	Create       bool     `toml:"create" default:"false" doc:"who comes by it and has no account gets one"`
	LinkByEmail  bool     `toml:"link_by_email" default:"false" doc:"who comes by it for the first time is the one account of the same e-mail address, if the provider has verified that" note:"Only for a provider whose word about addresses is good for all of them. Accounts that administer are linked by hand always."`
	Strong       bool     `toml:"strong" default:"false" doc:"its log-ins count as made with a second factor, which the provider asks for"`
	EmailDomains []string `toml:"email_domains" type:"domain" example:"example.org" doc:"only who has a verified address in one of these gets an account or is linked by address; empty: everybody"`
	Domain       string   `toml:"domain" type:"domain" example:"example.org" doc:"of its accounts; empty: the default domain"`
	Level        string   `toml:"level" type:"level" doc:"of its new accounts; empty: default_level"`
	Groups       []string `toml:"groups" type:"name" doc:"that its new accounts are in"`
	LoginClaim   string   `toml:"login_claim" default:"preferred_username" doc:"the claim with the login of a new account"`
	GroupsClaim  string   `toml:"groups_claim" default:"groups" doc:"the claim with the groups, a list of texts"`
	LevelMap     []string `toml:"level_map" type:"mapping" example:"admins=admin,teachers=staff" doc:"GROUP=LEVEL, as in identity.ldap; it counts from one log-in by the provider to the next"`
	GroupMap     []string `toml:"group_map" type:"mapping" example:"teachers=staff" doc:"GROUP=GROUP, likewise"`

	Timeout time.Duration `toml:"timeout" default:"10s" min:"1" doc:"how long one question to the provider may take"`
}

// Pairs reads level_map or group_map: what is left of the last = of each, and what is right of it.
func Pairs(mapping []string) map[string][]string {
	out := map[string][]string{}
	for _, text := range mapping {
		if at := strings.LastIndexByte(text, '='); at > 0 {
			name := strings.TrimSpace(text[:at])
			out[name] = append(out[name], strings.TrimSpace(text[at+1:]))
		}
	}
	return out
}

func checkMapping(text string) error {
	at := strings.LastIndexByte(text, '=')
	if at <= 0 || strings.TrimSpace(text[:at]) == "" || strings.TrimSpace(text[at+1:]) == "" {
		return errors.New("is not GROUP=WHAT. Example: teachers=staff")
	}
	return nil
}

// onLoopback reports whether a host is this machine, to which the clear is no danger.
func onLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// checkIssuer accepts the address of a service: https, or http on this machine.
func checkIssuer(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not an address. Example: https://id.example.org")
	}
	if u.Scheme == "http" && !onLoopback(u.Hostname()) {
		return errors.New("is in the clear; write https://")
	}
	return nil
}

// checkLDAPURL accepts the address of a directory.
func checkLDAPURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not the address of a directory. Examples: ldaps://ldap.example.org, ldap://127.0.0.1:389")
	}
	if p := u.Port(); p != "" && checkListen(net.JoinHostPort("", p)) != nil {
		return errors.New("has no port between 0 and 65535")
	}
	return nil
}

// maxSourceCache bounds how long what a directory has said is taken for true.
const maxSourceCache = 10 * time.Minute

// loginMark is what stands for the login in filters and templates.
const loginMark = "{login}"

// validateSources finds what is missing in the sections of sources, and what does not fit together.
func (l *loader) validateSources() {
	names := map[string]string{}
	for _, kind := range []string{"ldap", "hook", "oidc"} {
		for i, fields := range l.rows["identity."+kind] {
			at := fields["name"]
			at.path = "identity." + kind
			name := at.texts[0]
			if other, twice := names[name]; twice {
				l.fault(at, -1, fmt.Sprintf("identity.%s.%s: identity.%s.%s has this name already", kind, name, other, name), "each source has a name of its own")
				continue
			}
			names[name] = kind
			s := entry{l, kind, name, fields}
			switch kind {
			case "ldap":
				s.ldap(l.cfg.Identity.LDAP[i])
			case "hook":
				s.hook(l.cfg.Identity.Hook[i])
			case "oidc":
				s.oidc(l.cfg.Identity.OIDC[i])
			}
		}
	}
}

// entry is one section of a source on its way through the checks.
type entry struct {
	l          *loader
	kind, name string
	fields     map[string]given
}

// wrong faults a key of the entry, or its header where it has not got the key.
func (e entry) wrong(key, message, hint string) {
	g, ok := e.fields[key]
	if !ok {
		g = e.fields["name"]
		g.path = "identity." + e.kind
	}
	if !ok && e.l.bad["identity."+e.kind+"."+key] {
		return // it is there and wrong by itself, which has been said
	}
	e.l.fault(g, -1, fmt.Sprintf("identity.%s.%s: %s", e.kind, e.name, message), hint)
}

// common checks what all kinds have.
func (e entry) common(domain string, cache time.Duration) {
	c := e.l.cfg
	if domain != "" && !strings.EqualFold(domain, c.Domain) && !slices.ContainsFunc(c.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) && e.l.ok("domain", "domains") {
		e.wrong("domain", domain+" is no domain of this server", "name it in domains")
	}
	if cache > maxSourceCache {
		e.wrong("cache", "cache is longer than "+FormatDuration(maxSourceCache), "")
	}
}

func (e entry) ldap(c LDAP) {
	e.common(c.Domain, c.Cache)
	if len(c.URL) == 0 {
		e.wrong("url", "it has no url", `say where it is: url = ["ldaps://ldap.example.org"]`)
	}
	switch {
	case c.BaseDN == "" && c.BindTemplate == "":
		e.wrong("base_dn", "it has neither base_dn nor bind_template", "say where people are: base_dn = \"ou=people,dc=example,dc=org\"")
	case c.BindTemplate != "" && !strings.Contains(c.BindTemplate, loginMark):
		e.wrong("bind_template", "bind_template has no "+loginMark, "")
	case c.BaseDN != "" && !strings.Contains(c.UserFilter, loginMark):
		e.wrong("user_filter", "user_filter has no "+loginMark, "")
	}
	if c.BindDN != "" && !c.BindPassword.IsSet() {
		e.wrong("bind_password", "bind_dn has no bind_password: a bind without a password proves nothing", "")
	}
	if c.Sync > 0 && c.BaseDN == "" {
		if _, said := e.fields["sync"]; said {
			e.wrong("sync", "without base_dn nobody can be listed", "")
		}
	}
}

func (e entry) hook(c Hook) {
	e.common(c.Domain, c.Cache)
	if c.URL == "" {
		e.wrong("url", "it has no url", `say what is asked: url = "https://members.example.org/trivium"`)
	}
	const shortest = 16 // bytes of a secret that is not guessed from one signature
	if len(c.Secret.Reveal()) < shortest {
		e.wrong("secret", fmt.Sprintf("it needs a secret of %d bytes or more", shortest), "make one: openssl rand -hex 32")
	}
}

func (e entry) oidc(c OIDC) {
	e.common(c.Domain, 0)
	if c.Issuer == "" {
		e.wrong("issuer", "it has no issuer", `say who: issuer = "https://id.example.org"`)
	}
	if c.ClientID == "" {
		e.wrong("client_id", "it has no client_id", "")
	}
	if !slices.Contains(c.Scopes, "openid") {
		e.wrong("scopes", "scopes must have openid", "")
	}
}
