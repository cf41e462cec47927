package xmpp

// fifo is a queue in one slice, whose front goes without the rest being moved each time.
type fifo[T any] struct {
	all  []T
	head int
}

func (f *fifo[T]) len() int { return len(f.all) - f.head }

// live are the items, the oldest first; good until the next push or drop.
func (f *fifo[T]) live() []T { return f.all[f.head:] }

func (f *fifo[T]) push(v T) { f.all = append(f.all, v) }

// drop takes the n oldest away. An empty queue keeps no more than a few places.
func (f *fifo[T]) drop(n int) {
	clear(f.all[f.head : f.head+n])
	f.head += n
	const spare = 8
	switch rest := f.len(); {
	case rest == 0 && cap(f.all) > spare:
		f.all, f.head = nil, 0
	case rest == 0:
		f.all, f.head = f.all[:0], 0
	case f.head > rest: // what is moved is less than what was dropped
		copy(f.all, f.all[f.head:])
		clear(f.all[rest:])
		f.all, f.head = f.all[:rest], 0
	}
}
