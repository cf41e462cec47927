package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"trivium/cmd/trivium/app"
)

// Bounds of one piece of an import. The API takes 500 accounts and 1 MB.
const (
	importPiece = 200
	importBytes = 512 << 10
)

type userImportCmd struct {
	File         string            `arg:"" name:"file" help:"What another server keeps of its accounts; for prosody its data directory."`
	From         string            `name:"from" placeholder:"FORMAT" enum:"passwd,proftpd,pureftpd,sftpgo,prosody,xep0227,csv," default:"" help:"passwd, proftpd, pureftpd, sftpgo, prosody, xep0227 (ejabberd, too) or csv; else what the file looks like."`
	Shadow       string            `name:"shadow" placeholder:"FILE" help:"With passwd: the file with the hashes."`
	Groups       string            `name:"groups" placeholder:"FILE" help:"With passwd and proftpd: the file with the groups."`
	DryRun       bool              `name:"dry-run" help:"Say what would be done with each account."`
	OnConflict   string            `name:"on-conflict" placeholder:"WHAT" enum:"skip,update,fail" default:"skip" help:"Where there is such a login: skip it, update it, or fail before anything is done."`
	UIDs         string            `name:"uids" placeholder:"WHICH" enum:"keep,must,new" default:"keep" help:"keep: the uids of the file, and new ones where they are taken; must: one that is taken is a conflict; new: new ones."`
	MinUID       *uint32           `name:"min-uid" placeholder:"N" help:"Leave out lower uids; 1000 with passwd."`
	Level        string            `name:"level" placeholder:"LEVEL" help:"Of accounts that say none."`
	LevelOfGroup map[string]string `name:"level-of-group" placeholder:"GROUP=LEVEL" help:"A level for who is in a group; may come again."`
	Domain       string            `name:"domain" placeholder:"DOMAIN" help:"Of logins without one; else the default domain."`
	NoGroups     bool              `name:"no-groups" help:"Make no groups that there are not."`
	Only         string            `name:"only" placeholder:"WHAT" enum:"accounts,chat," default:"" help:"With xep0227 and prosody: accounts, or what chat keeps of them; else both."`
}

// Help has the examples.
func (c *userImportCmd) Help() string {
	return "Passwords are kept as they are, and become our own at the first good log-in that brings one.\n" +
		"Examples:\n\n  trivium user import /etc/passwd --shadow /etc/shadow --groups /etc/group --level-of-group sudo=admin --dry-run\n" +
		"  trivium user import /etc/pure-ftpd/pureftpd.passwd\n  trivium user import /var/lib/prosody\n  trivium user import people.csv --on-conflict update"
}

// imported is the report of one account, as the API gives it, with what only the file knows.
type imported struct {
	Login      string   `json:"login"`
	User       string   `json:"user"`
	Action     string   `json:"action"`
	Reason     string   `json:"reason"`
	UID        uint32   `json:"uid"`
	Level      int      `json:"level"`
	Password   string   `json:"password"`
	Hash       string   `json:"hash"`
	NeedsPlain bool     `json:"needs_plain"`
	Warnings   []string `json:"warnings"`
	Line       int      `json:"line,omitempty"`
	Home       string   `json:"home,omitempty"`
}

// line is the report in one line.
func (i imported) line() string {
	if i.Action == "skipped" {
		return fmt.Sprintf("skipped  %s: %s", i.Login, i.Reason)
	}
	text := fmt.Sprintf("%-7s  %s", i.Action, i.User)
	if i.Action != "same" {
		text += fmt.Sprintf(" (%s, uid %d): %s", levelName(i.Level), i.UID, i.passwordText())
	}
	for _, w := range i.Warnings {
		text += "; " + w
	}
	return text
}

func (i imported) passwordText() string {
	text := "no password"
	switch i.Password {
	case "own":
		return "password stays"
	case "kept":
		text = i.Hash + " kept"
	case "scram":
		text = i.Hash + " keys kept"
	case "derived":
		text = "password taken over"
	}
	if i.NeedsPlain {
		text += ", needs a plain log-in first"
	}
	return text
}

// Run reads the file, and sends it in pieces.
func (c *userImportCmd) Run(s *shell) error {
	if c.From == "" {
		guess, err := app.GuessFormat(c.File)
		if errors.Is(err, app.ErrImportFormat) {
			return usage("what %s holds cannot be told; say it with --from: %s", c.File, strings.Join(app.ImportFormats(), ", "))
		}
		if err != nil {
			return err
		}
		c.From = guess
	}
	chat := c.From == "xep0227" || c.From == "prosody"
	if c.Only == "chat" {
		if !chat {
			return usage("--only chat is for xep0227 and prosody")
		}
		return c.chat(s)
	}
	if c.OnConflict == "fail" && !c.DryRun {
		// Nothing is done before everything has been looked at.
		if err := (&importRun{c: c, s: s, dry: true, silent: true}).all(); err != nil {
			return err
		}
	}
	r := &importRun{c: c, s: s, dry: c.DryRun}
	if err := r.all(); err != nil {
		return err
	}
	if chat && c.Only == "" && !s.JSON {
		if err := s.close(); err != nil { // the store is for one
			return err
		}
		if err := c.chat(s); err != nil {
			s.note("The accounts were imported; what chat keeps of them was not: %v. Once the server is stopped: trivium user import %s --only chat", err, printable(c.File))
		}
	}
	return nil
}

// importRun is one pass over the file.
type importRun struct {
	c      *userImportCmd
	s      *shell
	dry    bool
	silent bool

	piece   []app.ImportRecord
	lines   []imported // of piece: what only the file knows
	bytes   int
	counts  map[string]int
	plain   int
	printed bool
}

func (r *importRun) all() error {
	r.counts = map[string]int{}
	err := app.ReadAccounts(app.ImportFiles{Format: r.c.From, File: r.c.File, Shadow: r.c.Shadow, Groups: r.c.Groups}, r.add)
	if err == nil {
		err = r.send()
	}
	if r.s.JSON && !r.silent {
		if r.printed {
			_, _ = fmt.Fprintln(r.s.stdout, "\n]")
		} else if err == nil {
			_, _ = fmt.Fprintln(r.s.stdout, "[]")
		}
	}
	if err != nil || r.silent || r.s.JSON {
		return err
	}
	return r.sum()
}

// add takes a record into the piece.
func (r *importRun) add(rec app.ImportRecord) error {
	if r.s.ctx.Err() != nil {
		return r.s.ctx.Err()
	}
	if rec.Fault != "" {
		if err := r.send(); err != nil { // so that reports stay in their order
			return err
		}
		return r.report(imported{Login: rec.Login, Action: "skipped", Reason: rec.Fault, Password: "none", Warnings: []string{}, Line: rec.Line})
	}
	text, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	if len(r.piece) >= importPiece || r.bytes+len(text) > importBytes {
		if err := r.send(); err != nil {
			return err
		}
	}
	r.piece, r.bytes = append(r.piece, rec), r.bytes+len(text)
	r.lines = append(r.lines, imported{Line: rec.Line, Home: rec.Home, Warnings: rec.Warnings})
	return nil
}

// send sends the piece.
func (r *importRun) send() error {
	if len(r.piece) == 0 {
		return nil
	}
	c := r.c
	body := map[string]any{"accounts": r.piece, "dry_run": r.dry, "on_conflict": c.OnConflict, "uids": c.UIDs, "no_groups": c.NoGroups}
	put(body, "level", c.Level)
	put(body, "domain", c.Domain)
	if len(c.LevelOfGroup) > 0 {
		body["level_of_group"] = c.LevelOfGroup
	}
	if c.MinUID != nil {
		body["min_uid"] = *c.MinUID
	} else if c.From == "passwd" {
		body["min_uid"] = defaultMinUID
	}
	var out []imported
	if _, err := r.s.send(http.MethodPost, "/users/import", nil, body, &out); err != nil {
		return err
	}
	if len(out) != len(r.piece) {
		return errors.New("the server answered for other accounts than were sent")
	}
	for i, o := range out {
		o.Line, o.Home = r.lines[i].Line, r.lines[i].Home
		if o.Action != "same" && o.Action != "skipped" {
			o.Warnings = append(o.Warnings, r.lines[i].Warnings...)
		}
		if err := r.report(o); err != nil {
			return err
		}
	}
	r.piece, r.lines, r.bytes = r.piece[:0], r.lines[:0], 0
	return nil
}

// defaultMinUID is the first uid of people on most systems (login.defs(5)).
const defaultMinUID = 1000

// report prints one line, or one object of the array.
func (r *importRun) report(i imported) error {
	r.counts[i.Action]++
	if i.NeedsPlain && i.Action != "same" {
		r.plain++
	}
	if r.silent {
		return nil
	}
	if !r.s.JSON {
		_, err := fmt.Fprintln(r.s.stdout, printable(i.line()))
		return err
	}
	text, err := json.Marshal(i)
	if err != nil {
		return err
	}
	before := ",\n"
	if !r.printed {
		before, r.printed = "[\n", true
	}
	_, err = fmt.Fprintf(r.s.stdout, "%s%s", before, text)
	return err
}

// sum is the last line.
func (r *importRun) sum() error {
	var parts []string
	for _, what := range []string{"added", "updated", "same", "skipped"} {
		if n := r.counts[what]; n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+what)
		}
	}
	if len(parts) == 0 {
		parts = []string{"no accounts"}
	}
	text := "Imported: "
	if r.dry {
		text = "Nothing was changed. It would be: "
	}
	if err := r.s.say("%s%s.", text, strings.Join(parts, ", ")); err != nil {
		return err
	}
	if r.plain > 0 {
		return r.s.say("%d of them log in with their old password by web, FTP or PLAIN; by SCRAM, as chat clients do, after the first time.", r.plain)
	}
	return nil
}

// chat adds what chat keeps of accounts, while the server is stopped.
func (c *userImportCmd) chat(s *shell) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	f, err := app.OpenChat(c.From, c.File, func(name string, err error) {
		s.note("%s was left out: %v", printable(name), err)
	})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was read
	reports := []app.ChatReport{}
	err = app.ImportChat(s.ctx, cfg, f, c.DryRun, func(r app.ChatReport) error {
		if s.JSON {
			reports = append(reports, r)
			return nil
		}
		_, err := fmt.Fprintln(s.stdout, printable(r.String()))
		return err
	})
	if err != nil {
		return chatDataError(err, "")
	}
	if !s.JSON {
		return nil
	}
	text, err := json.Marshal(reports)
	if err != nil {
		return err
	}
	return s.json(text)
}
