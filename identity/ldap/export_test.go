package ldap

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// CheckLogin reports whether a login stays one value in a filter and in a DN.
func CheckLogin(filter, template, login string) error {
	s := &Source{o: Options{UserFilter: filter}}
	p, err := ldap.CompileFilter(s.filterOf(login))
	if err != nil {
		return fmt.Errorf("%q: %w", login, err)
	}
	if len(p.Children) != 2 || len(p.Children[1].Children) != 2 && login != "" {
		return fmt.Errorf("%q makes another filter of it: %s", login, s.filterOf(login))
	}
	if login != "" && p.Children[1].Children[1].Data.String() != login {
		return fmt.Errorf("%q is searched for as %q", login, p.Children[1].Children[1].Data.String())
	}
	dn, err := ldap.ParseDN(strings.ReplaceAll(template, Mark, ldap.EscapeDN(login)))
	if err != nil || len(dn.RDNs) != 2 || len(dn.RDNs[0].Attributes) != 1 {
		return fmt.Errorf("%q makes another name of it: %v, %v", login, dn, err)
	}
	return nil
}
