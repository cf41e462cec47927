package mail

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/crypto/chacha20poly1305"
)

// Numbers of the queue.
const (
	maxQueued   = 10000 // mails that wait
	maxAge      = 48 * time.Hour
	firstRetry  = time.Minute
	lastRetry   = time.Hour
	batch       = 20
	lookEvery   = time.Minute // for what another process has queued
	lease       = 5 * time.Minute
	sendTimeout = time.Minute
)

// ErrFull says that too many mails wait.
var ErrFull = errors.New("too many mails wait to be sent")

// Item is a mail as the store has it.
type Item struct {
	ID             string
	Sealed         []byte
	Tries          int
	CreatedAt, Due time.Time
}

// Store keeps mails. Each method is durable when it returns.
type Store interface {
	// PutMail adds a mail unless the store has most already: then it is ErrFull.
	PutMail(ctx context.Context, i Item, most int) error
	// Mails returns those that are due, the longest due first.
	Mails(ctx context.Context, now time.Time, limit int) ([]Item, error)
	// ClaimMail puts a mail off until a time and counts a try, where it still is due when the caller
	// has read it to be: false where another was first.
	ClaimMail(ctx context.Context, i Item, until time.Time) (bool, error)
	RemoveMail(ctx context.Context, id string) error
}

// TLS says how the line to the server is made secret.
type TLS string

// The ways. StartTLS is demanded, not asked for.
const (
	StartTLS TLS = "starttls" // RFC 3207
	Implicit TLS = "tls"      // RFC 8314 section 3.3
	Clear    TLS = "off"
)

// Options is what New needs.
type Options struct {
	Store     Store
	Key       []byte // 32 bytes; seals what the mails say
	Host      string // of the server
	Port      int
	TLS       TLS
	TLSConfig *tls.Config // nil: the system's roots
	User      string      // "": no log-in
	Password  func() string
	From      string // address
	Name      string // beside it
	Log       *slog.Logger
	Now       func() time.Time
}

// Queue is the queue and who sends from it. It is safe for any goroutine.
type Queue struct {
	o    Options
	aead cipher.AEAD
	wake chan struct{}
}

// New checks the options; nothing is sent before Run.
func New(o Options) (*Queue, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := checkAddress(o.From); err != nil {
		return nil, err
	}
	if !line(o.Name) {
		return nil, fmt.Errorf("the sender's name is no line of text: %w", ErrInvalid)
	}
	aead, err := chacha20poly1305.NewX(o.Key)
	if err != nil {
		return nil, fmt.Errorf("sealing mails: %w", err)
	}
	return &Queue{o: o, aead: aead, wake: make(chan struct{}, 1)}, nil
}

// Send queues a mail: it is durable when Send returns nil. The error wraps ErrInvalid where the mail
// can never be sent, ErrFull where too many wait.
func (q *Queue) Send(ctx context.Context, m Message) error {
	if err := m.check(); err != nil {
		return err
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing a mail: %w", err)
	}
	now := q.o.Now().UTC().Truncate(time.Microsecond)
	i := Item{ID: strings.ToLower(rand.Text()), CreatedAt: now, Due: now}
	nonce := make([]byte, q.aead.NonceSize(), q.aead.NonceSize()+len(plain)+q.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	i.Sealed = q.aead.Seal(nonce, nonce, plain, []byte(i.ID))
	if err := q.o.Store.PutMail(ctx, i, maxQueued); err != nil {
		return err
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

func (q *Queue) open(i Item) (Message, error) {
	var m Message
	n := q.aead.NonceSize()
	if len(i.Sealed) < n {
		return m, errors.New("the mail is damaged")
	}
	plain, err := q.aead.Open(nil, i.Sealed[:n], i.Sealed[n:], []byte(i.ID))
	if err != nil {
		return m, errors.New("the mail was sealed with another key, or is damaged")
	}
	if err := json.Unmarshal(plain, &m); err != nil {
		return m, fmt.Errorf("reading a mail: %w", err)
	}
	return m, nil
}

// Run sends until ctx ends; what is left stays in the store.
func (q *Queue) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		q.sendDue(ctx)
		select {
		case <-q.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sendDue sends what is due, batch after batch.
func (q *Queue) sendDue(ctx context.Context) {
	for ctx.Err() == nil {
		items, err := q.o.Store.Mails(ctx, q.o.Now(), batch)
		if err != nil {
			if ctx.Err() == nil {
				q.o.Log.Error("reading queued mails", "err", err)
			}
			return
		}
		for _, i := range items {
			if ctx.Err() != nil {
				return
			}
			q.handle(ctx, i)
		}
		if len(items) < batch {
			return
		}
	}
}

// retryIn is how long after a try the next one comes.
func retryIn(tries int) time.Duration { return min(firstRetry<<min(tries, 10), lastRetry) }

// handle tries one mail, and takes it out of the queue where that is its end.
func (q *Queue) handle(ctx context.Context, i Item) {
	now := q.o.Now()
	mine, err := q.o.Store.ClaimMail(ctx, i, now.Add(max(lease, retryIn(i.Tries))).UTC().Truncate(time.Microsecond))
	if err != nil || !mine {
		if err != nil && ctx.Err() == nil {
			q.o.Log.Error("taking a mail from the queue", "err", err)
		}
		return
	}
	m, err := q.open(i)
	late := now.Sub(i.CreatedAt) > maxAge || !m.Until.IsZero() && now.After(m.Until)
	switch {
	case err != nil:
	case late:
		err = errors.New("it could not be sent in time")
	default:
		err = q.deliver(ctx, i.ID, m)
	}
	var refused *gomail.SendError
	final := late || errors.Is(err, ErrInvalid) || errors.As(err, &refused) && !refused.IsTemp() && refused.ErrorCode() >= 500
	switch {
	case err == nil:
		q.o.Log.Info("mail sent", "mail", i.ID, "tries", i.Tries+1)
	case final:
		q.o.Log.Error("mail given up", "mail", i.ID, "tries", i.Tries+1, "err", err)
	default:
		if ctx.Err() == nil {
			q.o.Log.Warn("mail not sent yet", "mail", i.ID, "tries", i.Tries+1, "err", err)
		}
		return
	}
	// Also while the process ends: what was sent is not to be sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := q.o.Store.RemoveMail(ctx, i.ID); err != nil {
		q.o.Log.Error("taking a mail from the queue", "err", err)
	}
}

// deliver hands a mail to the server.
func (q *Queue) deliver(ctx context.Context, id string, m Message) error {
	msg, err := q.build(id, m)
	if err != nil {
		return err
	}
	_, host, _ := strings.Cut(q.o.From, "@")
	opts := []gomail.Option{gomail.WithPort(q.o.Port), gomail.WithTimeout(sendTimeout), gomail.WithHELO(host)}
	if q.o.TLSConfig != nil {
		opts = append(opts, gomail.WithTLSConfig(q.o.TLSConfig))
	}
	switch q.o.TLS {
	case Implicit:
		opts = append(opts, gomail.WithSSL())
	case Clear:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if q.o.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(q.o.User), gomail.WithPassword(q.o.Password()))
	}
	client, err := gomail.NewClient(q.o.Host, opts...)
	if err != nil {
		return fmt.Errorf("preparing to send a mail: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("sending a mail by %s: %w", q.o.Host, err)
	}
	return nil
}
