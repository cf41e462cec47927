package identity

import (
	"strings"
	"unicode/utf8"
)

// Bounds of a password that is set. The upper one keeps what one hash costs small.
const (
	minPassword = 8 // characters
	maxPassword = 1024
)

// PasswordJudge says how hard a password is to guess.
type PasswordJudge interface {
	// Judge returns a score from 0 (one of the first tries) to 4 (strong), and what makes most of it
	// guessable, in words that go on from "it is": "a common password"; "" where nothing does. own
	// are words that somebody who guesses would try first. Its cost is bounded.
	Judge(password string, own ...string) (score int, why string)
	// Bad reports whether the password stands in a list of those that are known.
	Bad(password string) bool
}

// strengthAdvice is what to do about a password that is too weak.
const strengthAdvice = "make it longer: four random words are strong and easy to type"

// CheckNewPassword refuses a password that is too easy for an account of that login and profile, or
// cannot be one; the error wraps ErrInvalid, says what to do, and does not repeat it.
func (s *Service) CheckNewPassword(login string, p Profile, password Secret) error {
	name, domain, err := ParseAddress(login, s.opts.Domain)
	if err != nil {
		name, domain = "", s.opts.Domain
	}
	return s.checkNewPassword(User{Login: name, Domain: domain, Profile: p}, password)
}

func (s *Service) checkNewPassword(u User, password Secret) error {
	text := password.Reveal()
	switch {
	case !utf8.ValidString(text):
		return faultf(ErrInvalid, "the password is not UTF-8")
	case utf8.RuneCountInString(text) < minPassword:
		return faultf(ErrInvalid, "the password is too short; use at least %d characters", minPassword)
	case len(text) > maxPassword:
		return faultf(ErrInvalid, "the password is too long; use at most %d bytes", maxPassword)
	}
	own := ownWords(u)
	for _, w := range own {
		if strings.EqualFold(strings.TrimSpace(text), w) {
			return faultf(ErrInvalid, "the password is the login or another name of the account; choose another one")
		}
	}
	judge := s.opts.Passwords
	if judge == nil {
		return nil
	}
	if judge.Bad(text) {
		return faultf(ErrInvalid, "the password stands in a list of passwords that are known to be guessed; choose another one")
	}
	least := s.tunable.Load().PasswordStrength
	if least <= 0 {
		return nil
	}
	if score, why := judge.Judge(text, own...); score < least {
		if why != "" {
			why = ", as it is " + why
		}
		return faultf(ErrInvalid, "the password is too easy to guess%s; %s", why, strengthAdvice)
	}
	return nil
}

// ownWords are an account's own names.
func ownWords(u User) []string {
	var out []string
	add := func(words ...string) {
		for _, w := range words {
			if len(w) > 2 {
				out = append(out, w)
			}
		}
	}
	mailbox, host, _ := strings.Cut(u.Profile.Email, "@")
	add(string(u.Login), string(u.Login)+"@"+u.Domain, u.Profile.Email, mailbox, host, u.Domain, u.Profile.Name, u.Profile.Phone)
	add(strings.Fields(u.Profile.Name)...)
	add(strings.FieldsFunc(string(u.Login)+" "+mailbox, func(r rune) bool { return strings.ContainsRune("._+- ", r) })...)
	if first, _, ok := strings.Cut(u.Domain, "."); ok {
		add(first)
	}
	return out
}
