package files

import "sync/atomic"

// slice is how much an upload reserves and copies at a time: enough that splice(2) is not
// interrupted often, little enough that a quota is not blocked by what may never come.
const slice = 4 << 20

// charge is what one upload has of an account. Its methods are for the upload's goroutine.
//
// What is written over a file counts beside it until it takes its place. So that who is at the limit
// can still replace a file by a smaller one, the old size is lent to the new file: that much passes
// the limit until Commit, which asks again, in case the old file has gone another way. A part that
// lives on such a loan is not kept for a resume; so nothing passes the limit for longer than an
// upload lasts.
type charge struct {
	s    *Service
	a    *account
	part string // key of the part, or "" where
	file string // a file is appended to in place: its Node.Unique

	aside atomic.Int64 // taken from the quota and not yet written

	// Guarded by a.mu.
	taken                int64  // counted for this upload: there before, written and aside
	dir                  string // where in the tree the file will lie
	creditBytes          int64  // size of what will be replaced
	lentBytes, lentFiles int64  // of taken, what passes the limit on that credit
}

// charge begins one of something that is there and counted for with taken bytes; replaces says what
// it will take the place of. The caller holds a.names, shared at least.
func (s *Service) charge(a *account, part, file string, taken int64, replaces *Node) *charge {
	c := &charge{s: s, a: a, part: part, file: file, taken: taken}
	a.mu.Lock()
	defer a.mu.Unlock()
	c.begin(replaces)
	return c
}

// chargeNew is charge for a new part, which counts from then on.
func (s *Service) chargeNew(a *account, part string, replaces *Node) *charge {
	c := &charge{s: s, a: a, part: part}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.files++
	c.begin(replaces)
	return c
}

// begin enters the charge. The caller holds a.mu.
func (c *charge) begin(replaces *Node) {
	a := c.a
	if replaces != nil {
		c.creditBytes, c.lentFiles = sizeOf(*replaces), 1
		c.lentBytes = min(c.taken, c.creditBytes)
	}
	a.lentBytes += c.lentBytes
	a.lentFiles += c.lentFiles
	a.charges[c] = struct{}{}
}

// lies says in which folder of the tree the file will be.
func (c *charge) lies(dir string) {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	c.dir = dir
}

// reserve sets aside up to want bytes of what the limit leaves. Near the limit it leaves half for
// the uploads beside this one, which comes back for more if it needs it.
func (c *charge) reserve(want int64) {
	const least = 64 << 10 // no halves of what is less
	a := c.a
	a.mu.Lock()
	defer a.mu.Unlock()
	loan := min(want, c.creditBytes-c.lentBytes)
	rest := want - loan
	most, _ := c.s.most(a)
	left := most.left(a)
	if rest = min(rest, left); most.bytes >= 0 {
		rest = min(rest, max(left/2, least))
	}
	c.set(loan, rest)
}

// reserveAll sets aside a declared size, all or nothing: ErrQuota.
func (c *charge) reserveAll(want int64) error {
	a := c.a
	a.mu.Lock()
	defer a.mu.Unlock()
	loan := min(want, c.creditBytes-c.lentBytes)
	most, err := c.s.most(a)
	if want-loan > most.left(a) {
		return err
	}
	c.set(loan, want-loan)
	return nil
}

// credit is how much more can be written in the place of what will be replaced.
func (c *charge) credit() int64 {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	return c.creditBytes - c.lentBytes
}

// set takes loan bytes of the credit and rest bytes of the quota. The caller holds a.mu.
func (c *charge) set(loan, rest int64) {
	c.lentBytes += loan
	c.a.lentBytes += loan
	c.taken += loan + rest
	c.a.bytes += loan + rest
	c.aside.Add(loan + rest)
	c.a.pending.Add(loan + rest)
}

// wrote settles n bytes of what was set aside. A store that writes more than it was given is charged
// for that too.
func (c *charge) wrote(n int64) {
	if more := n - c.aside.Load(); more > 0 {
		c.a.mu.Lock()
		c.set(0, more)
		c.a.mu.Unlock()
	}
	c.aside.Add(-n)
	c.a.pending.Add(-n)
}

// giveBack returns what was set aside and not written.
func (c *charge) giveBack() {
	n := c.aside.Swap(0)
	c.drop(n)
	c.a.pending.Add(-n)
}

// drop takes n bytes out of the count.
func (c *charge) drop(n int64) {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	c.taken -= n
	c.a.bytes -= n
	c.repay(c.lentBytes-min(c.lentBytes, max(c.taken, 0)), 0)
}

// fits asks whether the upload may take the place of what is old, which may be nothing: ErrQuota
// where less is there than was lent. What fits is taken from the quota, and no longer lent.
func (c *charge) fits(old tally) error {
	a := c.a
	a.mu.Lock()
	defer a.mu.Unlock()
	most, err := c.s.most(a)
	if c.lentBytes > old.bytes && c.lentBytes-old.bytes > most.left(a) {
		return err
	}
	if c.lentFiles > old.files && most.files >= 0 && a.files-a.lentFiles+c.lentFiles-old.files > most.files {
		return err
	}
	c.repay(c.lentBytes-min(c.lentBytes, old.bytes), c.lentFiles-min(c.lentFiles, old.files))
	return nil
}

// repay takes what is lent for taken. The caller holds a.mu.
func (c *charge) repay(bytes, files int64) {
	c.lentBytes -= bytes
	c.a.lentBytes -= bytes
	c.lentFiles -= files
	c.a.lentFiles -= files
}

// stays gives back what is set aside and asks whether the rest may stay beside what it was to
// replace.
func (c *charge) stays() bool {
	c.giveBack()
	return c.fits(tally{}) == nil
}

// lent is what the upload has taken on the credit of what it will replace.
func (c *charge) lent() int64 {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	return c.lentBytes
}

// why is what to answer where the quota leaves nothing.
func (c *charge) why() error {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	_, err := c.s.most(c.a)
	return err
}

// end gives back what is left over, and forgets the upload; what it has written stays counted. The
// caller holds a.names, shared at least.
func (c *charge) end() { c.replace(tally{}) }

// replace is end for an upload that has taken the place of what was old, and takes that out of the
// count in the same moment.
func (c *charge) replace(old tally) {
	c.giveBack()
	a := c.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.charges[c]; !ok {
		return
	}
	delete(a.charges, c)
	a.bytes -= old.bytes
	a.files -= old.files
	c.repay(c.lentBytes, c.lentFiles)
}
