package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"trivium/backup"
)

const (
	barWidth = 20
	barFirst = time.Second            // what is done sooner shows none
	barEvery = 200 * time.Millisecond // on a terminal
	barLine  = 10 * time.Second       // where there is none
)

// bar shows on stderr how far something is: as one line of a terminal, else as a line now and then.
type bar struct {
	w        io.Writer // nil: nobody wants to see it
	what     string
	terminal bool
	began    time.Time
	last     time.Time
	stage    string
	from     time.Time // of the stage
	shown    bool
}

func newBar(s *shell, what string) *bar {
	b := &bar{w: s.stderr, what: what, terminal: terminal(s.stderr), began: time.Now(), last: time.Now()}
	if s.Quiet || s.JSON {
		b.w = nil
	}
	return b
}

// show says how far it is, if it is time to.
func (b *bar) show(p backup.Progress) {
	now := time.Now()
	if b.stage != p.Stage || b.from.IsZero() {
		b.stage, b.from = p.Stage, now
	}
	every := barLine
	if b.terminal {
		every = barEvery
	}
	if b.w == nil || now.Sub(b.began) < barFirst || now.Sub(b.last) < every {
		return
	}
	b.last = now
	line := b.line(p, now)
	if b.terminal {
		_, _ = fmt.Fprint(b.w, "\r\x1b[K"+line) // what cannot be shown is not missed
		b.shown = true
		return
	}
	_, _ = fmt.Fprintln(b.w, line) // the same
}

// line is "Backing up ██████░░░░ 71 %  2.1 GB of 3.0 GB  84 MB/s  11s left".
func (b *bar) line(p backup.Progress, now time.Time) string {
	what := b.what
	switch p.Stage {
	case "database":
		what += ": the database"
	case "verify":
		what = "Verifying"
	}
	rate := int64(float64(p.Done) / max(now.Sub(b.from).Seconds(), 0.001))
	if p.Total <= 0 || p.Done > p.Total {
		return fmt.Sprintf("%s  %s  %s/s", what, size(p.Done), size(rate))
	}
	full := int(float64(p.Done) / float64(p.Total) * barWidth)
	line := fmt.Sprintf("%s %s%s %3d %%  %s of %s  %s/s", what, strings.Repeat("█", full), strings.Repeat("░", barWidth-full),
		int64(float64(p.Done)/float64(p.Total)*100), size(p.Done), size(p.Total), size(rate))
	if left := p.Total - p.Done; rate > 0 && p.Done > 0 {
		line += "  " + span(time.Duration(left/rate)*time.Second) + " left"
	}
	return line
}

// end takes the line away.
func (b *bar) end() {
	if b.shown {
		_, _ = fmt.Fprint(b.w, "\r\x1b[K") // what is left of it says nothing any more
		b.shown = false
	}
}
