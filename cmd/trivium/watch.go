package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxEvent bounds one line of the stream, in bytes.
const maxEvent = 1 << 20

// sessionEvent is what the stream says of one event.
type sessionEvent struct {
	Kind    string          `json:"kind"`
	At      time.Time       `json:"at"`
	Session json.RawMessage `json:"session"`
	Reason  string          `json:"reason"`
	Text    string          `json:"text"`
}

// anew shows something; with watch again and again, over itself on a terminal, until the person ends it.
func (s *shell) anew(watch bool, show func() error) error {
	for {
		if watch && terminal(s.stdout) {
			if _, err := fmt.Fprint(s.stdout, "\x1b[H\x1b[2J"); err != nil {
				return err
			}
		}
		if err := show(); err != nil || !watch {
			return err
		}
		select {
		case <-time.After(watchPause):
		case <-s.ctx.Done():
			return nil
		}
	}
}

// watchSessions prints the sessions that there are and then what happens to them, until the server or
// the person ends it. The stream is begun before the list is read, so that nothing falls between.
func (s *shell) watchSessions(c *sessionListCmd, q url.Values) error {
	if c.From+c.Level != "" {
		return usage("--watch goes with --user, --protocol, --class and --state alone")
	}
	conn, err := s.connect()
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(s.ctx, http.MethodGet, "http://trivium/api/v1/sessions/events", http.NoBody)
	if err != nil {
		return err
	}
	res, err := conn.Do(r)
	if err != nil {
		return connectError(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server does not stream sessions: %s", res.Status)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEvent)
	if _, err := s.event(lines, "hello"); err != nil {
		return err
	}
	var list []session
	body, err := s.get("/sessions", q, &list)
	if err != nil {
		return err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	for i, x := range list {
		if err := s.happened(sessionEvent{Kind: "there", At: x.StartedAt, Session: raw[i]}, x); err != nil {
			return err
		}
	}
	for {
		e, err := s.event(lines, "")
		if errors.Is(err, io.EOF) || s.ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		var x session
		if len(e.Session) > 0 && string(e.Session) != "null" {
			if err := json.Unmarshal(e.Session, &x); err != nil {
				return fmt.Errorf("reading the server's answer: %w", err)
			}
			if !c.wants(x) {
				continue
			}
		}
		if err := s.happened(e, x); err != nil {
			return err
		}
	}
}

// event reads the next event, or the next of a kind.
func (s *shell) event(lines *bufio.Scanner, want string) (sessionEvent, error) {
	kind := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "event":
			kind = value
		case name == "data" && (want == "" && kind != "hello" || kind == want):
			var e sessionEvent
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				return e, fmt.Errorf("reading the server's answer: %w", err)
			}
			return e, nil
		}
	}
	if err := lines.Err(); err != nil && s.ctx.Err() == nil {
		return sessionEvent{}, fmt.Errorf("reading the server's answer: %w", err)
	}
	return sessionEvent{}, io.EOF
}

// wants reports whether an event is about what was asked for.
func (c *sessionListCmd) wants(x session) bool {
	return (c.User == "" || x.User != nil && strings.EqualFold(*x.User, c.User)) && (c.Protocol == "" || c.Protocol == x.Protocol) &&
		(c.State == "" || c.State == x.State) && (c.Class == "" || c.Class == "-" && x.Class == nil || x.Class != nil && strings.EqualFold(*x.Class, c.Class))
}

// happened prints one event: a line for people, an object of one line with --json.
func (s *shell) happened(e sessionEvent, x session) error {
	if s.JSON {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.stdout, string(b))
		return err
	}
	if e.Kind == "lagged" {
		s.note("Some events were missed: the list is to be read again.")
		return nil
	}
	why := e.Reason
	if e.Text != "" {
		why += ": " + e.Text
	}
	fields := []string{e.At.Local().Format(time.TimeOnly), e.Kind, x.ID, x.name(), x.road(), x.State, host(x.RemoteAddr), why}
	for i := range fields {
		fields[i] = printable(fields[i])
	}
	_, err := fmt.Fprintln(s.stdout, strings.TrimRight(strings.Join(fields, "\t"), "\t"))
	return err
}
