package ftp_test

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkListings lists a folder of 10,000 files over the wire.
func BenchmarkListings(b *testing.B) {
	const entries = 10_000
	w := newWorld(b)
	for i := range entries {
		w.write(fmt.Sprintf("file%05d.dat", i), nil)
	}
	c := dial(b, w.addr).login("alice", w.password)
	for _, verb := range []string{"NLST", "LIST", "MLSD", "LIST -t"} {
		b.Run(verb, func(b *testing.B) {
			for b.Loop() {
				d := c.passive()
				c.do(150, verb)
				n, err := io.Copy(io.Discard, d)
				must(b, err)
				b.SetBytes(n)
				c.want(226)
				_ = d.Close()
			}
		})
	}
}
