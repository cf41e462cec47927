package app

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"trivium/config"
)

// levelTrace shows protocol lines, without their secrets.
const levelTrace = slog.LevelDebug - 4

// newLog opens the log as [log] says. terminal tells whether stderr is one, for format auto. The
// returned LevelVar changes the level of the running server.
func newLog(cfg config.Log, stdout, stderr io.Writer, terminal bool) (*slog.Logger, *slog.LevelVar, io.Closer, error) {
	var (
		w                = stderr
		closer io.Closer = io.NopCloser(nil)
	)
	switch cfg.Output {
	case "", "stderr":
	case "stdout":
		w = stdout
	default:
		f, err := os.OpenFile(cfg.Output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("cannot open the log: %w", err)
		}
		w, closer, terminal = f, f, false
	}
	lv := new(slog.LevelVar)
	lv.Set(logLevel(cfg.Level))
	opts := &slog.HandlerOptions{Level: lv, ReplaceAttr: nameTrace}
	switch {
	case cfg.Format == "auto" && terminal:
		return slog.New(newConsole(w, lv)), lv, closer, nil
	case cfg.Format == "text":
		return slog.New(slog.NewTextHandler(w, opts)), lv, closer, nil
	}
	return slog.New(slog.NewJSONHandler(w, opts)), lv, closer, nil
}

func logLevel(s string) slog.Level {
	switch s {
	case "error":
		return slog.LevelError
	case "warn":
		return slog.LevelWarn
	case "debug":
		return slog.LevelDebug
	case "trace":
		return levelTrace
	}
	return slog.LevelInfo
}

func nameTrace(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey {
		if l, ok := a.Value.Any().(slog.Level); ok && l == levelTrace {
			a.Value = slog.StringValue("TRACE")
		}
	}
	return a
}
