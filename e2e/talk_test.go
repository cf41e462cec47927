package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// talkLimit is how long one line of a conversation may take to come.
const talkLimit = 15 * time.Second

func cmdTalk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: talk ADDR FILE")
	}
	c, err := net.Dial("tcp", args[0])
	ts.Check(err)
	w := &wire{conn: c, r: bufio.NewReader(c)}
	defer func() { _ = w.conn.Close() }()
	for i, line := range strings.Split(ts.ReadFile(args[1]), "\n") {
		line = expand(ts, line)
		if err := w.step(line); err != nil {
			ts.Fatalf("%s:%d: %s: %v; heard so far:\n%s", args[1], i+1, line, err, w.heard.String())
		}
	}
}

// expand replaces $NAME by the script's variables, where there is one.
func expand(ts *testscript.TestScript, line string) string {
	return regexp.MustCompile(`\$[A-Z]+`).ReplaceAllStringFunc(line, func(name string) string {
		if v := ts.Getenv(name[1:]); v != "" {
			return v
		}
		return name
	})
}

// repeated is {a*5000}: the letter so many times.
var repeated = regexp.MustCompile(`\{.\*[0-9]+\}`)

// wire is one raw conversation.
type wire struct {
	conn  net.Conn
	r     *bufio.Reader
	heard strings.Builder
}

func (w *wire) step(line string) error {
	_ = w.conn.SetDeadline(time.Now().Add(talkLimit))
	verb, text, _ := strings.Cut(line, " ")
	switch verb {
	case "", "#":
		return nil
	case ">", ">>":
		text = repeated.ReplaceAllStringFunc(text, func(m string) string {
			n, _ := strconv.Atoi(m[3 : len(m)-1])
			return strings.Repeat(m[1:2], n)
		})
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
		if err != nil {
			return err
		}
		if verb == ">" {
			s += "\r\n"
		}
		_, err = io.WriteString(w.conn, s)
		return err
	case "<":
		got, err := w.r.ReadString('\n')
		w.heard.WriteString(got)
		if err != nil {
			return err
		}
		return match(text, strings.TrimRight(got, "\r\n"))
	case "<<":
		return w.until(text)
	case "tls":
		return w.startTLS(strings.Fields(text))
	case "notls":
		if err := w.startTLS(strings.Fields(text)); err == nil {
			return errors.New("the handshake succeeded")
		}
		return nil
	case "eof":
		rest, err := io.ReadAll(w.r)
		w.heard.Write(rest)
		if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			return err
		}
		return nil
	}
	return fmt.Errorf("unknown step %q", verb)
}

// until reads until all that was heard since the last step matches.
func (w *wire) until(pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	var b strings.Builder
	for !re.MatchString(b.String()) {
		c, err := w.r.ReadByte()
		if err != nil {
			return fmt.Errorf("%w after %q", err, b.String())
		}
		b.WriteByte(c)
		w.heard.WriteByte(c)
	}
	return nil
}

func (w *wire) startTLS(alpn []string) error {
	c := tls.Client(w.conn, &tls.Config{InsecureSkipVerify: true, NextProtos: alpn}) // #nosec: the certificate is self-signed
	if err := c.Handshake(); err != nil {
		return err
	}
	w.conn, w.r = c, bufio.NewReader(c)
	return nil
}

func match(pattern, got string) error {
	ok, err := regexp.MatchString(pattern, got)
	if err == nil && !ok {
		err = fmt.Errorf("got %q", got)
	}
	return err
}

func contains(s, sub string) bool { return strings.Contains(s, sub) }
