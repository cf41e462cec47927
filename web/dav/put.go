package dav

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"trivium/files"
	"trivium/identity"
	"trivium/internal/httpio"
)

// drainMost is how many bytes are read and thrown away so that the answer still arrives at a client
// that sends before it listens.
const drainMost = 16 << 20

// bufferSize is how much of a body is read at once, in bytes.
const bufferSize = 256 << 10

// put stores a file: what has come is there when all of it has, and of a body that was cut nothing
// is (RFC 9110 section 9.3.4).
func (q *request) put() error {
	h := q.r.Header
	if h.Get("Content-Range") != "" {
		return errRange
	}
	body := &httpio.Body{Reader: q.r.Body, Conn: http.NewResponseController(q.w), Pause: q.h.o.Pause, Session: q.ses, Ended: identity.ErrEnded, Explain: cut}
	i, created, err := q.store(body)
	if err != nil {
		if body.Broken == nil && !strings.EqualFold(h.Get("Expect"), "100-continue") {
			_, _ = io.CopyN(io.Discard, body, drainMost)
		}
		return err
	}
	q.w.Header().Set("ETag", etag(i))
	q.w.Header().Set("Content-Length", "0")
	if created {
		q.w.WriteHeader(http.StatusCreated)
	} else {
		q.w.Header().Del("Content-Length")
		q.w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// store takes the body in. Until it has all come, what stands there stays.
func (q *request) store(body *httpio.Body) (i files.Info, created bool, err error) {
	old, err := q.stat(q.path)
	switch {
	case err == nil && old.Dir, q.slash:
		return i, false, errMethod
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return i, false, q.parent(err)
	}
	created = err != nil
	u, err := q.tree.Create(q.ctx, q.path, files.UploadOptions{Size: q.length(), Exclusive: q.r.Header.Get("If-None-Match") == "*"})
	if errors.Is(err, fs.ErrExist) {
		return i, false, errCondition
	}
	if err != nil {
		return i, false, q.parent(err)
	}
	if err = q.preconditions(); err == nil { // once more: nobody else stores here now
		err = q.receive(u, body)
	}
	if err == nil {
		q.read = true
		q.patient()
		i, err = u.Commit(q.ctx)
		if errors.Is(err, fs.ErrExist) {
			err = errCondition
		}
	}
	if err != nil {
		if derr := u.Discard(); derr != nil && !errors.Is(derr, fs.ErrClosed) {
			q.h.log.WarnContext(q.ctx, "webdav: an upload that failed was not removed", "session", q.ses, "err", derr)
		}
		return i, false, err
	}
	return q.dated(i), created, nil
}

// receive reads the body into the upload.
func (q *request) receive(u *files.Upload, body *httpio.Body) error {
	t := q.begin(identity.DirectionIn, q.r.ContentLength, u.Still, httpio.CutReads)
	defer t.end()
	body.Session = t.watch
	buffer, ok := q.h.buffers.Get().(*[]byte)
	if !ok {
		b := make([]byte, bufferSize)
		buffer = &b
	}
	defer q.h.buffers.Put(buffer)
	_, err := io.CopyBuffer(struct{ io.Writer }{u}, &metered{body, t.meter}, *buffer)
	if why := t.why(); why != nil {
		return why
	}
	if body.Broken != nil {
		return body.Broken
	}
	return err
}

// metered tells the meter of what is read.
type metered struct {
	io.Reader
	meter *identity.Meter
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.meter.Moved(int64(n))
	return n, err
}

// length is how long the body will be, as far as it is said; -1: unknown. The client of macOS sends
// chunks, and tells the length in a header of its own.
func (q *request) length() int64 {
	if q.r.ContentLength >= 0 {
		return q.r.ContentLength
	}
	n, err := strconv.ParseInt(q.r.Header.Get("X-Expected-Entity-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// dated sets the time that the client says the file has: seconds since 1970, as the clients of
// ownCloud send it. What cannot be set is left, and not confirmed.
func (q *request) dated(i files.Info) files.Info {
	seconds, err := strconv.ParseInt(q.r.Header.Get("X-OC-Mtime"), 10, 64)
	if err != nil || seconds <= 0 {
		return i
	}
	ctx := context.WithoutCancel(q.ctx) // the file is there, so its tag must be right
	if err := q.tree.Chtimes(ctx, q.path, time.Unix(seconds, 0)); err != nil {
		return i
	}
	now, err := q.tree.Stat(ctx, q.path)
	if err != nil {
		return i
	}
	q.w.Header().Set("X-OC-MTime", "accepted")
	return now
}

// parent turns an absent or impossible folder into 409 (RFC 4918 section 9.7.1), for what would
// be made in it.
func (q *request) parent(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, files.ErrNotDir) {
		return errParent
	}
	return err
}
