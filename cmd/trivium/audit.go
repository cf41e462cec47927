package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/cmd/trivium/app"
)

// auditRow is a row of the audit log, as the API has it.
type auditRow struct {
	ID      int64           `json:"id"`
	Time    time.Time       `json:"time"`
	Event   string          `json:"event"`
	Actor   string          `json:"actor"`
	Via     string          `json:"via"`
	Subject string          `json:"subject"`
	Remote  string          `json:"remote"`
	Result  string          `json:"result"`
	Detail  string          `json:"detail"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
}

type auditCmd struct {
	List   auditListCmd   `cmd:"" default:"withargs" help:"Print the log, newest first, or follow it."`
	Verify auditVerifyCmd `cmd:"" help:"Check that no row of the log was changed, removed, added or moved."`
	Head   auditHeadCmd   `cmd:"" help:"Print where the log ends, to be noted down for audit verify."`
}

type auditListCmd struct {
	Since    string `name:"since" placeholder:"TIME" help:"1h, 7d, 2030-01-31 or a time with zone (RFC 3339)."`
	Until    string `name:"until" placeholder:"TIME" help:"Before then; as --since."`
	Event    string `name:"event" placeholder:"EVENT" help:"An event such as login.fail, or 'login.*'."`
	Actor    string `name:"actor" placeholder:"LOGIN" help:"Who did it."`
	Subject  string `name:"subject" placeholder:"NAME" help:"To whom or what."`
	Protocol string `name:"protocol" placeholder:"PROTOCOL" help:"ftp, web, dav, api or xmpp."`
	From     string `name:"from" placeholder:"ADDRESS" help:"An address, or a prefix such as 192.0.2.0/24."`
	Result   string `name:"result" placeholder:"RESULT" help:"ok, failed for all others, or the words of one."`
	Text     string `name:"text" placeholder:"TEXT" help:"Part of any field."`
	Limit    int    `name:"limit" placeholder:"N" help:"How many rows, the newest; else 200, with --csv all."`
	CSV      bool   `name:"csv" xor:"form" help:"Print CSV (RFC 4180)."`
	Follow   bool   `short:"f" name:"follow" xor:"form" help:"Print the newest rows, oldest first, and then each as it comes; with --json one object a line."`
}

// followWait is how long one question of a follower waits at the server.
const followWait = 20 * time.Second

// maxAuditList is how many rows one question gets.
const maxAuditList = 10_000

// Run prints the log.
func (c *auditListCmd) Run(s *shell) error {
	now := time.Now()
	since, err := parseSince("--since", c.Since, now)
	if err != nil {
		return err
	}
	until, err := parseSince("--until", c.Until, now)
	if err != nil {
		return err
	}
	q := query("since", since, "until", until, "event", c.Event, "actor", c.Actor, "subject", c.Subject, "protocol", c.Protocol,
		"from", c.From, "result", c.Result, "text", c.Text)
	if c.Limit > 0 {
		q.Set("limit", strconv.Itoa(c.Limit))
	}
	switch {
	case c.Follow:
		return c.follow(s, q)
	case c.CSV:
		body, err := s.get("/audit/export", q, nil)
		if err != nil {
			return err
		}
		_, err = s.stdout.Write(body)
		return err
	case c.Limit > maxAuditList && s.JSON:
		q.Set("format", "json")
		body, err := s.get("/audit/export", q, nil)
		if err != nil {
			return err
		}
		return s.json(body)
	case c.Limit > maxAuditList:
		return usage("--limit is at most %d; --csv and --json print more", maxAuditList)
	}
	var list []auditRow
	if shown, err := s.fetch("/audit", q, &list); shown || err != nil {
		return err
	}
	rows := make([][]string, len(list))
	for i, r := range list {
		rows[i] = r.cells()
	}
	return s.table("Nothing is recorded.", auditHeaders(), rows)
}

func auditHeaders() []string {
	return []string{"TIME", "EVENT", "ACTOR", "SUBJECT", "ADDRESS", "RESULT", "DETAIL"}
}

func (r auditRow) cells() []string {
	actor := r.Actor
	if r.Via != "" {
		actor = strings.TrimPrefix(actor+" via "+r.Via, " ")
	}
	return []string{r.Time.Local().Format(time.DateTime), r.Event, actor, r.Subject, host(r.Remote), r.Result, r.words()}
}

// words are the detail, and what changed from what to what.
func (r auditRow) words() string {
	var list []string
	for _, text := range []string{r.Detail, app.AuditWords(string(r.Before), string(r.After))} {
		if text != "" {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

// follow prints the newest rows and then each as it comes, until it is interrupted.
func (c *auditListCmd) follow(s *shell, q url.Values) error {
	if err := s.live(); err != nil {
		return err
	}
	if c.Until != "" {
		return usage("--follow has no end; leave --until out")
	}
	var head struct{ ID int64 }
	if _, err := s.get("/audit/head", nil, &head); err != nil {
		return err
	}
	if c.Limit == 0 {
		q.Set("limit", "10")
	}
	last := head.ID
	var list []json.RawMessage
	if _, err := s.get("/audit", q, &list); err != nil {
		return err
	}
	slices.Reverse(list)
	q.Del("limit")
	q.Set("wait", strconv.Itoa(int(followWait/time.Second)))
	printed := map[int64]bool{} // of those that came between the two questions
	for {
		for _, text := range list {
			var r auditRow
			if err := json.Unmarshal(text, &r); err != nil {
				return fmt.Errorf("reading the server's answer: %w", err)
			}
			if printed[r.ID] {
				continue
			}
			if r.ID > head.ID {
				printed[r.ID] = true
			}
			if err := c.line(s, text, r); err != nil {
				return err
			}
		}
		q.Set("after", strconv.FormatInt(last, 10))
		list = nil
		_, err := s.get("/audit", q, &list)
		if s.ctx.Err() != nil {
			return nil // interrupted
		}
		if err != nil {
			return err
		}
		if n := len(list); n > 0 {
			var r auditRow
			if err := json.Unmarshal(list[n-1], &r); err != nil {
				return fmt.Errorf("reading the server's answer: %w", err)
			}
			for id := range printed {
				if id <= last {
					delete(printed, id)
				}
			}
			last = max(last, r.ID)
		}
	}
}

// line prints one row of a log that is followed.
func (c *auditListCmd) line(s *shell, text json.RawMessage, r auditRow) error {
	if s.JSON {
		var b bytes.Buffer
		if err := json.Compact(&b, text); err != nil {
			return err
		}
		b.WriteByte('\n')
		_, err := s.stdout.Write(b.Bytes())
		return err
	}
	cells := r.cells()
	for i := range cells {
		cells[i] = printable(cells[i])
		if cells[i] == "" && !s.Plain {
			cells[i] = "-"
		}
	}
	sep := "  "
	if s.Plain {
		sep = "\t"
	}
	_, err := io.WriteString(s.stdout, strings.Join(cells, sep)+"\n")
	return err
}

type auditVerifyCmd struct {
	Head []string `name:"head" placeholder:"HEAD" help:"A head of the log that was noted down earlier; may come again."`
}

// Run checks the log.
func (c *auditVerifyCmd) Run(s *shell) error {
	q := url.Values{}
	for _, h := range c.Head {
		q.Add("head", h)
	}
	var p struct {
		Rows     int64  `json:"rows"`
		Removed  int64  `json:"removed"`
		Unproven int64  `json:"unproven"`
		Head     string `json:"head"`
		Faults   []struct {
			ID   int64  `json:"id"`
			Text string `json:"text"`
		} `json:"faults"`
	}
	body, err := s.get("/audit/verify", q, &p)
	if err != nil {
		return err
	}
	if s.JSON {
		err = s.json(body)
	} else {
		err = c.print(s, p.Rows, p.Removed, p.Unproven)
		for _, f := range p.Faults {
			err = errors.Join(err, s.result("row "+strconv.FormatInt(f.ID, 10)+": "+f.Text))
		}
	}
	if err != nil || len(p.Faults) == 0 {
		return err
	}
	return &failure{exit: exitFailed, code: "changed", message: "the audit log is not as it was written",
		hint: "the rows are named above; keep a copy of the database before anything else, and compare it with a backup"}
}

func (c *auditVerifyCmd) print(s *shell, rows, removed, unproven int64) error {
	text := fmt.Sprintf("%d rows are as they were written.", rows)
	if removed > 0 {
		text += fmt.Sprintf(" %d older ones were removed for their age.", removed)
	}
	if unproven > 0 {
		text += fmt.Sprintf(" %d are from before the log was a chain and are not proven.", unproven)
	}
	return s.result(text)
}

type auditHeadCmd struct{}

// Run prints the head.
func (c *auditHeadCmd) Run(s *shell) error {
	var h struct {
		ID   int64  `json:"id"`
		Head string `json:"head"`
	}
	if shown, err := s.fetch("/audit/head", nil, &h); shown || err != nil {
		return err
	}
	if h.Head == "" {
		s.note("Nothing is recorded.")
		return nil
	}
	return s.result(h.Head)
}
