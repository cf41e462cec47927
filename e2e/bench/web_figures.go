package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	webConns    = 8       // connections that ask at once
	barePage    = 4_000   // bytes of a packed page, as the limit sends
	bareAsset   = 8_000   // bytes of an asset likewise
	webWatchers = 500     // pages that watch
	watchFor    = 20      // seconds
	cores       = 2       // of the machine that the aims are for
	looks       = 20      // at a large page
	perSession  = 10      // streams that one browser session may have
	tusChunk    = 8 << 20 // bytes of one request, as the page's script sends
)

// hammer asks for one page again and again.
func (b *webBench) hammer(s *webServer, title, path, cookie string) error {
	all, shut, err := s.surfers(webConns)
	defer shut()
	if err != nil {
		return err
	}
	var done, size atomic.Int64
	ask := func(long time.Duration) error {
		begin := time.Now()
		return inParallel(len(all), len(all), func(i int) error {
			request := all[i].head("GET", path, cookie)
			for time.Since(begin) < long {
				a, err := all[i].want(request, 200)
				if err != nil {
					return err
				}
				done.Add(1)
				size.Store(a.bytes)
			}
			return nil
		})
	}
	if err := ask(b.long / 4); err != nil {
		return err
	}
	done.Store(0)
	wall, cpu, err := s.timed(func() error { return ask(b.long) })
	if err != nil {
		return err
	}
	each := cpu.Seconds() / float64(done.Load())
	b.table.add(line{title: title, unit: "per s"}, s.name, float64(done.Load())/wall.Seconds())
	b.table.add(line{title: title + ", server's CPU", unit: "µs each", less: true}, s.name, each*micro)
	b.table.add(line{title: title + ", as many as the server's CPU allows on 2 cores", unit: "per s"}, s.name, cores/each)
	b.table.add(line{title: title + ", on the wire", unit: "bytes", less: true}, s.name, float64(size.Load()))
	return nil
}

func (b *webBench) pages(s *webServer) error {
	if s.session == nil {
		var errs []error
		for _, p := range webPages() {
			errs = append(errs, b.hammer(s, "page "+p, "/bytes/"+strconv.Itoa(barePage), ""))
		}
		return errors.Join(errs...)
	}
	cookie, err := s.cookie(webPerson)
	if err != nil {
		return err
	}
	guest, err := s.guest()
	if err != nil {
		return err
	}
	for _, p := range webPages() {
		k := cookie
		if p == "/login" {
			k = guest
		}
		if err := b.hammer(s, "page "+p, p, k); err != nil {
			return err
		}
	}
	return nil
}

// webPages are the pages of everybody: before the log-in, the first after it, forms, a list of files.
func webPages() []string { return []string{"/login", "/", "/account", "/files/"} }

var setCookie = regexp.MustCompile(`(?m)^Set-Cookie: ([^;\r]+)`)

// guest is the session of a browser that has not logged in.
func (s *webServer) guest() (string, error) {
	c, err := s.surf()
	if err != nil {
		return "", err
	}
	defer c.close()
	if _, err := c.conn.Write(c.head("GET", "/login", "")); err != nil {
		return "", err
	}
	var head strings.Builder
	for {
		l, err := c.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if head.WriteString(l); l == "\r\n" {
			break
		}
	}
	m := setCookie.FindStringSubmatch(head.String())
	if m == nil {
		return "", errNoForm
	}
	return m[1], nil
}

var assetLink = regexp.MustCompile(`/assets/[0-9a-f]+/`)

func (b *webBench) static(s *webServer) error {
	if s.session == nil {
		return b.hammer(s, "asset, the style", "/bytes/"+strconv.Itoa(bareAsset), "")
	}
	prefix, err := s.assets()
	if err != nil {
		return err
	}
	return b.hammer(s, "asset, the style", prefix+"css/app.css", "")
}

// assets is the address under which the assets lie.
func (s *webServer) assets() (string, error) {
	c, err := s.surf()
	if err != nil {
		return "", err
	}
	defer c.close()
	// Without packing, so that it can be read.
	if _, err := c.conn.Write([]byte("GET /login HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")); err != nil {
		return "", err
	}
	for range 100 {
		l, err := c.r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if m := assetLink.FindString(l); m != "" {
			return m, nil
		}
	}
	return "", errNoForm
}

// bulk moves -size bytes over some connections.
func (b *webBench) bulk(s *webServer, what string, streams int, fn func(i int, c *surfer, n int64) error) error {
	all, shut, err := s.surfers(streams)
	defer shut()
	if err != nil {
		return err
	}
	n := b.size / int64(streams)
	wall, cpu, err := s.timed(func() error {
		return inParallel(streams, streams, func(i int) error { return fn(i, all[i], n) })
	})
	if err != nil {
		return err
	}
	title := fmt.Sprintf("%s, %d streams, clear", what, streams)
	if streams == 1 {
		title = what + ", 1 stream, clear"
	}
	moved := float64(n * int64(streams))
	b.table.add(line{title: title, unit: "MB/s"}, s.name, moved/mega/wall.Seconds())
	b.table.add(line{title: title + ", server's CPU", unit: "s/GiB", less: true}, s.name, cpu.Seconds()/moved*gibi)
	return nil
}

func (b *webBench) down(s *webServer) error {
	cookie, err := s.cookie(webPerson)
	if err != nil {
		return err
	}
	get := func(name string) func(int, *surfer, int64) error {
		return func(_ int, c *surfer, n int64) error {
			a, err := c.want(c.head("GET", "/files/"+name, cookie), 200)
			if err == nil && a.bytes != n {
				err = fmt.Errorf("%d bytes of %d came", a.bytes, n)
			}
			return err
		}
	}
	return errors.Join(b.bulk(s, "web download", 1, get(bigFile)), b.bulk(s, "web download", parallel, get(eighth)))
}

// tus sends files as the page's script does: one request makes the upload, and further ones bring it, 8 MiB each.
func (b *webBench) tus(s *webServer) error {
	cookie, token := "", ""
	if s.session != nil {
		var err error
		if cookie, err = s.cookie(webPerson); err != nil {
			return err
		}
		if token, err = s.token(cookie); err != nil {
			return err
		}
	}
	piece := make([]byte, block)
	put := func(i int, c *surfer, n int64) error {
		place := fmt.Sprintf("/files/%s%d", upload, i)
		if s.session != nil {
			a, err := c.want(c.head("POST", "/files/", cookie, "Tus-Resumable: 1.0.0", "X-CSRF-Token: "+token, "Content-Length: 0",
				"Upload-Length: "+strconv.FormatInt(n, 10), "Upload-Metadata: filename "+base64Of(filepath.Base(place))+",taken "+base64Of("replace")), 201)
			if err != nil {
				return err
			}
			place = a.location
		}
		for at := int64(0); at < n; at += tusChunk {
			size := min(n-at, tusChunk)
			if _, err := c.conn.Write(c.head("PATCH", place, cookie, "Tus-Resumable: 1.0.0", "X-CSRF-Token: "+token, "Upload-Offset: "+strconv.FormatInt(at, 10),
				"Content-Type: application/offset+octet-stream", "Content-Length: "+strconv.FormatInt(size, 10))); err != nil {
				return err
			}
			for left := size; left > 0; {
				k, err := c.conn.Write(piece[:min(left, block)])
				if left -= int64(k); err != nil {
					return err
				}
			}
			a, err := c.answer()
			if err == nil && a.status != 204 {
				err = fmt.Errorf("PATCH was answered %d", a.status)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	err := errors.Join(b.bulk(s, "upload by tus", 1, put), b.bulk(s, "upload by tus", parallel, put))
	for i := range parallel {
		_ = os.Remove(filepath.Join(s.home, upload+strconv.Itoa(i)))
	}
	return err
}

// look asks for a large page some times, one after the other.
func (b *webBench) look(s *webServer, title, path, cookie string) error {
	c, err := s.surf()
	if err != nil {
		return err
	}
	defer c.close()
	request := c.head("GET", path, cookie)
	a, err := c.want(request, 200)
	if err != nil {
		return err
	}
	var took []time.Duration
	_, cpu, err := s.timed(func() error {
		for range looks {
			begin := time.Now()
			if _, err := c.want(request, 200); err != nil {
				return err
			}
			took = append(took, time.Since(begin))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(took)
	b.table.add(line{title: title, unit: "ms", less: true}, s.name, took[len(took)/2].Seconds()*1000)
	b.table.add(line{title: title + ", server's CPU", unit: "ms", less: true}, s.name, cpu.Seconds()*1000/looks)
	b.table.add(line{title: title + ", on the wire", unit: "bytes", less: true}, s.name, float64(a.bytes))
	return nil
}

func (b *webBench) folder(s *webServer) error {
	cookie, err := s.cookie(webPerson)
	if err != nil {
		return err
	}
	return b.look(s, "list of 10,000 files, first page", "/files/"+manyDir+"/", cookie)
}

func (b *webBench) accounts(s *webServer) error {
	if err := s.populate(b.ctx, b.people); err != nil {
		return err
	}
	cookie, err := s.cookie(webBoss)
	if err != nil {
		return err
	}
	title := fmt.Sprintf("table of %d accounts, ", b.people)
	middle := fmt.Sprintf("/admin/users?after=person%06d&page=%d", b.people/2, b.people/100)
	return errors.Join(b.look(s, title+"first page", "/admin/users", cookie), b.look(s, title+"in the middle", middle, cookie),
		b.look(s, title+"one of a name", fmt.Sprintf("/admin/users?q=person%06d", b.people/2), cookie),
		b.look(s, title+"all of a name", "/admin/users?q=person", cookie))
}

// watchers opens pages that are told when a session changes, and none does.
func (b *webBench) watchers(s *webServer) error {
	all := make([]*surfer, webWatchers)
	defer func() {
		for _, c := range all {
			if c != nil {
				c.close()
			}
		}
	}()
	var mu sync.Mutex
	cookies := map[int]string{}
	for i := range webWatchers / perSession {
		k, err := s.cookie(webBoss)
		if err != nil {
			return err
		}
		cookies[i] = k
	}
	err := inParallel(len(all), parallel, func(i int) error {
		c, err := s.surf()
		if err != nil {
			return err
		}
		mu.Lock()
		all[i] = c
		mu.Unlock()
		if _, err := c.conn.Write(c.head("GET", "/admin/sessions/events", cookies[i/perSession], "Accept: text/event-stream")); err != nil {
			return err
		}
		for {
			l, err := c.r.ReadString('\n')
			if err != nil {
				return fmt.Errorf("a watcher was told nothing: %w", err)
			}
			if strings.HasPrefix(l, "event: ready") {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	time.Sleep(3 * time.Second) // what the log-ins have changed is told
	idle := func() (float64, error) {
		_, cpu, err := s.timed(func() error { time.Sleep(watchFor * time.Second); return nil })
		return cpu.Seconds() / watchFor * 100, err
	}
	with, err := idle()
	if err != nil {
		return err
	}
	for i, c := range all {
		c.close()
		all[i] = nil
	}
	time.Sleep(2 * time.Second)
	without, err := idle()
	if err != nil {
		return err
	}
	b.table.add(line{title: "500 watchers of the table of sessions, server's CPU", unit: "% of a core", less: true}, s.name, with)
	b.table.add(line{title: "the same without watchers", unit: "% of a core", less: true}, s.name, without)
	return nil
}
