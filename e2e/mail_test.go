package e2e

import (
	"bufio"
	"io"
	"mime"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// letter is a mail that has arrived.
type letter struct{ to, subject, body string }

// postbox is a mail server that takes what it is given.
type postbox struct {
	t        *testing.T
	listener net.Listener

	mu     sync.Mutex // guards what follows
	got    []letter
	silent bool // it takes mails and says nothing of it
	held   int  // those that it has said nothing of
}

func newPostbox(t *testing.T) *postbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postbox{t: t, listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// flags let a server send its mails here.
func (p *postbox) flags() []string {
	return []string{"--set", "mail.host=127.0.0.1", "--set", "mail.port=" + strconv.Itoa(p.listener.Addr().(*net.TCPAddr).Port), "--set", "mail.tls=off", "--set", "mail.from=post@localhost"}
}

// serve speaks as much of RFC 5321 as a client needs.
func (p *postbox) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	r := bufio.NewReader(c)
	say := func(text string) { _, _ = io.WriteString(c, text+"\r\n") }
	say("220 postbox")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); verb {
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(line, "."))
			}
			if p.hold() {
				_, _ = r.ReadString('\n') // until the client is gone
				return
			}
			p.take(b.String())
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postbox) hold() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.silent {
		p.held++
	}
	return p.silent
}

func (p *postbox) take(text string) {
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		p.t.Errorf("no mail: %v in %q", err, text)
		return
	}
	words := mime.WordDecoder{}
	subject, err := words.DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		p.t.Errorf("no subject: %v in %q", err, text)
	}
	body, _ := io.ReadAll(m.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, letter{m.Header.Get("To"), subject, m.Header.Get("Content-Type") + "\n" + string(body)})
}

func (p *postbox) be(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent, p.held = silent, 0
}

// holds is how many mails it has not said that it took.
func (p *postbox) holds() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *postbox) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}
