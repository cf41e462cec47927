package mail_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trivium/internal/mail"
)

// sink is an SMTP server that takes mails and does what its test says.
type sink struct {
	t        *testing.T
	listener net.Listener
	cert     tls.Certificate
	roots    *x509.CertPool
	implicit bool
	auth     string // what PLAIN must be; "": none is asked for

	mu     sync.Mutex
	answer []string // to DATA, one after the other; then 250
	got    []string
	clear  bool // a mail or password came in the clear
	taken  chan struct{}
}

func newSink(t *testing.T, with func(*sink)) *sink {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{t: t, cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots: x509.NewCertPool(), taken: make(chan struct{}, 100)}
	s.roots.AddCert(parsed)
	if with != nil {
		with(s)
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.listener.Close() })
	go func() {
		for {
			c, err := s.listener.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *sink) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// serve speaks as much of RFC 5321, RFC 3207 and RFC 4954 as a client needs.
func (s *sink) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	config := &tls.Config{Certificates: []tls.Certificate{s.cert}}
	secure := s.implicit
	if secure {
		c = tls.Server(c, config)
	}
	r := bufio.NewReader(c)
	say := func(text string) { _, _ = io.WriteString(c, text+"\r\n") }
	say("220 sink")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(strings.TrimSpace(line)); {
		case strings.HasPrefix(verb, "EHLO"):
			say("250-sink")
			if !secure {
				say("250-STARTTLS")
			}
			if s.auth != "" {
				say("250-AUTH PLAIN")
			}
			say("250 8BITMIME")
		case verb == "STARTTLS":
			say("220 go on")
			c = tls.Server(c, config)
			r, secure = bufio.NewReader(c), true
		case strings.HasPrefix(verb, "AUTH PLAIN"):
			s.note(func() { s.clear = s.clear || !secure })
			if f := strings.Fields(line); len(f) == 3 && f[2] == base64.StdEncoding.EncodeToString([]byte(s.auth)) {
				say("235 welcome")
			} else {
				say("535 no")
			}
		case verb == "DATA":
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
				b.WriteString(line)
			}
			answer := "250 taken"
			s.note(func() {
				if len(s.answer) > 0 {
					answer, s.answer = s.answer[0], s.answer[1:]
				}
				if strings.HasPrefix(answer, "250") {
					s.got, s.clear = append(s.got, b.String()), s.clear || !secure
				}
			})
			say(answer)
			s.taken <- struct{}{}
		case verb == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *sink) note(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

func (s *sink) mails() (list []string) {
	s.note(func() { list = slices.Clone(s.got) })
	return list
}

// memory is a store without a disk; the contract of the real one is tested with it.
type memory struct {
	mu    sync.Mutex
	items map[string]mail.Item
}

func (m *memory) PutMail(_ context.Context, i mail.Item, most int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) >= most {
		return mail.ErrFull
	}
	m.items[i.ID] = i
	return nil
}

func (m *memory) Mails(_ context.Context, now time.Time, limit int) (out []mail.Item, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range m.items {
		if !i.Due.After(now) && len(out) < limit {
			out = append(out, i)
		}
	}
	return out, nil
}

func (m *memory) ClaimMail(_ context.Context, i mail.Item, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, ok := m.items[i.ID]
	if !ok || !now.Due.Equal(i.Due) {
		return false, nil
	}
	now.Due, now.Tries = until, now.Tries+1
	m.items[i.ID] = now
	return true, nil
}

func (m *memory) RemoveMail(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.items, id)
	return nil
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.items)
}

type bench struct {
	*mail.Queue
	store *memory
	mu    sync.Mutex
	at    time.Time
}

func (b *bench) now() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.at }

func (b *bench) pass(d time.Duration) { b.mu.Lock(); defer b.mu.Unlock(); b.at = b.at.Add(d) }

func newQueue(t *testing.T, s *sink, with func(*mail.Options)) *bench {
	t.Helper()
	b := &bench{store: &memory{items: map[string]mail.Item{}}, at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	o := mail.Options{Store: b.store, Key: make([]byte, 32), Host: "127.0.0.1", Port: s.port(), TLS: mail.StartTLS,
		TLSConfig: &tls.Config{RootCAs: s.roots, ServerName: "127.0.0.1"}, From: "noreply@example.org", Name: "Choir & Söhne", Now: b.now}
	if with != nil {
		with(&o)
	}
	q, err := mail.New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Queue = q
	return b
}

// once sends what is due now.
func (b *bench) once(t *testing.T) {
	t.Helper()
	b.SendDue(t.Context())
}

var letter = mail.Message{To: "carol@example.com", Subject: "Grüße: a link", Body: "Hello,\n.\nhttps://example.org/join/x\n"}

func TestSend(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		sink func(*sink)
		opt  func(*mail.Options)
	}{
		{"STARTTLS", nil, nil},
		{"TLS from the start", func(s *sink) { s.implicit = true }, func(o *mail.Options) { o.TLS = mail.Implicit }},
		{"with a log-in", func(s *sink) { s.auth = "\x00trivium\x00pass word" },
			func(o *mail.Options) { o.User = "trivium"; o.Password = func() string { return "pass word" } }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, tt.sink)
			b := newQueue(t, s, tt.opt)
			if err := b.Send(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
			for _, i := range b.store.items {
				if strings.Contains(string(i.Sealed), "join") || strings.Contains(string(i.Sealed), "carol") {
					t.Error("the store can read the mail")
				}
			}
			b.once(t)
			got := s.mails()
			if len(got) != 1 || b.store.len() != 0 || s.clear {
				t.Fatalf("%d mails came, %d are left, in the clear: %v", len(got), b.store.len(), s.clear)
			}
			msg, err := netmail.ReadMessage(strings.NewReader(got[0]))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
			body, berr := io.ReadAll(quotedprintable.NewReader(msg.Body))
			from, ferr := msg.Header.AddressList("From")
			if err != nil || berr != nil || ferr != nil || subject != letter.Subject || from[0].Address != "noreply@example.org" || from[0].Name != "Choir & Söhne" ||
				msg.Header.Get("Auto-Submitted") != "auto-generated" || !strings.HasSuffix(msg.Header.Get("Message-ID"), "@example.org>") ||
				!strings.Contains(string(body), "https://example.org/join/x") {
				t.Errorf("%v %v %v\n%s", err, berr, ferr, got[0])
			}
		})
	}
}

// TestNoClear: without the TLS that is demanded nothing is said.
func TestNoClear(t *testing.T) {
	t.Parallel()
	s := newSink(t, nil)
	other := newSink(t, nil)
	b := newQueue(t, s, func(o *mail.Options) { o.TLSConfig = &tls.Config{RootCAs: other.roots, ServerName: "127.0.0.1"} })
	if err := b.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	b.once(t)
	if len(s.mails()) != 0 || b.store.len() != 1 {
		t.Errorf("%d mails to a server of another certificate", len(s.mails()))
	}
}

// TestRetry: a mail is tried again after a while, later each time, and given up when that is no use.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := newSink(t, func(s *sink) { s.answer = []string{"451 later", "451 later"} })
	b := newQueue(t, s, nil)
	if err := b.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	var tries []int
	for minute := range 30 {
		before := len(s.taken)
		b.once(t)
		if len(s.taken) > before {
			tries = append(tries, minute)
		}
		b.pass(time.Minute)
	}
	if fmt.Sprint(tries) != "[0 5 10]" || len(s.mails()) != 1 || b.store.len() != 0 {
		t.Errorf("tried at the minutes %v, %d came", tries, len(s.mails()))
	}
	refused := newSink(t, func(s *sink) { s.answer = []string{"550 no such user"} })
	b = newQueue(t, refused, nil)
	if err := b.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	b.once(t)
	if b.store.len() != 0 {
		t.Error("a mail that was refused for good is kept")
	}
	late := letter
	late.Until = b.now().Add(time.Minute)
	if err := b.Send(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	b.pass(2 * time.Minute)
	b.once(t)
	if b.store.len() != 0 || len(refused.mails()) != 0 {
		t.Error("a mail that is of no use any more is sent or kept")
	}
}

// TestOnce: of two processes one sends a mail.
func TestOnce(t *testing.T) {
	t.Parallel()
	s := newSink(t, nil)
	one := newQueue(t, s, nil)
	two := newQueue(t, s, func(o *mail.Options) { o.Store = one.store })
	for range 10 {
		if err := one.Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { one.SendDue(t.Context()) })
	wg.Go(func() { two.SendDue(t.Context()) })
	wg.Wait()
	if n := len(s.mails()); n != 10 {
		t.Errorf("%d of 10 mails", n)
	}
}

// TestInjection: nothing that comes from outside becomes a header or a command.
func TestInjection(t *testing.T) {
	t.Parallel()
	s := newSink(t, nil)
	b := newQueue(t, s, nil)
	for _, m := range []mail.Message{
		{To: "a@example.com\r\nRCPT TO:<b@example.com>", Subject: "x", Body: "x"},
		{To: "a@example.com>\r\nDATA", Subject: "x", Body: "x"},
		{To: "a@example.com, b@example.com", Subject: "x", Body: "x"},
		{To: "A <a@example.com>", Subject: "x", Body: "x"},
		{To: "\"a\r\nb\"@example.com", Subject: "x", Body: "x"},
		{To: "", Subject: "x", Body: "x"},
		{To: "a@example.com", Subject: "x\r\nBcc: b@example.com", Body: "x"},
		{To: "a@example.com", Subject: "x\u2028y", Body: "x"},
		{To: "a@example.com", Subject: "", Body: "x"},
		{To: "a@example.com", Subject: "x", Body: "x\x00"},
		{To: "a@example.com", Subject: "x", Body: strings.Repeat("x", 1<<20)},
	} {
		if err := b.Send(t.Context(), m); !errors.Is(err, mail.ErrInvalid) {
			t.Errorf("%.60q: %v", m, err)
		}
	}
	// A text may say what it likes.
	if err := b.Send(t.Context(), mail.Message{To: "a@example.com", Subject: "x", Body: "\nBcc: b@example.com\n.\nRCPT TO:<b@example.com>\n"}); err != nil {
		t.Fatal(err)
	}
	b.once(t)
	got := s.mails()
	if len(got) != 1 || strings.Count(strings.SplitN(got[0], "\r\n\r\n", 2)[0], "Bcc") != 0 {
		t.Errorf("%q", got)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("a@example.com", "subject", "text")
	f.Add("a@b\r\nX: y", "s\r\nBcc: c@d", ".\r\n")
	s := &memory{items: map[string]mail.Item{}}
	q, err := mail.New(mail.Options{Store: s, Key: make([]byte, 32), From: "noreply@example.org", Name: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, to, subject, body string) {
		head, err := q.Head(mail.Message{To: to, Subject: subject, Body: body})
		if err != nil {
			return
		}
		msg, err := netmail.ReadMessage(strings.NewReader(head))
		if err != nil {
			t.Fatalf("%v\n%q", err, head)
		}
		known := []string{"Date", "From", "To", "Subject", "Message-Id", "Auto-Submitted", "Mime-Version", "Content-Type", "Content-Transfer-Encoding", "User-Agent", "X-Mailer"}
		for name := range msg.Header {
			if !slices.Contains(known, name) {
				t.Errorf("a header %q of %q, %q", name, to, subject)
			}
		}
		if list, err := msg.Header.AddressList("To"); err != nil || len(list) != 1 {
			t.Errorf("to %q: %v, %v", to, list, err)
		}
	})
}
