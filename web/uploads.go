package web

import (
	"container/list"
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"trivium/files"
	"trivium/identity"
)

// maxFinished bounds the uploads whose end is remembered.
const maxFinished = 4096

func newTag() string { return rand.Text()[:16] }

// uploadKey is one upload: whose, and its tag.
type uploadKey struct {
	owner identity.UserID
	tag   string
}

// uploadWait is how long a new request of an upload waits for the one before, whose connection may
// have died without a word.
const uploadWait = 10 * time.Second

// uploads knows which are being received and which have ended of late.
type uploads struct {
	mu      sync.Mutex // guards what follows
	running map[uploadKey]*receiving
	done    map[uploadKey]*list.Element
	order   *list.List // of uploadKey, the last that ended in front
}

// receiving is a request that receives, or looks at, an upload.
type receiving struct {
	mu   sync.Mutex // held while conn is used, which must not be once the request is over
	conn *http.ResponseController
	over chan struct{} // closed when it is
}

// hurry gives what the request is reading a deadline that has passed.
func (r *receiving) hurry() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.over:
	default:
		_ = r.conn.SetReadDeadline(time.Unix(1, 0)) // an error: there are no deadlines, it ends by itself
	}
}

func (r *receiving) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.over)
}

func newUploads() *uploads {
	return &uploads{running: map[uploadKey]*receiving{}, done: map[uploadKey]*list.Element{}, order: list.New()}
}

// enter makes this request the one that may touch the upload. Whoever was at it is cut, for a client
// that asks again has given its last connection up; what came by that one is kept.
func (u *uploads) enter(v *visit, tag string) (leave func(), err error) {
	k := uploadKey{v.creds.UserID, tag}
	me := &receiving{conn: http.NewResponseController(v.Response().Writer), over: make(chan struct{})}
	limit := time.NewTimer(uploadWait)
	defer limit.Stop()
	for {
		u.mu.Lock()
		other := u.running[k]
		if other == nil {
			u.running[k] = me
			u.mu.Unlock()
			return func() { u.leave(k, me) }, nil
		}
		u.mu.Unlock()
		if err := other.cut(v, limit.C); err != nil {
			return nil, err
		}
	}
}

// cut waits until the other request is over. Its reads get new deadlines, so it is told again.
func (r *receiving) cut(v *visit, limit <-chan time.Time) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		r.hurry()
		select {
		case <-r.over:
			return nil
		case <-again.C:
		case <-limit:
			return files.ErrBusy
		case <-v.ctx().Done():
			return v.ctx().Err()
		}
	}
}

func (u *uploads) leave(k uploadKey, me *receiving) {
	u.mu.Lock()
	delete(u.running, k)
	u.mu.Unlock()
	me.end()
}

func (u *uploads) finish(owner identity.UserID, tag string) {
	k := uploadKey{owner, tag}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done[k] = u.order.PushFront(k)
	if u.order.Len() > maxFinished {
		delete(u.done, u.order.Remove(u.order.Back()).(uploadKey))
	}
}

func (u *uploads) finished(owner identity.UserID, tag string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.done[uploadKey{owner, tag}] != nil
}
