package dav

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"trivium/files"
)

// lock takes or refreshes a write lock (RFC 4918 section 9.10). Where nothing stands an empty file
// is made (section 7.3).
func (q *request) lock() error {
	body, err := q.body()
	if err != nil {
		return err
	}
	d, err := timeout(q.r.Header.Get("Timeout"))
	if err != nil {
		return err
	}
	if body == nil {
		return q.refresh(d)
	}
	o, err := lockInfo(body)
	if err != nil {
		return err
	}
	if o.Deep, err = q.deep(); err != nil {
		return err
	}
	o.Time = d
	made := false
	if _, err := q.stat(q.path); errors.Is(err, fs.ErrNotExist) {
		if err := q.blank(); err != nil && !errors.Is(err, fs.ErrExist) {
			return q.parent(err)
		}
		made = true
	} else if err != nil {
		return err
	}
	l, err := q.tree.Lock(q.ctx, q.path, o)
	if err != nil {
		if made {
			err = errors.Join(err, q.tree.Remove(q.ctx, q.path))
		}
		return q.conflict(err)
	}
	q.w.Header().Set("Lock-Token", "<"+l.Token+">")
	status := http.StatusOK
	if made {
		status = http.StatusCreated
	}
	return q.activeLock(status, l)
}

// blank makes an empty file.
func (q *request) blank() error {
	if q.slash {
		return errParent // a folder is made by MKCOL
	}
	u, err := q.tree.Create(q.ctx, q.path, files.UploadOptions{Exclusive: true})
	if err != nil {
		return err
	}
	if _, err := u.Commit(q.ctx); err != nil {
		return errors.Join(err, u.Discard())
	}
	return nil
}

// conflict says which lock is in the way.
func (q *request) conflict(err error) error {
	if !errors.Is(err, files.ErrLocked) {
		return err
	}
	about := q.href(q.path, false)
	if locks, lerr := q.tree.Locks(q.ctx, q.path); lerr == nil && len(locks) > 0 {
		about = q.href(locks[0].Path, false)
	}
	return &fault{status: http.StatusLocked, text: "Another lock is in the way.", cond: "no-conflicting-lock", href: about}
}

// refresh gives a lock its time anew (RFC 4918 section 9.10.2); the If header names it.
func (q *request) refresh(d time.Duration) error {
	if len(q.tokens) == 0 {
		return &fault{status: http.StatusBadRequest, text: "A lock without a body refreshes one: its token must stand in the If header."}
	}
	for _, token := range q.tokens {
		l, err := q.tree.Refresh(q.ctx, q.path, token, d)
		if err == nil {
			return q.activeLock(http.StatusOK, l)
		}
		if !errors.Is(err, files.ErrNoLock) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return errRefresh
}

// unlock ends a lock (RFC 4918 section 9.11).
func (q *request) unlock() error {
	token := strings.TrimSpace(q.r.Header.Get("Lock-Token"))
	if len(token) < 3 || token[0] != '<' || token[len(token)-1] != '>' {
		return errLockToken
	}
	err := q.tree.Unlock(q.ctx, q.path, token[1:len(token)-1])
	if errors.Is(err, files.ErrNoLock) {
		return errNoLock
	}
	if err != nil {
		return err
	}
	q.empty(http.StatusNoContent)
	return nil
}

// activeLock answers with the lock (RFC 4918 section 9.10.1).
func (q *request) activeLock(status int, l files.Lock) error {
	body := xmlHeader + `<D:prop xmlns:D="DAV:"><D:lockdiscovery>` + q.lockXML(l) + "</D:lockdiscovery></D:prop>\n"
	q.w.Header().Set("Content-Type", xmlType)
	q.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	q.w.WriteHeader(status)
	_, _ = io.WriteString(q.w, body) // the client may have gone
	return nil
}

// lockXML is an activelock element (RFC 4918 section 14.1), where D: stands for DAV:. A token is
// told to the account that holds it alone.
func (q *request) lockXML(l files.Lock) string {
	scope, depth := "exclusive", "0"
	if l.Shared {
		scope = "shared"
	}
	if l.Deep {
		depth = "infinity"
	}
	s := "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope><D:" + scope + "/></D:lockscope><D:depth>" + depth + "</D:depth>"
	if l.Owner != "" {
		s += "<D:owner>" + l.Owner + "</D:owner>"
	}
	s += "<D:timeout>Second-" + strconv.FormatInt(int64((l.Left+time.Second-1)/time.Second), 10) + "</D:timeout>"
	if l.Token != "" {
		s += "<D:locktoken><D:href>" + escape(l.Token) + "</D:href></D:locktoken>"
	}
	return s + "<D:lockroot><D:href>" + escape(q.href(l.Path, false)) + "</D:href></D:lockroot></D:activelock>"
}

// lockInfo reads the lockinfo element (RFC 4918 section 14.11).
func lockInfo(body []byte) (files.LockOptions, error) {
	var o files.LockOptions
	root, err := parse(body)
	if err != nil {
		return o, err
	}
	scope, kind := root.child("lockscope"), root.child("locktype")
	if root.name.Space != davSpace || root.name.Local != "lockinfo" || scope == nil || kind == nil || kind.child("write") == nil {
		return o, errLockInfo
	}
	shared, exclusive := scope.child("shared") != nil, scope.child("exclusive") != nil
	if shared == exclusive {
		return o, errLockInfo
	}
	o.Shared = shared
	if owner := root.child("owner"); owner != nil {
		var ok bool
		if o.Owner, ok = owner.inner(files.MaxLockOwner); !ok {
			return o, errLarge
		}
	}
	return o, nil
}

// timeout reads the Timeout header (RFC 4918 section 10.7): the first form that is known counts. 0:
// as long as may be.
func timeout(s string) (time.Duration, error) {
	for one := range strings.SplitSeq(s, ",") {
		one = strings.TrimSpace(one)
		if strings.EqualFold(one, "infinite") {
			return 0, nil
		}
		if len(one) > 7 && strings.EqualFold(one[:7], "second-") {
			n, err := strconv.ParseUint(one[7:], 10, 32)
			if err != nil {
				return 0, &fault{status: http.StatusBadRequest, text: "The Timeout header cannot be read."}
			}
			return max(time.Duration(n)*time.Second, time.Second), nil
		}
	}
	return 0, nil
}
