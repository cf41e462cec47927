package crypt3

import "hash"

// sha2crypt is Ulrich Drepper's algorithm of 2007; the comments number its steps.
func sha2crypt(newHash func() hash.Hash, order []int, password, salt string, rounds int) string {
	h := newHash()
	size := h.Size()
	p, s := []byte(password), []byte(salt)
	h.Write(p) // 4 to 8
	h.Write(s)
	h.Write(p)
	b := h.Sum(nil)

	h.Reset() // 1 to 3
	h.Write(p)
	h.Write(s)
	h.Write(filled(b, len(p)))        // 9, 10
	for n := len(p); n > 0; n >>= 1 { // 11
		if n&1 == 1 {
			h.Write(b)
		} else {
			h.Write(p)
		}
	}
	a := h.Sum(nil)

	h.Reset() // 13 to 16
	for range len(p) {
		h.Write(p)
	}
	ps := filled(h.Sum(nil), len(p))
	h.Reset() // 17 to 20
	for range 16 + int(a[0]) {
		h.Write(s)
	}
	ss := filled(h.Sum(nil), len(s))

	for i := range rounds { // 21
		h.Reset()
		if i&1 == 1 {
			h.Write(ps)
		} else {
			h.Write(a)
		}
		if i%3 != 0 {
			h.Write(ss)
		}
		if i%7 != 0 {
			h.Write(ps)
		}
		if i&1 == 1 {
			h.Write(a)
		} else {
			h.Write(ps)
		}
		a = h.Sum(a[:0])
	}
	mixed := make([]byte, size) // 22
	for i, from := range order {
		mixed[i] = a[from]
	}
	return encode64(mixed)
}

// filled repeats digest until there are n bytes.
func filled(digest []byte, n int) []byte {
	out := make([]byte, 0, n+len(digest))
	for len(out) < n {
		out = append(out, digest...)
	}
	return out[:n]
}

// order256 and order512 say which byte stands where when three at a time are written, the lowest six
// bits first.
func order256() []int {
	out := make([]int, 0, 32)
	for i, at := 0, [3]int{20, 10, 0}; i < 10; i++ {
		out = append(out, at[0], at[1], at[2])
		at = [3]int{at[1] + 1, at[2] + 1, at[0] + 1}
	}
	return append(out, 30, 31)
}

func order512() []int {
	out := make([]int, 0, 64)
	for i, at := 0, [3]int{42, 21, 0}; i < 21; i++ {
		out = append(out, at[0], at[1], at[2])
		at = [3]int{at[2] + 1, at[0] + 1, at[1] + 1}
	}
	return append(out, 63)
}
