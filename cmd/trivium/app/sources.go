package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/identity"
	"trivium/identity/hook"
	"trivium/identity/ldap"
	"trivium/identity/oidc"
)

// sources makes the directories of config. Nothing is dialled: one that is gone does not keep the
// server from starting.
func sources(lc fx.Lifecycle, cfg *config.Config, log *slog.Logger, live serving) ([]identity.Directory, error) {
	var out []identity.Directory
	for _, c := range cfg.Identity.LDAP {
		trust, err := trusting("identity.ldap."+c.Name, c.CA)
		if err != nil {
			return nil, err
		}
		src, err := ldap.New(ldap.Options{
			URLs: c.URL, TLS: trust, StartTLS: c.StartTLS, BindDN: c.BindDN, BindPassword: identity.NewSecret(c.BindPassword.Reveal()),
			BaseDN: c.BaseDN, UserFilter: c.UserFilter, BindTemplate: c.BindTemplate, Disabled: c.Disabled,
			ID: c.IDAttribute, Login: c.LoginAttribute, Name: c.NameAttribute, Mail: c.MailAttribute, Phone: c.PhoneAttribute,
			UID: c.UIDAttribute, GID: c.GIDAttribute, GroupBase: c.GroupBase, GroupFilter: c.GroupFilter, GroupName: c.GroupAttribute,
			MemberOf: c.MemberOf, Log: log})
		if err != nil {
			return nil, fmt.Errorf("identity.ldap.%s: %w", c.Name, err)
		}
		closeWith(lc, src)
		d := identity.Directory{Name: c.Name, Kind: "ldap", Where: strings.Join(c.URL, " "), Source: src,
			Intake:  intake(c.Create, c.Domain, c.Level, c.Groups, c.LevelMap, c.GroupMap),
			Timeout: c.Timeout, Checks: c.Checks, Waiting: c.Waiting, Cache: c.Cache, Sync: c.Sync}
		if c.BaseDN == "" {
			d.Sync = 0
		}
		out = append(out, d)
	}
	for _, c := range cfg.Identity.Hook {
		trust, err := trusting("identity.hook."+c.Name, c.CA)
		if err != nil {
			return nil, err
		}
		src := hook.New(hook.Options{URL: c.URL, Secret: identity.NewSecret(c.Secret.Reveal()), TLS: trust, List: c.List})
		closeWith(lc, src)
		d := identity.Directory{Name: c.Name, Kind: "hook", Where: c.URL, Source: src,
			Intake:  intake(c.Create, c.Domain, c.Level, c.Groups, c.LevelMap, c.GroupMap),
			Timeout: c.Timeout, Checks: c.Checks, Waiting: c.Waiting, Cache: c.Cache, Sync: c.Sync}
		if !c.List {
			d.Sync = 0
		}
		out = append(out, d)
	}
	if !live { // a command does what it is told
		for i := range out {
			out[i].Sync = 0
		}
	}
	return out, nil
}

// serving tells the server from a command that works on its data while it is stopped.
type serving bool

// intake translates what all kinds of sources say of accounts.
func intake(create bool, domain, lv string, groups, levels, memberships []string) identity.Intake {
	in := identity.Intake{Create: create, Domain: domain, Groups: groups, Memberships: config.Pairs(memberships)}
	if lv != "" {
		in.Level = level(lv)
	}
	for group, names := range config.Pairs(levels) {
		for _, name := range names {
			if in.Levels == nil {
				in.Levels = map[string]identity.Level{}
			}
			// identity refuses one that no account can hold, and with it a slip.
			if l := level(name); l > in.Levels[group] {
				in.Levels[group] = l
			}
		}
	}
	return in
}

// providers makes the providers of OpenID Connect of config, and says what identity is to know of them.
func providers(lc fx.Lifecycle, cfg *config.Config) ([]*oidc.Provider, error) {
	var out []*oidc.Provider
	for _, c := range cfg.Identity.OIDC {
		trust, err := trusting("identity.oidc."+c.Name, c.CA)
		if err != nil {
			return nil, err
		}
		p := oidc.New(oidc.Options{Name: c.Name, Label: c.Label, Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: identity.NewSecret(c.ClientSecret.Reveal()),
			Scopes: c.Scopes, LoginClaim: c.LoginClaim, GroupsClaim: c.GroupsClaim, TLS: trust, Timeout: c.Timeout})
		closeWith(lc, p)
		out = append(out, p)
	}
	return out, nil
}

// providerRules are what accounts people get who come by a provider.
func providerRules(cfg *config.Config) []identity.Provider {
	var out []identity.Provider
	for _, c := range cfg.Identity.OIDC {
		out = append(out, identity.Provider{Name: c.Name, LinkByEmail: c.LinkByEmail, EmailDomains: c.EmailDomains, Strong: c.Strong,
			Intake: intake(c.Create, c.Domain, c.Level, c.Groups, c.LevelMap, c.GroupMap)})
	}
	return out
}

// trusting is TLS with the authorities of a file, or those of the system.
func trusting(section, path string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if path == "" {
		return c, nil
	}
	pem, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("%s: reading ca: %w", section, err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s, which ca names, holds no certificate in PEM", section, path)
	}
	return c, nil
}
