package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// bench is one run.
type bench struct {
	ctx   context.Context
	table *table
	size  int64 // of a bulk transfer, bytes
	files int   // small files of one measurement
	logs  int   // log-ins of one measurement
	idle  int   // sessions
}

// figureOf is one kind of measurement, of any server, in a run B.
type figureOf[B, S any] struct {
	name, about string
	run         func(b *B, s *S) error
}

type (
	figure     = figureOf[bench, target]
	chatFigure = figureOf[chatBench, chatServer]
	webFigure  = figureOf[webBench, webServer]
)

func (f figureOf[B, S]) title() (name, about string) { return f.name, f.about }

// compared are the figures that are taken of all servers, one after the other, round after round.
func compared() []figure {
	return []figure{
		{"down", "downloads of -size bytes, 1 and 8 streams, clear and TLS, with the server's CPU", (*bench).down},
		{"up", "uploads likewise", (*bench).up},
		{"small", "files of 4 kB, one after the other, clear and TLS", (*bench).small},
		{"login", "log-ins, 8 at once, clear and TLS", (*bench).login},
		{"list", "LIST, MLSD and NLST of 10,000 entries", (*bench).list},
		{"idle", "memory of idle sessions, clear and TLS", (*bench).idling},
		{"ascii", "a download in TYPE A", (*bench).ascii},
	}
}

const (
	mega = 1e6
	gibi = 1 << 30
)

func mode(secure bool) string {
	if secure {
		return "TLS"
	}
	return "clear"
}

// bothModes runs a measurement in the clear and under TLS.
func bothModes(fn func(secure bool) error) error { return errors.Join(fn(false), fn(true)) }

// timed runs fn and says how long it took and how much CPU the server used.
func (t *target) timed(fn func() error) (wall, cpu time.Duration, err error) {
	before, err := t.cpu()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if err := fn(); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", t.name, err)
	}
	wall = time.Since(begin)
	after, err := t.cpu()
	return wall, after - before, err
}

// sessions logs n in.
func sessions(t *target, n int, secure bool) (all []*client, err error) {
	for range n {
		c, err := session(t, secure)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func closeAll(all []*client) {
	for _, c := range all {
		c.close()
	}
}

// together runs fn for each session at once. Of several errors it gives one: they are mostly the same.
func together(all []*client, fn func(i int, c *client) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() { errs[i] = fn(i, c) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// bulk moves -size bytes over some streams.
func (b *bench) bulk(t *target, what string, streams int, secure bool, fn func(i int, c *client, buf []byte, n int64) error) error {
	all, err := sessions(t, streams, secure)
	if err != nil {
		return err
	}
	defer closeAll(all)
	bufs := make([][]byte, streams)
	for i := range bufs {
		bufs[i] = make([]byte, block)
	}
	n := b.size / int64(streams)
	wall, cpu, err := t.timed(func() error {
		return together(all, func(i int, c *client) error { return fn(i, c, bufs[i], n) })
	})
	if err != nil {
		return err
	}
	moved := float64(n * int64(streams))
	title := fmt.Sprintf("%s, %d streams, %s", what, streams, mode(secure))
	if streams == 1 {
		title = fmt.Sprintf("%s, 1 stream, %s", what, mode(secure))
	}
	b.table.add(line{title: title, unit: "MB/s"}, t.name, moved/mega/wall.Seconds())
	b.table.add(line{title: title + ", server's CPU", unit: "s/GiB", less: true}, t.name, cpu.Seconds()/moved*gibi)
	return nil
}

func (b *bench) down(t *target) error {
	return bothModes(func(secure bool) error {
		get := func(name string) func(int, *client, []byte, int64) error {
			return func(_ int, c *client, buf []byte, n int64) error {
				got, err := c.get("RETR "+name, buf)
				if err == nil && got != n {
					err = fmt.Errorf("%d bytes of %d came", got, n)
				}
				return err
			}
		}
		return errors.Join(b.bulk(t, "download", 1, secure, get(bigFile)), b.bulk(t, "download", parallel, secure, get(eighth)))
	})
}

func (b *bench) up(t *target) error {
	return bothModes(func(secure bool) error {
		put := func(i int, c *client, buf []byte, n int64) error {
			return c.put(fmt.Sprintf("STOR %s%d", upload, i), buf, n)
		}
		return errors.Join(b.bulk(t, "upload", 1, secure, put), b.bulk(t, "upload", parallel, secure, put), b.clean(t))
	})
}

// clean removes what was uploaded.
func (b *bench) clean(t *target) error {
	c, err := session(t, false)
	if err != nil {
		return err
	}
	defer c.close()
	for i := range parallel {
		if err := c.want(fmt.Sprintf("DELE %s%d", upload, i), "250"); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func (b *bench) small(t *target) error {
	return bothModes(func(secure bool) error {
		c, err := session(t, secure)
		if err != nil {
			return err
		}
		defer c.close()
		buf := make([]byte, block)
		for _, m := range []struct {
			what string
			fn   func(i int) error
		}{
			{"uploads of 4 kB", func(i int) error { return c.put(fmt.Sprintf("STOR %s%d", upload, i%parallel), buf, smallSize) }},
			{"downloads of 4 kB", func(int) error { _, err := c.get("RETR "+smallFile, buf); return err }},
		} {
			settle()
			wall, cpu, err := t.timed(func() error {
				for i := range b.files {
					if err := m.fn(i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			title := m.what + ", " + mode(secure)
			b.table.add(line{title: title, unit: "files/s"}, t.name, float64(b.files)/wall.Seconds())
			b.table.add(line{title: title + ", server's CPU", unit: "ms each", less: true}, t.name, cpu.Seconds()*1000/float64(b.files))
		}
		return nil
	})
}

func (b *bench) login(t *target) error {
	return bothModes(func(secure bool) error {
		settle()
		c, err := session(t, secure) // the first of a credential is another matter
		if err != nil {
			return err
		}
		c.close()
		wall, _, err := t.timed(func() error {
			return together(make([]*client, parallel), func(int, *client) error {
				for range b.logs / parallel {
					c, err := session(t, secure)
					if err != nil {
						return err
					}
					err = c.want("QUIT", "221")
					c.close()
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
		b.table.add(line{title: "log-ins, 8 at once, " + mode(secure), unit: "per s"}, t.name, float64(b.logs/parallel*parallel)/wall.Seconds())
		return nil
	})
}

// listings is how often each is asked for in one measurement.
const listings = 11

func (b *bench) list(t *target) error {
	return bothModes(func(secure bool) error {
		c, err := session(t, secure)
		if err != nil {
			return err
		}
		defer c.close()
		if err := c.want("CWD "+manyDir, "250"); err != nil {
			return err
		}
		buf := make([]byte, block)
		for _, verb := range []string{"LIST", "MLSD", "NLST"} {
			var took []time.Duration
			_, cpu, err := t.timed(func() error {
				for range listings {
					begin := time.Now()
					n, err := c.get(verb, buf)
					if err != nil {
						return err
					}
					if n < manyFiles*int64(len("file-00000.dat\r\n")) {
						return fmt.Errorf("%s: %d bytes are too few", verb, n)
					}
					took = append(took, time.Since(begin))
				}
				return nil
			})
			if err != nil {
				if verb == "MLSD" { // vsftpd has none; the session is as before
					continue
				}
				return err
			}
			slices.Sort(took)
			title := fmt.Sprintf("%s of 10,000 entries, %s", verb, mode(secure))
			b.table.add(line{title: title, unit: "ms", less: true}, t.name, took[len(took)/2].Seconds()*1000)
			b.table.add(line{title: title + ", server's CPU", unit: "ms", less: true}, t.name, cpu.Seconds()*1000/listings)
		}
		return nil
	})
}

func (b *bench) idling(t *target) error {
	return bothModes(func(secure bool) error {
		t, n := t, b.idle
		if t.fresh != nil {
			// What earlier figures have left to be collected would hide what sessions take; and as a heap
			// is not collected before it has grown by half or double, few sessions say nothing.
			n *= 10
			next, err := t.fresh()
			if err != nil {
				return err
			}
			defer next.stop()
			t = next
		}
		// The first half of the sessions takes what is made once.
		first, err := sessions(t, n, secure)
		if err != nil {
			return err
		}
		defer closeAll(first)
		time.Sleep(time.Second)
		before, err := t.pss()
		if err != nil {
			return err
		}
		all, err := sessions(t, n, secure)
		if err != nil {
			return err
		}
		defer closeAll(all)
		time.Sleep(time.Second)
		after, err := t.pss()
		if err != nil {
			return err
		}
		b.table.add(line{title: "idle session, " + mode(secure), unit: "KiB", less: true}, t.name, (after-before)/float64(n))
		return nil
	})
}

func (b *bench) ascii(t *target) error {
	c, err := session(t, false)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.want("TYPE A", "200"); err != nil {
		return err
	}
	buf := make([]byte, block)
	var n int64
	wall, cpu, err := t.timed(func() (err error) { n, err = c.get("RETR "+textFile, buf); return err })
	if err != nil {
		return err
	}
	if want := b.size / parallel / lineBytes * (lineBytes + 1); n != want {
		return fmt.Errorf("%s: %d bytes came, not %d: lines were not converted", t.name, n, want)
	}
	b.table.add(line{title: "ASCII download", unit: "MB/s"}, t.name, float64(n)/mega/wall.Seconds())
	b.table.add(line{title: "ASCII download, server's CPU", unit: "s/GiB", less: true}, t.name, cpu.Seconds()/float64(n)*gibi)
	return nil
}
