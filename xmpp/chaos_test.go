package xmpp_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/identity"
	"trivium/xmpp"
)

// wild is a client that does what comes to its mind, and takes every end of a stream as it comes.
type wild struct {
	s    *site
	rnd  *rand.Rand
	id   string // of the stream that it may resume
	conn net.Conn
	got  string
}

func (w *wild) say(text string) bool {
	_, err := io.WriteString(w.conn, text)
	return err == nil
}

// hear reads until one of the words has come; false: the connection has ended, or time is up.
func (w *wild) hear(words ...string) bool {
	_ = w.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 4096)
	for {
		for _, word := range words {
			if strings.Contains(w.got, word) {
				return true
			}
		}
		n, err := w.conn.Read(buf)
		w.got += string(buf[:n])
		if err != nil && n == 0 {
			return false
		}
	}
}

var anyEnabled = regexp.MustCompile(`<enabled xmlns='urn:xmpp:sm:3' id='([^']+)'`)

// life is one connection.
func (w *wild) life() {
	raw, err := net.Dial("tcp", w.s.tls)
	if err != nil {
		return
	}
	defer func() { _ = raw.Close() }()
	w.got = ""
	conn := tls.Client(raw, w.s.clientTLS("xmpp-client"))
	if conn.Handshake() != nil {
		return
	}
	w.conn = conn
	resume := w.id != "" && w.rnd.IntN(3) > 0
	if w.rnd.IntN(2) == 0 {
		parts := userAgent(fmt.Sprintf("d4565fa7-4d72-4749-b3d3-740edbf8777%d", w.rnd.IntN(3)))
		if resume {
			parts += resumeOf(w.id, "0")
		}
		parts += "<bind xmlns='urn:xmpp:bind:0'><tag>x</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>"
		w.say(openStream(host) + authenticate("alice", password, parts))
		if !w.hear("</success>", "</failure>", "</stream:stream>") {
			return
		}
	} else {
		w.say(openStream(host) + authPlain("alice", password))
		if !w.hear("<success", "</failure>", "</stream:stream>") {
			return
		}
		w.got = ""
		if resume {
			w.say(openStream(host) + resumeOf(w.id, "0"))
			if !w.hear("<resumed ", "<failed ", "</stream:stream>") {
				return
			}
		}
		w.say(openStream(host) + bindTo(fmt.Sprint("r", w.rnd.IntN(3))) + enable)
		if !w.hear("<enabled ", "<failed ", "</stream:stream>", "</stream:error>") {
			return
		}
	}
	if m := anyEnabled.FindStringSubmatch(w.got); m != nil {
		w.id = m[1]
	}
	for range w.rnd.IntN(5) {
		w.say("<presence/><iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq><message to='alice@example.org'><body>x</body></message>" + ask)
	}
	if w.rnd.IntN(8) == 0 {
		w.say("</stream:stream>")
		w.hear("</stream:stream>")
	}
}

// Whatever meets whatever, nothing is left in the end, and nobody acts for an account that has been
// disabled.
func TestChaos(t *testing.T) {
	s := resumes(t, func(o *xmpp.Options) { o.Config.ResumeTimeout, o.Config.ResumeMemory = 500*time.Millisecond, 64<<10 })
	alice, until := xmpp.NewAddress("alice", host), time.Now().Add(4*time.Second)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			w := &wild{s: s, rnd: rand.New(rand.NewPCG(uint64(i), 1))}
			for time.Now().Before(until) {
				w.life()
			}
		})
	}
	wg.Go(func() {
		rnd := rand.New(rand.NewPCG(1, 2))
		off, on := identity.UserDisabled, identity.UserActive
		for time.Now().Before(until) {
			if list := s.svc.Registry.List(identity.Filter{User: "alice"}); len(list) > 0 {
				_ = s.svc.Registry.End(list[rnd.IntN(len(list))].ID, identity.Reason{Code: identity.ReasonEnded})
			}
			if rnd.IntN(8) == 0 {
				_, err := s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{State: &off})
				must(t, err)
				if n := s.svc.Registry.Count(identity.Filter{User: "alice"}); n > 0 {
					t.Errorf("%d sessions of a disabled account", n)
				}
				for _, x := range s.srv.Router().Streams(nil, alice) {
					if x.Put([]byte("<message/>")) {
						t.Errorf("the stream %s of a disabled account is alive", x.FullJID())
					}
				}
				_, err = s.svc.SetUser(t.Context(), byMachine, "alice", identity.UserChange{State: &on})
				must(t, err)
			}
			time.Sleep(time.Duration(rnd.IntN(30)) * time.Millisecond)
		}
	})
	wg.Wait()
	for deadline := time.Now().Add(20 * time.Second); s.svc.Registry.Count(identity.Filter{}) > 0 || len(s.srv.Router().Streams(nil, alice)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left over: %d sessions, %d streams", s.svc.Registry.Count(identity.Filter{}), len(s.srv.Router().Streams(nil, alice)))
		}
	}
}
