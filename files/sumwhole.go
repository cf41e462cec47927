package files

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Bounds of a checksum that somebody asks for by a page or the API.
const (
	MaxSummed   = 32 << 30        // bytes of the file
	MaxSumTime  = 5 * time.Minute // until it is given up
	maxSumsEach = 2               // of one account at once
)

// What SumWhole answers beside what Sum does.
var (
	ErrSumLarge = errors.New("the file is too large for a checksum here: compute it where the file is used")
	ErrSumBusy  = errors.New("two checksums are being computed for the account already: wait until one is done")
	ErrSumSlow  = errors.New("the checksum took too long and was given up: try when the server has less to do")
)

// turns counts what each account has begun.
type turns struct {
	mu   sync.Mutex // guards held
	held map[string]int
}

func (t *turns) take(who string, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[who] >= most {
		return false
	}
	t.held[who]++
	return true
}

func (t *turns) free(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[who]--; t.held[who] <= 0 {
		delete(t.held, who)
	}
}

// Algorithms lists how checksums can be computed, the best first.
func Algorithms() []Algorithm { return []Algorithm{SHA256, SHA512, SHA1, MD5, CRC32} }

// SumWhole is Sum of a whole file within bounds, for whoever has nothing but a page to wait with: ErrSumLarge of a
// file beyond MaxSummed, ErrSumBusy beyond two at once of an account, ErrSumSlow after MaxSumTime. The end of ctx ends it.
func (t *Tree) SumWhole(ctx context.Context, p string, a Algorithm) ([]byte, error) {
	i, err := t.Stat(ctx, p)
	switch {
	case err != nil:
		return nil, err
	case i.Size > MaxSummed:
		return nil, failed("sum", p, ErrSumLarge)
	}
	c, _ := t.who.Credentials()
	who := string(c.UserID)
	if who == "" {
		who = "session " + t.who.ID()
	}
	if !t.s.sums.take(who, maxSumsEach) {
		return nil, failed("sum", p, ErrSumBusy)
	}
	defer t.s.sums.free(who)
	limited, cancel := context.WithTimeout(ctx, MaxSumTime)
	defer cancel()
	sum, err := t.Sum(limited, p, a, 0, -1)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		err = failed("sum", p, fmt.Errorf("%w: %w", ErrSumSlow, limited.Err()))
	}
	return sum, err
}
