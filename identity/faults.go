package identity

import "fmt"

// fault is an error whose text says all that a person needs; errors.Is finds its kind, one of
// the sentinels, of which the text says nothing.
type fault struct {
	kind error
	text string
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.kind }

func faultf(kind error, format string, args ...any) error {
	return &fault{kind, fmt.Sprintf(format, args...)}
}
