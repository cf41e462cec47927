package app

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// console is a slog.Handler for a person at a terminal: time of day, level, message, and the
// attributes behind it. Text from outside is quoted where it holds more than plain characters, so
// nothing that a client sends can forge a line or move the cursor.
type console struct {
	out    *lockedWriter
	level  slog.Leveler
	attrs  string // of With, written out
	prefix string // of WithGroup
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func newConsole(w io.Writer, level slog.Leveler) *console {
	return &console{out: &lockedWriter{w: w}, level: level}
}

// Enabled implements slog.Handler.
func (c *console) Enabled(_ context.Context, l slog.Level) bool { return l >= c.level.Level() }

// Handle implements slog.Handler.
func (c *console) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format("15:04:05 "))
	b.WriteString(levelWord(r.Level))
	b.WriteString(r.Message)
	b.WriteString(c.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, c.prefix, a)
		return true
	})
	b.WriteByte('\n')
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	_, err := io.WriteString(c.out.w, b.String())
	return err
}

// WithAttrs implements slog.Handler.
func (c *console) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(c.attrs)
	for _, a := range attrs {
		writeAttr(&b, c.prefix, a)
	}
	with := *c
	with.attrs = b.String()
	return &with
}

// WithGroup implements slog.Handler.
func (c *console) WithGroup(name string) slog.Handler {
	with := *c
	if name != "" {
		with.prefix += name + "."
	}
	return &with
}

func levelWord(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR  "
	case l >= slog.LevelWarn:
		return "WARN   "
	case l >= slog.LevelInfo:
		return "INFO   "
	case l >= slog.LevelDebug:
		return "DEBUG  "
	}
	return "TRACE  "
}

func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			writeAttr(b, prefix, member)
		}
		return
	}
	if a.Key == "" || a.Key == "event" { // the message says it
		return
	}
	b.WriteString("  ")
	b.WriteString(prefix + a.Key)
	b.WriteByte('=')
	text := v.String()
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' }) {
		text = strconv.Quote(text)
	}
	b.WriteString(text)
}
