package api

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"trivium/identity"
	"trivium/identity/proftpd"
)

type importPolicyIn struct {
	Body struct {
		Text  string            `json:"text" maxLength:"900000" doc:"a configuration of ProFTPD"`
		Maps  map[string]string `json:"maps,omitempty" doc:"real folders and their canonical paths: /srv/ftp and /pub"`
		Apply bool              `json:"apply,omitempty" doc:"set the rules; else only say what they would be"`
	}
}

// PolicyImport is what came of an import.
type PolicyImport struct {
	proftpd.Result
	Review *identity.Review `json:"review" doc:"what the rules do, or would do; null where there are none"`
}

func (a *API) importPolicy(ctx context.Context, in *importPolicyIn) (*struct{ Body PolicyImport }, error) {
	res, err := proftpd.Read(in.Body.Text, proftpd.Options{Maps: in.Body.Maps, ClassOf: a.classOf})
	if err != nil {
		return nil, err
	}
	var changes []identity.RuleChange
	kept := res.Rules[:0]
	for _, r := range res.Rules {
		if err := a.id.CheckRule(ctx, r.Pattern); err != nil {
			res.Skipped = append(res.Skipped, proftpd.SkippedLine{Line: r.Line, Text: r.Pattern, Why: err.Error()})
			continue
		}
		kept = append(kept, r)
		changes = append(changes, identity.RuleChange{Pattern: r.Pattern, Level: &r.Level, Note: fmt.Sprintf("from <Limit>, line %d", r.Line)})
	}
	res.Rules = kept
	slices.SortStableFunc(res.Skipped, func(x, y proftpd.SkippedLine) int { return x.Line - y.Line })
	out := &struct{ Body PolicyImport }{PolicyImport{Result: res}}
	if len(changes) == 0 {
		return out, nil
	}
	review, err := a.id.ChangeRules(ctx, who(ctx).actor, changes, !in.Body.Apply)
	if err != nil {
		return nil, err
	}
	out.Body.Review = &review
	return out, nil
}

// classOf finds the class that has just these addresses.
func (a *API) classOf(addresses []string) string {
	var want []string
	for _, text := range addresses {
		p, ok := prefixOf(text)
		if !ok {
			return ""
		}
		want = append(want, p.String())
	}
	slices.Sort(want)
	for _, c := range a.o.Classes {
		var have []string
		for _, p := range c.From {
			have = append(have, p.Masked().String())
		}
		slices.Sort(have)
		if !c.Not && len(c.Hosts)+len(c.All)+len(c.Any) == 0 && slices.Equal(want, have) {
			return c.Name
		}
	}
	return ""
}

// prefixOf reads 192.0.2.0/24, 192.0.2.7 and ProFTPD's "192.0.2.".
func prefixOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	if n := strings.Count(text, "."); strings.HasSuffix(text, ".") && n < 4 {
		if a, err := netip.ParseAddr(text + strings.Repeat("0.", 3-n) + "0"); err == nil {
			return netip.PrefixFrom(a, 8*n), true
		}
	}
	return netip.Prefix{}, false
}
