package mail

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// Bounds of a mail, in bytes.
const (
	maxAddress = 254 // RFC 5321 section 4.5.3.1.3
	maxSubject = 512
	maxBody    = 64 << 10
)

// ErrInvalid says that a mail cannot be sent as it is.
var ErrInvalid = errors.New("not a valid mail")

// Message is a mail.
type Message struct {
	To      string    `json:"to"` // an address, without a name
	Subject string    `json:"subject"`
	Body    string    `json:"body"`  // plain text, lines end in \n
	Until   time.Time `json:"until"` // of no use after that; zero: after maxAge
}

// check refuses what is no address or would end a header line.
func (m Message) check() error {
	if err := checkAddress(m.To); err != nil {
		return err
	}
	switch {
	case m.Subject == "" || len(m.Subject) > maxSubject || !line(m.Subject):
		return fmt.Errorf("a subject is one line of at most %d bytes: %w", maxSubject, ErrInvalid)
	case m.Body == "" || len(m.Body) > maxBody || !utf8.ValidString(m.Body) || strings.ContainsRune(m.Body, 0):
		return fmt.Errorf("a text has at most %d bytes of UTF-8: %w", maxBody, ErrInvalid)
	}
	return nil
}

// line reports whether s is UTF-8 without anything that ends a line or is no text.
func line(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

// checkAddress takes nothing but a bare address (RFC 5322 section 3.4.1).
func checkAddress(s string) error {
	a, err := netmail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" || len(s) > maxAddress || !line(s) || strings.ContainsAny(s, " <>,;\"") {
		return fmt.Errorf("%q is not an e-mail address: %w", s, ErrInvalid)
	}
	return nil
}

// build makes what goes over the wire; id is the mail's own for ever.
func (q *Queue) build(id string, m Message) (*gomail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(q.o.Name, q.o.From); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	msg.Subject(m.Subject)
	msg.SetDateWithValue(q.o.Now())
	_, host, _ := strings.Cut(q.o.From, "@")
	msg.SetMessageIDWithValue(id + "@" + host)
	// RFC 3834 section 5: nobody's holiday notice answers.
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, strings.ReplaceAll(m.Body, "\n", "\r\n"))
	return msg, nil
}
