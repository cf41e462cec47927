package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, never negative.
type Size int64

// sizeUnits has the longest suffix first where one ends with another.
var sizeUnits = [...]struct {
	suffix string
	bytes  int64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"TIB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12},
	{"B", 1}, {"", 1},
}

// ParseSize reads a size such as 500KB, 100MB or 2GiB: decimal or binary units in any case, or a
// bare number of bytes.
func ParseSize(s string) (Size, error) {
	text := strings.ToUpper(strings.TrimSpace(s))
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		number = strings.TrimSpace(number)
		if n, err := strconv.ParseUint(number, 10, 63); err == nil && n <= math.MaxInt64/uint64(u.bytes) {
			return Size(int64(n) * u.bytes), nil
		}
		if f, err := strconv.ParseFloat(number, 64); err == nil && plainNumber(number) && f*float64(u.bytes) < math.MaxInt64 {
			return Size(f * float64(u.bytes)), nil
		}
		break
	}
	return 0, errors.New("is not a size. Examples: 500KB, 100MB, 2GiB")
}

// plainNumber keeps out what ParseFloat takes beyond digits and one point: 1e3, 0x1p4, inf.
func plainNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == ""
}

// String is the shortest form that ParseSize reads back to the same number.
func (s Size) String() string {
	best := strconv.FormatInt(int64(s), 10)
	if s == 0 {
		return best
	}
	for _, u := range []struct {
		suffix string
		bytes  int64
	}{
		{"KB", 1e3}, {"KiB", 1 << 10}, {"MB", 1e6}, {"MiB", 1 << 20},
		{"GB", 1e9}, {"GiB", 1 << 30}, {"TB", 1e12}, {"TiB", 1 << 40},
	} {
		if int64(s)%u.bytes == 0 {
			if t := strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix; len(t) <= len(best) {
				best = t
			}
		}
	}
	return best
}

const day = 24 * time.Hour

// ParseDuration reads what [time.ParseDuration] reads, and days: 30s, 5m, 1h30m, 7d, 1d12h.
// Negative times are refused.
func ParseDuration(s string) (time.Duration, error) {
	bad := errors.New("is not a time. Examples: 30s, 5m, 12h, 7d")
	text := strings.TrimSpace(s)
	var d time.Duration
	if days, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > uint64(math.MaxInt64/day) {
			return 0, bad
		}
		if d = time.Duration(n) * day; rest == "" {
			return d, nil
		}
		text = rest
	}
	rest, err := time.ParseDuration(text)
	if err != nil || rest < 0 || strings.HasPrefix(text, "+") || d > math.MaxInt64-rest {
		return 0, bad
	}
	return d + rest, nil
}

// FormatDuration is the short form that ParseDuration reads back: 30d, 12h, 5m, 90s.
func FormatDuration(d time.Duration) string {
	switch {
	case d != 0 && d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d != 0 && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d != 0 && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	case d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	return d.String()
}

// Secret is text that cannot be printed, logged or marshalled. The zero value is unset. The
// pointer matters: a secret inside another struct's unexported field still prints as an address.
type Secret struct{ p *string }

// NewSecret keeps s; an empty s is unset.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// IsSet reports whether there is a secret.
func (s Secret) IsSet() bool { return s.p != nil }

// Reveal returns the text. Pass it on to what checks or uses it, and keep no copy.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

const hidden = "[secret]"

// Format prints a fixed word for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue logs a fixed word.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText gives a fixed word to JSON and its like.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
