package identity

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"
)

// UserName is the name of a user, an alias or a group in its one normal form: PRECIS
// UsernameCaseMapped (RFC 8265 section 3.3), and safe as the name of a folder. Only
// ParseUserName makes one from outside bytes.
type UserName string

// nameRunes is how many characters a login, a group or a domain label may have.
const nameRunes = 64

// isNameForm reports whether s has the form of a login, a group or a domain label after PRECIS. As a
// regular expression it would take 2 MiB, as it would have the tables of letters in it 65 times.
func isNameForm(s string) bool {
	n := 0
	for _, c := range s {
		if n++; n > nameRunes {
			return false
		}
		switch {
		case unicode.IsLetter(c), unicode.IsNumber(c), c == '_':
		case n > 1 && strings.ContainsRune(".+-", c):
		default:
			return false
		}
	}
	return n > 0
}

// maxNameBytes bounds the bytes before normalisation; RFC 7622 section 3.3.1 has 1023.
const maxNameBytes = 1023

// ParseUserName normalises s. The error wraps ErrInvalid and says what a name may contain.
func ParseUserName(s string) (UserName, error) {
	if isPlainName(s) {
		return UserName(s), nil
	}
	return parseUserName(s)
}

// isPlainName reports whether s is an ASCII name in its normal form already, as nearly all are.
func isPlainName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_':
		case i > 0 && (c == '.' || c == '+' || c == '-'):
		default:
			return false
		}
	}
	return s != "" && len(s) <= nameRunes
}

func parseUserName(s string) (UserName, error) {
	if len(s) > maxNameBytes {
		return "", fmt.Errorf("the name is longer than %d bytes: %w", maxNameBytes, ErrInvalid)
	}
	n, err := precis.UsernameCaseMapped.String(s)
	if err != nil || !isNameForm(n) {
		return "", fmt.Errorf("%q is not a name; it must begin with a letter, digit or _ and go on with letters, digits or . _ + - (64 at most): %w", s, ErrInvalid)
	}
	return UserName(n), nil
}

// reserved are the names that no account may have: what anonymous clients send.
var reserved = map[UserName]bool{"anonymous": true, "ftp": true}

// Reserved reports whether n can never be an account, an alias or a group.
func (n UserName) Reserved() bool { return reserved[n] }

// ParseDomain normalises a domain to lower-case U-labels (RFC 7622 section 3.2); each label
// must be safe as the name of a folder.
func ParseDomain(s string) (string, error) {
	if isPlainDomain(s) {
		return s, nil
	}
	return parseDomain(s)
}

// isPlainDomain reports whether s is an ASCII domain in its normal form already.
func isPlainDomain(s string) bool {
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			label++
		case c == '-' && label > 0 && s[i-1] != '-' && i+1 < len(s) && s[i+1] != '.':
			label++
		case c == '.' && label > 0 && i+1 < len(s):
			label = 0
		default:
			return false
		}
		if label > 63 {
			return false
		}
	}
	return s != "" && len(s) <= 253
}

func parseDomain(s string) (string, error) {
	s = strings.TrimSuffix(s, ".")
	d, err := idna.Lookup.ToUnicode(s)
	if err != nil || d == "" || len(d) > maxNameBytes {
		return "", fmt.Errorf("%q is not a domain: %w", s, ErrInvalid)
	}
	for label := range strings.SplitSeq(d, ".") {
		if !isNameForm(label) {
			return "", fmt.Errorf("%q is not a domain: %w", s, ErrInvalid)
		}
	}
	return d, nil
}

// ParseAddress reads `login` or `login@domain`; without a domain the given default stands.
func ParseAddress(s, domain string) (UserName, string, error) {
	login, host, ok := strings.Cut(s, "@")
	if ok {
		d, err := ParseDomain(host)
		if err != nil {
			return "", "", err
		}
		domain = d
	}
	n, err := ParseUserName(login)
	return n, domain, err
}
