package ftp_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/ftp"
	"trivium/identity"
)

// arguments are what a verb of FEAT is tried with, where an argument is needed.
var arguments = map[string]string{
	"AUTH": "GSSAPI", "PBSZ": "0", "PROT": "C", "CLNT": "test", "CSID": "Name=test;", "EPSV": "", "EPRT": "|1|127.0.0.1|50001|",
	"LANG": "en", "MODE": "Z", "MDTM": "hello.txt", "MFCT": "20200101000000 hello.txt", "MFMT": "20200101000000 hello.txt", "MFF": "Modify=20200101000000; hello.txt", "MLST": "hello.txt",
	"REST": "0", "RANG": "1 0", "SIZE": "hello.txt", "HASH": "hello.txt", "MD5": "hello.txt", "AVBL": "/", "COMB": "all hello.txt",
	"XCRC": "hello.txt", "XMD5": "hello.txt", "XSHA": "hello.txt", "XSHA1": "hello.txt", "XSHA256": "hello.txt", "XSHA512": "hello.txt",
	"SITE COPY": "hello.txt copy", "SITE MKDIR": "folder/sub", "SITE RMDIR": "folder/sub", "SITE SYMLINK": "hello.txt link", "SITE UTIME": "202001010000 hello.txt",
}

// refused are the verbs that refuse what they are tried with for good reason; it is not 500 or 502.
var refused = map[string]string{"AUTH": "504", "PBSZ": "503", "PROT": "503", "HOST": "503", "CCC": "503"}

func features(c *client) (names []string) {
	r := c.do(211, "FEAT")
	for l := range strings.Lines(r) {
		if f, ok := strings.CutPrefix(strings.TrimRight(l, "\r\n"), " "); ok {
			names = append(names, f)
		}
	}
	return names
}

// TestFeaturesWork tries what FEAT lists, in an order in which nothing takes away what another
// needs.
func TestFeaturesWork(t *testing.T) {
	w := newWorld(t, setups["hello"])
	c := dial(t, w.addr).login("alice", w.password)
	last := ""
	for _, f := range features(c) {
		name, _, _ := strings.Cut(f, " ")
		switch {
		case f == "UTF8":
			c.do(200, "OPTS UTF8 ON")
			continue
		case f == "TVFS":
			c.do(250, "CWD /")
			continue
		case name == "SITE":
			name = f
		case name == "COMB":
			last = "COMB " + arguments[name] // it removes the file
			continue
		}
		want := "2 3"
		if code := refused[name]; code != "" {
			want = code
		}
		arg, ok := arguments[name]
		if !ok && refused[name] == "" {
			t.Errorf("nothing is known of %s", name)
			continue
		}
		if name == "HOST" {
			arg = "example.org"
		}
		c.send(strings.TrimSpace(name+" "+arg) + "\r\n")
		r, err := c.reply()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(want, r[:1]) || len(want) == 3 && want != "2 3" && r[:3] != want {
			t.Errorf("%s %s: %s", name, arg, r)
		}
	}
	c.do(250, last)
}

// TestForbiddenVerbs forbids every verb: each is gone from FEAT and HELP, and unknown.
func TestForbiddenVerbs(t *testing.T) {
	for _, kind := range []string{"verbs", "SITE"} {
		t.Run(kind, func(t *testing.T) {
			names := ftp.Verbs()
			if kind == "SITE" {
				names = ftp.Sites()
			}
			w := newWorld(t, setups["hello"], func(w *world) {
				w.policy = map[string]string{}
				for _, name := range names {
					if kind == "SITE" {
						name = "SITE " + name
					}
					w.policy["ftp:"+name] = "never"
				}
			})
			c := dial(t, w.addr)
			before := c.do(211, "FEAT")
			c.do(331, "USER alice")
			c.do(230, "PASS "+w.password)
			if got := c.do(211, "FEAT"); got != before {
				t.Errorf("before the log-in FEAT is\n%s, after it\n%s", before, got)
			}
			help := "HELP"
			if kind == "SITE" {
				help = "HELP SITE"
			}
			words := strings.Fields(c.do(214, help) + before)
			for _, name := range names {
				for _, word := range words {
					if word == name && (kind == "SITE" || name != "SITE") {
						t.Errorf("%s is still named", name)
					}
				}
				line := name
				if kind == "SITE" {
					line = "SITE " + name
				}
				c.do(502, line+" x")
			}
			if kind == "verbs" {
				c.do(501, "OPTS MLST Type")
				c.do(501, "OPTS HASH")
			}
		})
	}
}

// TestTwins sees that a rule for one verb closes the others that do the same.
func TestTwins(t *testing.T) {
	for _, tt := range []struct {
		rule  string
		lines []string
		code  int
	}{
		{"ftp:SITE CHMOD", []string{"MFF UNIX.mode=600; hello.txt"}, 504},
		{"ftp:SITE CHGRP", []string{"MFF UNIX.group=alice; hello.txt"}, 504},
		{"ftp:MFMT", []string{"MFF Modify=20200101000000; hello.txt"}, 504},
		{"ftp:MFMT", []string{"SITE UTIME 202001010000 hello.txt"}, 502},
		{"ftp:MFMT", []string{"MDTM 20200101000000 hello.txt"}, 550},
		{"ftp:HASH", []string{"XCRC hello.txt", "MD5 hello.txt"}, 502},
		{"ftp:STOR", []string{"SITE COPY hello.txt x", "SITE CPFR hello.txt", "COMB x hello.txt"}, 502},
		{"ftp:DELE", []string{"COMB x hello.txt"}, 502},
		{"ftp:MKD", []string{"SITE MKDIR x"}, 502},
		{"ftp:RMD", []string{"SITE RMDIR dir"}, 502},
	} {
		t.Run(tt.rule+" "+tt.lines[0], func(t *testing.T) {
			w := newWorld(t, setups["hello"], func(w *world) { w.policy = map[string]string{tt.rule: "never"} })
			c := dial(t, w.addr).login("alice", w.password)
			for _, l := range tt.lines {
				c.do(tt.code, l)
			}
		})
	}
}

func TestHostAndTLS(t *testing.T) {
	w := newWorld(t)
	named := func(name string) *tls.Config { return &tls.Config{InsecureSkipVerify: true, ServerName: name} }
	other := "of the other"
	t.Run("the handshake names the domain", func(t *testing.T) {
		c := dial(t, w.addr).secure(named("ftp.example.net"))
		c.login("alice", other)
		c.do(220, "REIN")
		c.login("alice", other)
	})
	t.Run("a name with a domain is what it says", func(t *testing.T) {
		dial(t, w.addr).secure(named("example.net")).login("alice@example.org", w.password)
	})
	t.Run("a name that is not ours", func(t *testing.T) {
		dial(t, w.addr).secure(named("files.example.com")).login("alice", w.password)
	})
	t.Run("HOST after the handshake", func(t *testing.T) {
		c := dial(t, w.addr).secure(named("example.net"))
		c.do(504, "HOST example.org")
		c.do(504, "HOST 127.0.0.1")
		c.do(220, "HOST EXAMPLE.net")
		c.login("alice", other)
	})
	t.Run("HOST after a handshake without a name", func(t *testing.T) {
		c := dial(t, w.addr).secure(&tls.Config{InsecureSkipVerify: true})
		c.do(220, "HOST example.net")
		c.login("alice", other)
	})
	t.Run("HOST before AUTH", func(t *testing.T) {
		c := dial(t, w.addr)
		c.do(220, "HOST example.net")
		c.secure(named("example.net")).login("alice", other)
		c = dial(t, w.addr)
		c.do(220, "HOST example.net")
		c.secure(&tls.Config{InsecureSkipVerify: true}).login("alice", other)
	})
	t.Run("HOST and the handshake differ", func(t *testing.T) {
		c := dial(t, w.addr)
		c.do(220, "HOST example.net")
		c.do(234, "AUTH TLS")
		tc := tls.Client(c.conn, named("example.org"))
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.conn, c.in = tc, newReader(tc)
		c.want(421)
	})
	t.Run("implicit", func(t *testing.T) {
		tc, err := tls.Dial("tcp", w.ftps, named("example.net"))
		must(t, err)
		c := &client{t: t, conn: tc, in: newReader(tc)}
		t.Cleanup(c.close)
		c.want(220)
		c.do(504, "HOST example.org")
		c.login("alice", other)
	})
}

func TestHostOfPublicAddress(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.PublicAddress = "Files.example.com" })
	c := dial(t, w.addr)
	c.do(504, "HOST www.example.com")
	c.do(220, "HOST files.EXAMPLE.com")
	c.login("alice", w.password)
}

func TestAnonymousHost(t *testing.T) {
	w := newWorld(t, setups["anonymous"])
	other := filepath.Join(filepath.Dir(filepath.Dir(w.pub)), "example.net", "pub")
	must(t, os.MkdirAll(other, 0o755))
	must(t, os.WriteFile(filepath.Join(other, "there"), []byte("x"), 0o644))
	c := dial(t, w.addr)
	c.do(220, "HOST example.net")
	c.login("ftp", "someone@example.com")
	c.do(213, "SIZE /pub/there")
	c = dial(t, w.addr).login("ftp", "someone@example.com")
	c.do(550, "SIZE /pub/there")
}

// TestRangedStore stores parts of files: nothing outside of the range changes, whatever happens.
func TestRangedStore(t *testing.T) {
	const before = "0123456789"
	for _, tt := range []struct {
		name, rang, sent string
		code             int
		want             string
		absent           bool // there is no file before
	}{
		{"middle", "3 5", "abc", 226, "012abc6789", false},
		{"begin", "0 1", "ab", 226, "ab23456789", false},
		{"end", "8 9", "ab", 226, "01234567ab", false},
		{"over the end", "8 11", "abcd", 226, "01234567abcd", false},
		{"behind", "10 12", "abc", 226, "0123456789abc", false},
		{"a hole", "11 12", "ab", 554, before, false},
		{"fewer", "3 5", "a", 226, "012a456789", false},
		{"none", "3 5", "", 226, before, false},
		{"more", "3 5", "abcd", 551, before, false},
		{"more at the end", "8 9", "abcd", 551, before, false},
		{"more behind", "10 11", "abcd", 551, before, false},
		{"new", "0 2", "abc", 226, "abc", true},
		{"new with a hole", "1 2", "ab", 554, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if !tt.absent {
				w.write("f", []byte(before))
			}
			c := dial(t, w.addr).login("alice", w.password)
			c.do(350, "RANG "+tt.rang)
			d := c.passive()
			c.send("STOR f\r\n")
			if tt.code == 554 {
				c.want(554)
			} else {
				c.want(150)
				_, _ = io.WriteString(d, tt.sent)
				_ = d.Close()
				c.want(tt.code)
			}
			if tt.absent && tt.want == "" {
				if w.exists("f") {
					t.Error("there is a file")
				}
				return
			}
			if got := string(w.read("f")); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			// The next one is not bound by the range.
			c.put("STOR f", []byte("whole"))
			if got := string(w.read("f")); got != "whole" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestRangedStoreBrokenOff(t *testing.T) {
	w := newWorld(t)
	w.write("f", []byte("0123456789"))
	c := dial(t, w.addr).login("alice", w.password)
	c.do(350, "RANG 2 8")
	d := c.passive()
	c.do(150, "STOR f")
	_, err := io.WriteString(d, "abc")
	must(t, err)
	eventually(t, "the bytes are there", func() bool { return w.busy() })
	c.send("ABOR\r\n")
	c.want(426)
	c.want(226)
	if got := string(w.read("f")); got != "0123456789" {
		t.Errorf("%q", got)
	}
	c.do(213, "SIZE f")
	c.put("STOR f", []byte("whole"))
	if got := string(w.read("f")); got != "whole" {
		t.Errorf("%q", got)
	}
}

// TestRangedStoreBesidePart stores a part of a file that an upload which broke off was to replace.
func TestRangedStoreBesidePart(t *testing.T) {
	w := newWorld(t)
	w.write("f", []byte("0123456789"))
	for _, tt := range []struct {
		rang, sent, want string
		code             int
	}{
		{"5 6", "xy", "01234xy789", 226},
		{"0 0", "z", "z1234xy789", 226},
	} {
		c := dial(t, w.addr).login("alice", w.password)
		d := c.passive()
		c.do(150, "STOR f")
		_, err := io.WriteString(d, "ABCDE")
		must(t, err)
		eventually(t, "the bytes came", func() bool { return w.moved() >= 5 })
		c.send("ABOR\r\n")
		c.want(426)
		c.want(226)
		c.do(350, "RANG "+tt.rang)
		d = c.passive()
		c.do(150, "STOR f")
		_, err = io.WriteString(d, tt.sent)
		must(t, err)
		must(t, d.Close())
		c.want(tt.code)
		if got := string(w.read("f")); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	// Of a file that is not finished there are no ranges.
	c := dial(t, w.addr).login("alice", w.password)
	d := c.passive()
	c.do(150, "STOR new")
	_, err := io.WriteString(d, "ABCDE")
	must(t, err)
	eventually(t, "the bytes came", func() bool { return w.moved() >= 5 })
	c.send("ABOR\r\n")
	c.want(426)
	c.want(226)
	c.do(350, "RANG 5 6")
	c.passive()
	c.do(554, "STOR new")
	c.do(213, "SIZE new")
}

// sparse makes a file whose checksum takes far longer than a test.
func sparse(t *testing.T, w *world, name string) {
	t.Helper()
	w.write(name, nil)
	must(t, os.Truncate(filepath.Join(w.home, name), 1<<40))
}

func TestStopHash(t *testing.T) {
	w := newWorld(t, setups["hello"])
	sparse(t, w, "big")
	c := dial(t, w.addr).login("alice", w.password)
	c.send("HASH big\r\nPWD\r\n")
	c.do(200, "NOOP")
	if r := c.do(211, "STAT"); !strings.Contains(r, "HASH /big") {
		t.Errorf("%s", r)
	}
	c.send("ABOR\r\n")
	c.want(426)
	c.want(226)
	c.want(257) // PWD has waited
	c.do(213, "HASH hello.txt")

	// Stopped by an administrator.
	c.send("XMD5 big\r\n")
	c.do(200, "NOOP")
	must(t, w.identity.StopTransfer(root, w.sessions()[0].Transfer.ID))
	c.want(426)

	// QUIT waits, a hang-up does not.
	c.send("HASH big\r\n")
	c.do(200, "NOOP")
	_ = c.conn.Close()
	eventually(t, "the session is gone", func() bool { return len(w.sessions()) == 0 })
}

func TestHashingHasBounds(t *testing.T) {
	w := newWorld(t, setups["hello"])
	free := w.srv.OccupyHashing(10 * time.Millisecond)
	c := dial(t, w.addr).login("alice", w.password)
	c.do(450, "HASH hello.txt")
	c.do(450, "XCRC hello.txt")
	free()
	w.srv.OccupyHashing(time.Hour)()
	c.do(213, "HASH hello.txt")
}

func TestShutdownStopsHash(t *testing.T) {
	w := newWorld(t)
	sparse(t, w, "big")
	c := dial(t, w.addr).login("alice", w.password)
	c.send("HASH big\r\n")
	c.do(200, "NOOP")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	must(t, w.srv.Shutdown(ctx))
	c.want(421)
}

func TestOwners(t *testing.T) {
	w := newWorld(t, setups["hello"])
	w.add("root1", identity.LevelRoot)
	w.add("staff1", identity.LevelStaff)
	must(t, os.MkdirAll(filepath.Join(filepath.Dir(w.home), "root1"), 0o755))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(w.home), "root1", "f"), []byte("x"), 0o644))
	c := dial(t, w.addr).login("root1", w.password)
	uid := func() string {
		c.do(200, "OPTS MLST UNIX.uid")
		return strings.TrimSpace(strings.Split(strings.Split(c.do(250, "MLST f"), "=")[1], ";")[0])
	}
	mine := uid()
	c.do(550, "SITE CHOWN nosuchuser f")
	if uid() != mine {
		t.Error("an unknown name changed the owner")
	}
	c.do(501, "SITE CHOWN root1: f")
	c.do(501, "SITE CHOWN : f")
	c.do(501, "SITE CHOWN root1")
	c.do(200, "SITE CHOWN 12345 f")
	if uid() != "12345" {
		t.Errorf("the owner is %s", uid())
	}
	c.do(200, "SITE CHOWN root1:54321 f")
	c.do(200, "SITE CHOWN :root1 f")
	if r := c.do(213, "MFF UNIX.owner=12345;UNIX.gid=7; f"); !strings.Contains(r, "UNIX.owner=12345;UNIX.gid=7;") {
		t.Errorf("%s", r)
	}
	if f := strings.Join(features(c), "\n"); !strings.Contains(f, "UNIX.owner;") {
		t.Errorf("%s", f)
	}
	// Who is not root may not, and learns nothing of who exists.
	c = dial(t, w.addr).login("staff1", w.password)
	c.do(502, "SITE CHOWN root1 f")
	c.do(504, "MFF UNIX.owner=root1; f")
}

func TestRemoveTree(t *testing.T) {
	for _, tt := range []struct {
		name   string
		level  identity.Level
		policy map[string]string
		code   int
	}{
		{"user", identity.LevelUser, nil, 502},
		{"staff", identity.LevelStaff, nil, 200},
		{"user whom a rule lets", identity.LevelUser, map[string]string{"ftp:SITE RMDIR -R": "user"}, 200},
		{"user whom a rule of their own lets", identity.LevelUser, map[string]string{"ftp:SITE RMDIR -R for user:bob": "user"}, 200},
		{"user whom a rule for another lets", identity.LevelUser, map[string]string{"ftp:SITE RMDIR -R for user:alice": "user"}, 502},
		{"staff whom a rule does not let", identity.LevelStaff, map[string]string{"ftp:SITE RMDIR -R": "never"}, 502},
		{"staff who may not delete", identity.LevelStaff, map[string]string{"ftp:DELE": "never"}, 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(w *world) { w.policy = tt.policy })
			w.add("bob", tt.level)
			home := filepath.Join(filepath.Dir(w.home), "bob")
			must(t, os.MkdirAll(filepath.Join(home, "a/b/c"), 0o755))
			must(t, os.WriteFile(filepath.Join(home, "a/b/f"), []byte("x"), 0o644))
			c := dial(t, w.addr).login("bob", w.password)
			if got := strings.Contains(c.do(214, "SITE HELP RMDIR"), "-r"); got != (tt.code == 200) {
				t.Errorf("named in HELP: %v", got)
			}
			c.do(tt.code, "SITE RMDIR -r a")
			if _, err := os.Stat(filepath.Join(home, "a")); os.IsNotExist(err) != (tt.code == 200) {
				t.Errorf("afterwards: %v", err)
			}
			if tt.code == 200 {
				c.do(550, "SITE RMDIR -r a")
				c.do(550, "SITE RMDIR -r /")
			}
		})
	}
}

func TestLevelOf(t *testing.T) {
	for r, want := range map[identity.Resource]identity.Level{
		"ftp:SITE RMDIR -R": identity.LevelStaff, "ftp:site rmdir -r": identity.LevelStaff, "ftp:SITE CHOWN": identity.LevelRoot,
		"ftp:SITE CHMOD": 0, "ftp:STOR": 0, "web:/admin": 0, "ftp:SITE": 0,
	} {
		if got, ok := ftp.LevelOf(r); got != want || ok != (want != 0) {
			t.Errorf("%s: %v %v", r, got, ok)
		}
	}
}

// room is a chat that knows bob.
type room struct{ heard []string }

func (r *room) Message(_ context.Context, from *identity.Session, to, text string) error {
	return r.hear(from, to, text)
}

func (r *room) Invite(_ context.Context, from *identity.Session, to, room string) error {
	return r.hear(from, to, "come to "+room)
}

func (r *room) hear(from *identity.Session, to, text string) error {
	switch to {
	case "bob":
		c, _ := from.Credentials()
		r.heard = append(r.heard, c.User+": "+text)
		return nil
	case "broken":
		return fmt.Errorf("the chat: %w", os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("%q: %w", to, identity.ErrNotFound)
}

func TestChat(t *testing.T) {
	heard := &room{}
	w := newWorld(t, func(w *world) { w.chat = heard })
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "SITE MSG bob are you there?")
	c.do(200, "SITE INVITE bob lobby")
	c.do(550, "SITE MSG carol hello")
	c.do(451, "SITE MSG broken hello")
	c.do(501, "SITE MSG bob")
	c.do(501, "SITE MSG bob  ")
	c.do(501, "SITE INVITE bob")
	c.do(501, "SITE INVITE bob two rooms")
	if got := strings.Join(heard.heard, "|"); got != "alice: are you there?|alice: come to lobby" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(c.do(214, "SITE HELP"), "MSG <user> <text>") {
		t.Error("HELP does not name it")
	}
}

func TestUmaskOfFolders(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	c.do(257, "MKD old")
	c.do(200, "SITE UMASK 077")
	c.do(200, "SITE MKDIR old/a/b")
	c.do(200, "OPTS MLST UNIX.mode")
	for p, mode := range map[string]string{"old": "0750", "old/a": "0700", "old/a/b": "0700"} {
		if r := c.do(250, "MLST "+p); !strings.Contains(r, "UNIX.mode="+mode+";") {
			t.Errorf("%s: %s", p, r)
		}
	}
}

func TestAvailable(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	var free int64
	if _, err := fmt.Sscanf(c.do(213, "AVBL"), "213 %d", &free); err != nil || free <= 0 {
		t.Errorf("%d, %v", free, err)
	}
}

// TestPathRulesOfTwins sees that no verb goes round a rule on paths of one that does the same, nor
// a copy or a removal of a folder round a rule on what is in it.
func TestPathRulesOfTwins(t *testing.T) {
	const home = "/home/bob"
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{
			"ftp:STOR:" + home + "/fixed/**":    "never",
			"ftp:RETR:" + home + "/secret":      "never",
			"ftp:DELE:" + home + "/tree/keep":   "never",
			"ftp:HASH:" + home + "/secret":      "never",
			"ftp:MFMT:" + home + "/secret":      "never",
			"ftp:MKD:" + home + "/fixed/**":     "never",
			"ftp:RMD:" + home + "/fixed/**":     "never",
			"ftp:RETR:" + home + "/mixed/deep":  "never",
			"ftp:MKD:" + home + "/a/b":          "never",
			"ftp:RNTO:" + home + "/a/c/in/*":    "never",
			"ftp:STOR:" + home + "/a/c/in/*":    "never",
			"ftp:SITE COPY:" + home + "/plain2": "never",
			"ftp:STOR:" + home + "/\u00e9":      "never",
			"ftp:MKD:" + home + "/\u00e9/**":    "never",
		}
	})
	w.add("bob", identity.LevelStaff)
	bob := filepath.Join(filepath.Dir(w.home), "bob")
	for _, d := range []string{"fixed/sub", "tree/below", "mixed", "free/in", "a"} {
		must(t, os.MkdirAll(filepath.Join(bob, d), 0o755))
	}
	must(t, os.Symlink("fixed", filepath.Join(bob, "way")))
	must(t, os.Symlink("a", filepath.Join(bob, "b")))
	for _, f := range []string{"secret", "plain", "plain2", "part", "tree/keep", "tree/below/x", "mixed/deep", "free/in/x"} {
		must(t, os.WriteFile(filepath.Join(bob, f), []byte("content"), 0o644))
	}
	c := dial(t, w.addr).login("bob", w.password)
	absent := c.do(550, "SIZE nosuch")
	for _, l := range []string{
		"SITE COPY plain fixed/copy", "SITE COPY secret copy", "SITE CPFR secret", "COMB fixed/all part", "COMB all secret", "COMB all tree/keep",
		"XCRC secret", "MD5 secret", "HASH secret", "SITE UTIME 202001010000 secret", "MFF Modify=20200101000000; secret", "MDTM 20200101000000 secret",
		"SITE MKDIR fixed/new", "SITE RMDIR fixed/sub",
		"SITE MKDIR a/b/c", "SITE MKDIR -p a/b/c", // a folder on the way
		"SITE MKDIR -p way/x/y", "SITE MKDIR way/x", // by a link
		"SITE COPY plain2 copy", "SITE MKDIR -p e\u0301/x",
	} {
		if r := c.do(550, l); r != absent {
			t.Errorf("%s: %q", l, r)
		}
	}
	c.do(550, "SITE RMDIR -r tree")
	c.do(550, "SITE COPY mixed copy")
	c.do(550, "SITE COPY free fixed/free")
	c.do(550, "SITE COPY free b/c")
	for _, to := range []string{"a/c", "b/c"} { // not by a folder that is moved there
		c.do(350, "RNFR free")
		c.do(550, "RNTO "+to)
	}
	c.passive()
	c.do(550, "STOR e\u0301")
	for _, f := range []string{"tree/keep", "tree/below/x"} {
		if _, err := os.Stat(filepath.Join(bob, f)); err != nil {
			t.Error(err)
		}
	}
	for _, f := range []string{"copy", "fixed/free", "fixed/x", "a/b", "a/c", "\u00e9"} {
		if _, err := os.Stat(filepath.Join(bob, f)); err == nil {
			t.Errorf("%s was made", f)
		}
	}
	c.do(250, "SITE COPY free copy")
	c.do(200, "SITE RMDIR -r free")
	c.do(250, "COMB all plain part")
	c.do(213, "MFF UNIX.mode=600; secret")
}

// TestManual sees that the manual has every verb, and every SITE command.
func TestManual(t *testing.T) {
	b, err := os.ReadFile("../docs/ftp.md")
	must(t, err)
	words := make(map[string]bool)
	for _, word := range strings.FieldsFunc(string(b), func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		words[word] = true
	}
	for _, name := range append(ftp.Verbs(), ftp.Sites()...) {
		if !words[name] {
			t.Errorf("docs/ftp.md does not have %s", name)
		}
	}
}

func TestQuotaVerbs(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.quota = 100
		w.fill = map[string]string{"a": strings.Repeat("a", 30), "b": strings.Repeat("b", 30)}
	})
	c := dial(t, w.addr).login("alice", w.password)
	if r := c.do(213, "AVBL"); r != "213 40\r\n" {
		t.Errorf("%s", r)
	}
	if r := c.do(200, "SITE QUOTA"); !strings.Contains(r, "Bytes: 60 used, 100 allowed\r\n") || !strings.Contains(r, "Free: 40\r\n") {
		t.Errorf("%s", r)
	}
	// Until the parts are gone the whole counts beside them.
	c.do(552, "COMB all a b")
	if w.exists("all") || string(w.read("a")) != strings.Repeat("a", 30) || string(w.read("b")) != strings.Repeat("b", 30) {
		t.Error("a COMB that failed left something behind")
	}
	c.do(250, "COMB a b") // what is replaced makes room
	whole := strings.Repeat("a", 30) + strings.Repeat("b", 30)
	if string(w.read("a")) != whole || w.exists("b") {
		t.Error("COMB")
	}
	c.do(552, "SITE COPY a d")
	if w.exists("d") {
		t.Error("a copy that failed left something behind")
	}
	for _, rang := range []string{"10 129", "60 129"} {
		c.do(350, "RANG "+rang)
		d := c.passive()
		c.do(150, "STOR a")
		_, err := io.WriteString(d, strings.Repeat("x", 120-60*strings.Count(rang, "60 ")))
		must(t, err)
		must(t, d.Close())
		c.want(552)
		if got := string(w.read("a")); got != whole {
			t.Errorf("%s: %q", rang, got)
		}
	}
	if r := c.do(213, "AVBL"); r != "213 40\r\n" {
		t.Errorf("afterwards %s", r)
	}
}

// TestStopCopy stops a copy of many files: what is copied by then is whole.
func TestStopCopy(t *testing.T) {
	const many = 2000
	w := newWorld(t, func(w *world) {
		w.fill = map[string]string{}
		for i := range many {
			w.fill[fmt.Sprintf("from/%d", i)] = "content"
		}
	})
	c := dial(t, w.addr).login("alice", w.password)
	c.send("SITE COPY from to\r\nABOR\r\n")
	c.want(426)
	c.want(226)
	entries, err := os.ReadDir(filepath.Join(w.home, "to"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if len(entries) >= many {
		t.Errorf("%d files were copied", len(entries))
	}
	for _, e := range entries {
		if got := string(w.read("to/" + e.Name())); got != "content" {
			t.Errorf("%s: %q", e.Name(), got)
		}
	}
	c.do(250, "SITE COPY from/1 one")
}

func TestCombineBusy(t *testing.T) {
	w := newWorld(t, setups["hello"])
	c := dial(t, w.addr).login("alice", w.password)
	other := dial(t, w.addr).login("alice", w.password)
	d := other.passive()
	other.do(150, "STOR all")
	c.do(450, "COMB all hello.txt")
	c.do(450, "SITE COPY hello.txt all")
	if !w.exists("hello.txt") {
		t.Error("the part is gone")
	}
	_, err := io.WriteString(d, "first ")
	must(t, err)
	must(t, d.Close())
	other.want(226)
	c.do(250, "COMB all hello.txt")
	if got := string(w.read("all")); got != "first hello" {
		t.Errorf("%q", got)
	}
}
