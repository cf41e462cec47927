package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// StartVerify verifies an archive in the background.
func (s *Service) StartVerify(ctx context.Context, name string) error {
	r, err := s.Get(ctx, name)
	if err != nil {
		return err
	}
	ctx, end, err := s.begin(ctx, "verify", name)
	if err != nil {
		return err
	}
	go func() {
		_, err := s.verify(ctx, r)
		if err != nil {
			s.o.Log.Error("a backup is not good", "event", "backup.bad", "name", name, "err", err)
		}
		end(err)
	}()
	return nil
}

// verify reads an archive to its end. Without its key the bytes of an encrypted one are compared with those
// that were written.
func (s *Service) verify(ctx context.Context, r Record) (Record, error) {
	f, err := os.Open(s.path(r.Name))
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }() // only read
	sum := sha256.New()
	in := io.TeeReader(f, sum)
	var m Manifest
	if r.Encrypted {
		err = s.reread(ctx, r, in)
	} else {
		m, err = Verify(ctx, in, nil, s.o.Source.Store, s.o.Dir, func(p Progress) {
			p.Total = r.Bytes
			s.progress(p)
		})
	}
	if err == nil && r.Hash != "" && hex.EncodeToString(sum.Sum(nil)) != r.Hash {
		err = fmt.Errorf("%w: its bytes are not those that were written", ErrDamaged)
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	if err == nil {
		if !r.Encrypted && r.Hash == "" {
			r.Began, r.Ended, r.Version, r.Files, r.Bytes, r.Database, r.Without = m.Began, m.Ended, m.Version, m.Files, m.Bytes, m.Database, m.Without
		}
		r.Hash, r.Verified, r.Fault = hex.EncodeToString(sum.Sum(nil)), s.o.Source.Now().UTC(), ""
	} else {
		r.Verified, r.Fault = time.Time{}, err.Error()
	}
	return r, errors.Join(err, s.note(r))
}

// reread reads the bytes of an archive whose key is not here.
func (s *Service) reread(ctx context.Context, r Record, in io.Reader) error {
	if r.Hash == "" {
		return fmt.Errorf("%w: nobody here knows how it was written. Verify it where the key is: trivium backup verify FILE --identity KEY", ErrEncrypted)
	}
	p := Progress{Stage: "verify", Total: r.Size}
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(buf)
		p.Done += int64(n)
		s.progress(p)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
