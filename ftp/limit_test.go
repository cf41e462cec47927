package ftp_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trivium/identity"
)

// TestPathRules shows rules of verbs on paths: refused they look like a missing file, byte for
// byte; a verb that is refused altogether like one that there is not; links lead round no rule;
// and a change of groups counts for the session that lives.
func TestPathRules(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{
			"ftp:WRITE:/home/alice/In/**":                  "never",
			"ftp:WRITE:/home/alice/In/** for group:trusty": "user",
			"ftp:ALL:/home/alice/hidden/**":                "never",
			"ftp:RETR:/home/alice/one":                     "admin",
			"ftp:WRITE:/home/alice/moving/fixed/**":        "never",
			"ftp:APPE for user:alice":                      "never",
			"ftp:APPE:/home/bob/x":                         "never",
			"ftp:SITE CHMOD:/home/alice/fixed":             "never",
			"ftp:DELE:/home/alice/keep for class:near":     "never",
			"ftp:DELE:/home/alice/other for class:far":     "never",
		}
		w.options = func(o *identity.Options) {
			o.Classes = []identity.Class{{Name: "near", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, {Name: "far"}}
		}
	})
	w.add("bob", identity.LevelUser)
	for _, d := range []string{"In", "in", "hidden"} {
		must(t, os.Mkdir(filepath.Join(w.home, d), 0o755))
	}
	for _, f := range []string{"one", "two", "fixed", "keep", "other", "In/a", "in/a", "hidden/a"} {
		w.write(f, []byte("content"))
	}
	must(t, os.Symlink("one", filepath.Join(w.home, "link")))
	must(t, os.Symlink("In", filepath.Join(w.home, "door")))
	c := dial(t, w.addr).login("alice", w.password)
	absent := c.do(550, "DELE nosuch")
	refused := func(command string) {
		t.Helper()
		if strings.HasPrefix(command, "STOR") || strings.HasPrefix(command, "RETR") || strings.HasPrefix(command, "LIST") {
			defer c.passive().Close()
		}
		if r := c.do(550, command); r != absent {
			t.Errorf("%s: %q, of a missing file %q", command, r, absent)
		}
	}
	refused("STOR In/new")
	refused("STOR /In/../In/new")
	refused("STOR door/new") // a link in the way
	refused("DELE In/a")
	refused("RNFR In/a")
	refused("MKD In/sub")
	refused("RMD In")
	refused("RETR one")
	refused("RETR link") // a link at the end
	refused("CWD hidden")
	refused("LIST hidden")
	refused("MLST hidden/a")
	refused("SIZE hidden/a")
	refused("MDTM hidden/a")
	refused("SITE CHMOD 600 fixed")
	refused("DELE keep")
	c.do(502, "APPE two")
	c.do(502, "APPE In/a")

	c.put("STOR in/new", []byte("x")) // paths keep their case
	c.do(250, "CWD In")
	refused("STOR new") // by the folder that one stands in
	c.do(250, "CWD /")
	if got := c.get("RETR In/a"); string(got) != "content" {
		t.Errorf("reading is no writing: %q", got)
	}
	c.do(350, "RNFR two")
	refused("RNTO In/two")
	c.do(200, "TYPE I")
	c.do(213, "SIZE one")
	c.do(200, "SITE CHMOD 600 two")
	must(t, os.Mkdir(filepath.Join(w.home, "deep"), 0o755))
	must(t, os.Rename(filepath.Join(w.home, "in"), filepath.Join(w.home, "deep", "free")))
	c.do(550, "RNFR moving") // no folder may be moved out of the reach of a rule below it
	must(t, os.MkdirAll(filepath.Join(w.home, "moving", "fixed"), 0o755))
	if r := c.do(550, "RNFR moving"); !strings.Contains(r, "denied") {
		t.Errorf("%q", r)
	}
	c.do(350, "RNFR deep")
	if r := string(c.get("LIST -1R")); strings.Contains(r, "hidden:") || !strings.Contains(r, "free:") {
		t.Errorf("%q", r)
	}
	if r := string(c.get("NLST h*/a")); r != "" {
		t.Errorf("%q", r)
	}
	if r := string(c.get("NLST de*/f*/a")); r != "deep/free/a\r\n" {
		t.Errorf("%q", r)
	}
	c.do(250, "DELE other") // the rule is for another class
	bob := dial(t, w.addr).login("bob", w.password)
	bob.put("APPE y", []byte("x"))
	bob.passive()
	if r := bob.do(550, "APPE x"); r != absent {
		t.Errorf("%q", r)
	}

	_, err := w.identity.AddGroup(t.Context(), root, "trusty", 0)
	must(t, err)
	must(t, w.identity.AddMembers(t.Context(), root, "trusty", []string{"alice"}, false))
	c.put("STOR In/new", []byte("x"))
	must(t, w.identity.RemoveMembers(t.Context(), root, "trusty", []string{"alice"}))
	refused("STOR In/more")
}

// TestNarrowedFileRules shows that rules on paths for one user hide from that one alone, and that
// a folder cannot be moved out of the reach of a rule that counts for who moves it.
func TestNarrowedFileRules(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{
			"file:/home/alice/tree/secret/**":                "never",
			"file:/home/alice/tree/secret/** for user:alice": "user",
			"file:/home/alice/tree/mine/** for user:bob":     "never",
			"file:/home/alice/grove/deep/** for user:alice":  "never",
		}
	})
	for _, d := range []string{"tree/secret", "tree/mine", "grove/deep"} {
		must(t, os.MkdirAll(filepath.Join(w.home, d), 0o755))
	}
	c := dial(t, w.addr).login("alice", w.password)
	c.do(250, "CWD /tree/mine")
	c.do(250, "CWD /tree/secret")
	c.do(550, "CWD /grove/deep")
	c.do(350, "RNFR /grove")
	c.do(550, "RNTO /wood")
	if !w.exists("grove/deep") {
		t.Error("the folder was moved")
	}
	if r := string(c.get("NLST /grove")); r != "" {
		t.Errorf("a hidden folder is listed: %q", r)
	}
	if r := string(c.get("NLST /tree")); !strings.Contains(r, "secret") || !strings.Contains(r, "mine") {
		t.Errorf("listed: %q", r)
	}
}

// TestAnonymousKeptOut: rules of the log-in that are narrowed to a class or to anonymous sessions
// count for those; one for all is about accounts.
func TestAnonymousKeptOut(t *testing.T) {
	w := newWorld(t, withAnonymous, withClasses, func(w *world) {
		w.policy = map[string]string{"login:ftp": "staff", "login:ftp for class:others": "never", "login:ftp for class:either": "anonymous"}
	})
	dialFrom(t, "127.0.0.1", w.addr).login("anonymous", "me@example.net")
	dialFrom(t, "127.0.0.3", w.addr).login("anonymous", "me@example.net")
	dialFrom(t, "127.0.0.3", w.addr).login("alice", w.password)
	c := dialFrom(t, "127.0.0.4", w.addr)
	c.do(331, "USER anonymous")
	c.do(530, "PASS me@example.net")
	c = dialFrom(t, "127.0.0.1", w.addr)
	c.do(331, "USER alice")
	c.do(530, "PASS "+w.password)

	w = newWorld(t, withAnonymous, func(w *world) { w.policy = map[string]string{"login:ftp for user:anonymous": "never"} })
	c = dial(t, w.addr)
	c.do(331, "USER anonymous")
	c.do(530, "PASS me@example.net")
	dial(t, w.addr).login("alice", w.password)
}
