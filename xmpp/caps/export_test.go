package caps

// Waiting is how many clients wait for others to explain their hashes.
func (c *Caps) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, q := range c.open {
		n += len(q.waiting)
	}
	return n
}
