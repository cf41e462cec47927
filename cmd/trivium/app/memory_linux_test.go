package app

import (
	"os"
	"strings"
	"testing"
)

func TestMapping(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		is         bool
	}{
		{"code", "00400000-01a2f000 r-xp 00000000 fe:01 131 /usr/bin/trivium", true},
		{"constants", "01a2f000-02c5e000 r--p 0162f000 fe:01 131 /usr/bin/trivium", true},
		{"variables", "02c5e000-02d00000 rw-p 0285e000 fe:01 131 /usr/bin/trivium", false},
		{"shared", "01a2f000-02c5e000 r--s 0162f000 fe:01 131 /usr/bin/trivium", false},
		{"a library", "7f0000000000-7f0000001000 r-xp 00000000 fe:01 9 /usr/lib/libc.so.6", false},
		{"anonymous", "c000000000-c000400000 rw-p 00000000 00:00 0", false},
		{"a field", "Anonymous:             0 kB", false},
		{"nonsense", "x-y r-xp 0 0 0 /usr/bin/trivium", false},
	} {
		if _, _, is := mapping(tt.line, "/usr/bin/trivium"); is != tt.is {
			t.Errorf("%s: %v", tt.name, is)
		}
	}
}

// The program goes on when its pages have been given back, and holds less of itself.
func TestReleaseProgram(t *testing.T) {
	resident := func() (kb int) {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
				for _, c := range rest {
					if c >= '0' && c <= '9' {
						kb = kb*10 + int(c-'0')
					}
				}
			}
		}
		return kb
	}
	before := resident()
	releaseProgram()
	if after := resident(); after >= before {
		t.Errorf("%d KiB of files before, %d after", before, after)
	}
}
