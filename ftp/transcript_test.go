package ftp_test

import (
	"bytes"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the transcripts of testdata anew")

// varying is what differs between two runs.
var varying = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`\(\|\|\|\d+\|\)`), "(|||PORT|)"},
	{regexp.MustCompile(`\(127,0,0,1,\d+,\d+\)`), "(127,0,0,1,P1,P2)"},
	{regexp.MustCompile(`\(192,0,2,10,\d+,\d+\)`), "(192,0,2,10,P1,P2)"},
	{regexp.MustCompile(`1-[a-z0-9]{10,} `), "ID "},
	{regexp.MustCompile(`since \S+,`), "since NOW,"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`Unique=[^;]+;`), "Unique=U;"},
	{regexp.MustCompile(`Modify=202\d{11};`), "Modify=NOW;"},
	{regexp.MustCompile(`Create=\d{14};`), ""}, // not every file system knows
	{regexp.MustCompile(`Free: \d+`), "Free: N"},
	{regexp.MustCompile(`UNIX\.([ug])id=\d+;`), "UNIX.${1}id=N;"},
	{regexp.MustCompile(`[A-Z][a-z]{2} [ \d]\d \d\d:\d\d `), "DATE "},
	{regexp.MustCompile(`(drwx\S{6}) +\d+ `), "$1 N "},
}

// TestTranscripts plays the lines of testdata against the server. A line begins with:
//
//	"> "   a command, whose reply is read      ">> "  one whose reply is not
//	"@ "   data: connect, send TEXT, receive, reply, tls
//	"# "   a comment; the first word of "#!" lines sets the world up
//	"< "   a reply as it came; "= " received data
func TestTranscripts(t *testing.T) {
	all, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(all) == 0 {
		t.Fatal(err, len(all))
	}
	for _, file := range all {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s\n--- want\n%s", got, want)
			}
		})
	}
}

func play(t *testing.T, script string) []byte {
	var out bytes.Buffer
	show := func(mark, text string) {
		for l := range strings.Lines(text) {
			l = strings.TrimRight(l, "\r\n")
			for _, v := range varying {
				l = v.re.ReplaceAllString(l, v.to)
			}
			out.WriteString(mark + " " + l + "\n")
		}
	}
	var set []func(*world)
	for l := range strings.Lines(script) {
		if f, ok := setups[strings.TrimSpace(strings.TrimPrefix(l, "#!"))]; ok && strings.HasPrefix(l, "#!") {
			set = append(set, f)
		}
	}
	w := newWorld(t, set...)
	nc, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, conn: nc}
	c.in = newReader(nc)
	defer c.close()
	var port string
	reply := func() {
		r, err := c.reply()
		if m := portOf.FindStringSubmatch(r); m != nil {
			port = m[1]
		}
		if m := pasvPort.FindStringSubmatch(r); m != nil {
			a, _ := strconv.Atoi(m[1])
			b, _ := strconv.Atoi(m[2])
			port = strconv.Itoa(a<<8 | b)
		}
		show("<", r)
		if err != nil {
			out.WriteString("< (end)\n")
		}
	}
	for l := range strings.Lines(script) {
		l = strings.TrimRight(l, "\n")
		mark, text, _ := strings.Cut(l, " ")
		switch mark {
		case "<", "=":
			continue
		}
		out.WriteString(l + "\n")
		switch mark {
		case ">":
			c.send(unescape(t, text) + "\r\n")
			reply()
		case ">>":
			c.send(unescape(t, text) + "\r\n")
		case "@":
			verb, arg, _ := strings.Cut(text, " ")
			switch verb {
			case "greeting", "reply":
				reply()
			case "connect":
				if c.data, err = net.Dial("tcp", "127.0.0.1:"+port); err != nil {
					t.Fatal(err)
				}
				_ = c.data.SetDeadline(time.Now().Add(patience))
			case "send":
				if _, err := io.WriteString(c.data, unescape(t, arg)); err != nil {
					t.Fatal(err)
				}
				_ = c.data.Close()
				reply()
			case "receive":
				b, err := io.ReadAll(c.data)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.data.Close()
				show("=", string(b))
				reply()
			case "tls":
				c.upgrade()
			default:
				t.Fatalf("%q", l)
			}
		}
	}
	return out.Bytes()
}

var pasvPort = regexp.MustCompile(`\(127,0,0,1,(\d+),(\d+)\)`)

func unescape(t *testing.T, s string) string {
	t.Helper()
	u, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

// setups are what a transcript may ask of its server.
var setups = map[string]func(*world){
	"tls required": func(w *world) { w.cfg.TLS = "required" },
	"tls off":      func(w *world) { w.cfg.TLS = "off" },
	"anonymous":    func(w *world) { w.cfg.Anonymous = true },
	"public":       func(w *world) { w.cfg.PublicAddress = "192.0.2.10" },
	"hello": func(w *world) {
		w.fill = map[string]string{"hello.txt": "hello", "dir/inside": "in a folder", "empty": "", "x": "0123", "x 1 2": "a name with numbers",
			"20220101000000 odd": "a name with a time"}
	},
	"rules": func(w *world) {
		w.policy = map[string]string{"ftp:DELE": "admin", "ftp:SITE CHMOD": "admin", "ftp:MLST": "admin", "ftp:MKD": "never"}
	},
}
