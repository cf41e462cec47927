package ldap

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"trivium/identity"
)

// pageSize is how many entries one page of a list has.
const pageSize = 500

// attributes are what is read of people.
func (s *Source) attributes() []string {
	var out []string
	for _, name := range []string{s.o.ID, s.o.Login, s.o.Name, s.o.Mail, s.o.Phone, s.o.UID, s.o.GID, s.o.MemberOf} {
		if name != "" && !strings.EqualFold(name, "dn") && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return []string{"1.1"} // none
	}
	return out
}

// search reads at most limit entries. Referrals are left alone.
func (s *Source) search(c *ldap.Conn, base string, scope int, filter string, limit int, attributes []string) ([]*ldap.Entry, error) {
	res, err := c.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, limit, 0, false, filter, attributes, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) && res != nil {
		err = nil // there are as many as were asked for, and more
	}
	if err != nil {
		return nil, fmt.Errorf("searching %q: %w", base, err)
	}
	return res.Entries, nil
}

// each calls fn for all entries, page by page.
func (s *Source) each(ctx context.Context, c *ldap.Conn, base, filter string, attributes []string, fn func(*ldap.Entry) error) error {
	paging := ldap.NewControlPaging(pageSize)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		res, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, []ldap.Control{paging}))
		if err != nil {
			return fmt.Errorf("listing %q: %w", base, err)
		}
		for _, e := range res.Entries {
			if err := fn(e); err != nil {
				return err
			}
		}
		next, ok := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return nil
		}
		paging.SetCookie(next.Cookie)
	}
}

// basic is what the entry itself says.
func (s *Source) basic(e *ldap.Entry) identity.Person {
	p := identity.Person{
		Subject: s.subject(e), Login: e.GetEqualFoldAttributeValue(s.o.Login), Name: e.GetEqualFoldAttributeValue(s.o.Name),
		Email: e.GetEqualFoldAttributeValue(s.o.Mail), Phone: e.GetEqualFoldAttributeValue(s.o.Phone),
		UID: number(e.GetEqualFoldAttributeValue(s.o.UID)), GID: number(e.GetEqualFoldAttributeValue(s.o.GID)),
	}
	if s.o.MemberOf != "" {
		for _, dn := range e.GetEqualFoldAttributeValues(s.o.MemberOf) {
			p.Groups = append(p.Groups, namesOf(dn, "")...)
		}
	}
	return p
}

// subject is what stays the same. A value that is no text, as the objectGUID of Active Directory, is
// written in hexadecimal.
func (s *Source) subject(e *ldap.Entry) string {
	if strings.EqualFold(s.o.ID, "dn") {
		return normal(e.DN)
	}
	raw := e.GetEqualFoldRawAttributeValue(s.o.ID)
	text := string(raw)
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return hex.EncodeToString(raw)
	}
	return text
}

func number(text string) uint32 {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// namesOf are what a group may be called in a mapping: its name and its DN.
func namesOf(dn, name string) []string {
	if name == "" {
		if d, err := ldap.ParseDN(dn); err == nil && len(d.RDNs) > 0 && len(d.RDNs[0].Attributes) > 0 {
			name = d.RDNs[0].Attributes[0].Value
		}
	}
	if name == "" {
		return []string{dn}
	}
	return []string{name, dn}
}

// normal is a DN in a form in which equal ones are equal.
func normal(dn string) string {
	d, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	return strings.ToLower(d.String())
}

// person is an entry with what has to be asked for beside it.
func (s *Source) person(c *ldap.Conn, e *ldap.Entry) (identity.Person, error) {
	p := s.basic(e)
	if s.o.Disabled != "" {
		off, err := s.search(c, e.DN, ldap.ScopeBaseObject, s.o.Disabled, 1, []string{"1.1"})
		if err != nil {
			return p, err
		}
		p.Disabled = len(off) > 0
	}
	if s.o.GroupBase == "" {
		return p, nil
	}
	dn, login := ldap.EscapeFilter(e.DN), ldap.EscapeFilter(p.Login)
	filter := "(|(member=" + dn + ")(uniqueMember=" + dn + ")(memberUid=" + login + ")"
	if p.GID != 0 {
		filter += "(gidNumber=" + strconv.FormatUint(uint64(p.GID), 10) + ")"
	}
	filter = "(&" + s.o.GroupFilter + filter + "))"
	const most = 1000 // groups of one person
	groups, err := s.search(c, s.o.GroupBase, ldap.ScopeWholeSubtree, filter, most, []string{s.o.GroupName, "gidNumber"})
	if err != nil {
		return p, err
	}
	for _, g := range groups {
		name := g.GetEqualFoldAttributeValue(s.o.GroupName)
		p.Groups = append(p.Groups, namesOf(g.DN, name)...)
		if p.GID != 0 && number(g.GetEqualFoldAttributeValue("gidNumber")) == p.GID {
			p.Group = name
		}
	}
	return p, nil
}

// memberships are the groups of a directory by who is in them.
type memberships struct {
	byDN    map[string][]string // of people, normal
	byLogin map[string][]string // in small letters
	byGID   map[uint32][]string // of primary groups: the name first
}

// People implements identity.Source.
func (s *Source) People(ctx context.Context, fn func(identity.Person) error) error {
	if s.o.BaseDN == "" || s.o.UserFilter == "" {
		return errors.ErrUnsupported
	}
	var own error
	err := s.searchers.use(ctx, s.dialBound, func(c *ldap.Conn) error {
		in, err := s.memberships(ctx, c)
		if err != nil {
			return err
		}
		off := map[string]bool{}
		if s.o.Disabled != "" {
			err := s.each(ctx, c, s.o.BaseDN, "(&"+s.filterOf("")+s.o.Disabled+")", []string{"1.1"}, func(e *ldap.Entry) error {
				off[normal(e.DN)] = true
				return nil
			})
			if err != nil {
				return err
			}
		}
		// Read to its end first: whoever is called may take long, and the directory drops who does.
		var all []identity.Person
		err = s.each(ctx, c, s.o.BaseDN, s.filterOf(""), s.attributes(), func(e *ldap.Entry) error {
			p := s.basic(e)
			dn := normal(e.DN)
			p.Disabled = off[dn]
			p.Groups = slices.Concat(p.Groups, in.byDN[dn], in.byLogin[strings.ToLower(p.Login)])
			if primary := in.byGID[p.GID]; p.GID != 0 && len(primary) > 0 {
				p.Group = primary[0]
				p.Groups = append(p.Groups, primary...)
			}
			all = append(all, p)
			return nil
		})
		if err != nil {
			return err
		}
		for _, p := range all {
			if own = fn(p); own != nil {
				return nil
			}
		}
		return nil
	})
	return errOr(own, err)
}

func (s *Source) memberships(ctx context.Context, c *ldap.Conn) (memberships, error) {
	in := memberships{byDN: map[string][]string{}, byLogin: map[string][]string{}, byGID: map[uint32][]string{}}
	if s.o.GroupBase == "" {
		return in, nil
	}
	attributes := []string{s.o.GroupName, "gidNumber", "member", "uniqueMember", "memberUid"}
	err := s.each(ctx, c, s.o.GroupBase, s.o.GroupFilter, attributes, func(g *ldap.Entry) error {
		names := namesOf(g.DN, g.GetEqualFoldAttributeValue(s.o.GroupName))
		for _, attribute := range []string{"member", "uniqueMember"} {
			for _, dn := range g.GetEqualFoldAttributeValues(attribute) {
				dn = normal(dn)
				in.byDN[dn] = append(in.byDN[dn], names...)
			}
		}
		for _, login := range g.GetEqualFoldAttributeValues("memberUid") {
			login = strings.ToLower(login)
			in.byLogin[login] = append(in.byLogin[login], names...)
		}
		if gid := number(g.GetEqualFoldAttributeValue("gidNumber")); gid != 0 && in.byGID[gid] == nil {
			in.byGID[gid] = names
		}
		return nil
	})
	return in, err
}
