package dav

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"trivium/files"
)

// conditions reads the If header: its tokens count for the whole request, and one of its lists must
// hold (RFC 4918 section 10.4).
func (q *request) conditions() error {
	if headers := q.r.Header.Values("If"); len(headers) > 0 {
		lists, ok := parseIf(strings.Join(headers, " "))
		if !ok {
			return errIf
		}
		for _, l := range lists {
			for _, c := range l.all {
				if c.token != "" && !slices.Contains(q.tokens, c.token) {
					q.tokens = append(q.tokens, c.token)
				}
			}
		}
		q.tree = q.tree.With(q.tokens...)
		if !slices.ContainsFunc(lists, q.holds) {
			return errCondition
		}
	}
	if q.r.Method == http.MethodGet || q.r.Method == http.MethodHead {
		return nil // http.ServeContent looks at the others
	}
	return q.preconditions()
}

// holds reports whether each condition of a list does.
func (q *request) holds(l ifList) bool {
	p := q.path
	if l.resource != "" {
		var err error
		if p, _, err = q.local(l.resource); err != nil || !q.sees(p) {
			return false
		}
	}
	for _, c := range l.all {
		if q.matches(p, c) == c.not {
			return false
		}
	}
	return true
}

// matches reports whether a lock of that token applies to the path, or the entry has that tag.
func (q *request) matches(p string, c ifCondition) bool {
	if c.etag != "" {
		i, err := q.stat(p)
		return err == nil && etag(i) == c.etag
	}
	locks, err := q.tree.Locks(q.ctx, p)
	return err == nil && slices.ContainsFunc(locks, func(l files.Lock) bool { return l.Own && l.Token == c.token })
}

// preconditions are If-Match, If-None-Match and If-Unmodified-Since (RFC 9110 section 13.2.2) of a
// request that changes something.
func (q *request) preconditions() error {
	h := q.r.Header
	match, none, since := h.Values("If-Match"), h.Values("If-None-Match"), h.Get("If-Unmodified-Since")
	if len(match)+len(none) == 0 && since == "" {
		return nil
	}
	i, err := q.stat(q.path)
	exists := err == nil
	if !exists && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case len(match) > 0:
		if !exists || !tagged(match, etag(i)) {
			return errCondition
		}
	case since != "":
		// To the second, as the header is.
		if t, err := http.ParseTime(since); err == nil && (!exists || i.ModTime.Unix() > t.Unix()) {
			return errCondition
		}
	}
	if len(none) > 0 && exists && tagged(none, etag(i)) {
		return errCondition
	}
	return nil
}

// tagged reports whether a list of entity tags has this one, by strong comparison; "*" is any.
func tagged(headers []string, tag string) bool {
	for _, h := range headers {
		for one := range strings.SplitSeq(h, ",") {
			if one = strings.TrimSpace(one); one == "*" || tag != "" && one == tag {
				return true
			}
		}
	}
	return false
}

// etag is a strong entity tag: a new file has another Unique, one that was written in place another
// size and time. Folders have none.
func etag(i files.Info) string {
	if i.Dir {
		return ""
	}
	return fmt.Sprintf(`"%s-%x-%x"`, i.Unique, i.Size, i.ModTime.UnixNano())
}

// local is the path of an address on this server: a whole one with our host, or its path alone.
func (q *request) local(address string) (p string, slash bool, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false, errDestination
	}
	switch {
	case u.Host == "" && u.Scheme == "" && strings.HasPrefix(u.Path, "/"):
	case u.Scheme != "http" && u.Scheme != "https", !q.ours(u.Host):
		return "", false, errElsewhere
	}
	at := u.Path
	if below, ok := strings.CutPrefix(at, q.h.o.Below+Prefix); ok && (below == "" || below[0] == '/') {
		at = Prefix + below
	}
	rest, ok := strings.CutPrefix(at, Prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false, errElsewhere
	}
	p, err = files.Clean("/", rest)
	return p, strings.HasSuffix(rest, "/"), err
}

// ours reports whether the host of an address is this server: the one that the request was sent
// to, or another of its names. Proxies change ports, so these do not count.
func (q *request) ours(host string) bool {
	name := func(h string) string { return strings.ToLower((&url.URL{Host: h}).Hostname()) }
	if name(host) == name(q.r.Host) {
		return true
	}
	return slices.ContainsFunc(q.h.o.Hosts, func(own string) bool { return name(own) == name(host) })
}
