package ftp_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"trivium/ftp"
	"trivium/identity"
)

// names is a DNS of two hosts, of which one lies.
type names struct{}

func (names) LookupAddr(_ context.Context, addr string) ([]string, error) {
	switch addr {
	case "127.0.0.2":
		return []string{"pc.Office.example.org."}, nil
	case "127.0.0.3":
		return []string{"liar.office.example.org."}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
}

func (names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if strings.EqualFold(host, "pc.office.example.org.") {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2")}, nil
	}
	return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
}

// dialFrom is dial from another of the loopback's addresses.
func dialFrom(t testing.TB, from, addr string) *client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	x := &client{t: t, conn: c, in: bufio.NewReader(c)}
	t.Cleanup(x.close)
	x.want(220)
	return x
}

func withClasses(w *world) {
	next := w.options
	w.options = func(o *identity.Options) {
		if next != nil {
			next(o)
		}
		o.Resolver = names{}
		from := func(p string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(p)} }
		o.Classes = []identity.Class{
			{Name: "both", All: []string{"loop", "named"}},
			{Name: "either", Any: []string{"three", "named"}},
			{Name: "others", Not: true, From: from("127.0.0.1/32")},
			{Name: "loop", From: from("127.0.0.0/8")},
			{Name: "named", Hosts: []string{"*.office.EXAMPLE.org"}},
			{Name: "three", From: from("127.0.0.3/32")},
		}
	}
}

// TestClassOfSession: the class is known when the connection is accepted, before any command, and
// stays the same after the log-in.
func TestClassOfSession(t *testing.T) {
	w := newWorld(t, withClasses)
	for from, want := range map[string]string{
		"127.0.0.2": "both",   // its name matches, and leads back to it
		"127.0.0.3": "either", // its name leads elsewhere, so its address alone counts
		"127.0.0.4": "others", // all but one address
		"127.0.0.1": "loop",
	} {
		c := dialFrom(t, from, w.addr)
		find := func() identity.Info {
			t.Helper()
			for _, i := range w.sessions() {
				if i.RemoteAddr == c.conn.LocalAddr().String() {
					return i
				}
			}
			t.Fatalf("no session from %s", from)
			return identity.Info{}
		}
		if i := find(); i.Class == nil || *i.Class != want || i.User != nil {
			t.Errorf("%s after accept: %+v", from, i)
		}
		c.login("alice", w.password)
		if i := find(); i.Class == nil || *i.Class != want || *i.User != "alice" {
			t.Errorf("%s after log-in: %+v", from, i)
		}
	}
}

// identity fields of a session, as ProFTPD names them; "" and nil for NULL.
type fields struct {
	User, OrigUser, IdentUser, AnonUser, Group, Class string
	UID, GID                                          uint32
	GIDs                                              []uint32
	Groups                                            []string
	Level                                             identity.Level
}

func fieldsOf(i identity.Info) fields {
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	f := fields{User: text(i.User), OrigUser: text(i.OrigUser), IdentUser: text(i.IdentUser), AnonUser: text(i.AnonUser),
		Group: text(i.Group), Class: text(i.Class), GIDs: i.GIDs, Groups: i.Groups, Level: i.Level}
	if i.UID != nil {
		f.UID = *i.UID
	}
	if i.GID != nil {
		f.GID = *i.GID
	}
	return f
}

// identd is a server of RFC 1413: it says that each connection from it is the same user's.
func identd(t *testing.T, answer string) (port uint16) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			var theirs, ours int
			line, _ := bufio.NewReader(c).ReadString('\n')
			if _, err := fmt.Sscanf(line, "%d, %d\r\n", &theirs, &ours); err != nil {
				t.Errorf("asked %q: %v", line, err)
			}
			if answer == "" { // no answer until the other side has enough
				_, _ = c.Read(make([]byte, 1))
			} else {
				_, _ = fmt.Fprintf(c, "%d, %d : USERID : UNIX : %s\r\n", theirs, ours, answer)
			}
			_ = c.Close()
		}
	}()
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

// TestIdentityOfSession has the fields of a session for each way to log in.
func TestIdentityOfSession(t *testing.T) {
	start := func(t *testing.T, set func(*world)) (*world, *client) {
		t.Helper()
		w := newWorld(t, withAnonymous, withClasses, func(w *world) {
			w.cfg.IdentLookups = true
			w.prepare = func(s *ftp.Server) { s.SetIdent(identd(t, "bob the\x01builder"), patience) }
			if set != nil {
				set(w)
			}
		})
		_, err := w.identity.AddGroup(t.Context(), root, "staff", 20000)
		must(t, err)
		_, err = w.identity.AddGroup(t.Context(), root, "ants", 20001)
		must(t, err)
		must(t, w.identity.AddMembers(t.Context(), root, "staff", []string{"alice"}, false))
		must(t, w.identity.AddMembers(t.Context(), root, "ants", []string{"alice"}, false))
		_, err = w.identity.AddAlias(t.Context(), root, "al", "alice")
		must(t, err)
		c := dial(t, w.addr)
		eventually(t, "the look-up has ended", func() bool { return *w.sessions()[0].IdentUser != identity.IdentUnknown })
		want := fields{IdentUser: "bob the?builder", Class: "loop"}
		if f := fieldsOf(w.sessions()[0]); !reflect.DeepEqual(f, want) {
			t.Errorf("before a command: %+v, want %+v", f, want)
		}
		return w, c
	}
	check := func(t *testing.T, w *world, want fields) {
		t.Helper()
		want.IdentUser, want.Class = "bob the?builder", "loop"
		if f := fieldsOf(w.sessions()[0]); !reflect.DeepEqual(f, want) {
			t.Errorf("%+v, want %+v", f, want)
		}
	}
	alice := func(t *testing.T, w *world) (uid, gid uint32) {
		t.Helper()
		a, err := w.identity.User(t.Context(), "alice")
		must(t, err)
		return a.UID, a.GID
	}
	t.Run("plain", func(t *testing.T) {
		w, c := start(t, nil)
		c.do(331, "USER alice")
		check(t, w, fields{}) // nothing is set before PASS succeeds
		c.do(230, "PASS "+w.password)
		uid, gid := alice(t, w)
		want := fields{User: "alice", OrigUser: "alice", UID: uid, GID: gid, Group: "alice", GIDs: []uint32{20001, 20000}, Groups: []string{"ants", "staff"}, Level: identity.LevelUser}
		check(t, w, want)
		c.do(220, "REIN")
		check(t, w, fields{})
	})
	t.Run("alias", func(t *testing.T) {
		w, c := start(t, nil)
		c.login("Al", w.password)
		uid, gid := alice(t, w)
		check(t, w, fields{User: "alice", OrigUser: "Al", UID: uid, GID: gid, Group: "alice", GIDs: []uint32{20001, 20000}, Groups: []string{"ants", "staff"}, Level: identity.LevelUser})
	})
	nobody := func(orig, anon string) fields {
		return fields{OrigUser: orig, AnonUser: anon, UID: identity.AnonymousID, GID: identity.AnonymousID, GIDs: []uint32{}, Groups: []string{}, Level: identity.LevelAnonymous}
	}
	t.Run("anonymous by e-mail", func(t *testing.T) {
		w, c := start(t, nil)
		c.login("ftp", "me@example.net")
		check(t, w, nobody("ftp", "me@example.net"))
	})
	t.Run("anonymous with a required password", func(t *testing.T) {
		w, c := start(t, func(w *world) {
			w.cfg.AnonymousRequirePassword = true
			next := w.options
			w.options = func(o *identity.Options) {
				next(o)
				o.AnonymousRequirePassword, o.AnonymousPassword = true, identity.NewSecret("the word")
			}
		})
		c.do(331, "USER anonymous")
		c.do(530, "PASS me@example.net")
		check(t, w, fields{})
		c.login("Anonymous", "the word")
		check(t, w, nobody("Anonymous", "Anonymous"))
	})
	t.Run("failed", func(t *testing.T) {
		w, c := start(t, nil)
		c.do(331, "USER al")
		c.do(530, "PASS wrong")
		check(t, w, fields{})
		eventually(t, "the audit log has it", func() bool {
			rows, err := w.identity.Audit(t.Context(), identity.AuditFilter{Event: identity.EventLoginFail})
			return err == nil && len(rows) == 1 && rows[0].Subject == "alice" && rows[0].Session == w.sessions()[0].ID
		})
	})
}

// TestIdentUnknown: without look-ups, and where the client's host does not answer in time, the
// user is UNKNOWN, and the log-in waits no longer than that.
func TestIdentUnknown(t *testing.T) {
	for name, set := range map[string]func(*testing.T, *ftp.Server){
		"off":     nil,
		"silence": func(t *testing.T, s *ftp.Server) { s.SetIdent(identd(t, ""), 300*time.Millisecond) },
		"nobody listens": func(t *testing.T, s *ftp.Server) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			must(t, ln.Close())
			s.SetIdent(netip.MustParseAddrPort(ln.Addr().String()).Port(), patience)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				if w.cfg.IdentLookups = set != nil; set != nil {
					w.prepare = func(s *ftp.Server) { set(t, s) }
				}
			})
			start := time.Now()
			dial(t, w.addr).login("alice", w.password)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("the log-in took %s", took)
			}
			if i := w.sessions()[0]; i.IdentUser == nil || *i.IdentUser != "UNKNOWN" {
				t.Errorf("%+v", i)
			}
		})
	}
}
