package sqlstore

import (
	"strconv"
	"strings"
)

// insertRows is how many rows one statement inserts at most.
const insertRows = 64

// rowsFor is how many of n rows go into the next statement: few sizes, so that each stays prepared.
func rowsFor(n int) int {
	for _, size := range [...]int{64, 16, 4} {
		if n >= size {
			return size
		}
	}
	return 1
}

// statements are one for each size.
func statements(head string, columns int, tail string) map[int]string {
	all := make(map[int]string)
	for _, size := range [...]int{64, 16, 4, 1} {
		all[size] = values(head, columns, size) + tail
	}
	return all
}

// values appends parameters for rows to a statement that ends in VALUES.
func values(statement string, columns, rows int) string {
	var b strings.Builder
	b.WriteString(statement)
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%columns == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteByte(')')
	return b.String()
}
