package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	h := newConsole(&out, slog.LevelInfo)
	log := slog.New(h).With("sess", "1-a").WithGroup("g").With("n", 7)
	log.Debug("not this")
	r := slog.NewRecord(time.Date(2026, 11, 21, 15, 4, 5, 0, time.Local), slog.LevelWarn, "login", 0)
	r.Add("event", "login.fail", "name", "a\x1b[2J\nforged", slog.Group("", slog.String("user", "alice")))
	if err := log.Handler().Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "15:04:05 WARN   login  sess=1-a  g.n=7  g.name=\"a\\x1b[2J\\nforged\"  g.user=alice\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
