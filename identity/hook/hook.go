package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trivium/identity"
)

// The headers of questions and answers.
const (
	HeaderTimestamp = "Trivium-Timestamp"
	HeaderSignature = "Trivium-Signature"
	signaturePrefix = "sha256="
)

// Bounds of an answer.
const (
	maxAnswer = 1 << 20 // bytes; a list has pages
	maxText   = 1024    // bytes of one text
	maxGroups = 1000
	maxPeople = 5000   // of one page
	maxPages  = 10_000 // of a list
	idleConns = 8
	idleLife  = time.Minute
)

// Options is what New needs.
type Options struct {
	URL    string
	Secret identity.Secret
	TLS    *tls.Config // RootCAs; nil: those of the system
	List   bool        // it answers list
	Now    func() time.Time
}

// Source is the program. Close ends the connections that it keeps.
type Source struct {
	o      Options
	client *http.Client
}

// New prepares the questions.
func New(o Options) *Source {
	if o.Now == nil {
		o.Now = time.Now
	}
	t := &http.Transport{
		DialContext: (&net.Dialer{}).DialContext, TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: idleConns, IdleConnTimeout: idleLife, MaxResponseHeaderBytes: 16 << 10,
		DisableCompression: true, // a small answer that unpacks to a large one is none
	}
	return &Source{o: o, client: &http.Client{Transport: t,
		// A redirect would carry a password elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Close ends the connections that wait for the next question.
func (s *Source) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// question is what goes out.
type question struct {
	Action    string `json:"action"`
	Login     string `json:"login,omitempty"`
	Password  string `json:"password,omitempty"`
	Cursor    string `json:"cursor,omitempty"`
	Nonce     string `json:"nonce"`
	Timestamp int64  `json:"timestamp"`
}

// answer is what comes back.
type answer struct {
	OK     *bool    `json:"ok"`
	Person *person  `json:"person"`
	People []person `json:"people"`
	Cursor string   `json:"cursor"`
}

type person struct {
	ID       string   `json:"id"`
	Login    string   `json:"login"`
	Email    string   `json:"email"`
	Name     string   `json:"name"`
	Phone    string   `json:"phone"`
	UID      uint32   `json:"uid"`
	GID      uint32   `json:"gid"`
	Group    string   `json:"group"`
	Groups   []string `json:"groups"`
	Disabled bool     `json:"disabled"`
}

// Check implements identity.Source.
func (s *Source) Check(ctx context.Context, login identity.UserName, password identity.Secret) (identity.Person, error) {
	if password.Reveal() == "" || login == "" {
		return identity.Person{}, identity.ErrCredentials
	}
	a, err := s.ask(ctx, question{Action: "check", Login: string(login), Password: password.Reveal()})
	return one(a, err, identity.ErrCredentials)
}

// Find implements identity.Source.
func (s *Source) Find(ctx context.Context, login identity.UserName) (identity.Person, error) {
	a, err := s.ask(ctx, question{Action: "find", Login: string(login)})
	return one(a, err, identity.ErrNotFound)
}

func one(a answer, err, no error) (identity.Person, error) {
	switch {
	case err != nil:
		return identity.Person{}, err
	case !*a.OK:
		return identity.Person{}, no
	case a.Person == nil:
		return identity.Person{}, errors.New("the answer is yes, and does not say who")
	}
	return a.Person.identity(), nil
}

func (p person) identity() identity.Person {
	return identity.Person{Subject: p.ID, Login: p.Login, Email: p.Email, Name: p.Name, Phone: p.Phone, UID: p.UID, GID: p.GID,
		Group: p.Group, Groups: p.Groups, Disabled: p.Disabled}
}

// People implements identity.Source.
func (s *Source) People(ctx context.Context, fn func(identity.Person) error) error {
	if !s.o.List {
		return errors.ErrUnsupported
	}
	cursor := ""
	for range maxPages {
		a, err := s.ask(ctx, question{Action: "list", Cursor: cursor})
		switch {
		case err != nil:
			return err
		case !*a.OK:
			return errors.New("it does not list anybody")
		}
		for _, p := range a.People {
			if err := fn(p.identity()); err != nil {
				return err
			}
		}
		if a.Cursor == "" {
			return nil
		}
		if a.Cursor == cursor {
			return errors.New("the list does not end: its cursor stays the same")
		}
		cursor = a.Cursor
	}
	return fmt.Errorf("the list has more than %d pages", maxPages)
}

// Probe implements identity.Source.
func (s *Source) Probe(ctx context.Context) error {
	a, err := s.ask(ctx, question{Action: "probe"})
	if err == nil && !*a.OK {
		err = errors.New("it answers, and says no")
	}
	return err
}

// Signature is that of a question (its timestamp before the body) and of an answer (the nonce).
func Signature(secret identity.Secret, first string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret.Reveal()))
	m.Write([]byte(first + "."))
	m.Write(body)
	return signaturePrefix + hex.EncodeToString(m.Sum(nil))
}

// ask puts one question. Its error never holds what was asked.
func (s *Source) ask(ctx context.Context, q question) (answer, error) {
	q.Nonce, q.Timestamp = rand.Text(), s.o.Now().Unix()
	body, err := json.Marshal(q)
	if err != nil {
		return answer{}, errors.New("the question cannot be written")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	stamp := strconv.FormatInt(q.Timestamp, 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set(HeaderTimestamp, stamp)
	req.Header.Set(HeaderSignature, Signature(s.o.Secret, stamp, body))
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	case res.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("the answer is %d, not 200", res.StatusCode)
	case len(text) > maxAnswer:
		return answer{}, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return answer{}, errors.New("the answer is no application/json")
	}
	want := Signature(s.o.Secret, q.Nonce, text)
	if subtle.ConstantTimeCompare([]byte(want), []byte(res.Header.Get(HeaderSignature))) != 1 {
		return answer{}, errors.New("the signature of the answer is wrong: is the secret the same?")
	}
	return parse(text)
}

// parse reads an answer of exactly the form that the package's documentation shows.
func parse(text []byte) (answer, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var a answer
	if err := d.Decode(&a); err != nil {
		return answer{}, fmt.Errorf("the answer cannot be read: %w", plain(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return answer{}, errors.New("something follows the answer")
	}
	if a.OK == nil {
		return answer{}, errors.New("the answer does not say ok")
	}
	if len(a.People) > maxPeople || len(a.Cursor) > maxText {
		return answer{}, fmt.Errorf("a page of the list has more than %d people", maxPeople)
	}
	people := a.People
	if a.Person != nil {
		people = append(people[:len(people):len(people)], *a.Person)
	}
	for _, p := range people {
		if err := p.check(); err != nil {
			return answer{}, err
		}
	}
	return a, nil
}

// plain leaves out what an error of JSON quotes.
func plain(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("%s has another type", kind.Field)
	}
	return err
}

func (p person) check() error {
	if p.ID == "" || p.Login == "" {
		return errors.New("somebody has no id or no login")
	}
	if len(p.Groups) > maxGroups {
		return fmt.Errorf("somebody is in more than %d groups", maxGroups)
	}
	for _, text := range append([]string{p.ID, p.Login, p.Email, p.Name, p.Phone, p.Group}, p.Groups...) {
		if len(text) > maxText || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("a text is longer than %d bytes, or none", maxText)
		}
	}
	return nil
}
