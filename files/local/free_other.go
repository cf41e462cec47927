//go:build !(linux || darwin || freebsd || dragonfly)

package local

import (
	"context"

	"trivium/files"
)

// Free is not asked for where the system says it in another way.
func (t *tree) Free(context.Context) (int64, error) { return 0, files.ErrUnsupported }
