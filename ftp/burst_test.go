package ftp_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"
)

// TestBursts sends transfers, queued commands and ABOR in one segment, at random, with and
// without a data connection: each command gets exactly one last reply, and the session stays in
// step.
func TestBursts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.limits.FTPDataTimeout = 100 * time.Millisecond })
	w.write("big", make([]byte, 1<<20))
	for i, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			rounds := 200
			if secure {
				rounds = 60
			}
			conf := insecure(0)
			c := dial(t, w.addr)
			if secure {
				c.secure(conf)
			}
			c.login("alice", w.password)
			for n := range rounds {
				burst(t, c, rnd, n, secure, conf)
			}
			c.do(200, "NOOP")
		})
	}
}

func burst(t *testing.T, c *client, rnd *rand.Rand, n int, secure bool, conf *tls.Config) {
	t.Helper()
	transfer := []string{"RETR big", "STOR up", "LIST", "MLSD"}[rnd.IntN(4)]
	var d net.Conn
	if rnd.IntN(4) > 0 {
		d = c.passive()
	} else {
		c.do(229, "EPSV")
	}
	// Commands whose replies can be told apart from those of the transfer.
	others := []string{"PWD", "TYPE I", "NOOP", "SYST", "STAT", "XPWD"}
	codes := map[string]string{"PWD": "257", "XPWD": "257", "TYPE I": "200", "NOOP": "200", "SYST": "215", "STAT": "211"}
	sent := []string{transfer}
	expect := map[string]int{}
	aborts := 0
	for range rnd.IntN(6) {
		v := others[rnd.IntN(len(others))]
		sent = append(sent, v)
		expect[codes[v]]++
	}
	if d == nil || transfer == "STOR up" || rnd.IntN(2) == 0 {
		at := 1 + rnd.IntN(len(sent))
		sent = append(sent[:at], append([]string{"ABOR"}, sent[at:]...)...)
		aborts = 1
	}
	sent = append(sent, "HELP PWD") // the last reply: 214
	done := make(chan struct{})
	if d != nil {
		go func() {
			defer close(done)
			var x io.ReadWriteCloser = d
			if secure {
				x = tls.Client(d, conf)
			}
			if transfer == "STOR up" {
				_, _ = io.WriteString(x, strings.Repeat("x", 100_000))
			} else {
				_, _ = io.Copy(io.Discard, x)
			}
			_ = x.Close()
		}()
	} else {
		close(done)
	}
	c.send(strings.Join(sent, "\r\n") + "\r\n")
	got := map[string]int{}
	finals := 0
	for {
		r, err := c.reply()
		if err != nil {
			t.Fatalf("round %d, %q: %v; so far %v", n, sent, err, got)
		}
		code := r[:3]
		if code == "214" {
			break
		}
		got[code]++
		if code == "226" || code == "426" || code == "425" || code == "522" {
			finals++
		}
	}
	<-done
	// One reply of the transfer and one for each ABOR.
	if finals != 1+aborts || got["150"] > 1 {
		t.Fatalf("round %d, %q: %v", n, sent, got)
	}
	for code, k := range expect {
		if got[code] != k {
			t.Fatalf("round %d, %q: %d × %s, want %d (%v)", n, sent, got[code], code, k, got)
		}
	}
}

// TestSegments sends a transfer and five commands in one segment: the bytes are right and the
// replies come in order.
func TestSegments(t *testing.T) {
	w := newWorld(t)
	content := []byte(strings.Repeat("content ", 5000))
	w.write("a", content)
	c := dial(t, w.addr).login("alice", w.password)
	for n := range 150 {
		d := c.passive()
		c.send("RETR a\r\nPWD\r\nSYST\r\nTYPE I\r\nSIZE a\r\nFEAT\r\n")
		b, err := io.ReadAll(d)
		if err != nil || string(b) != string(content) {
			t.Fatalf("round %d: %d bytes, %v", n, len(b), err)
		}
		for _, code := range []int{150, 226, 257, 215, 200, 213, 211} {
			c.want(code)
		}
	}
}
