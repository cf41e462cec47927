package web

import (
	"slices"
	"strings"
	"testing"

	"trivium/config"
	"trivium/web/text"
)

// everyEntry are all keys that a configuration may have, with an entry of each table and a rule.
func everyEntry() []config.Entry {
	all := (&config.Config{
		Policy:   map[string]string{"web:/files/**": "user"},
		Class:    []config.Class{{Name: "home"}},
		Mount:    []config.Mount{{Path: "/data"}},
		Identity: config.Identity{LDAP: []config.LDAP{{Name: "office"}}, Hook: []config.Hook{{Name: "own"}}, OIDC: []config.OIDC{{Name: "other"}}},
	}).Entries()
	return all
}

// TestKeysAreExplained: each key of the configuration says what it is, in English where it is declared, and in
// every other language that is built in by its catalogue, which explains nothing else.
func TestKeysAreExplained(t *testing.T) {
	languages, _, err := text.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	entries := everyEntry()
	if len(entries) < 170 {
		t.Errorf("only %d keys", len(entries))
	}
	for _, l := range languages.Languages()[1:] {
		own, used := l.Keys(), map[string]bool{}
		for _, e := range entries {
			if strings.TrimSpace(e.Doc) == "" {
				t.Errorf("%s says nothing in English", e.Key)
			}
			at := slices.IndexFunc(explanations(e), func(key string) bool { return slices.Contains(own, key) })
			if at < 0 {
				t.Errorf("%s.toml has none of %v", l.Tag, explanations(e))
				continue
			}
			used[explanations(e)[at]] = true
			if e.Live && l.Echo("setting", e.Type) == e.Type {
				t.Errorf("%s has no words for the values of %s: %q", l.Tag, e.Key, e.Type)
			}
		}
		for _, key := range own {
			if section, _, _ := strings.Cut(key, "."); (section == "config" || strings.HasPrefix(section, "config_")) && !used[key] {
				t.Errorf("%s.toml explains %s, which is no key of the configuration", l.Tag, key)
			}
		}
	}
	if got := explain(languages.Find("de"), config.Entry{Key: "identity.client_names", Doc: "x"}); !strings.Contains(got, "mit {login} einmal") {
		t.Errorf("braces are placeholders in %q", got)
	}
	if got := explain(languages.Find("en"), config.Entry{Key: "web.lang", Doc: "its words"}); got != "its words" {
		t.Errorf("English has %q", got)
	}
}
