package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	keptAtOnce = 20  // messages that go out before their acknowledgement is awaited
	keptPage   = 50  // messages of a page
	keptPages  = 200 // pages that are read in one measurement, of each kind
)

// archive measures what is kept: how many messages a second are acknowledged (XEP-0198), which means
// that they are on disk, and how long a page of a large archive takes (XEP-0313).
func (b *chatBench) archive(s *chatServer) error {
	writers, err := s.talkers(0, chatPairs, "archive")
	if err != nil {
		return err
	}
	defer leaveAll(writers)
	readers, err := s.talkers(chatPairs, chatPairs, "archive")
	if err != nil {
		return err
	}
	defer listen(readers)()
	var acknowledged atomic.Int64
	wall, cpu, err := s.timed(func() error {
		begin := time.Now()
		return inParallel(chatPairs, chatPairs, func(i int) error {
			n, err := writers[i].keep(readers[i].jid, func(int) bool { return time.Since(begin) < b.long })
			acknowledged.Add(int64(n))
			return err
		})
	})
	if err != nil {
		return err
	}
	b.rate(s, "messages kept on disk and acknowledged, TLS", "per s", float64(acknowledged.Load()), wall, cpu)
	return b.pages(s)
}

// keep sends messages as long as more says so, and returns how many the server has acknowledged.
func (c *talker) keep(to string, more func(sent int) bool) (sent int, err error) {
	if err := c.manage(); err != nil {
		return 0, err
	}
	unique := rand.Text()[:8] // an archive may take equal ids for one message
	text := strings.Repeat("lorem ipsum dolor sit amet ", chatBody/27+1)[:chatBody]
	for more(sent) {
		var out strings.Builder
		for range keptAtOnce {
			fmt.Fprintf(&out, "<message to='%s' type='chat' id='%s%d'><body>%s</body></message>", to, unique, sent, text)
			sent++
		}
		out.WriteString("<r xmlns='urn:xmpp:sm:3'/>")
		if err := c.send(out.String()); err != nil {
			return sent, err
		}
		for {
			el, err := c.await("<a")
			if err != nil {
				return sent, err
			}
			if h, err := strconv.Atoi(string(attribute(el, "h"))); err != nil {
				return sent, fmt.Errorf("acknowledgement %q: %w", el, err)
			} else if h >= sent {
				break
			}
		}
	}
	return sent, nil
}

// listen lets talkers read whatever comes; leave ends their streams and waits for them.
func listen(all []*talker) (leave func()) {
	done := make(chan struct{})
	for _, c := range all {
		go func() {
			for err := error(nil); err == nil; _, err = c.next() {
			}
			_ = c.raw.Close()
			done <- struct{}{}
		}()
	}
	return func() {
		for _, c := range all {
			_ = c.raw.SetDeadline(time.Now().Add(patience))
			_ = c.send("</stream:stream>") // who cannot be told hears it by the deadline
		}
		for range all {
			<-done
		}
	}
}

// pages fills one account's archive and reads pages of it.
func (b *chatBench) pages(s *chatServer) error {
	owner, err := s.enter(chatKept, "owner", true)
	if err != nil {
		return err
	}
	have, err := owner.count()
	owner.leave()
	if err != nil {
		return err
	}
	if missing := b.kept - have; missing > 0 { // while nobody is there to read them
		all, err := s.talkers(0, 2*chatPairs, "filling")
		if err != nil {
			return err
		}
		err = inParallel(len(all), len(all), func(i int) error {
			_, err := all[i].keep(s.user(chatKept)+"@"+s.domain, func(sent int) bool { return sent < missing/len(all)+1 })
			return err
		})
		leaveAll(all)
		if err != nil {
			return err
		}
	}
	if owner, err = s.login(chatKept, "owner", true); err != nil { // without presence: it wants pages, not what waited
		return err
	}
	defer owner.leave()
	total, err := owner.count()
	if err != nil {
		return err
	}
	last, took, cpu, err := owner.page(s, keptPages, func(string) string { return "<before/>" })
	if err != nil {
		return err
	}
	title := fmt.Sprintf("page of %d from an archive of %d messages, ", keptPage, total)
	b.table.add(line{title: title + "the last", unit: "ms", less: true}, s.name, took)
	b.table.add(line{title: title + "the last, server's CPU", unit: "ms", less: true}, s.name, cpu)
	_, took, cpu, err = owner.page(s, min(keptPages, total/keptPage-1), func(first string) string {
		if first == "" {
			first = last
		}
		return "<before>" + first + "</before>"
	})
	if err != nil {
		return err
	}
	b.table.add(line{title: title + "one before another", unit: "ms", less: true}, s.name, took)
	b.table.add(line{title: title + "one before another, server's CPU", unit: "ms", less: true}, s.name, cpu)
	return nil
}

// page reads some pages, each as set says, which is told the first id of the page before; the median
// time of one and the server's CPU for one come back in ms.
func (c *talker) page(s *chatServer, pages int, set func(first string) string) (first string, took, cpu float64, err error) {
	var all []time.Duration
	_, used, err := s.timed(func() error {
		for i := range pages {
			begin := time.Now()
			fin, results, err := c.query("page"+strconv.Itoa(i), "<max>"+strconv.Itoa(keptPage)+"</max>"+set(first))
			if err != nil {
				return err
			}
			if results != keptPage {
				return fmt.Errorf("a page of %d came", results)
			}
			all = append(all, time.Since(begin))
			if _, rest, ok := bytes.Cut(fin, []byte("<first")); ok {
				first = text(append([]byte("<first"), rest[:bytes.Index(rest, []byte("</first>"))+len("</first>")]...))
			}
		}
		return nil
	})
	if err != nil {
		return first, 0, 0, err
	}
	slices.Sort(all)
	return first, all[len(all)/2].Seconds() * 1000, used.Seconds() * 1000 / float64(pages), nil
}

// query asks for a page; set is what RSM (XEP-0059) says of it.
func (c *talker) query(id, set string) (fin []byte, results int, err error) {
	err = c.send("<iq type='set' id='" + id + "'><query xmlns='urn:xmpp:mam:2' queryid='" + id + "'><set xmlns='http://jabber.org/protocol/rsm'>" + set + "</set></query></iq>")
	for err == nil {
		var el []byte
		if el, err = c.next(); err != nil {
			break
		}
		switch {
		case bytes.HasPrefix(el, []byte("<message")) && bytes.Contains(el, []byte("<result")):
			results++
		case bytes.HasPrefix(el, []byte("<iq")) && string(attribute(el, "id")) == id:
			if string(attribute(el, "type")) == "error" {
				return nil, results, fmt.Errorf("%s", el)
			}
			return bytes.Clone(el), results, nil
		}
	}
	return nil, results, err
}

// count says how many messages an archive has.
func (c *talker) count() (int, error) {
	fin, _, err := c.query("count", "<max>0</max>")
	if err != nil {
		return 0, err
	}
	_, rest, ok := bytes.Cut(fin, []byte("<count>"))
	digits, _, _ := bytes.Cut(rest, []byte("<"))
	if !ok {
		return 0, fmt.Errorf("no count in %s", fin)
	}
	return strconv.Atoi(string(digits))
}
