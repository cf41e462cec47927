//go:build linux || darwin || freebsd || dragonfly

package local

import (
	"context"
	"math"

	"golang.org/x/sys/unix"
)

// Free is what the file system leaves to an account that is not root.
func (t *tree) Free(context.Context) (int64, error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(int(t.f.Fd()), &st) }); err != nil {
		return 0, err
	}
	size := int64(st.Bsize)
	if free := int64(st.Bavail); free > math.MaxInt64/max(size, 1) {
		return math.MaxInt64, nil
	} else if free > 0 { // BSD says less than nothing where root has taken more than its share
		return free * size, nil
	}
	return 0, nil
}
