package ftp

import (
	"strings"
	"testing"

	"trivium/identity"
)

// TestResourcesAreAll shows that each verb that a rule can be about is listed, once, as what the rules
// know it by.
func TestResourcesAreAll(t *testing.T) {
	t.Parallel()
	listed := map[identity.Resource]identity.Known{}
	for _, k := range Resources() {
		if _, twice := listed[k.Resource]; twice {
			t.Errorf("%s is listed twice", k.Resource)
		}
		listed[k.Resource] = k
		if _, err := identity.ParseRule(string(k.Resource), "user"); err != nil {
			t.Errorf("%s is no pattern: %v", k.Resource, err)
		}
		if verb := strings.TrimPrefix(string(k.Resource), "ftp:"); verb != "MODE Z" && !Ruled(verb) {
			t.Errorf("%s is listed, and no rule for it counts", k.Resource)
		}
		own, has := LevelOf(k.Resource)
		if has != (k.Own != nil) || has && own != *k.Own {
			t.Errorf("%s: %v of its own, LevelOf says %v, %v", k.Resource, k.Own, own, has)
		}
	}
	for name, v := range verbs() {
		if _, ok := listed[identity.Resource("ftp:"+name)]; ok == (v.alias != "") {
			t.Errorf("%s: listed %v, an alias of %q", name, ok, v.alias)
		}
	}
	for name := range siteVerbs() {
		if _, ok := listed[siteRule(name)]; !ok {
			t.Errorf("SITE %s is not listed", name)
		}
	}
}
