package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"trivium/cmd/trivium/app"
)

type userExportCmd struct {
	Login  string `arg:"" optional:"" name:"login" help:"Login or login@domain; without one --format lists all accounts."`
	To     string `name:"to" placeholder:"FILE" help:"A new file; without it the data goes to the standard output."`
	Keys   bool   `name:"keys" help:"With --format chat: the SCRAM keys of the password, too, for a server that takes them. Who has them can guess at the password."`
	Format string `name:"format" placeholder:"FORMAT" enum:"archive,chat,csv,json," default:"" help:"archive: all that is kept of the account and its files; chat: XEP-0227 alone, while the server is stopped; csv, json: the list of all accounts."`
}

// Help has the examples.
func (c *userExportCmd) Help() string {
	return "An archive has no passwords and no secrets of tokens in it.\n" +
		"Examples:\n\n  trivium user export alice --to alice.tar.gz\n  trivium user export --format csv --to people.csv"
}

// Run writes a file that others may not read, and none where it fails.
func (c *userExportCmd) Run(s *shell) (err error) {
	all := c.Format == "csv" || c.Format == "json"
	switch {
	case all && c.Login != "":
		return usage("--format %s lists all accounts and takes no login", c.Format)
	case !all && c.Login == "":
		return usage("user export needs a login, or --format csv")
	case c.Keys && c.Format != "chat":
		return usage("--keys is for --format chat")
	case c.To == "" && !all && c.Format != "chat" && terminal(s.stdout):
		return usage("an archive is nothing for a terminal; give it a file with --to")
	}
	var out io.Writer = s.stdout
	if c.To != "" {
		f, fault := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if fault != nil {
			return fault
		}
		defer func() {
			if err = errors.Join(err, f.Close()); err != nil {
				_ = os.Remove(c.To)
			}
		}()
		out = f
	}
	switch {
	case all:
		err = c.list(s, out)
	case c.Format == "chat":
		err = c.chat(s, out)
	default:
		err = s.stream("/users"+at(c.Login)+"/export", out)
	}
	if err != nil || c.To == "" {
		return err
	}
	what := "what is kept of " + c.Login
	if all {
		what = "the list of accounts"
	}
	if c.Keys {
		return s.done(map[string]any{"user": c.Login, "to": c.To}, "Wrote %s to %s. The keys of the password are in it: keep it safe, and delete it once it was read.", what, c.To)
	}
	return s.done(map[string]any{"user": c.Login, "to": c.To}, "Wrote %s to %s. No password is in it.", what, c.To)
}

func (c *userExportCmd) chat(s *shell, out io.Writer) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	if err := app.ExportChat(s.ctx, cfg, c.Login, c.Keys, out); err != nil {
		return chatDataError(err, c.Login)
	}
	return nil
}

// exportColumns are those that user import reads.
var exportColumns = []string{"login", "uid", "gid", "group", "groups", "level", "state", "email", "display", "lang", "time_zone", "protocols", "quota_bytes", "quota_files", "expires_at"}

// list writes all accounts, page by page.
func (c *userExportCmd) list(s *shell, out io.Writer) error {
	w := csv.NewWriter(out)
	if c.Format == "csv" {
		if err := w.Write(exportColumns); err != nil {
			return err
		}
	}
	before := "[\n"
	q := query("limit", strconv.Itoa(userPage))
	for {
		var page []user
		text, err := s.get("/users", q, &page)
		if err != nil {
			return err
		}
		if c.Format == "json" {
			var rows []json.RawMessage
			if err := json.Unmarshal(text, &rows); err != nil {
				return err
			}
			for _, r := range rows {
				if _, err := fmt.Fprintf(out, "%s%s", before, r); err != nil {
					return err
				}
				before = ",\n"
			}
		} else {
			for _, u := range page {
				if err := w.Write(u.row()); err != nil {
					return err
				}
			}
		}
		if len(page) < userPage {
			break
		}
		q.Set("after", page[len(page)-1].User)
	}
	if c.Format == "json" {
		if before == "[\n" {
			_, err := io.WriteString(out, "[]\n")
			return err
		}
		_, err := io.WriteString(out, "\n]\n")
		return err
	}
	w.Flush()
	return w.Error()
}

// row is an account in the columns above.
func (u user) row() []string {
	limit := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	expires := ""
	if u.ExpiresAt != nil {
		expires = u.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return []string{u.User, strconv.FormatUint(uint64(u.UID), 10), strconv.FormatUint(uint64(u.GID), 10), u.Group, strings.Join(u.Groups, " "), levelName(u.Level), u.State,
		u.Email, u.Display, u.Lang, u.TimeZone, strings.Join(u.Protocols, " "), limit(u.QuotaBytes), limit(u.QuotaFiles), expires}
}

// stream writes the answer to a GET as it comes, for as long as it comes.
func (s *shell) stream(path string, out io.Writer) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://trivium"+prefix+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return s.reachError(ctx, err)
	}
	defer func() { _ = res.Body.Close() }() // read to its end, or given up
	if res.StatusCode >= 300 {
		text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err != nil {
			return err
		}
		var p problem
		if err := json.Unmarshal(text, &p); err != nil || p.Code == "" {
			return fmt.Errorf("the server answered %s and no reason", res.Status)
		}
		return &failure{exit: exitOf(p.Code), code: p.Code, message: p.Detail, hint: p.Hint}
	}
	if _, err := io.Copy(out, res.Body); err != nil {
		return fmt.Errorf("the export ended early: %w", err)
	}
	return nil
}
