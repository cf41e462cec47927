package main

import (
	"strings"
	"testing"
)

// TestTable: medians, the best peer, and ratios of which more is always better.
func TestTable(t *testing.T) {
	tab := newTable()
	rate, cost := line{title: "down", unit: "MB/s"}, line{title: "cost", unit: "ms", less: true}
	for _, v := range []float64{300, 100, 200} {
		tab.add(rate, bareLimit, v*2)
		tab.add(rate, "slow", v/2)
		tab.add(rate, "quick", v)
		tab.add(rate, ours, v*1.5)
		tab.add(rate, oursSync, v*9) // no peer
		tab.add(cost, "slow", 4)
		tab.add(cost, "quick", 2)
		tab.add(cost, ours, 1)
	}
	if name, v := tab.best(rate); name != "quick" || v != 200 {
		t.Errorf("best rate: %s %v", name, v)
	}
	if name, v := tab.best(cost); name != "quick" || v != 2 {
		t.Errorf("best cost: %s %v", name, v)
	}
	var out strings.Builder
	tab.print(&out)
	for _, want := range []string{"| down, MB/s | 400 | 100 | 200 | 300 | 1800 | 1.50 quick | 0.75 |", "| cost, ms |  | 4.00 | 2.00 | 1.00 |  | 2.00 quick |  |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// TestBare: the limit speaks as much FTP as the client needs.
func TestBare(t *testing.T) {
	pair, err := newKeyPair(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	l, err := listenBare(home, pair.Both)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	go func() { _ = l.serve() }()
	for _, secure := range []bool{false, true} {
		c, err := session(&target{name: "limit", addr: l.addr(), user: "x", password: "x"}, secure)
		if err != nil {
			t.Fatal(err)
		}
		const size = 3<<20 + 1
		buf := make([]byte, block)
		if err := c.put("STOR up", buf, size); err != nil {
			t.Error(err)
		}
		if n, err := c.get("RETR up", buf); n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if err := c.want("QUIT", "221"); err != nil {
			t.Error(err)
		}
		c.close()
	}
}
