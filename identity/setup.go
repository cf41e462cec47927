package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strings"
)

// setupSetting holds the code of the set-up link as it is printed: it is shown again at every
// start, so a hash would not do, and it is worth nothing once an administrator exists.
const setupSetting = "setup_code"

// The code has 16 characters of 5 bits, in fours. The alphabet is Crockford's, without the
// letters that look like digits.
const (
	setupAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	setupLength   = 16
	setupStep     = 4
)

func newSetupCode() string { return randomCode(setupLength, setupStep) }

// randomCode is a code for people's hands, with a dash after each step characters.
func randomCode(length, step int) string {
	b := make([]byte, length)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	var code strings.Builder
	for i, c := range b {
		if i > 0 && i%step == 0 {
			code.WriteByte('-')
		}
		code.WriteByte(setupAlphabet[int(c)%len(setupAlphabet)])
	}
	return code.String()
}

// readSetupCode is the normal form of a code that a person may have typed.
func readSetupCode(s string) string {
	return strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(s))
}

// SetupCode returns the code of the set-up link, made once and kept until an administrator
// exists; ErrNotFound after that.
func (s *Service) SetupCode(ctx context.Context) (string, error) {
	code, err := s.openSetup(ctx, s.store)
	if err == nil || !errors.Is(err, errNoCode) {
		return code, err
	}
	err = s.store.Write(ctx, func(w StoreWriter) error {
		code, err = s.openSetup(ctx, w) // another may have been first
		if !errors.Is(err, errNoCode) {
			return err
		}
		code = newSetupCode()
		return w.PutSetting(ctx, setupSetting, code)
	})
	if err != nil {
		return "", err
	}
	return code, nil
}

// errNoCode says that there is neither an administrator nor a code.
var errNoCode = errors.New("no set-up code has been made")

// openSetup reads the code; ErrNotFound where an administrator exists.
func (s *Service) openSetup(ctx context.Context, r StoreReader) (string, error) {
	done, err := anyAdministrator(ctx, r, func(User) bool { return true })
	if err != nil {
		return "", err
	}
	if done {
		return "", faultf(ErrNotFound, "an administrator exists, so there is no set-up link any more")
	}
	code, err := r.Setting(ctx, setupSetting)
	if errors.Is(err, ErrNotFound) {
		return "", errNoCode
	}
	return code, err
}

// checkSetup refuses a code that is not the one.
func (s *Service) checkSetup(ctx context.Context, r StoreReader, code string) error {
	want, err := s.openSetup(ctx, r)
	if err != nil && !errors.Is(err, errNoCode) && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || subtle.ConstantTimeCompare([]byte(readSetupCode(want)), []byte(readSetupCode(code))) != 1 {
		return faultf(ErrNotFound, "this set-up link is not valid; run `trivium setup-link` on the server for the one that is")
	}
	return nil
}

// Setup makes the first administrator (LevelRoot) with the code of the set-up link. The code
// works once, even for two at the same time; a wrong or used one is ErrNotFound.
func (s *Service) Setup(ctx context.Context, code string, n NewUser) (Account, error) {
	// Before a hash is spent on it.
	if err := s.checkSetup(ctx, s.store, code); err != nil {
		return Account{}, err
	}
	if n.Password.IsZero() {
		return Account{}, faultf(ErrInvalid, "the first administrator needs a password")
	}
	n.Level = LevelRoot
	by := Actor{User: n.Login, Level: LevelRoot, Via: "setup"}
	p, err := s.planUser(ctx, by, n)
	if err != nil {
		return Account{}, err
	}
	by.User = s.display(p.user.Login, p.user.Domain)
	var a Account
	err = s.edit(ctx, by, func(e *edit) error {
		if err := s.checkSetup(ctx, e, code); err != nil {
			return err
		}
		a, err = s.insert(ctx, e, by, p) // which removes the code
		return err
	})
	if err != nil {
		return Account{}, err
	}
	return a, nil
}
