package main

import (
	"errors"
	"fmt"

	"trivium/cmd/trivium/app"
)

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
