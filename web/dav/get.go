package dav

import (
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/httpio"
)

const (
	maxRanges = 16
	// userContent is the policy of bytes that a person stored: they may do nothing on our origin.
	userContent = "sandbox; default-src 'none'; frame-ancestors 'none'"
)

// get sends a file, whole or in ranges (RFC 9110 section 14). A folder has no content of its own:
// who opens it in a browser is sent to the page of that folder.
func (q *request) get() error {
	i, err := q.stat(q.path)
	if err != nil {
		return err
	}
	if i.Dir {
		at := strings.TrimSuffix("/files"+q.path, "/") + "/"
		q.w.Header().Set("Location", (&url.URL{Path: at}).EscapedPath())
		q.w.Header().Set("Content-Length", "0")
		q.w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	f, err := q.tree.Open(q.ctx, q.path)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	i = f.Info()
	h := q.w.Header()
	h.Set("Content-Security-Policy", userContent)
	h.Set("Content-Disposition", httpio.Attachment(path.Base(q.path)))
	h.Set("Content-Type", contentType(q.path))
	h.Set("ETag", etag(i))
	if strings.Count(q.r.Header.Get("Range"), ",") >= maxRanges {
		q.r.Header.Del("Range") // RFC 9110 section 14.2: a server may ignore Range
	}
	var content io.ReadSeeker = f
	if o, ok := f.OS(); ok {
		content = o // lets the kernel send it
	}
	q.patient()
	meter := q.meter(http.MethodGet, i.Size)
	defer meter.end()
	q.w.(*httpio.Sender).Moved = meter.moved
	stop := q.endWithSession(func(rc *http.ResponseController) { _ = rc.SetWriteDeadline(time.Now()) })
	defer stop()
	http.ServeContent(q.w, q.r, "", i.ModTime, content)
	return nil
}

func contentType(p string) string {
	if kind := mime.TypeByExtension(path.Ext(p)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// endWithSession calls fn when the session ends before the transfer does, which waits for the
// network perhaps.
func (q *request) endWithSession(fn func(*http.ResponseController)) (stop func()) {
	done := make(chan struct{})
	rc := http.NewResponseController(q.w)
	go func() {
		select {
		case <-q.ses.Ended():
			fn(rc)
		case <-done:
		}
	}()
	return func() { close(done) }
}

// meter shows a transfer in the list of sessions.
type meter struct {
	ses   *identity.Session
	info  identity.TransferInfo
	shown time.Time
	last  int64 // bytes as of shown
}

// meterEvery is how often the list of sessions hears of a transfer.
const meterEvery = time.Second

func (q *request) meter(verb string, size int64) *meter {
	now := time.Now()
	m := &meter{ses: q.ses, shown: now, info: identity.TransferInfo{Verb: verb, Path: q.path, Size: size, StartedAt: now.UTC()}}
	m.show()
	return m
}

func (m *meter) show() {
	info := m.info
	m.ses.Update(func(d *identity.Details) { d.Transfer = &info })
}

// moved adds bytes.
func (m *meter) moved(n int64) {
	m.info.Bytes += n
	now := time.Now()
	if gone := now.Sub(m.shown); gone >= meterEvery {
		m.info.Rate = int64(float64(m.info.Bytes-m.last) / gone.Seconds())
		m.shown, m.last = now, m.info.Bytes
		m.show()
	}
}

// end takes the transfer out of the list, unless another of the session stands there by now.
func (m *meter) end() {
	m.ses.Update(func(d *identity.Details) {
		if t := d.Transfer; t != nil && t.Path == m.info.Path && t.StartedAt.Equal(m.info.StartedAt) {
			d.Transfer = nil
		}
	})
}
