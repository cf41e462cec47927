package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
)

// partKey names the part of the session's account and a canonical path; with a tag, one beside it.
// Anonymous sessions share no account, so each has its own parts, and leaves none.
func (v *view) partKey(canon, tag string) string {
	owner := string(v.c.UserID)
	if v.c.Anonymous() {
		owner = "session " + v.who.ID()
	}
	name := owner + "\x00" + canon
	if tag != "" {
		name += "\x00" + tag
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// TaggedPart returns how much of an upload with a tag ([UploadOptions]) has come; none that is known
// is none of it.
func (t *Tree) TaggedPart(ctx context.Context, p, tag string) (size int64, err error) {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return 0, failed("stat", p, err)
	}
	defer s.close()
	if s.m == nil || s.name == "" {
		return 0, failed("stat", p, ErrIsDir)
	}
	n, err := s.top.StatPart(ctx, v.partKey(s.canon(), tag))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return n.Size, failed("stat", p, err)
}

// DropTagged removes what has come of an upload with a tag; where there is nothing of it, nothing
// is done. ErrBusy while it is being written.
func (t *Tree) DropTagged(ctx context.Context, p, tag string) error {
	v, s, err := t.walk(ctx, p, true)
	if err != nil {
		return failed("discard", p, err)
	}
	defer s.close()
	if s.m == nil || s.name == "" {
		return failed("discard", p, ErrIsDir)
	}
	a, err := v.s.use(ctx, s.m)
	if err != nil {
		return failed("discard", p, err)
	}
	defer v.s.done(a)
	a.names.Lock()
	defer a.names.Unlock()
	err = v.removePart(ctx, s, a, tag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return failed("discard", p, err)
}

func pathLock(key, rel string) string  { return "path:" + key + rel }
func partLock(key, part string) string { return "part:" + key + "/" + part }
func fileLock(n Node) string           { return "file:" + n.Unique }
