package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trivium/identity"
	"trivium/identity/ldap"
	"trivium/internal/certs"
	"trivium/internal/slapdtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ldif has people of all kinds, and both kinds of groups.
var ldif = slapdtest.Tree +
	slapdtest.Person("alice", "there", "objectClass: posixAccount", "mail: alice@example.com", "displayName: Alice A.", "telephoneNumber: +49 30 1",
		"uidNumber: 12345", "gidNumber: 13000", "homeDirectory: /home/alice") +
	slapdtest.Person("bob", "there", "employeeType: left") +
	slapdtest.Person("carol", "") +
	slapdtest.Person("x*y", "star") +
	slapdtest.Group("school", "posixGroup", "gidNumber: 13000") +
	slapdtest.Group("teachers", "posixGroup", "gidNumber: 13001", "memberUid: alice", "memberUid: bob") +
	slapdtest.Group("admins", "groupOfNames", "member: UID=alice, ou=People,"+slapdtest.Base) +
	slapdtest.Group("others", "groupOfNames", "member: uid=bob,ou=people,"+slapdtest.Base)

func options(s *slapdtest.Server) ldap.Options {
	return ldap.Options{
		URLs: []string{"ldap://" + s.Addr()}, BindDN: slapdtest.Admin, BindPassword: identity.NewSecret(slapdtest.Password),
		BaseDN: "ou=people," + slapdtest.Base, UserFilter: "(&(objectClass=inetOrgPerson)(uid={login}))", Disabled: "(employeeType=left)",
		ID: "entryUUID", Login: "uid", Name: "displayName", Mail: "mail", Phone: "telephoneNumber", UID: "uidNumber", GID: "gidNumber",
		GroupBase: "ou=groups," + slapdtest.Base, GroupFilter: "(|(objectClass=posixGroup)(objectClass=groupOfNames))", GroupName: "cn",
	}
}

func open(t *testing.T, o ldap.Options) *ldap.Source {
	t.Helper()
	s, err := ldap.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func check(s *ldap.Source, login, password string) (identity.Person, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.Check(ctx, identity.UserName(login), identity.NewSecret(password))
}

// alice is who she is there; the groups are in no order.
func isAlice(t *testing.T, what string, p identity.Person, groups bool) {
	t.Helper()
	if len(p.Subject) != 36 {
		t.Errorf("%s: subject %q", what, p.Subject)
	}
	in := p.Groups
	slices.Sort(in)
	p.Subject, p.Groups = "", nil
	want := identity.Person{Login: "alice", Email: "alice@example.com", Name: "Alice A.", Phone: "+49 30 1", UID: 12345, GID: 13000}
	if groups {
		want.Group = "school"
		if !reflect.DeepEqual(in, []string{"admins", "cn=admins,ou=groups," + slapdtest.Base, "cn=school,ou=groups," + slapdtest.Base,
			"cn=teachers,ou=groups," + slapdtest.Base, "school", "teachers"}) {
			t.Errorf("%s: groups %q", what, in)
		}
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("%s: %+v, want %+v", what, p, want)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	srv := slapdtest.New(t, slapdtest.Options{LDIF: ldif})
	bySearch, byTemplate, asThemselves, anonymous := options(srv), options(srv), options(srv), options(srv)
	byTemplate.BindTemplate = "uid={login},ou=people," + slapdtest.Base
	asThemselves.BindTemplate, asThemselves.BindDN = byTemplate.BindTemplate, ""
	anonymous.BindDN = ""
	for name, o := range map[string]ldap.Options{"by search": bySearch, "by template": byTemplate, "as themselves": asThemselves, "anonymous search": anonymous} {
		t.Run(name, func(t *testing.T) {
			s := open(t, o)
			for range 2 { // the second over a connection that was kept
				p, err := check(s, "alice", "there")
				if err != nil {
					t.Fatal(err)
				}
				isAlice(t, "right", p, true)
			}
			if p, err := check(s, "bob", "there"); err != nil || !p.Disabled {
				t.Errorf("who has left: %+v, %v", p, err)
			}
			if _, err := check(s, "x*y", "star"); err != nil {
				t.Errorf("a login with a star: %v", err)
			}
			for _, c := range [][2]string{
				{"alice", "wrong"}, {"alice", ""}, {"nobody", "there"}, {"nobody", ""}, {"", "there"}, {"", ""},
				{"carol", ""}, {"carol", "x"}, // without a password there
				// RFC 4515: what would make another filter of it.
				{"*", "there"}, {"a*", "there"}, {"*)(uid=*", "there"}, {"alice)(objectClass=*", "there"}, {"*)(|(uid=alice", "there"},
				{"alice\x00", "there"}, {"alice\x00)(uid=*", "there"}, {"\\2a", "there"}, {"alice))(|(cn=*", "there"},
				// RFC 4514: what would make another name of it.
				{"alice,ou=people", "there"}, {"alice+cn=alice", "there"}, {"bob,ou=people," + slapdtest.Base + "\x00", "there"},
				{"#04", "there"}, {" alice", "wrong"}, {"\"alice\"", "there"},
				{"alice", "there\x00"}, {"alice", "there "}, {"ALICE", "wrong"},
			} {
				if p, err := check(s, c[0], c[1]); !errors.Is(err, identity.ErrCredentials) {
					t.Errorf("%q with %q: %+v, %v, want ErrCredentials", c[0], c[1], p, err)
				}
			}
			if p, err := check(s, "alice", "there"); err != nil {
				t.Errorf("afterwards: %+v, %v", p, err)
			}
		})
	}
}

func TestPeopleFindProbe(t *testing.T) {
	t.Parallel()
	var more strings.Builder
	more.WriteString(ldif)
	for c := range 1200 { // more than two pages
		more.WriteString(slapdtest.Person("many"+string(rune('a'+c%26))+strings.Repeat("x", c/26), "there"))
	}
	srv := slapdtest.New(t, slapdtest.Options{LDIF: more.String(), Extra: "limits dn.exact=\"" + slapdtest.Admin + "\" size=unlimited\n"})
	s := open(t, options(srv))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	all := map[string]identity.Person{}
	if err := s.People(ctx, func(p identity.Person) error { all[p.Login] = p; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 1204 {
		t.Errorf("%d people", len(all))
	}
	isAlice(t, "listed", all["alice"], true)
	if b := all["bob"]; !b.Disabled || !slices.Contains(b.Groups, "others") || !slices.Contains(b.Groups, "teachers") {
		t.Errorf("bob: %+v", b)
	}
	p, err := s.Find(ctx, "alice")
	if err != nil || p.Subject != all["alice"].Subject {
		t.Errorf("found %+v, %v", p, err)
	}
	isAlice(t, "found", p, true)
	if _, err := s.Find(ctx, "nobody"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	enough := errors.New("enough")
	if err := s.People(ctx, func(identity.Person) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("who is called has had enough: %v", err)
	}
	for name, change := range map[string]func(*ldap.Options){
		"a wrong password of who searches": func(o *ldap.Options) { o.BindPassword = identity.NewSecret("wrong") },
		"a base that is not there":         func(o *ldap.Options) { o.BaseDN = "ou=nonsuch," + slapdtest.Base },
		"a base of groups that is not":     func(o *ldap.Options) { o.GroupBase = "ou=nonsuch," + slapdtest.Base },
	} {
		o := options(srv)
		change(&o)
		if err := open(t, o).Probe(ctx); err == nil {
			t.Errorf("%s is not noticed", name)
		}
	}
	o := options(srv)
	o.BaseDN, o.BindDN, o.BindTemplate = "", "", "uid={login},ou=people,"+slapdtest.Base
	if err := open(t, o).People(ctx, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a base: %v", err)
	}
	o = options(srv)
	o.ID = "dn"
	if p, err := open(t, o).Find(ctx, "alice"); err != nil || p.Subject != "uid=alice,ou=people,"+slapdtest.Base {
		t.Errorf("by DN: %+v, %v", p, err)
	}
}

// pair writes a self-signed certificate of localhost and returns its files and a pool that trusts it.
func pair(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.Load(certs.Options{Dir: dir, Domains: []string{"localhost"}}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE KEY") {
			key = f
		}
		if strings.Contains(string(text), "BEGIN CERTIFICATE") {
			cert, pool = f, x509.NewCertPool()
			pool.AppendCertsFromPEM(text)
		}
	}
	return cert, key, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key, pool := pair(t)
	srv := slapdtest.New(t, slapdtest.Options{LDIF: ldif, Cert: cert, Key: key, Extra: "security simple_bind=128\n"})
	_, plain, _ := net.SplitHostPort(srv.Addr())
	_, secure, _ := net.SplitHostPort(srv.TLSAddr())
	for _, c := range []struct {
		what string
		url  string
		pool *x509.CertPool
		ok   bool
	}{
		{"ldaps", "ldaps://localhost:" + secure, pool, true},
		{"StartTLS", "ldap://localhost:" + plain, pool, true},
		{"ldaps of whom nobody knows", "ldaps://localhost:" + secure, x509.NewCertPool(), false},
		{"StartTLS of whom nobody knows", "ldap://localhost:" + plain, x509.NewCertPool(), false},
		{"ldaps under another name", "ldaps://127.0.0.2:" + secure, pool, false},
		{"StartTLS under another name", "ldap://127.0.0.2:" + plain, pool, false},
	} {
		o := options(srv)
		o.URLs, o.StartTLS, o.TLS = []string{c.url}, true, &tls.Config{RootCAs: c.pool, MinVersion: tls.VersionTLS12}
		_, err := check(open(t, o), "alice", "there")
		if (err == nil) != c.ok || errors.Is(err, identity.ErrCredentials) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// TestStartTLSRefused holds that nothing secret is said where the upgrade is refused, as somebody in
// the middle would.
func TestStartTLSRefused(t *testing.T) {
	t.Parallel()
	srv := slapdtest.New(t, slapdtest.Options{LDIF: ldif}) // has no certificate
	seen := &tap{to: srv.Addr()}
	o := options(srv)
	o.URLs, o.StartTLS = []string{"ldap://" + seen.listen(t)}, true
	if _, err := check(open(t, o), "alice", "there"); err == nil || errors.Is(err, identity.ErrCredentials) {
		t.Errorf("an upgrade that was refused: %v", err)
	}
	if text := seen.text(); strings.Contains(text, "there") || strings.Contains(text, slapdtest.Password) || text == "" {
		t.Errorf("went over the line: %q", text)
	}
}

// tap is somebody in the middle: it hands on, listens, and can fall silent.
type tap struct {
	to string

	mu     sync.Mutex
	out    []byte
	silent bool
	conns  []net.Conn
}

func (x *tap) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var going sync.WaitGroup
	going.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", x.to)
			if err != nil {
				_ = c.Close()
				continue
			}
			x.mu.Lock()
			x.conns = append(x.conns, c, back)
			x.mu.Unlock()
			going.Go(func() { _, _ = io.Copy(&half{x, back}, c); _ = back.Close() })
			going.Go(func() { _, _ = io.Copy(&half{x, c}, back); _ = c.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		x.mu.Lock()
		for _, c := range x.conns {
			_ = c.Close()
		}
		x.mu.Unlock()
		going.Wait()
	})
	return l.Addr().String()
}

func (x *tap) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.out)
}

func (x *tap) hush(silent bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.silent = silent
}

type half struct {
	tap *tap
	to  net.Conn
}

func (h *half) Write(b []byte) (int, error) {
	h.tap.mu.Lock()
	h.tap.out = append(h.tap.out, b...)
	silent := h.tap.silent
	h.tap.mu.Unlock()
	if silent {
		return len(b), nil
	}
	return h.to.Write(b)
}

// TestGone holds that a directory which goes in the middle, or says nothing any more, costs no more
// than the time that a question has, and that it is found again.
func TestGone(t *testing.T) {
	t.Parallel()
	srv := slapdtest.New(t, slapdtest.Options{LDIF: ldif})
	way := &tap{to: srv.Addr()}
	o := options(srv)
	o.URLs = []string{"ldap://" + way.listen(t)}
	s := open(t, o)
	if _, err := check(s, "alice", "there"); err != nil {
		t.Fatal(err)
	}
	way.hush(true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Check(ctx, "alice", identity.NewSecret("there"))
	if err == nil || errors.Is(err, identity.ErrCredentials) || time.Since(began) > 5*time.Second {
		t.Errorf("a silent directory: %v after %s", err, time.Since(began))
	}
	way.hush(false)
	if _, err := check(s, "alice", "there"); err != nil {
		t.Errorf("it speaks again: %v", err)
	}
	srv.Kill()
	if _, err := check(s, "alice", "there"); err == nil || errors.Is(err, identity.ErrCredentials) {
		t.Errorf("a killed directory: %v", err)
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := check(s, "alice", "there"); err != nil { // over connections that were kept and are dead
		t.Errorf("it is back: %v", err)
	}
	srv.Kill()
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := check(s, "alice", "there"); err != nil {
		t.Errorf("connections that died meanwhile: %v", err)
	}
	two := options(srv)
	two.URLs = []string{"ldap://127.0.0.1:1", "ldap://" + srv.Addr()}
	if _, err := check(open(t, two), "alice", "there"); err != nil {
		t.Errorf("the second of two servers: %v", err)
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ldap.Options{
		"no address":   {},
		"http":         {URLs: []string{"http://x"}},
		"a bad filter": {URLs: []string{"ldap://x"}, UserFilter: "(uid={login}"},
	} {
		if _, err := ldap.New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if ldap.CheckFilter("(&(objectClass=inetOrgPerson)(uid={login}))") != nil || ldap.CheckFilter("") != nil || ldap.CheckFilter("uid=x)") == nil {
		t.Error("CheckFilter")
	}
}

// FuzzCheck holds that whatever somebody calls themselves, the filter stays the one that the
// administrator has written.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"alice", "*", "*)(uid=*", "\x00", "\\", "ü", "a,b=c", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, login string) {
		if err := ldap.CheckLogin("(&(objectClass=person)(uid={login}))", "uid={login},dc=example", login); err != nil {
			t.Error(err)
		}
	})
}
