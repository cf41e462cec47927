package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// benchCrowd opens many sessions at once, each of which then uploads a file and downloads it again,
// all at the same time; it says what went wrong.
func benchCrowd(ctx context.Context, bin string, n int) error {
	t, err := own(ctx, bin, false)
	if err != nil {
		return err
	}
	defer t.stop()
	const size = 64 << 10
	begin := time.Now()
	var faults atomic.Int64
	var first atomic.Pointer[error]
	var in, done sync.WaitGroup
	in.Add(n)
	for i := range n {
		done.Go(func() {
			c, err := session(t, i%2 == 1)
			in.Done()
			if err == nil {
				defer c.close()
				in.Wait() // all are in
				buf := make([]byte, size)
				name := fmt.Sprintf("crowd%d", i)
				err = c.put("STOR "+name, buf, size)
				var got int64
				if err == nil {
					got, err = c.get("RETR "+name, buf)
				}
				if err == nil && got != size {
					err = fmt.Errorf("%d bytes of %d came back", got, size)
				}
			}
			if err != nil {
				faults.Add(1)
				first.CompareAndSwap(nil, &err)
			}
		})
	}
	done.Wait()
	fmt.Printf("%d sessions at once, half over TLS, each up and down 64 KiB: %d faults, %.1f s\n", n, faults.Load(), time.Since(begin).Seconds())
	if e := first.Load(); e != nil {
		return *e
	}
	return nil
}

// held is what a server holds.
type held struct {
	rss, threads, descriptors int
	kinds                     map[string]int // of descriptors
}

func (t *target) held() (h held, err error) {
	status := fmt.Sprintf("/proc/%d/status", t.pid)
	h.rss, err = kib(status, "VmRSS")
	if err != nil {
		return h, err
	}
	if h.threads, err = kib(status, "Threads"); err != nil {
		return h, err
	}
	dir := fmt.Sprintf("/proc/%d/fd", t.pid)
	fds, err := os.ReadDir(dir)
	h.descriptors, h.kinds = len(fds), map[string]int{}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil {
			kind, _, _ := strings.Cut(to, ":[")
			h.kinds[kind]++
		}
	}
	return h, err
}

// benchSoak logs in n times, with an upload, a download, a listing and now and then something that
// fails, and compares what the server holds afterwards with what it held after the first tenth.
// Goroutines cannot be seen from outside; one that is left behind shows as memory or as a descriptor.
func benchSoak(ctx context.Context, bin string, n int) error {
	t, err := own(ctx, bin, false)
	if err != nil {
		return err
	}
	defer t.stop()
	at := func(what string, rounds int) (held, error) {
		begin := time.Now()
		if err := soak(ctx, t, rounds); err != nil {
			return held{}, err
		}
		took := time.Since(begin)
		const rest = 15 * time.Second // engines are dropped, buffers given back
		select {
		case <-ctx.Done():
			return held{}, ctx.Err()
		case <-time.After(rest):
		}
		h, err := t.held()
		fmt.Printf("soak, after %s: RSS %.1f MB, %d threads, %d descriptors (%.0f log-ins with transfers/s)\n",
			what, float64(h.rss)/1024, h.threads, h.descriptors, float64(rounds)/took.Seconds())
		return h, err
	}
	first, err := at(fmt.Sprintf("the first %d", n/10), n/10)
	if err != nil {
		return err
	}
	last, err := at(fmt.Sprintf("%d more", n-n/10), n-n/10)
	if err != nil {
		return err
	}
	fmt.Printf("soak, difference: RSS %+.1f MB, threads %+d, descriptors %+d\n",
		float64(last.rss-first.rss)/1024, last.threads-first.threads, last.descriptors-first.descriptors)
	for kind, n := range last.kinds {
		if more := n - first.kinds[kind]; more > 0 {
			fmt.Printf("soak, more descriptors: %+d of %s\n", more, kind)
		}
	}
	return nil
}

// soak runs the rounds, some at once.
func soak(ctx context.Context, t *target, rounds int) error {
	var next atomic.Int64
	errs := make([]error, parallel)
	var wg sync.WaitGroup
	for worker := range parallel {
		wg.Go(func() {
			buf := make([]byte, block)
			for ctx.Err() == nil && errs[worker] == nil {
				i := next.Add(1)
				if i > int64(rounds) {
					return
				}
				errs[worker] = soakRound(t, worker, int(i), buf)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// soakRound is one session; every tenth is over TLS, and every seventh leaves without a word in the
// middle of an upload.
func soakRound(t *target, worker, i int, buf []byte) error {
	c, err := session(t, i%10 == 0)
	if err != nil {
		return err
	}
	defer c.close()
	name := fmt.Sprintf("soak%d", worker)
	if err := c.put("STOR "+name, buf, smallSize); err != nil {
		return err
	}
	if i%7 == 0 {
		// A name of its own for a while: the server may not have noticed the end when the next comes.
		d, err := c.data(fmt.Sprintf("STOR cut%d", i%1000))
		if err != nil {
			return err
		}
		_, _ = d.Write(buf[:smallSize])
		c.close()
		_ = d.Close() // the server may have been quicker
		return nil
	}
	if n, err := c.get("RETR "+name, buf); err != nil || n != smallSize {
		return fmt.Errorf("%d bytes came back: %w", n, err)
	}
	if _, err := c.get("NLST", buf); err != nil {
		return err
	}
	if err := c.want("RETR nothing", ""); err != nil { // refused, one way or the other
		return err
	}
	return c.want("QUIT", "221")
}
