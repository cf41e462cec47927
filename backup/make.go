package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func roomOf(dir string) (free, all int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}

// make makes and verifies one backup and tells of it.
func (s *Service) make(ctx context.Context, kind string) error {
	from := time.Now()
	r, err := s.create(ctx, kind)
	if err == nil {
		r, err = s.verify(ctx, r)
	}
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("the backup was stopped: %w", ctx.Err())
	}
	if err != nil {
		s.o.Log.Error("no backup was made", "event", "backup.failed", "kind", kind, "err", err)
	} else {
		s.o.Log.Info("a backup was made and verified", "event", "backup.ok", "name", r.Name, "kind", kind, "bytes", r.Size, "files", r.Files, "took_ms", time.Since(from).Milliseconds())
	}
	if s.o.Done != nil {
		s.o.Done(context.WithoutCancel(ctx), Event{Kind: kind, Name: r.Name, Bytes: r.Size, Took: time.Since(from), Err: err})
	}
	if err == nil && kind == Scheduled {
		if perr := s.prune(ctx); perr != nil {
			s.o.Log.Warn("old backups were not removed", "event", "backup.prune", "err", perr)
		}
	}
	return err
}

// create writes an archive under a name that nobody looks for, and gives it its name when it is on disk.
func (s *Service) create(ctx context.Context, kind string) (r Record, err error) {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return r, fmt.Errorf("making the folder of backups: %w", err)
	}
	s.sweep()
	if kind == Scheduled {
		if err := s.room(ctx); err != nil {
			return r, err
		}
	}
	src := s.o.Source
	src.Temp = s.o.Dir
	f, err := os.CreateTemp(s.o.Dir, tempPrefix+"*"+partEnd) // mode 0600
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(f.Name()) // gone after the rename
		}
	}()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // so that sweep leaves it alone
		return r, err
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 256<<10)
	m, err := Create(ctx, out, src, s.progress)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return r, inWords(err)
	}
	st, err := f.Stat()
	if err != nil {
		return r, err
	}
	r = Record{Kind: kind, Began: m.Began, Ended: m.Ended, Size: st.Size(), Hash: hex.EncodeToString(sum.Sum(nil)), Encrypted: len(src.Recipients) > 0, Version: m.Version,
		Files: m.Files, Bytes: m.Bytes, Database: m.Database, Without: m.Without, Unsteady: len(m.Unsteady)}
	end := plainEnd
	if r.Encrypted {
		end = sealedEnd
	}
	base := "trivium-" + m.Began.Format("20060102-150405")
	for n := 1; ; n++ {
		r.Name = base + end
		if n > 1 {
			r.Name = fmt.Sprintf("%s-%d%s", base, n, end)
		}
		if _, err := os.Lstat(s.path(r.Name)); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := s.note(r); err != nil {
		return r, err
	}
	if err := os.Rename(f.Name(), s.path(r.Name)); err != nil {
		return r, err
	}
	return r, syncDir(s.o.Dir)
}

// inWords says what a full disk means.
func inWords(err error) error {
	if errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("the backup is larger than a file may be here: nothing was kept of it, and older ones are as they were. Raise the limit of file sizes (ulimit -f, LimitFSIZE), or set backup.to to a folder on another disk: %w", err)
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("the disk is full: nothing was kept of this backup, and older ones are as they were. Make room, or set backup.to to a folder on another disk: %w", err)
	}
	return err
}

// room refuses a backup by schedule that would fill the disk: people's files come first. What the last one
// took and a tenth more must be free, and a twentieth of the disk beside it.
func (s *Service) room(ctx context.Context) error {
	list, err := s.List(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	need := list[0].Size + list[0].Size/10 + list[0].Database
	free, all, err := s.o.Room(s.o.Dir)
	if err != nil {
		return err
	}
	spare := all / 20
	if free < need+spare {
		return fmt.Errorf("%w in %s: %d MB are free, and it needs some %d MB and leaves %d MB to others. Remove old ones, lower backup.keep, or set backup.to to a folder on another disk",
			ErrNoRoom, s.o.Dir, free>>20, need>>20, spare>>20)
	}
	return nil
}

// sweep removes what a backup that was killed has left.
func (s *Service) sweep() {
	list, err := filepath.Glob(filepath.Join(escapeGlob(s.o.Dir), tempPrefix+"*"))
	if err != nil {
		return
	}
	for _, name := range list {
		if strings.HasSuffix(name, partEnd) && busy(name) {
			continue // another server's, which keeps its backups here too
		}
		if err := os.RemoveAll(name); err != nil {
			s.o.Log.Warn("what an unfinished backup has left was not removed", "event", "backup.sweep", "err", err)
			continue
		}
		s.o.Log.Info("what an unfinished backup has left was removed", "event", "backup.sweep", "name", filepath.Base(name))
	}
}

// busy reports whether somebody writes a file.
func busy(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only looked at
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

// Stream makes a backup and writes it to dst, which is somebody's; nothing of it stays here.
func (s *Service) Stream(ctx context.Context, dst io.Writer) (m Manifest, err error) {
	ctx, end, err := s.begin(ctx, "create", "")
	if err != nil {
		return m, err
	}
	src := s.o.Source
	m, err = Create(ctx, dst, src, s.progress)
	end(err)
	return m, err
}
