package ftp_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"trivium/ftp"
	"trivium/identity"
)

// swapper does something as soon as the policy has answered so many questions about paths.
type swapper struct {
	ftp.Identity
	mu   sync.Mutex
	left int // questions until then
	do   func()
	done bool
}

func (s *swapper) Allowed(ses *identity.Session, r identity.Resource) bool {
	ok := s.Identity.Allowed(ses, r)
	if strings.Contains(string(r), ":/") {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.left--; s.left == 0 {
			s.do()
			s.done = true
		}
	}
	return ok
}

func (s *swapper) arm(after int, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.do, s.done = after, do, false
}

// met reports whether it was done.
func (s *swapper) met() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// secrets tell that something of the closed folder came out: its names, the size and the time of its
// file, and what checksums say of its content.
var secrets = []string{"hidden", "7777", "20010203", "Feb  3  2001", secretSum("CRC32"), secretSum("MD5"), secretSum("SHA-256")}

const secretText = "hidden."

func secretContent() []byte { return []byte(strings.Repeat(secretText, 1111)) } // 7777 bytes

// swapBed is a home with an open and a closed folder, and links that lead to the one or to the other.
type swapBed struct {
	*world
	t   *testing.T
	pol *swapper
}

func (b *swapBed) in(name string) string { return filepath.Join(b.home, name) }

// link makes a link, or leads the one that there is elsewhere, in one step.
func (b *swapBed) link(target, name string) {
	must(b.t, os.Symlink(target, b.in("..new")))
	must(b.t, os.Rename(b.in("..new"), b.in(name)))
}

func (b *swapBed) fill() {
	all, err := os.ReadDir(b.home)
	must(b.t, err)
	for _, e := range all {
		must(b.t, os.RemoveAll(b.in(e.Name())))
	}
	for _, d := range []string{"open/sub/in", "shut/sub/in", "shut/hidden", "tree/in"} {
		must(b.t, os.MkdirAll(b.in(d), 0o755))
	}
	must(b.t, os.RemoveAll(b.in("open/sub/in")))
	must(b.t, os.RemoveAll(b.in("shut/sub/in")))
	b.write("open/f", []byte("open"))
	b.write("shut/f", secretContent())
	b.write("shut/hidden-too", secretContent())
	b.write("free", []byte("free"))
	b.write("tree/f", []byte("free"))
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, e := range []string{"shut/f", "shut/hidden-too", "shut/sub"} {
		must(b.t, os.Chtimes(b.in(e), then, then))
	}
	b.link("f", "open/link")
	b.link("f", "shut/link")
	b.link("open", "door")
	b.link("open/f", "way")
}

// closed says all that is in the closed folder.
func (b *swapBed) closed() string {
	var all strings.Builder
	must(b.t, filepath.WalkDir(b.in("shut"), func(p string, _ fs.DirEntry, err error) error {
		must(b.t, err)
		i, err := os.Lstat(p)
		must(b.t, err)
		attr, _ := xattr.LGet(p, "user.trivium")
		fmt.Fprintf(&all, "%s %s %d %s %q\n", p, i.Mode(), i.Size(), i.ModTime(), attr)
		return nil
	}))
	return all.String()
}

// leaked finds what of the closed folder stands elsewhere.
func (b *swapBed) leaked() (at string) {
	must(b.t, filepath.WalkDir(b.home, func(p string, d fs.DirEntry, err error) error {
		must(b.t, err)
		if p == b.in("shut") {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			content, err := os.ReadFile(p)
			must(b.t, err)
			if strings.Contains(string(content), secretText) {
				at = p
			}
		}
		return nil
	}))
	return at
}

// say runs one command, whatever comes of it, and returns all that came back.
func (b *swapBed) say(c *client, command string) string {
	var data interface {
		io.ReadWriteCloser
	}
	verb, _, _ := strings.Cut(command, " ")
	switch verb {
	case "RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD":
		data = c.passive()
	}
	c.send(command + "\r\n")
	first, err := c.reply()
	must(b.t, err)
	if !strings.HasPrefix(first, "1") {
		return first
	}
	var came []byte
	switch verb {
	case "STOR", "APPE", "STOU":
		_, err = io.WriteString(data, "written")
		must(b.t, err)
	default:
		came, _ = io.ReadAll(data) // what is refused on the way is cut off
	}
	_ = data.Close()
	last, err := c.reply()
	must(b.t, err)
	return first + string(came) + last
}

// TestSwappedLinks leads a link in a verb's path elsewhere after each question that the policy is asked
// about paths, the first, the second and so on: at no such moment does the verb reach what a rule
// keeps it from.
func TestSwappedLinks(t *testing.T) {
	t.Parallel()
	pol := &swapper{}
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{"ftp:ALL:/home/alice/shut/**": "never", "ftp:SITE RMDIR -r": "user"}
		w.between = func(i ftp.Identity) ftp.Identity { pol.Identity = i; return pol }
	})
	b := &swapBed{w, t, pol}
	c := dial(t, w.addr).login("alice", w.password)
	for _, story := range []string{
		"RETR door/f", "RETR way", "SIZE door/f", "SIZE way", "MDTM door/f",
		"STOR door/f", "STOR door/new", "STOR way", "APPE door/f", "APPE door/new", "APPE way",
		"CWD door > STOU x", "CWD door > STOR new", "CWD door > DELE f", "CWD door > LIST", "RANG 0 6 > RETR door/f", "RANG 0 6 > STOR door/f",
		"DELE door/f", "MKD door/new", "RMD door/sub", "RNFR door/f > RNTO taken", "RNFR door/sub > RNTO taken", "RNFR free > RNTO door/new", "RNFR free > RNTO door/f",
		"MFMT 20200101000000 door/f", "MFMT 20200101000000 way", "MDTM 20200101000000 door/f", "MFCT 20200101000000 door/f", "MFF Modify=20200101000000;UNIX.mode=600; door/f",
		"HASH door/f", "XCRC door/f", "XMD5 door/f", "MD5 door/f", "XSHA256 door/f 0 7777",
		"MLST door/f", "MLST way", "MLSD door", "LIST door", "LIST -la door", "LIST -R door", "NLST door", "NLST door/*", "NLST do*/*", "NLST do*/h*", "LIST d*/*", "STAT door", "STAT door/f", "STAT -d way",
		"SITE CHMOD 600 door/f", "SITE CHMOD 600 way", "SITE UTIME 202001010000 door/f", "SITE SYMLINK f door/new",
		"SITE MKDIR door/new", "SITE MKDIR door/new/newer", "SITE RMDIR door/sub", "SITE RMDIR -r door/sub",
		"SITE COPY door/f copy", "SITE COPY way copy", "SITE COPY door copy", "SITE COPY free door/new", "SITE COPY tree door/new", "SITE COPY free way",
		"SITE CPFR door/f > SITE CPTO copy", "SITE CPFR free > SITE CPTO door/new",
		"COMB door/new free", "COMB whole door/f", "COMB way free",
	} {
		const most = 100
		n := 1
		for ; n <= most; n++ {
			b.fill()
			was := b.closed()
			pol.arm(n, func() {
				b.link("shut", "door")
				b.link("shut/f", "way")
			})
			var came string
			for _, command := range strings.Split(story, " > ") {
				came += b.say(c, command)
			}
			met := pol.met()
			pol.arm(0, nil)
			c.do(250, "CWD /")
			if is := b.closed(); is != was {
				t.Errorf("%s, swapped after question %d: %s\nit was\n%sit is\n%s", story, n, came, was, is)
			}
			if at := b.leaked(); at != "" {
				t.Errorf("%s, swapped after question %d: %s has what is closed: %s", story, n, at, came)
			}
			for _, s := range secrets {
				if strings.Contains(strings.ToLower(came), strings.ToLower(s)) {
					t.Errorf("%s, swapped after question %d: %q is told: %s", story, n, s, came)
				}
			}
			if !met {
				break
			}
		}
		if n < 3 || n > most {
			t.Errorf("%s: %d questions", story, n-1)
		}
	}
}

// TestKeptFromListings: of what a rule keeps back no listing tells anything but that a link leads there.
func TestKeptFromListings(t *testing.T) {
	w := newWorld(t, func(w *world) { w.policy = map[string]string{"ftp:ALL:/home/alice/shut/**": "never"} })
	b := &swapBed{world: w, t: t}
	b.fill()
	b.link("../shut/f", "open/out")
	c := dial(t, w.addr).login("alice", w.password)
	for _, command := range []string{"MLSD open", "LIST open", "LIST -la open", "NLST open/*"} {
		came := b.say(c, command)
		if !strings.Contains(came, "out") || !strings.Contains(came, "226 ") {
			t.Errorf("%s: %s", command, came)
		}
		for _, s := range secrets {
			if strings.Contains(came, s) {
				t.Errorf("%s: %q is told: %s", command, s, came)
			}
		}
	}
}

// TestFolderForFile: a folder with something in it that a rule holds, put in the place of the file that
// RNFR has seen, is not moved; nor does one get to where a rule lies below.
func TestFolderForFile(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{"ftp:WRITE:/home/alice/moving/fixed/**": "never", "ftp:WRITE:/home/alice/goal/fixed/**": "never"}
	})
	c := dial(t, w.addr).login("alice", w.password)
	w.write("moving", []byte("a file"))
	c.do(350, "RNFR moving")
	must(t, os.Remove(filepath.Join(w.home, "moving")))
	must(t, os.MkdirAll(filepath.Join(w.home, "moving", "fixed"), 0o755))
	c.do(550, "RNTO gone")
	if !w.exists("moving/fixed") {
		t.Error("the folder was moved")
	}
	w.write("a", []byte("a file"))
	c.do(350, "RNFR a")
	must(t, os.Remove(filepath.Join(w.home, "a")))
	must(t, os.MkdirAll(filepath.Join(w.home, "a", "fixed"), 0o755))
	c.do(550, "RNTO goal")
	if w.exists("goal") {
		t.Error("the folder came to where a rule lies below")
	}
	c.do(350, "RNFR a")
	c.do(250, "RNTO b")
}

// TestRulesInOtherForms: a rule counts for a name whichever way its letters are written.
func TestRulesInOtherForms(t *testing.T) {
	w := newWorld(t, func(w *world) {
		w.policy = map[string]string{"ftp:RETR:/home/alice/caf\u00e9": "never"}
	})
	w.write("cafe\u0301", []byte("x"))
	c := dial(t, w.addr).login("alice", w.password)
	absent := c.do(550, "DELE nosuch")
	for _, name := range []string{"caf\u00e9", "cafe\u0301"} {
		c.passive()
		if r := c.do(550, "RETR "+name); r != absent {
			t.Errorf("%+q: %q", name, r)
		}
	}
}

// secretSum is a checksum of the closed file.
func secretSum(algorithm string) string {
	var h hash.Hash
	switch algorithm {
	case "CRC32":
		h = crc32.NewIEEE()
	case "MD5":
		h = md5.New()
	default:
		h = sha256.New()
	}
	_, _ = h.Write(secretContent())
	return hex.EncodeToString(h.Sum(nil))
}
