package files

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"time"
)

// Algorithm is how a checksum is computed, by its name in IANA's list of hash functions; CRC32 has
// none there.
type Algorithm string

// The algorithms. CRC32 is that of IEEE 802.3, its four bytes the most significant first. MD5 and
// SHA1 find accidents, not forgeries.
const (
	CRC32  Algorithm = "CRC32"
	MD5    Algorithm = "MD5"
	SHA1   Algorithm = "SHA-1"
	SHA256 Algorithm = "SHA-256"
	SHA512 Algorithm = "SHA-512"
)

// start returns a new computation, nil for an unknown algorithm.
func (a Algorithm) start() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case MD5:
		return md5.New()
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	}
	return nil
}

// SumKey is what the checksum of a whole file hangs on: where any of it differs, it is another
// file, or its content may be another.
type SumKey struct {
	Tree      string
	Unique    string
	Size      int64
	ModTime   time.Time // to the nanosecond
	Changed   time.Time // Node.Changed
	Algorithm Algorithm
}

// SumStore keeps checksums. It holds one for a tree, file (Unique) and algorithm: the last.
type SumStore interface {
	// Sum answers fs.ErrNotExist where that very key has none.
	Sum(ctx context.Context, k SumKey) ([]byte, error)
	PutSum(ctx context.Context, k SumKey, sum []byte, at time.Time) error
	// PruneSums drops what was put before a time, and the oldest beyond keep.
	PruneSums(ctx context.Context, before time.Time, keep int) error
}

const (
	// sumChunk is how much is read at a time: between two, the context is asked.
	sumChunk = 256 << 10
	// sumSettled is how long a file must have rested until its checksum is kept: a file system's
	// clock ticks every few milliseconds, and what is written within one tick has one time.
	sumSettled = 2 * time.Second
	// sumLife and sumRows bound what is kept: some 30 MB at 150 bytes a row.
	sumLife = 180 * 24 * time.Hour
	sumRows = 200_000
)

// Sum returns the checksum of the bytes of a file from the offset from up to, but not with, the
// offset to; -1, or one beyond the end, is the end. Read permission is needed, links are followed as
// by Open. A checksum of a whole file is kept, where Options.Sums is set, until the file changes.
// fs.ErrInvalid where no such range exists, ErrUnsupported of an unknown algorithm. At most as many
// are computed at once as there are processors; the others wait. The end of ctx ends it.
func (t *Tree) Sum(ctx context.Context, p string, a Algorithm, from, to int64) ([]byte, error) {
	h := a.start()
	if h == nil {
		return nil, failed("sum", p, ErrUnsupported)
	}
	f, err := t.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := f.obj.Node()
	if to < 0 || to > n.Size {
		to = n.Size
	}
	if from < 0 || from > to {
		return nil, failed("sum", p, fs.ErrInvalid)
	}
	k := SumKey{Tree: f.info.place.m.key, Unique: n.Unique, Size: n.Size, ModTime: n.ModTime, Changed: n.Changed, Algorithm: a}
	whole := t.s.o.Sums != nil && from == 0 && to == n.Size
	if whole {
		sum, err := t.s.o.Sums.Sum(ctx, k)
		if err == nil {
			return sum, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.s.o.Log.WarnContext(ctx, "files: a kept checksum was not read, and is computed anew", "tree", k.Tree, "err", err)
		}
	}
	if err := t.s.sum(ctx, h, f.obj, from, to); err != nil {
		return nil, failed("sum", p, err)
	}
	sum := h.Sum(nil)
	if now := t.s.now(); whole && settled(n, now) {
		if err := t.s.o.Sums.PutSum(ctx, k, sum, now); err != nil {
			t.s.o.Log.WarnContext(ctx, "files: a checksum was not kept", "tree", k.Tree, "err", err)
		}
	}
	return sum, nil
}

// settled reports whether the node's times tell its content from any later one.
func settled(n Node, now time.Time) bool {
	last := n.ModTime
	if n.Changed.After(last) {
		last = n.Changed
	}
	return n.Unique != "" && now.Sub(last) > sumSettled
}

// sum feeds a range to h when it is its turn.
func (s *Service) sum(ctx context.Context, h hash.Hash, obj Object, from, to int64) error {
	select {
	case s.summing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.summing }()
	if _, err := obj.Seek(from, io.SeekStart); err != nil {
		return err
	}
	buf := make([]byte, min(sumChunk, to-from))
	for left := to - from; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(obj, buf[:min(left, sumChunk)])
		h.Write(buf[:n])
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return ctx.Err()
}

// sweepSums keeps the checksums few and young.
func (s *Service) sweepSums(ctx context.Context) error {
	if s.o.Sums == nil {
		return nil
	}
	return s.o.Sums.PruneSums(ctx, s.now().Add(-sumLife), sumRows)
}
