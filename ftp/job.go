package ftp

import (
	"context"
	"errors"
	"time"

	"trivium/identity"
)

// job is work that a verb does without a data connection and that may take long: a checksum, a
// copy on the server. Like a transfer it lets the reader go on, so that NOOP and STAT are answered
// meanwhile and ABOR stops it; other commands wait.
type job struct {
	doing  string // for people: "HASH /a.iso"
	cancel context.CancelFunc
	aborts int // ABORs that wait for an answer; guarded by control.mu
}

// background runs work, whose answer is the reply to the command that runs; it ends the command.
// work belongs to another goroutine: of the session it may touch nothing but what it has captured.
// Its context ends with ABOR, a hang-up and the end of the session.
func (s *session) background(doing string, work func(ctx context.Context) answer) {
	ctx, cancel := context.WithCancel(s.ctx)
	j := &job{doing: doing, cancel: cancel}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		cancel()
		return
	}
	s.job = j
	s.work.Add(1)
	s.deadline()
	first := s.overtaking()
	s.mu.Unlock()
	move := s.ses.Move(j.live(), cancel, func(d *identity.Details) { d.Doing = doing })
	for _, c := range first {
		c.now(&s.control, c.arg)
	}
	go func() {
		defer s.work.Done()
		defer cancel()
		a := work(ctx)
		if ctx.Err() != nil && a.code >= 400 {
			a = answer{426, "Stopped."}
		}
		move.End(func(d *identity.Details) { d.Doing = "" })
		s.jobEnded(j, a)
	}()
}

// jobEnded gives the reply of a job and the answers to ABOR, and lets go on what has waited, in
// one moment.
func (s *session) jobEnded(j *job, a answer) {
	if a.code == 421 {
		s.end(a.code, a.text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer(a, j.aborts)
	s.job = nil
	s.goOn()
}

// answer gives the last reply of a transfer or a job and the answers to the ABORs that came
// meanwhile; mu is held.
func (s *session) answer(a answer, aborts int) {
	text := line(a.code, a.text)
	for range aborts {
		text += line(226, "Stopped.")
	}
	s.write(text)
	s.idleSince = time.Now()
}

// goOn lets what has waited go on after a transfer or a job; mu is held.
func (s *session) goOn() {
	switch {
	case s.closed:
	case len(s.queue) > 0 && !s.draining:
		s.draining = true
		s.work.Add(1)
		go s.drainQueue()
	case s.stopping && !s.waiting():
		s.finish(421, shutdownText)
	}
	s.deadline()
}

// stop stops what runs beside the reader; mu is held.
func (c *control) stop() {
	if c.busy != nil {
		c.busy.abort()
	}
	if c.job != nil {
		c.job.cancel()
	}
}

// outcome is the answer to what a job has done; what no row of answers names goes to the log.
func (s *session) outcome(err error, good answer) answer {
	if err == nil {
		return good
	}
	a := replyTo(err)
	if a == failed && !errors.Is(err, context.Canceled) {
		s.logger().Error("file command", "error", err)
	}
	return a
}
