package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"trivium/doctor"
)

// From when on a disk is too full, in parts of a hundred and in bytes; a large one may have less than the
// hundredth and room enough.
const (
	roomWarn, roomFail   = 10, 2
	bytesWarn, bytesFail = 5 << 30, 256 << 20
)

// space says how much room there is where the server writes.
func (p *patient) space(context.Context) []doctor.Result {
	places := []struct{ id, what, dir string }{{"storage.space", "the data directory", p.cfg.DataDir}}
	if p.cfg.Files.Storage == "local" {
		if root := p.cfg.FilesRoot(); !sameDisk(root, p.cfg.DataDir) {
			places = append(places, struct{ id, what, dir string }{"storage.space.files", "the files", root})
		}
	}
	var list []doctor.Result
	for _, at := range places {
		var st unix.Statfs_t
		if err := unix.Statfs(at.dir, &st); err != nil {
			list = append(list, skipped(at.id, "room for "+at.what, "the file system does not say: "+err.Error()))
			continue
		}
		size, free := st.Blocks*uint64(st.Bsize), st.Bavail*uint64(st.Bsize) //nolint:gosec // the kernel's sizes are positive
		title := fmt.Sprintf("%s free for %s", bytesWords(free), at.what)
		few := func(percent uint64, bytes uint64) bool { return size > 0 && free*100 < size*percent && free < bytes }
		why := "when it is full nothing can be uploaded, and no message or log-in is kept"
		switch {
		case few(roomFail, bytesWarn) || free < bytesFail:
			list = append(list, failed(at.id, title, why, "delete something below "+at.dir+", or give it a larger disk"))
		case few(roomWarn, 4*bytesWarn):
			list = append(list, warning(at.id, title, why, "delete something below "+at.dir+", or give it a larger disk"))
		case st.Files > 0 && st.Ffree*100 < st.Files*roomFail:
			list = append(list, warning(at.id, title+fmt.Sprintf(", and %d inodes", st.Ffree), "without inodes no file can be made, however much room there is", "delete small files below "+at.dir))
		default:
			list = append(list, good(at.id, title))
		}
	}
	return list
}

// bytesWords is a number of bytes for people.
func bytesWords(n uint64) string {
	f, unit := float64(n), 0
	for f >= 1000 && unit < 5 {
		f, unit = f/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", f, []string{"B", "KB", "MB", "GB", "TB", "PB"}[unit])
}

func sameDisk(a, b string) bool {
	var x, y unix.Stat_t
	return unix.Stat(a, &x) != nil || unix.Stat(b, &y) != nil || x.Dev == y.Dev
}

// filesRoot says whether files can be made there, and carry their owners.
func (p *patient) filesRoot(context.Context) []doctor.Result {
	const id = "storage.files"
	if p.cfg.Files.Storage != "local" {
		return one(skipped(id, "files", "they lie in object storage"))
	}
	root := p.cfg.FilesRoot()
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) && !p.live {
		return one(skipped(id, "files", "the folder "+root+" is made at the first start"))
	}
	f, err := os.CreateTemp(root, ".doctor-*")
	if err != nil {
		return one(failed(id, "no file can be made in "+root, err.Error(), "let the server's user write there"))
	}
	name := f.Name()
	defer func() { _ = os.Remove(name) }()
	if err := f.Close(); err != nil {
		return one(failed(id, "no file can be written in "+root, err.Error(), "look at the disk and the kernel's log"))
	}
	list := one(good(id, "files can be written"))
	if p.cfg.Files.Ownership != "virtual" {
		return list
	}
	const attr = "user.trivium.doctor"
	if err := xattr.Set(name, attr, []byte("1")); err != nil {
		return append(list, failed(id+".attributes", "no extended attributes in "+root, "owner, group and mode of files cannot be kept: "+err.Error(), `use a file system with user attributes (ext4, XFS, Btrfs, ZFS), or set files.ownership = "system"`))
	}
	return append(list, good(id+".attributes", "extended attributes"))
}

// slowSync is how long it may take until something is on disk.
const slowSync = 500 * time.Millisecond

// sync says whether a written file reaches the disk, and how fast.
func (p *patient) sync(context.Context) []doctor.Result {
	const id = "storage.sync"
	f, err := os.CreateTemp(p.cfg.DataDir, ".doctor-*")
	if err != nil {
		return one(failed(id, "nothing can be written in the data directory", err.Error(), "let the server's user write in "+p.cfg.DataDir))
	}
	defer func() { _ = os.Remove(filepath.Clean(f.Name())) }()
	began := time.Now()
	_, err = f.WriteString("trivium")
	err = errors.Join(err, f.Sync())
	took := time.Since(began)
	if err := errors.Join(err, f.Close()); err != nil {
		return one(failed(id, "what is written does not reach the disk", err.Error(), "look at the disk and the kernel's log"))
	}
	title := fmt.Sprintf("the disk takes %s to keep something", took.Round(100*time.Microsecond))
	if took > slowSync {
		return one(warning(id, title, "each log-in, message and upload waits as long", "look what else uses the disk; put data_dir on a faster one"))
	}
	return one(good(id, title))
}

// database asks the engine whether it is whole.
func (p *patient) database(ctx context.Context) []doctor.Result {
	const id = "storage.database"
	began := time.Now()
	engine, err := p.db.Check(ctx)
	took := time.Since(began)
	switch {
	case ctx.Err() != nil:
		return one(skipped(id, "database check", fmt.Sprintf("it was not done after %s; it can be made by itself: trivium doctor %s", took.Round(time.Second), id)))
	case err != nil:
		return one(failed(id, "the database did not pass its check ("+engine+")", err.Error(), "stop the server, keep a copy of the file, and restore the last backup"))
	}
	return one(good(id, fmt.Sprintf("database check %.1f s (%s)", took.Seconds(), engine)))
}
