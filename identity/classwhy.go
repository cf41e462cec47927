package identity

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// ClassReason says which class an address is in, and by what.
type ClassReason struct {
	Class string `json:"class"`
	// By is network, class, classes (all of them), host or none: the class is of those to whom nothing
	// that it names applies.
	By    string `json:"by"`
	Match string `json:"match"` // the network, class or pattern of names that applied; "" with none
	Host  string `json:"host"`  // with host: the name of the address
}

// ExplainClass is ClassOf with the reason; false where no class matches. The first class that matches
// counts, in the order of the configuration.
func (r *Registry) ExplainClass(ctx context.Context, a netip.Addr) (ClassReason, bool) {
	c := r.classes.of(ctx, a)
	if c == nil {
		return ClassReason{}, false
	}
	why := ClassReason{Class: c.Name, By: "none"}
	if !c.Not {
		r.classes.why(ctx, c, a.Unmap().WithZone(""), &why)
	}
	return why, true
}

// why finds what condition found.
func (t *classTable) why(ctx context.Context, c *Class, a netip.Addr, to *ClassReason) {
	for _, p := range c.From {
		if p.Contains(a) {
			to.By, to.Match = "network", p.String()
			return
		}
	}
	for _, name := range c.Any {
		if t.matches(ctx, t.byName[name], a) {
			to.By, to.Match = "class", name
			return
		}
	}
	if len(c.All) > 0 && !slices.ContainsFunc(c.All, func(name string) bool { return !t.matches(ctx, t.byName[name], a) }) {
		to.By, to.Match = "classes", strings.Join(c.All, ", ")
		return
	}
	for _, host := range t.names(ctx, a) {
		for _, glob := range c.Hosts {
			if ok, _ := path.Match(strings.ToLower(glob), host); ok {
				to.By, to.Match, to.Host = "host", glob, host
				return
			}
		}
	}
}
