package strength

import (
	"strconv"
	"strings"
)

// repeats finds a part that comes again and again at once: aaaa, abcabc.
func (e *Estimator) repeats(text, low []rune, own []string) (out []piece) {
	n := len(low)
	for i := 0; i < n; i++ {
		for size := 1; size <= (n-i)/2; size++ {
			end := i + size
			for end < n && low[end] == low[end-size] {
				end++
			}
			times := (end - i) / size
			if times < 2 || size == 1 && times < 3 {
				continue
			}
			guesses := 12.0
			if size > 1 {
				known := append(e.entries(text[i:i+size], low[i:i+size], nil), sequences(low[i:i+size])...)
				guesses, _ = cheapest(text[i:i+size], known)
			}
			out = append(out, piece{i, i + times*size - 1, guesses * float64(times), Repeat})
			if size == 1 {
				break
			}
		}
	}
	return out
}

// sequences finds characters that follow one another by the same step: abcd, 9876, acegi.
func sequences(low []rune) (out []piece) {
	const maxStep = 5
	for i := 0; i+2 < len(low); {
		step := low[i+1] - low[i]
		j := i + 1
		for j+1 < len(low) && low[j+1]-low[j] == step {
			j++
		}
		if length := j - i + 1; length >= 3 && step != 0 && step >= -maxStep && step <= maxStep {
			base := 26.0
			switch {
			case strings.ContainsRune("az019", low[i]):
				base = 4
			case low[i] >= '0' && low[i] <= '9':
				base = 10
			}
			if step < 0 {
				base *= 2
			}
			out = append(out, piece{i, j, base * float64(length), Sequence})
			i = j
			continue
		}
		i++
	}
	return out
}

// rows are those of the keyboard, and its columns from the top.
var rows = []string{"`1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "yxcvbnm",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p", "qazwsxedcrfvtgbyhnujmikolp", "!@#$%^&*()", "147258369", "qweasdzxc"}

// keyboards finds neighbours on the keyboard, forwards or backwards.
func keyboards(low []rune) (out []piece) {
	const least = 3
	for i := 0; i+least <= len(low); i++ {
		for j := min(len(low), i+maxWord); j-i >= least; j-- {
			part := string(low[i:j])
			found := false
			for _, row := range rows {
				if found = strings.Contains(row, part) || strings.Contains(row, reversed(part)); found {
					break
				}
			}
			if found {
				out = append(out, piece{i, j - 1, 40 * float64(j-i) * float64(j-i), Keyboard})
				break
			}
		}
	}
	return out
}

func reversed(s string) string {
	var b strings.Builder
	for r := []rune(s); len(r) > 0; r = r[:len(r)-1] {
		b.WriteRune(r[len(r)-1])
	}
	return b.String()
}

// Years that people are likely to think of.
const firstYear, lastYear = 1900, 2050

// dates finds years, and days of a year with or without something between.
func dates(low []rune) (out []piece) {
	const perYear = 365
	for i := range low {
		for j := i + 3; j < min(len(low), i+10); j++ {
			part := string(low[i : j+1])
			digits := strings.Map(func(r rune) rune {
				if strings.ContainsRune("-./_ ", r) {
					return -1
				}
				return r
			}, part)
			between := len(part) - len(digits)
			if between > 2 || strings.Trim(part, "-./_ ") != part || strings.Trim(digits, "0123456789") != "" {
				continue
			}
			switch {
			case len(digits) == 4 && between == 0 && isYear(digits):
				out = append(out, piece{i, j, 50, Date})
			case len(digits) == 8 && (isYear(digits[4:]) && isDay(digits[:4]) || isYear(digits[:4]) && isDay(digits[4:])),
				len(digits) == 6 && (isDay(digits[:4]) || isDay(digits[2:])):
				guesses := float64(perYear * 60)
				if between > 0 {
					guesses *= 4
				}
				out = append(out, piece{i, j, guesses, Date})
			}
		}
	}
	return out
}

func isYear(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= firstYear && n <= lastYear
}

// isDay reports whether four digits are a day and a month, in either order.
func isDay(s string) bool {
	a, err1 := strconv.Atoi(s[:2])
	b, err2 := strconv.Atoi(s[2:])
	return err1 == nil && err2 == nil && (a >= 1 && a <= 31 && b >= 1 && b <= 12 || a >= 1 && a <= 12 && b >= 1 && b <= 31)
}
