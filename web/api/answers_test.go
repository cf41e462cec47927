package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"trivium/config"
	"trivium/files"
	"trivium/identity"
)

func TestEveryErrorHasAnAnswer(t *testing.T) {
	a := &API{log: slog.New(slog.DiscardHandler)}
	for _, err := range identity.Errors() {
		p := a.problem(context.Background(), fmt.Errorf("trying: %w", err))
		if p.Status == 500 || p.Code == codeFailed {
			t.Errorf("%v falls through", err)
		}
	}
	p := a.problem(context.Background(), errors.New("disk /dev/sda1 is on fire"))
	if p.Status != 500 || p.Detail == "" || p.Detail == "disk /dev/sda1 is on fire" {
		t.Errorf("an unknown error is told: %+v", p)
	}
}

func TestLogInErrorsAreAlike(t *testing.T) {
	a := &API{log: slog.New(slog.DiscardHandler)}
	want := *a.problem(context.Background(), identity.ErrCredentials)
	for _, err := range []error{identity.ErrDisabled, identity.ErrExpired, identity.ErrRoadClosed} {
		got := *a.problem(context.Background(), err)
		if got.Status != want.Status || got.Detail != want.Detail || got.Hint != want.Hint || got.Code != want.Code {
			t.Errorf("%v can be told from a wrong password", err)
		}
	}
}

func TestNear(t *testing.T) {
	for _, tt := range []struct {
		name string
		list []string
		want string
	}{
		{"user9", []string{"user2", "admin"}, "user2"},
		{"alcie", []string{"alice"}, "alice"},
		{"bob", []string{"alice", "eve"}, ""},
		{"", []string{"a"}, ""},
		{"a", []string{"b"}, ""},
		{"jürgen", []string{"jurgen"}, "jurgen"},
	} {
		if got := config.Nearest(tt.name, tt.list); got != tt.want {
			t.Errorf("config.Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTooDeep(t *testing.T) {
	for body, want := range map[string]bool{
		`{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}`:                                                           false,
		`{"a":"\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}`:                                                            false,
		`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`:                                                                  true,
		`[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]`: false,
		``: false,
	} {
		if got := tooDeep([]byte(body)); got != want {
			t.Errorf("tooDeep(%.30s) = %v", body, got)
		}
	}
}

// TestEveryFileErrorHasAnAnswer: the table of the file tree is complete.
func TestEveryFileErrorHasAnAnswer(t *testing.T) {
	for _, err := range files.Errors() {
		var p *Problem
		if !errors.As(fileProblem(fmt.Errorf("trying: %w", err), "x"), &p) || p.Status < 400 || p.Code == "" {
			t.Errorf("%v has no answer", err)
		}
	}
}
