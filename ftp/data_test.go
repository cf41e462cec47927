package ftp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzPort(f *testing.F) {
	for _, s := range []string{"127,0,0,1,4,1", "256,0,0,1,4,1", "1,2,3,4,5", "1,2,3,4,5,6,7", "+1,2,3,4,5,6", " 1,2,3,4,5,6", "1,2,3,4,-5,6", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		to, ok := parsePort(arg)
		if !ok {
			return
		}
		a := to.Addr().As4()
		back := fmt.Sprintf("%d,%d,%d,%d,%d,%d", a[0], a[1], a[2], a[3], to.Port()>>8, to.Port()&0xff)
		if again, ok := parsePort(back); !ok || again != to {
			t.Fatalf("%q gave %v, and that %q %v", arg, to, back, again)
		}
		var n [6]int
		for i, p := range strings.Split(arg, ",") {
			k, err := strconv.Atoi(strings.TrimSpace(p))
			if err != nil {
				t.Fatalf("%q accepted: %v", arg, err)
			}
			n[i] = k
		}
		if got := fmt.Sprintf("%d,%d,%d,%d,%d,%d", n[0], n[1], n[2], n[3], n[4], n[5]); got != back {
			t.Fatalf("%q became %q", arg, back)
		}
	})
}

func FuzzEprt(f *testing.F) {
	for _, s := range []string{"|1|127.0.0.1|2000|", "|2|::1|2000|", "|2|::ffff:127.0.0.1|2000|", "|1|::1|2000|", "|3|x|1|", "|1|127.0.0.1|0|", "!1!10.0.0.1!65535!", "|2|fe80::1%lo|2000|", "|1|127.1|2000|", "|"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		to, err := parseEprt(arg)
		if err != nil {
			return
		}
		family := "1"
		if !to.Addr().Is4() {
			family = "2"
		}
		back := "|" + family + "|" + to.Addr().String() + "|" + strconv.Itoa(int(to.Port())) + "|"
		if again, err := parseEprt(back); err != nil || again != to {
			t.Fatalf("%q gave %v, and that %q %v (%v)", arg, to, back, again, err)
		}
		parts := strings.Split(arg, arg[:1])
		if a, err := netip.ParseAddr(parts[2]); err != nil || a.Unmap() != to.Addr() {
			t.Fatalf("%q became %v", arg, to)
		}
	})
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"0", "1", "+1", "-1", "9223372036854775807", "9223372036854775808", "1e3", "0x10", "", "00012", "1 "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		n, ok := parseOffset(arg)
		if !ok {
			return
		}
		zeros := strings.TrimLeft(arg, "0")
		if n < 0 || strconv.FormatInt(n, 10) != zeros && (n != 0 || zeros != "") {
			t.Fatalf("%q became %d", arg, n)
		}
	})
}

func FuzzFactTime(f *testing.F) {
	for _, s := range []string{"20260228235959", "20260230000000", "20260101000000.123", "20260101000000.", "2026010100000", "+0260101000000", "00000101000000", "20261301000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		got, ok := parseFactTime(arg)
		if !ok {
			return
		}
		if whole, _, _ := strings.Cut(arg, "."); factTime(got) != whole || got.Location() != time.UTC {
			t.Fatalf("%q became %v", arg, got)
		}
	})
}

func TestParsePorts(t *testing.T) {
	for _, tt := range []struct {
		text      string
		low, high int
		ok        bool
	}{
		{"50000-50999", 50000, 50999, true}, {"0-0", 0, 0, true}, {"", 0, 0, true}, {"4000", 4000, 4000, true},
		{"2-1", 0, 0, false}, {"a-b", 0, 0, false}, {"1-65536", 0, 0, false},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, err := parsePorts(tt.text)
			if (err == nil) != tt.ok {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			var all []uint16
			for p, ok := got.take(); ok && !got.open; p, ok = got.take() {
				all = append(all, p)
			}
			slices.Sort(all)
			var want []uint16
			for p := tt.low; p <= tt.high && tt.low > 0; p++ {
				want = append(want, uint16(p))
			}
			if !slices.Equal(all, want) {
				t.Errorf("%v", all)
			}
		})
	}
}
