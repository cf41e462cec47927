package ftp_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trivium/identity"
)

// TestTransferLogs reads both logs after real transfers.
func TestTransferLogs(t *testing.T) {
	dir := t.TempDir()
	xfer, lines := filepath.Join(dir, "xferlog"), filepath.Join(dir, "transfers.json")
	w := newWorld(t, func(w *world) { w.cfg.XferLog, w.cfg.TransferLog = xfer, lines }, withAnonymous)
	must(t, os.WriteFile(filepath.Join(w.pub, "p"), []byte("public\n"), 0o644))
	w.write("target", []byte("0123456789"))
	must(t, os.Symlink("target", filepath.Join(w.home, "link")))
	c := dial(t, w.addr).secure(insecure(0)).login("alice", w.password)
	c.do(200, "PBSZ 0")
	c.do(200, "PROT C")
	c.put("STOR in a box", []byte("12345"))
	c.do(200, "TYPE I")
	c.do(350, "REST 4")
	c.get("RETR link")
	c.get("NLST") // a listing is no transfer of a file
	c.do(350, "RANG 3 5")
	c.get("RETR link")
	d := c.passive()
	c.do(150, "STOR part")
	_, err := d.Write([]byte("123"))
	must(t, err)
	eventually(t, "the bytes have come", func() bool { x := w.sessions()[0].Transfer; return x != nil && x.Bytes == 3 })
	must(t, w.identity.StopTransfer(root, w.sessions()[0].Transfer.ID))
	c.want(426)
	c.do(250, "DELE in a box")
	c.do(550, "DELE nosuch")
	c.do(221, "QUIT")
	a := dial(t, w.addr).login("anonymous", "me@example.net")
	a.do(200, "TYPE A")
	lf := a.passive()
	a.do(150, "RETR pub/p")
	_, err = io.Copy(io.Discard, lf)
	must(t, err)
	a.want(226)
	a.do(221, "QUIT")

	var text []string
	eventually(t, "the logs are written", func() bool {
		b, err := os.ReadFile(xfer)
		text = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		return err == nil && len(text) == 6
	})
	for i, want := range []string{
		"127.0.0.1 5 /home/alice/in_a_box b _ i r alice ftp 0 * c",
		"127.0.0.1 6 /home/alice/target b _ o r alice ftp 0 * c",
		"127.0.0.1 3 /home/alice/target b _ o r alice ftp 0 * c",
		"127.0.0.1 3 /home/alice/part b _ i r alice ftp 0 * i",
		"127.0.0.1 5 /home/alice/in_a_box b _ d r alice ftp 0 * c",
		"127.0.0.1 8 /pub/p a _ o a me@example.net ftp 0 * c",
	} {
		// The time has 24 characters, and then come the seconds.
		if len(text[i]) < 25 || text[i][24] != ' ' || !strings.HasSuffix(text[i], want) {
			t.Errorf("line %d: %q, want an end of %q", i, text[i], want)
			continue
		}
		at, err := time.ParseInLocation("Mon Jan 02 15:04:05 2006", text[i][:24], time.Local)
		if err != nil || time.Since(at) > time.Hour || time.Since(at) < 0 {
			t.Errorf("line %d: time %v, %v", i, at, err)
		}
	}
	type line struct {
		Time                              time.Time
		DurationMS                        *int64 `json:"duration_ms"`
		Session, Remote, Verb, Path, Type string
		User, AnonUser, Ident, Class      *string
		Bytes, Offset                     int64
		TLS, Complete                     bool
		Code                              int
	}
	var got []string
	eventually(t, "the JSON is written", func() bool {
		b, err := os.ReadFile(lines)
		got = strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		return err == nil && len(got) == 6
	})
	for i, want := range []string{
		"STOR /home/alice/in a box 5 0 binary true 226",
		"RETR /home/alice/target 6 4 binary true 226",
		"RETR /home/alice/target 3 3 binary true 226",
		"STOR /home/alice/part 3 0 binary false 426",
		"DELE /home/alice/in a box 5 0 binary true 250",
		"RETR /pub/p 8 0 ascii true 226",
	} {
		var l line
		must(t, json.Unmarshal([]byte(got[i]), &l))
		if s := fmt.Sprint(l.Verb, " ", l.Path, " ", l.Bytes, " ", l.Offset, " ", l.Type, " ", l.Complete, " ", l.Code); s != want {
			t.Errorf("line %d: %s, want %s", i, s, want)
		}
		if l.Session == "" || l.Remote != "127.0.0.1" || l.DurationMS == nil || l.Time.IsZero() || l.TLS || l.Ident != nil || l.Class != nil {
			t.Errorf("line %d: %s", i, got[i])
		}
		if anon := i == 5; anon != (l.User == nil) || anon && !strings.Contains(got[i], `"anon_user":"me@example.net"`) {
			t.Errorf("line %d: %s", i, got[i])
		}
	}
}

// withAnonymous lets anonymous clients in.
func withAnonymous(w *world) {
	w.cfg.Anonymous = true
	next := w.options
	w.options = func(o *identity.Options) {
		o.AnonymousRoads = []identity.Road{identity.RoadFTP}
		if next != nil {
			next(o)
		}
	}
}
