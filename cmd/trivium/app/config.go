package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"trivium/backup"
	"trivium/config"
	"trivium/files"
	"trivium/ftp"
	"trivium/identity"
	"trivium/identity/ldap"
)

// LoadConfig is config.Load with the words that only the domain packages know, so that one run
// reports every fault.
func LoadConfig(o config.Options) (*config.Config, error) {
	o.Validators = validators()
	cfg, err := config.Load(o)
	if err != nil {
		return cfg, err
	}
	return cfg, checkPolicy(cfg)
}

// validators say what text is good for the keys that only the domain packages know.
func validators() map[string]func(string) error {
	all := map[string]func(string) error{
		"level": func(s string) error {
			_, err := identity.ParseLevel(s)
			return err
		},
		"identity.default_level": func(s string) error {
			l, err := identity.ParseLevel(s)
			if err == nil && !l.Holdable() {
				return errNotHoldable
			}
			return err
		},
		"domain": func(s string) error {
			_, err := identity.ParseDomain(s)
			return err
		},
		"certname": func(s string) error {
			_, err := identity.ParseCertificateName(s)
			return err
		},
		"mount": files.CheckMountPath,
		"clock": func(s string) error {
			if s == "off" || s == "" {
				return nil
			}
			_, err := backup.ParseClock(s)
			return err
		},
		"recipient": func(s string) error {
			_, err := backup.ParseRecipient(s)
			return err
		},

		"identity.ldap.user_filter":     ldap.CheckFilter,
		"identity.ldap.group_filter":    ldap.CheckFilter,
		"identity.ldap.disabled_filter": ldap.CheckFilter,
		"identity.ldap.level_map":       checkLevelMap,
		"identity.hook.level_map":       checkLevelMap,
		"identity.oidc.level_map":       checkLevelMap,
		"class": func(s string) error {
			_, err := identity.ParseUserName(s)
			return err
		},
		"resource": func(s string) error {
			_, err := identity.ParseRule(s, identity.LevelUser.String())
			return err
		},
	}
	for name, check := range all {
		all[name] = func(s string) error { return inWords(check(s), s) }
	}
	return all
}

// checkLevelMap looks at the level of GROUP=LEVEL.
func checkLevelMap(text string) error {
	l, err := identity.ParseLevel(strings.TrimSpace(text[strings.LastIndexByte(text, '=')+1:]))
	if err == nil && !l.Holdable() {
		return errNotHoldable
	}
	return err
}

// inWords is an error of the domain packages as the report of faults has it: the report says itself
// what the text is, and that it is not valid.
func inWords(err error, text string) error {
	if err == nil {
		return nil
	}
	words := strings.TrimSuffix(err.Error(), ": "+identity.ErrInvalid.Error())
	return errors.New(strings.TrimPrefix(words, fmt.Sprintf("%q: ", text)))
}

// checkPolicy refuses rules that are narrowed to a class that there is not, and warns of those that
// no command asks for.
func checkPolicy(cfg *config.Config) error {
	faults := &config.Faults{File: cfg.File}
	for _, pattern := range slices.Sorted(maps.Keys(cfg.Policy)) {
		r, err := identity.ParseRule(pattern, cfg.Policy[pattern])
		if err != nil {
			continue // config has refused it
		}
		if verb := r.FTPVerb(); verb != "" && !ftp.Ruled(verb) {
			cfg.Warnings = append(cfg.Warnings, fmt.Sprintf("The rule %q of [policy] rules nothing: FTP has no rules for %s. docs/accounts.md lists verbs and groups.", pattern, verb))
		}
		name, narrowed := strings.CutPrefix(r.For, "class:")
		if !narrowed || slices.ContainsFunc(cfg.Class, func(c config.Class) bool { return c.Name == name }) {
			continue
		}
		faults.List = append(faults.List, config.Fault{Key: "policy." + pattern, Message: fmt.Sprintf("policy: %q: there is no class %q; add a [[class]] with that name or change the rule", pattern, name)})
	}
	if len(faults.List) > 0 {
		return faults
	}
	return nil
}

// classes translates the classes of the file.
func classes(cfg *config.Config) []identity.Class {
	out := make([]identity.Class, 0, len(cfg.Class))
	for _, c := range cfg.Class {
		class := identity.Class{
			Name: c.Name, From: c.Prefixes(), Hosts: c.Hosts, All: c.All, Any: c.Any, Not: c.Not,
			TLSRequired: c.TLSRequired, SecondFactor: c.SecondFactor, CertificateAndPassword: c.BothCertificate, MaxSessions: c.MaxSessions, MaxSessionsPerAddress: c.MaxSessionsPerAddress,
			FXP: c.FXP, MaxTransfers: c.MaxTransfers, UploadRate: int64(c.UploadRate), DownloadRate: int64(c.DownloadRate),
		}
		if c.TLSReuse != "inherit" {
			class.TLSReuse = c.TLSReuse
		}
		for _, p := range c.Protocols {
			class.Roads = append(class.Roads, identity.Road(strings.ToLower(p)))
		}
		if c.MaxLevel != "" {
			class.MaxLevel = level(c.MaxLevel)
		}
		out = append(out, class)
	}
	return out
}

// level reads a level that LoadConfig has checked; a slip would end in LevelNobody, which allows
// nothing.
func level(s string) identity.Level {
	l, err := identity.ParseLevel(s)
	if err != nil {
		return identity.LevelNobody
	}
	return l
}
