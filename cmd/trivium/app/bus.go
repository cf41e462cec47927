package app

import (
	"context"
	"log/slog"
	"time"

	"trivium/files"
	"trivium/internal/bus"
)

// fileEvents is how many changes of files the log may be behind. What it misses is counted by
// nobody: the log is no record to rely on.
const fileEvents = 1024

// gather is how long the log lets changes of files gather after it has written some: to be woken for
// each costs as much as a small file. fileEvents are more than come in that time.
const gather = 10 * time.Millisecond

// logFiles writes what happens to files on any road into the log, until ctx ends.
func logFiles(ctx context.Context, b *bus.Bus, log *slog.Logger) {
	sub := b.Subscribe(fileEvents)
	defer func() {
		sub.Close()
		for e := range sub.C { // what was announced before the end
			logFile(log, e)
		}
	}()
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		select {
		case <-ctx.Done():
			return
		case e := <-sub.C:
			logFile(log, e)
		}
		for range len(sub.C) {
			logFile(log, <-sub.C)
		}
		wait.Reset(gather)
	}
}

// logFile writes one event.
func logFile(log *slog.Logger, e any) {
	switch e := e.(type) {
	case files.Changed:
		what := fileEvent(e.Op)
		attrs := []any{"event", "file." + what, "sess", e.Session, "protocol", string(e.Protocol), "user", e.Who, "path", e.Path}
		if e.From != "" {
			attrs = append(attrs, "from", e.From)
		}
		log.Info("file "+what, append(attrs, "size", e.Size)...)
	case bus.Lagged:
		log.Warn("some changes of files are not in the log: it fell behind", "event", "file.lagged")
	}
}

// fileEvent is the stable name of an operation in the log.
func fileEvent(op files.Op) string {
	switch op {
	case files.OpStore, files.OpAppend:
		return "put"
	case files.OpRemove, files.OpRmdir:
		return "delete"
	}
	return string(op)
}
