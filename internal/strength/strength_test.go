package strength_test

import (
	"strings"
	"testing"
	"time"

	"trivium/internal/strength"
)

func TestEstimate(t *testing.T) {
	t.Parallel()
	e := strength.New()
	for _, tt := range []struct {
		password string
		own      []string
		least    strength.Score
		most     strength.Score
		weak     strength.Kind
	}{
		{"", nil, 0, 0, ""},
		{"password", nil, 0, 0, strength.Dictionary},
		{"Password", nil, 0, 0, strength.Dictionary},
		{"P@ssw0rd", nil, 0, 0, strength.Dictionary},
		{"drowssap", nil, 0, 0, strength.Dictionary},
		{"password1", nil, 0, 1, strength.Dictionary},
		{"Password123!", nil, 0, 1, strength.Dictionary},
		{"12345678", nil, 0, 0, ""},
		{"aaaaaaaaaaaa", nil, 0, 0, strength.Repeat},
		{"abcabcabcabc", nil, 0, 1, strength.Repeat},
		{"abcdefghijkl", nil, 0, 0, strength.Sequence},
		{"qwertyuiop[]", nil, 0, 1, strength.Keyboard},
		{"qwertzuiop", nil, 0, 1, strength.Keyboard},
		{"24.12.1987", nil, 0, 1, strength.Date},
		{"19871224", nil, 0, 1, strength.Date},
		{"summer2024", nil, 0, 1, strength.Dictionary},
		{"alice.miller1", []string{"alice.miller"}, 0, 1, strength.Own},
		{"alice.miller1", nil, 1, 4, ""},
		{"correct horse", nil, 2, 4, ""},
		{"correct horse battery staple", nil, 4, 4, ""},
		{"xK4#mQ9z", nil, 2, 4, ""},
		{"xK4#mQ9zLw2", nil, 4, 4, ""},
		{"Grüße aus Köln", nil, 4, 4, ""},
		{"日本語のパスワード", nil, 3, 4, ""},
		{"Donaudampfschifffahrt", nil, 4, 4, ""},
	} {
		got := e.Estimate(tt.password, tt.own...)
		if got.Score < tt.least || got.Score > tt.most {
			t.Errorf("%q: %s (%.1f digits), want %s to %s", tt.password, got.Score, got.Digits, tt.least, tt.most)
		}
		if tt.weak != "" && got.Weak != tt.weak {
			t.Errorf("%q: weak by %q, want %q", tt.password, got.Weak, tt.weak)
		}
	}
}

func TestCommon(t *testing.T) {
	t.Parallel()
	e := strength.New()
	if !e.Common("PASSWORD") || e.Common("kweiruvnsdfl") {
		t.Error("the list of common passwords is not what it was")
	}
}

// TestCost: what is long, or made to be costly, takes no longer than a log-in may.
func TestCost(t *testing.T) {
	t.Parallel()
	e := strength.New()
	for _, text := range []string{strings.Repeat("a", 1<<20), strings.Repeat("ab", 1<<19), strings.Repeat("password1!", 1<<16),
		strings.Repeat("1", 64), strings.Repeat("1!|l4@", 11), strings.Repeat("\u0130", 64)} {
		start := time.Now()
		e.Estimate(text)
		if d := time.Since(start); d > 2*time.Second { // some ms alone on the machine
			t.Errorf("%.12q… of %d bytes took %v", text, len(text), d)
		}
	}
}

func FuzzEstimate(f *testing.F) {
	for _, s := range []string{"", "password", "P@ssw0rd1987", "aaaa", "\xff\xfe", "\u0130\u0130", "1!|1!|", "abcabc", "24.12.1987"} {
		f.Add(s, "alice")
	}
	e := strength.New()
	f.Fuzz(func(t *testing.T, password, own string) {
		got := e.Estimate(password, own)
		if got.Score < strength.Risky || got.Score > strength.Strong || got.Digits < 0 || got.Score.String() == "" {
			t.Errorf("%q: %+v", password, got)
		}
	})
}

func BenchmarkEstimate(b *testing.B) {
	e := strength.New()
	long := strings.Repeat("1!p4ssw0rd", 7)
	b.Run("usual", func(b *testing.B) {
		for b.Loop() {
			e.Estimate("correct horse battery")
		}
	})
	b.Run("costly", func(b *testing.B) {
		for b.Loop() {
			e.Estimate(long)
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			strength.New()
		}
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	l, err := strength.ReadList(strings.NewReader("hunter22x\r\n\nTop Secret\nhunter22x\n"))
	if err != nil || l.Len() != 2 {
		t.Fatalf("%d entries, %v", l.Len(), err)
	}
	for text, want := range map[string]bool{"hunter22x": true, "HUNTER22X": true, "Top Secret": true, "top secret": false, "": false, "hunter22": false} {
		if l.Has(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
	var none *strength.List
	if none.Has("hunter22x") || none.Len() != 0 {
		t.Error("no list has something")
	}
	if _, err := strength.ReadList(strings.NewReader(strings.Repeat("x", 1<<16))); err == nil {
		t.Error("a line without end is read")
	}
}
