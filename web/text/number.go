package text

import (
	"strconv"
	"strings"

	"golang.org/x/text/language"
	printing "golang.org/x/text/message"
	"golang.org/x/text/number"
)

// numbers is how a language writes numbers, taken from CLDR once, for a page has many of them.
type numbers struct {
	group, point string
	from         int               // digits from which there are groups; 0: never
	printer      *printing.Printer // nil: groups of three and the digits 0 to 9, as written here
}

func numbersOf(tag language.Tag) (n numbers) {
	p := printing.NewPrinter(tag)
	n.point = strings.Trim(p.Sprint(number.Decimal(0.5, number.Scale(1))), "05")
	long := p.Sprint(number.Decimal(1_234_567))
	if strings.Trim(long, "1234567") == long || len(n.point) == 0 {
		n.printer = p
		return n
	}
	n.group = strings.TrimSuffix(strings.TrimPrefix(long, "1"), "567")
	if before, after, ok := strings.Cut(n.group, "234"); !ok || before != after {
		n.printer = p // other digits, or groups of two
		return n
	} else if n.group = before; n.group == "" {
		return n
	}
	n.from = 4
	if p.Sprint(number.Decimal(1234)) == "1234" {
		n.from = 5
	}
	return n
}

// Number writes a whole number with the separators of the language: 1,204 or 1.204.
func (l *Language) Number(n int64) string {
	if l == nil || n >= 0 && n < 1000 && l.words().numbers.printer == nil {
		return strconv.FormatInt(n, 10)
	}
	if l.words().numbers.printer != nil {
		return l.words().numbers.printer.Sprint(number.Decimal(n))
	}
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	if l.words().numbers.from == 0 || len(s) < l.words().numbers.from {
		return sign + s
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteString(l.words().numbers.group)
		}
		b.WriteRune(c)
	}
	return b.String()
}

// Decimal writes a number with so many digits behind the point.
func (l *Language) Decimal(v float64, digits int) string {
	if l != nil && l.words().numbers.printer != nil {
		return l.words().numbers.printer.Sprint(number.Decimal(v, number.Scale(digits)))
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	whole, rest, ok := strings.Cut(s, ".")
	if l == nil || !ok {
		return s
	}
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil && n >= 1000 {
		whole = l.Number(n)
	}
	return whole + l.words().numbers.point + rest
}

// Bytes writes a size in decimal units with one digit behind the point: 1.2 MB.
func (l *Language) Bytes(n int64) string {
	if l == nil || n < 1000 {
		return l.Number(n) + " B"
	}
	f, unit := float64(n), 0
	const units = "BkMGTPE"
	for f >= 999.95 && unit < len(units)-1 {
		f, unit = f/1000, unit+1
	}
	if l.words().numbers.printer != nil {
		return l.words().numbers.printer.Sprint(number.Decimal(f, number.MaxFractionDigits(1))) + " " + units[unit:unit+1] + "B"
	}
	s := strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
	if whole, digit, ok := strings.Cut(s, "."); ok {
		s = whole + l.words().numbers.point + digit
	}
	return s + " " + units[unit:unit+1] + "B"
}
