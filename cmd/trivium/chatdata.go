package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"trivium/cmd/trivium/app"
)

type userExportCmd struct {
	Login string `arg:"" name:"login" help:"Login or login@domain."`
	To    string `name:"to" placeholder:"FILE" help:"A new file; without it the data goes to the standard output."`
}

// Run writes a file that others may not read, and none where it fails.
func (c *userExportCmd) Run(s *shell) (err error) {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	var out io.Writer = s.stdout
	if c.To != "" {
		f, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer func() {
			if err = errors.Join(err, f.Close()); err != nil {
				_ = os.Remove(c.To)
			}
		}()
		out = f
	}
	if err := app.ExportChat(s.ctx, cfg, c.Login, out); err != nil {
		return chatDataError(err, c.Login)
	}
	if c.To == "" || s.JSON {
		return nil
	}
	return s.say("Wrote the chat data of %s to %s. No password is in it; files of the home are not in it.", c.Login, c.To)
}

type userImportCmd struct {
	File   string `arg:"" name:"file" help:"The file, as Prosody, ejabberd or Trivium write it."`
	DryRun bool   `name:"dry-run" help:"Say what would be done."`
}

// Run prints one line for each account.
func (c *userImportCmd) Run(s *shell) error {
	cfg, err := s.config()
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
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

// chatDataError says what to do next.
func chatDataError(err error, login string) error {
	switch {
	case errors.Is(err, app.ErrRunning):
		return &failure{exit: exitRefused, code: "running", message: "the server is running", hint: "stop it first: chat data is written and read while nothing changes it"}
	case errors.Is(err, app.ErrNoAccount):
		return &failure{exit: exitNotFound, code: "not_found", message: fmt.Sprintf("no user %q", login), hint: "list them with: trivium user list"}
	}
	return err
}
