package main

import (
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
