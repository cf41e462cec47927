// Package slapdtest runs OpenLDAP's slapd for tests, each with a configuration and a database of its
// own in a folder of the test.
package slapdtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the directory is made of.
const (
	Base     = "dc=example,dc=org"
	Admin    = "cn=admin," + Base
	Password = "admin password"
)

// Server is a running slapd.
type Server struct {
	t     testing.TB
	dir   string
	plain string // host:port
	tls   string // host:port of ldaps; "": none
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has
	log   *bytes.Buffer // read after that
}

// Options is what New may be told.
type Options struct {
	LDIF      string // what is in it below Base
	Cert, Key string // files in PEM; "": no TLS
	Extra     string // lines of slapd.conf for the database
}

// tries is how often another port is tried, where somebody else was faster.
const tries = 3

// New starts a server; the test is skipped, and says so, where there is none on the machine.
func New(t testing.TB, o Options) *Server {
	t.Helper()
	slapd, err := exec.LookPath("slapd")
	if err != nil {
		if slapd = "/usr/sbin/slapd"; !exists(slapd) {
			t.Skip("slapd is not installed (Debian: apt-get install slapd): LDAP is not tested")
		}
	}
	s := &Server{t: t, dir: t.TempDir()}
	s.configure(slapd, o)
	for i := range tries {
		s.plain = free(t)
		if o.Cert != "" {
			s.tls = free(t)
		}
		if err = s.Start(); err == nil {
			break
		}
		if i == tries-1 {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.Kill)
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (s *Server) configure(slapd string, o Options) {
	s.t.Helper()
	db := filepath.Join(s.dir, "db")
	if err := os.Mkdir(db, 0o700); err != nil {
		s.t.Fatal(err)
	}
	conf := "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/nis.schema\n" +
		"include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n" +
		"pidfile " + filepath.Join(s.dir, "pid") + "\nsizelimit 1000\n"
	if o.Cert != "" {
		conf += "TLSCertificateFile " + o.Cert + "\nTLSCertificateKeyFile " + o.Key + "\n"
	}
	conf += "database mdb\nsuffix \"" + Base + "\"\nrootdn \"" + Admin + "\"\nrootpw \"" + Password + "\"\ndirectory " + db + "\nmaxsize 33554432\n" +
		"access to attrs=userPassword by anonymous auth by self write by * none\naccess to * by * read\n" + o.Extra
	ldif := "dn: " + Base + "\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n" + o.LDIF
	for name, text := range map[string]string{"slapd.conf": conf, "data.ldif": ldif} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	cmd := exec.Command(slapd, "-Tadd", "-q", "-f", filepath.Join(s.dir, "slapd.conf"), "-l", filepath.Join(s.dir, "data.ldif"))
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("filling the directory: %v\n%s", err, out)
	}
	s.cmd = exec.Command(slapd)
}

// Start starts it, again at the same addresses.
func (s *Server) Start() error {
	urls := "ldap://" + s.plain
	if s.tls != "" {
		urls += " ldaps://" + s.tls
	}
	s.log = &bytes.Buffer{}
	s.cmd = exec.Command(s.cmd.Path, "-d", "0", "-h", urls, "-f", filepath.Join(s.dir, "slapd.conf"))
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	cmd, ended := s.cmd, make(chan struct{})
	s.ended = ended
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	const limit = 20 * time.Second
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		c, err := net.DialTimeout("tcp", s.plain, time.Second)
		if err == nil {
			_ = c.Close()
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("slapd has ended: %s", s.log)
		case <-tick.C:
		}
	}
	s.Kill()
	return fmt.Errorf("slapd does not answer on %s: %s", s.plain, s.log)
}

// Kill ends it at once, as a machine does that loses its power.
func (s *Server) Kill() {
	if s.ended == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Addr is host:port in the clear, with StartTLS where it has a certificate.
func (s *Server) Addr() string { return s.plain }

// TLSAddr is host:port of ldaps.
func (s *Server) TLSAddr() string { return s.tls }

// Person is an entry of ou=people, as LDIF; of more the object classes come first.
func Person(uid, password string, more ...string) string {
	return "dn: uid=" + uid + ",ou=people," + Base + "\nobjectClass: inetOrgPerson\n" + strings.Join(append(more, ""), "\n") +
		"uid: " + uid + "\ncn: " + uid + "\nsn: " + uid + "\nuserPassword: " + password + "\n\n"
}

// Tree is the two branches that people and groups are in.
const Tree = "dn: ou=people," + Base + "\nobjectClass: organizationalUnit\nou: people\n\n" +
	"dn: ou=groups," + Base + "\nobjectClass: organizationalUnit\nou: groups\n\n"

// Group is an entry of ou=groups, as LDIF.
func Group(cn, class string, more ...string) string {
	return "dn: cn=" + cn + ",ou=groups," + Base + "\nobjectClass: " + class + "\ncn: " + cn + "\n" + strings.Join(append(more, ""), "\n") + "\n"
}
