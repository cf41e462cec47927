package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// duration is a length of time that may also be in days or weeks: 30s, 12h, 90d, 2w.
type duration time.Duration

// Decode is for kong.
func (d *duration) Decode(ctx *kong.DecodeContext) error {
	var s string
	if err := ctx.Scan.PopValueInto("duration", &s); err != nil {
		return err
	}
	v, err := parseDuration(s)
	*d = duration(v)
	return err
}

func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no length of time such as 30s, 12h or 90d", s)
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(s, suffix); ok {
			v, err := strconv.Atoi(n)
			if err != nil || v < 0 || v > int(100*365*24*time.Hour/unit) {
				return 0, bad
			}
			return time.Duration(v) * unit, nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return 0, bad
	}
	return v, nil
}

// parseSize reads 5GB, 500MB, 2GiB or a number of bytes; none is -1, default 0.
func parseSize(s string) (int64, error) {
	switch strings.ToLower(s) {
	case "none", "unlimited":
		return -1, nil
	case "default":
		return 0, nil
	}
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		i = len(s)
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	units := map[string]float64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
	unit, ok := units[strings.ToLower(strings.TrimSpace(s[i:]))]
	if err != nil || !ok || n < 0 || n*unit >= 1<<62 {
		return 0, usage("%q is no size such as 500MB, 5GB or none", s)
	}
	return int64(n * unit), nil
}

// limitFlag is a flag that bounds bytes, bytes a second or a number of things.
type limitFlag struct {
	member string  // of the request
	value  *string // nil: it was not given
	number string  // the flag's own name where it is about a number of things; "" where it is a size
}

// putLimits sets the members for which flags were given.
func putLimits(body map[string]any, flags ...limitFlag) error {
	for _, f := range flags {
		if f.value == nil {
			continue
		}
		n, err := parseSize(*f.value)
		switch {
		case err != nil && f.number != "":
			return usage("%s is a number, none or default", f.number)
		case err != nil:
			return err
		}
		body[f.member] = n
	}
	return nil
}
