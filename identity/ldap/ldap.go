package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"trivium/identity"
)

// Options is what New needs.
type Options struct {
	URLs     []string    // ldap:// or ldaps://, tried in this order
	TLS      *tls.Config // RootCAs; nil: those of the system
	StartTLS bool        // for ldap:// on loopback too; elsewhere it always is

	BindDN       string // who searches; "": nobody in particular
	BindPassword identity.Secret
	BaseDN       string
	UserFilter   string // with {login}
	BindTemplate string // the DN of {login}; "": a search finds it
	Disabled     string // filter of who may not log in; "": nobody

	// The names of attributes. ID may be "dn", for the DN itself.
	ID, Login, Name, Mail, Phone, UID, GID string

	GroupBase, GroupFilter, GroupName string // GroupBase "": no groups are searched for
	MemberOf                          string // attribute of people with the DNs of their groups; "": none

	Log *slog.Logger // nil: discarded
}

// Mark stands for the login in filters and templates.
const Mark = "{login}"

// Source is a directory. Close ends the connections that it keeps.
type Source struct {
	o         Options
	servers   []server
	searchers pool // bound as BindDN
	binders   pool // for binds of people
	log       *slog.Logger
}

// server is one address.
type server struct {
	addr     string // host:port
	implicit bool   // ldaps
	startTLS bool
	tls      *tls.Config
}

// New checks the options; nothing is dialled yet.
func New(o Options) (*Source, error) {
	s := &Source{o: o, log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, text := range o.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || u.Scheme != "ldap" && u.Scheme != "ldaps" {
			return nil, fmt.Errorf("%q is not the address of a directory", text)
		}
		x := server{implicit: u.Scheme == "ldaps", tls: new(tls.Config)}
		if o.TLS != nil {
			x.tls = o.TLS.Clone()
		}
		x.tls.ServerName, x.tls.MinVersion = u.Hostname(), max(x.tls.MinVersion, tls.VersionTLS12)
		port := u.Port()
		switch {
		case port == "" && x.implicit:
			port = ldap.DefaultLdapsPort
		case port == "":
			port = ldap.DefaultLdapPort
		}
		x.addr = netJoin(u.Hostname(), port)
		x.startTLS = !x.implicit && (o.StartTLS || !loopback(u.Hostname()))
		s.servers = append(s.servers, x)
	}
	if len(s.servers) == 0 {
		return nil, errors.New("a directory needs an address")
	}
	for name, filter := range map[string]string{"user_filter": o.UserFilter, "group_filter": o.GroupFilter, "disabled_filter": o.Disabled} {
		if err := CheckFilter(filter); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return s, nil
}

// CheckFilter says what is wrong with a filter (RFC 4515); "" is none, and fine.
func CheckFilter(filter string) error {
	if filter == "" {
		return nil
	}
	if _, err := ldap.CompileFilter(strings.ReplaceAll(filter, Mark, "x")); err != nil {
		return fmt.Errorf("%q is not a filter: %w", filter, err)
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

func netJoin(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

// Close ends the connections that wait for the next question.
func (s *Source) Close() error {
	s.searchers.close()
	s.binders.close()
	return nil
}

// filterOf is the filter that finds a login; everybody for "".
func (s *Source) filterOf(login string) string {
	text := "*"
	if login != "" {
		text = ldap.EscapeFilter(login)
	}
	return strings.ReplaceAll(s.o.UserFilter, Mark, text)
}

// refusals are the results of a bind that mean the person, not the directory (RFC 4511 appendix A.2).
var refusals = []uint16{ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInappropriateAuthentication,
	ldap.LDAPResultConstraintViolation, ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultInsufficientAccessRights,
	ldap.LDAPResultInvalidDNSyntax}

// Check implements identity.Source.
func (s *Source) Check(ctx context.Context, login identity.UserName, password identity.Secret) (identity.Person, error) {
	text := password.Reveal()
	if text == "" || login == "" || strings.ContainsRune(text, 0) {
		return identity.Person{}, identity.ErrCredentials
	}
	var entry *ldap.Entry
	dn := strings.ReplaceAll(s.o.BindTemplate, Mark, ldap.EscapeDN(string(login)))
	if s.o.BindTemplate == "" {
		var err error
		if entry, err = s.find(ctx, string(login)); err != nil && !errors.Is(err, identity.ErrNotFound) {
			return identity.Person{}, err
		}
		if entry != nil {
			dn = entry.DN
		} else { // it takes as long
			dn = "cn=nobody\\2C " + ldap.EscapeDN(string(login)) + "," + s.o.BaseDN
		}
	}
	var p identity.Person
	err := s.binders.use(ctx, s.dial, func(c *ldap.Conn) error {
		if err := c.Bind(dn, text); err != nil {
			if ldap.IsErrorAnyOf(err, refusals...) {
				return identity.ErrCredentials
			}
			return fmt.Errorf("bind as a person: %w", err)
		}
		if entry == nil && s.o.BindTemplate == "" {
			return identity.ErrCredentials // a directory that lets everybody in: nobody was found all the same
		}
		if s.o.BindDN != "" {
			return nil
		}
		// Who asks as nobody in particular may see less than the person.
		own, err := s.search(c, dn, ldap.ScopeBaseObject, "(objectClass=*)", 1, s.attributes())
		if err != nil || len(own) != 1 {
			return fmt.Errorf("reading the entry of who has just logged in: %w", errOr(err, identity.ErrNotFound))
		}
		p, err = s.person(c, own[0])
		return err
	})
	if err != nil || s.o.BindDN == "" {
		return p, err
	}
	err = s.searchers.use(ctx, s.dialBound, func(c *ldap.Conn) (err error) {
		if entry == nil { // a template has given the name
			var own []*ldap.Entry
			if own, err = s.search(c, dn, ldap.ScopeBaseObject, "(objectClass=*)", 1, s.attributes()); err != nil || len(own) != 1 {
				return fmt.Errorf("reading an entry: %w", errOr(err, identity.ErrCredentials))
			}
			entry = own[0]
		}
		p, err = s.person(c, entry)
		return err
	})
	return p, err
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Find implements identity.Source.
func (s *Source) Find(ctx context.Context, login identity.UserName) (identity.Person, error) {
	if s.o.BaseDN == "" || s.o.UserFilter == "" {
		return identity.Person{}, errors.ErrUnsupported
	}
	entry, err := s.find(ctx, string(login))
	if err != nil {
		return identity.Person{}, err
	}
	var p identity.Person
	err = s.searchers.use(ctx, s.dialBound, func(c *ldap.Conn) (err error) {
		p, err = s.person(c, entry)
		return err
	})
	return p, err
}

// find searches for the one entry of a login; identity.ErrNotFound where there is none, or more than
// one.
func (s *Source) find(ctx context.Context, login string) (*ldap.Entry, error) {
	var found []*ldap.Entry
	err := s.searchers.use(ctx, s.dialBound, func(c *ldap.Conn) (err error) {
		found, err = s.search(c, s.o.BaseDN, ldap.ScopeWholeSubtree, s.filterOf(login), 2, s.attributes())
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) > 1:
		s.log.Warn("a login means more than one entry of a directory", "event", "source.ambiguous", "login", login)
	}
	if len(found) != 1 {
		return nil, identity.ErrNotFound
	}
	return found[0], nil
}

// Probe implements identity.Source.
func (s *Source) Probe(ctx context.Context) error {
	if s.o.BaseDN == "" {
		return s.binders.use(ctx, s.dial, func(*ldap.Conn) error { return nil })
	}
	return s.searchers.use(ctx, s.dialBound, func(c *ldap.Conn) error {
		_, err := s.search(c, s.o.BaseDN, ldap.ScopeBaseObject, "(objectClass=*)", 1, []string{"1.1"})
		if err == nil && s.o.GroupBase != "" {
			_, err = s.search(c, s.o.GroupBase, ldap.ScopeBaseObject, "(objectClass=*)", 1, []string{"1.1"})
		}
		return err
	})
}
