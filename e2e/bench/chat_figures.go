package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	micro     = 1e6
	chatBody  = 200  // bytes of a message's text
	chatRate  = 1000 // messages a second where latency is measured
	chatLogs  = 16   // log-ins at once
	chatItems = 200  // contacts of a large roster
	endMark   = "end"
)

// talkers opens some sessions, whose accounts follow one another.
func (s *chatServer) talkers(first, n int, resource string) ([]*talker, error) {
	all := make([]*talker, n)
	err := inParallel(n, chatLogs, func(i int) (err error) {
		if s.domain == "" {
			all[i], err = s.bareTalker(first+i, true)
		} else {
			all[i], err = s.enter(first+i, resource, true)
		}
		return err
	})
	if err != nil {
		leaveAll(all)
	}
	return all, err
}

func leaveAll(all []*talker) {
	_ = inParallel(len(all), 64, func(i int) error {
		if all[i] != nil {
			all[i].leave()
		}
		return nil
	})
}

// conversation lets the even talkers write to the odd ones.
type conversation struct {
	pairs  int
	window int     // messages under way in each pair, or
	rate   float64 // messages a second of all pairs together

	counting atomic.Bool
	got      atomic.Int64
	begin    time.Time
	unique   string // what the ids of this conversation begin with: an archive may take equal ones for one message
	mu       sync.Mutex
	took     []time.Duration // of those that came while it counted; where rate is given
}

// write sends until stop is closed, and then the last message.
func (v *conversation) write(pair int, c *talker, to string, slots chan struct{}, stop <-chan struct{}) error {
	head := "<message to='" + to + "' type='chat' id='" + v.unique
	tail := "'><body>" + strings.Repeat("lorem ipsum dolor sit amet ", chatBody/27+1)[:chatBody] + "</body></message>"
	last := func() error { return c.send(head + endMark + tail) }
	gap := time.Duration(0)
	if v.rate > 0 {
		gap = time.Duration(float64(time.Second) * float64(v.pairs) / v.rate)
	}
	next := v.begin.Add(gap * time.Duration(pair) / time.Duration(v.pairs))
	for {
		if v.rate == 0 {
			select {
			case slots <- struct{}{}:
			case <-stop:
				return last()
			}
		} else {
			select {
			case <-time.After(time.Until(next)):
			case <-stop:
				return last()
			}
			next = next.Add(gap)
		}
		if err := c.send(head + strconv.FormatInt(int64(time.Since(v.begin)), 10) + tail); err != nil {
			return err
		}
	}
}

// read takes messages until the last one.
func (v *conversation) read(c *talker, slots chan struct{}) error {
	var took []time.Duration
	for {
		el, err := c.next()
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(el, []byte("<message")) {
			continue
		}
		id, ok := bytes.CutPrefix(attribute(el, "id"), []byte(v.unique))
		if !ok {
			continue
		}
		if string(id) == endMark {
			break
		}
		if v.counting.Load() {
			v.got.Add(1)
			if v.rate > 0 {
				at, err := strconv.ParseInt(string(id), 10, 64)
				if err != nil {
					return fmt.Errorf("message %q: %w", el, err)
				}
				took = append(took, time.Since(v.begin)-time.Duration(at))
			}
		}
		if v.rate == 0 {
			<-slots
		}
	}
	v.mu.Lock()
	v.took = append(v.took, took...)
	v.mu.Unlock()
	return nil
}

// run lets them talk for a second, and then for long, which is what counts.
func (v *conversation) run(s *chatServer, all []*talker, long time.Duration) (wall, cpu time.Duration, err error) {
	v.begin, v.unique = time.Now(), rand.Text()[:8]
	stop, errs := make(chan struct{}), make(chan error, len(all))
	var wg sync.WaitGroup
	for i := range v.pairs {
		slots := make(chan struct{}, max(v.window, 1))
		wg.Go(func() { errs <- v.read(all[2*i+1], slots) })
		wg.Go(func() { errs <- v.write(i, all[2*i], all[2*i+1].jid, slots, stop) })
	}
	time.Sleep(time.Second)
	wall, cpu, err = s.timed(func() error {
		v.counting.Store(true)
		defer v.counting.Store(false)
		select {
		case <-time.After(long):
			return nil
		case err := <-errs:
			return err
		}
	})
	close(stop)
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		for _, c := range all {
			_ = c.raw.Close()
		}
		<-done
	}
	close(errs)
	for e := range errs {
		if err == nil {
			err = e
		}
	}
	return wall, cpu, err
}

// rate notes how many of something a server did in a second, and what its CPU needed for each.
func (b *chatBench) rate(s *chatServer, title, unit string, n float64, wall, cpu time.Duration) {
	b.table.add(line{title: title, unit: unit}, s.name, n/wall.Seconds())
	b.table.add(line{title: title + ", server's CPU", unit: "µs each", less: true}, s.name, cpu.Seconds()*micro/n)
}

func (b *chatBench) messages(s *chatServer) error {
	all, err := s.talkers(0, 2*chatPairs, "messages")
	if err != nil {
		return err
	}
	defer leaveAll(all)
	for _, window := range []int{1, 8, 50} {
		v := &conversation{pairs: chatPairs, window: window}
		wall, cpu, err := v.run(s, all, b.long)
		if err != nil {
			return err
		}
		title := fmt.Sprintf("messages, %d pairs, %d under way in each, TLS", v.pairs, window)
		b.rate(s, title, "per s", float64(v.got.Load()), wall, cpu)
	}
	return nil
}

func (b *chatBench) latency(s *chatServer) error {
	all, err := s.talkers(0, 2*chatPairs, "latency")
	if err != nil {
		return err
	}
	defer leaveAll(all)
	v := &conversation{pairs: chatPairs, rate: chatRate}
	_, cpu, err := v.run(s, all, b.long)
	if err != nil {
		return err
	}
	slices.Sort(v.took)
	if len(v.took) < 100 {
		return fmt.Errorf("%d messages came", len(v.took))
	}
	title := fmt.Sprintf("a message's way at %d/s, TLS, ", chatRate)
	b.table.add(line{title: title + "half within", unit: "ms", less: true}, s.name, v.took[len(v.took)/2].Seconds()*1000)
	b.table.add(line{title: title + "99 % within", unit: "ms", less: true}, s.name, v.took[len(v.took)*99/100].Seconds()*1000)
	b.table.add(line{title: title + "server's CPU", unit: "µs each", less: true}, s.name, cpu.Seconds()*micro/float64(v.got.Load()))
	return nil
}

func (b *chatBench) enter(s *chatServer) error {
	return bothModes(func(secure bool) error {
		settle()
		in := func(i int) (*talker, error) {
			if s.domain == "" {
				return s.bareTalker(i, secure)
			}
			return s.enter(i%(2*chatPairs), "r"+strconv.Itoa(i), secure)
		}
		var leaving sync.WaitGroup
		one := func(i int) error {
			c, err := in(i)
			if err == nil {
				leaving.Go(c.leave) // who comes next does not wait for it
			}
			return err
		}
		if err := inParallel(2*chatPairs, chatLogs, one); err != nil { // the first of an account is another matter
			return err
		}
		leaving.Wait()
		var took time.Duration
		_, cpu, err := s.timed(func() error {
			defer leaving.Wait()
			begin := time.Now()
			err := inParallel(b.logs, chatLogs, one)
			took = time.Since(begin)
			return err
		})
		if err != nil {
			return err
		}
		title := "log-ins, 16 at once, " + mode(secure)
		b.table.add(line{title: title, unit: "per s"}, s.name, float64(b.logs)/took.Seconds())
		b.table.add(line{title: title + ", server's CPU", unit: "ms each", less: true}, s.name, cpu.Seconds()*1000/float64(b.logs))
		return nil
	})
}

// presence lets one account's presence change, again and again, where 200 others see it.
func (b *chatBench) presence(s *chatServer) error {
	star, err := s.enter(chatStar, "star", true)
	if err != nil {
		return err
	}
	all, err := s.talkers(chatStar+1, chatWatchers, "watcher")
	if err != nil {
		star.leave()
		return err
	}
	defer leaveAll(append(all, star))
	if err := s.befriend(star, all); err != nil {
		return err
	}
	errs := make(chan error, len(all)+1)
	arrived := make(chan struct{}, len(all))
	watch := func(c *talker, tell bool) {
		for {
			el, err := c.await("<presence")
			if err != nil {
				errs <- err
				return
			}
			if bytes.Contains(el, []byte("<status>"+endMark+"<")) {
				errs <- nil
				return
			}
			if tell && bytes.Contains(el, []byte("<status>round")) {
				arrived <- struct{}{}
			}
		}
	}
	for _, c := range all {
		go watch(c, true)
	}
	go watch(star, false)
	rounds := 0
	wall, cpu, err := s.timed(func() error {
		for begin := time.Now(); time.Since(begin) < b.long; rounds++ {
			if err := star.send("<presence><show>away</show><status>round" + strconv.Itoa(rounds) + "</status></presence>"); err != nil {
				return err
			}
			for range all {
				select {
				case <-arrived:
				case err := <-errs:
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := star.send("<presence><status>" + endMark + "</status></presence>"); err != nil {
		return err
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			return err
		}
	}
	b.rate(s, "presence to 200 watchers, TLS", "deliveries per s", float64(rounds*len(all)), wall, cpu)
	return nil
}

// befriend lets all see the star's presence, who do not yet.
func (s *chatServer) befriend(star *talker, all []*talker) error {
	defer star.raw.SetDeadline(time.Time{}) //nolint:errcheck
	_ = star.raw.SetDeadline(time.Now().Add(patience))
	el, err := star.ask("friends", "get", rosterQuery)
	if err != nil {
		return err
	}
	if bytes.Count(el, []byte("subscription='from'"))+bytes.Count(el, []byte(`subscription="from"`)) >= len(all) {
		return nil
	}
	name, _, _ := strings.Cut(star.jid, "/")
	for _, c := range all {
		if err := c.send("<presence type='subscribe' to='" + name + "'/>"); err != nil {
			return err
		}
		for {
			el, err := star.await("<presence")
			if err != nil {
				return err
			}
			if string(attribute(el, "type")) == "subscribe" {
				break
			}
		}
		watcher, _, _ := strings.Cut(c.jid, "/")
		if err := star.send("<presence type='subscribed' to='" + watcher + "'/>"); err != nil {
			return err
		}
		for {
			el, err := c.await("<presence")
			if err != nil {
				return err
			}
			if attribute(el, "type") == nil && bytes.HasPrefix(attribute(el, "from"), []byte(name+"/")) {
				break // what was granted has come into force
			}
		}
	}
	return nil
}

// roster fetches rosters of 200 contacts, on five connections of each account at once.
func (b *chatBench) roster(s *chatServer) error {
	const resources = 5
	var all []*talker
	defer func() { leaveAll(all) }()
	for r := range resources {
		list, err := s.talkers(chatRosters, chatRosterN, "roster"+strconv.Itoa(r))
		if err != nil {
			return err
		}
		if r == 0 {
			if err := inParallel(len(list), parallel, func(i int) error { return list[i].furnish(s.domain) }); err != nil {
				leaveAll(list)
				return err
			}
		}
		all = append(all, list...)
	}
	var fetched atomic.Int64
	wall, cpu, err := s.timed(func() error {
		begin := time.Now()
		return inParallel(len(all), len(all), func(i int) error {
			for n := 0; time.Since(begin) < b.long; n++ {
				el, err := all[i].ask("get"+strconv.Itoa(n), "get", rosterQuery)
				if err != nil {
					return err
				}
				if items := bytes.Count(el, []byte("<item")); items < chatItems {
					return fmt.Errorf("%d contacts came", items)
				}
				fetched.Add(1)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	b.rate(s, "rosters of 200 contacts, TLS", "per s", float64(fetched.Load()), wall, cpu)
	return nil
}

// furnish gives an account its contacts, where it has too few.
func (c *talker) furnish(domain string) error {
	el, err := c.ask("have", "get", rosterQuery)
	if err != nil {
		return err
	}
	for n := bytes.Count(el, []byte("<item")); n < chatItems; n++ {
		k := strconv.Itoa(n)
		if _, err := c.ask("add"+k, "set", "<query xmlns='jabber:iq:roster'><item jid='contact"+k+"@"+domain+"' name='Contact number "+k+"'><group>Friends</group></item></query>"); err != nil {
			return err
		}
	}
	return nil
}

// idling counts what a session takes that does nothing.
func (b *chatBench) idling(s *chatServer) error {
	// A few log-ins first, so that what is made once is not counted.
	first, err := s.talkers(0, 2*chatPairs, "warm")
	if err != nil {
		return err
	}
	leaveAll(first)
	empty, err := s.memory()
	if err != nil {
		return err
	}
	all := make([]*talker, b.idle)
	defer func() { leaveAll(all) }()
	err = inParallel(len(all), chatLogs, func(i int) (err error) {
		if all[i], err = s.enter(chatIdle+i, "idle", true); err == nil {
			err = all[i].manage()
		}
		return err
	})
	if err != nil {
		return err
	}
	full, err := s.memory()
	if err != nil {
		return err
	}
	n := float64(b.idle)
	title := fmt.Sprintf("idle session, TLS, of %d, ", b.idle)
	b.table.add(line{title: title + "PSS", unit: "KiB", less: true}, s.name, (full.pss-empty.pss)/n)
	b.table.add(line{title: title + "RSS", unit: "KiB", less: true}, s.name, (full.rss-empty.rss)/n)
	b.table.add(line{title: "process before them, PSS", unit: "MiB", less: true}, s.name, empty.pss/1024)
	return nil
}

// memory is what a server uses, in KiB.
type memory struct{ pss, rss float64 }

func (s *chatServer) memory() (m memory, err error) {
	time.Sleep(2 * time.Second) // what has just ended is given back
	if m.pss, err = s.pss(); err != nil {
		return m, err
	}
	all, err := family(s.pid)
	if err != nil {
		return m, err
	}
	for _, pid := range all {
		n, err := kib(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
		if err != nil {
			return m, err
		}
		m.rss += float64(n)
	}
	return m, nil
}
