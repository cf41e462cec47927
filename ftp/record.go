package ftp

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// record is one transfer or deletion in the transfer logs.
type record struct {
	at        time.Time // of the end
	took      time.Duration
	session   string
	user      string // "" for anonymous
	anonUser  string // "" for all others
	ident     string // "" where there is no answer
	class     string
	remote    string // address
	verb      string
	path      string // canonical
	bytes     int64
	offset    int64
	ascii     bool
	secure    bool // the data connection's TLS
	direction byte // as xferlog(5): 'o', 'i' or 'd'
	complete  bool
	code      int // of the reply
}

const (
	// recordQueue is how many records may wait for the disk.
	recordQueue = 4096
	// recordBatch is how many are written at once.
	recordBatch = 256
	// complainEvery bounds how often trouble with a log is said.
	complainEvery = time.Minute
)

// recorder writes the transfer logs. Its goroutine owns the files; who adds never waits: what finds
// the queue full is counted as lost, and the count goes to the server's log.
type recorder struct {
	log    *slog.Logger
	logs   []*recordLog
	queue  chan record
	reopen chan struct{}
	lost   atomic.Int64 // not yet said
	done   chan struct{}
	once   sync.Once
	said   time.Time
}

// recordLog is one file.
type recordLog struct {
	key    string // of the config, for messages
	path   string
	format func([]byte, *record) []byte
	file   *os.File
	buf    []byte
	lines  int
}

// newRecorder opens the logs that have a path; nil where none has.
func newRecorder(log *slog.Logger, logs ...*recordLog) (*recorder, error) {
	r := &recorder{log: log, queue: make(chan record, recordQueue), reopen: make(chan struct{}, 1), done: make(chan struct{})}
	for _, l := range logs {
		if l.path == "" {
			continue
		}
		if err := l.open(); err != nil {
			for _, other := range r.logs {
				_ = other.file.Close()
			}
			return nil, err
		}
		r.logs = append(r.logs, l)
	}
	if len(r.logs) == 0 {
		return nil, nil
	}
	go r.run()
	return r, nil
}

func (l *recordLog) open() error {
	const mode = 0o640 // names of people and files stand in it
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("%s: the log cannot be opened: %w; make its folder and let the server write there, or leave the key empty", l.key, err)
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = f
	return nil
}

// add never waits. A nil recorder takes nothing.
func (r *recorder) add(rec record) {
	if r == nil {
		return
	}
	select {
	case r.queue <- rec:
	default:
		r.lost.Add(1)
	}
}

// again opens the files anew, as after a rotation.
func (r *recorder) again() {
	if r == nil {
		return
	}
	select {
	case r.reopen <- struct{}{}:
	default: // it is to happen already
	}
}

// close writes what has been added and closes the files; nothing may be added any more.
func (r *recorder) close() {
	if r == nil {
		return
	}
	r.once.Do(func() { close(r.queue) })
	<-r.done
}

func (r *recorder) run() {
	defer close(r.done)
	for {
		select {
		case <-r.reopen:
			r.openAll(true)
		case rec, more := <-r.queue:
			if more {
				r.batch(rec)
			}
			r.complain()
			if !more {
				for _, l := range r.logs {
					if err := l.file.Close(); err != nil {
						r.log.Error("transfer log", "file", l.path, "error", err)
					}
				}
				return
			}
		}
	}
}

// batch writes one record and what waits behind it.
func (r *recorder) batch(rec record) {
	r.openAll(false)
	for n, more := 1, true; more; n++ {
		for _, l := range r.logs {
			l.buf = l.format(l.buf, &rec)
			l.lines++
		}
		if n == recordBatch {
			break
		}
		select {
		case rec, more = <-r.queue:
		default:
			more = false
		}
	}
	for _, l := range r.logs {
		if _, err := l.file.Write(l.buf); err != nil {
			r.lost.Add(int64(l.lines))
			r.trouble(l, err)
		}
		l.buf, l.lines = l.buf[:0], 0
	}
}

// openAll opens anew the files that somebody has moved away or removed, or all.
func (r *recorder) openAll(all bool) {
	for _, l := range r.logs {
		if !all {
			there, err := os.Stat(l.path)
			ours, err2 := l.file.Stat()
			if err2 == nil && (err == nil && os.SameFile(there, ours) || err != nil && !errors.Is(err, fs.ErrNotExist)) {
				continue
			}
		}
		if err := l.open(); err != nil {
			r.trouble(l, err) // the old file goes on
		}
	}
}

// trouble says an error of a log, not too often.
func (r *recorder) trouble(l *recordLog, err error) {
	if now := time.Now(); now.Sub(r.said) >= complainEvery {
		r.said = now
		r.log.Error("transfer log", "file", l.path, "error", err)
	}
}

// complain says how many records are missing in the logs.
func (r *recorder) complain() {
	if n := r.lost.Swap(0); n > 0 {
		r.log.Error("transfers are missing in the transfer log", "lost", n)
	}
}
