package ftp

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"trivium/files"
	"trivium/identity"
)

func TestEveryErrorHasAReply(t *testing.T) {
	for _, err := range append(identity.Errors(), files.Errors()...) {
		if a := replyTo(fmt.Errorf("wrapped: %w", err)); a == failed || a.code < 400 || a.text == "" {
			t.Errorf("%v: %d %s", err, a.code, a.text)
		}
	}
	if replyTo(errors.New("something else")) != failed {
		t.Error("an unknown error is explained")
	}
}

func TestNoAccountIsRevealed(t *testing.T) {
	want := replyTo(identity.ErrCredentials)
	for _, err := range []error{identity.ErrDisabled, identity.ErrExpired, identity.ErrRoadClosed} {
		if replyTo(err) != want {
			t.Errorf("%v has an answer of its own", err)
		}
	}
	if replyTo(identity.ErrHidden) != replyTo(fs.ErrNotExist) || replyTo(fs.ErrNotExist) != replyTo(identity.ErrNotFound) {
		t.Error("what is hidden can be told from what is absent")
	}
}

func TestTransferReply(t *testing.T) {
	socket := func(err error) error {
		return &os.PathError{Op: "copy_file_range", Path: "x", Err: &net.OpError{Op: "read", Err: err}}
	}
	for _, tt := range []struct {
		name string
		err  error
		code int
	}{
		{"fine", nil, 226},
		{"no connection", fmt.Errorf("%w: %w", errNoConnection, os.ErrDeadlineExceeded), 425},
		{"aborted", errAborted, 426},
		{"reset, wrapped by os", socket(syscall.ECONNRESET), 426},
		{"stalled, wrapped by os", socket(os.ErrDeadlineExceeded), 426},
		{"stalled in the kernel", socket(syscall.ETIMEDOUT), 426},
		{"no close_notify", errCutOff, 426},
		{"handshake", fmt.Errorf("%w: x", errHandshake), 426},
		{"session not resumed", fmt.Errorf("%w: %w", errHandshake, errReuse), 522},
		{"disk full", &os.PathError{Err: syscall.ENOSPC}, 452},
		{"too big", &os.PathError{Err: syscall.EFBIG}, 552},
		{"quota", files.ErrQuota, 552},
		{"name", files.ErrName, 553},
		{"disk fault", &os.PathError{Err: syscall.EIO}, 451},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := transferReply(tt.err, false); a.code != tt.code {
				t.Errorf("%d %s, want %d", a.code, a.text, tt.code)
			}
		})
	}
}

// TestSoftLimitTellsItsStory: who is refused by the soft limit reads since when it is passed.
func TestSoftLimitTellsItsStory(t *testing.T) {
	at := time.Date(2026, 11, 14, 9, 0, 0, 0, time.UTC)
	a := replyTo(fmt.Errorf("stor: %w", &files.SoftLimitError{SoftBytes: 100, SoftFiles: -1, Since: at, Ended: at.AddDate(0, 0, 7)}))
	if a.code != 552 || !strings.Contains(a.text, "(100 bytes) has been passed since 2026-11-14 09:00:00 UTC") || !strings.Contains(a.text, "ended on 2026-11-21 09:00:00 UTC") {
		t.Errorf("%+v", a)
	}
}
