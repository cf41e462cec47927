package files

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// NameError is an ErrName that says which rule a new name breaks.
type NameError struct{ Why string }

func (e *NameError) Error() string { return "the name is not allowed: " + e.Why }

// Is makes it an ErrName.
func (e *NameError) Is(target error) bool { return target == ErrName }

// NewName is the form in which a new name is stored, NFC (Unicode Standard Annex 15), or what is
// wrong with it: a *NameError. Names that came from elsewhere need not be so, and can be reached.
// portable asks for names that Windows can hold too.
func NewName(name string, portable bool) (string, error) {
	if !speakable(name) {
		return "", &NameError{"it is empty, not UTF-8, or holds a slash or a line break"}
	}
	name = norm.NFC.String(name)
	for _, r := range name {
		switch {
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029:
			return "", &NameError{"it holds a control character"}
		case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return "", &NameError{"it holds a sign that turns the direction of text, and so shows another name than it is"}
		}
	}
	if len(name) > maxNameBytes {
		return "", &NameError{"it is longer than 255 bytes"}
	}
	if portable {
		return name, portableName(name)
	}
	return name, nil
}

// portableName refuses what Windows cannot hold ("Naming Files, Paths, and Namespaces" of its
// documentation): signs, a dot or space at the end, and the names of devices, with any extension.
func portableName(name string) error {
	if strings.ContainsAny(name, `<>:"|?*\`) {
		return &NameError{`Windows cannot hold it: it has one of < > : " | ? * \`}
	}
	if last := name[len(name)-1]; last == '.' || last == ' ' {
		return &NameError{"Windows cannot hold it: it ends with a dot or a space"}
	}
	base, _, _ := strings.Cut(name, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	device := slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, base)
	if number, ok := strings.CutPrefix(base, "COM"); ok {
		device = device || slices.Contains(deviceNumbers(), number)
	}
	if number, ok := strings.CutPrefix(base, "LPT"); ok {
		device = device || slices.Contains(deviceNumbers(), number)
	}
	if device {
		return &NameError{"Windows cannot hold it: it is the name of a device"}
	}
	return nil
}

func deviceNumbers() []string {
	return []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"}
}

// otherForms are the forms under which a name may stand that was not found as it was said: clients
// of macOS say and make names in NFD, others in NFC.
func otherForms(name string) (forms []string) {
	if ascii(name) {
		return nil
	}
	for _, form := range []string{norm.NFC.String(name), norm.NFD.String(name)} {
		if form != name && len(form) <= maxNameBytes && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// otherForm finds the name of the spot in another form; false where nothing stands that the session
// may see. If nothing does, the spot gets the name that would be made.
func (v *view) otherForm(ctx context.Context, s *spot) (bool, error) {
	said := s.name
	for _, s.name = range otherForms(said) {
		if !v.visible(s.canon()) {
			continue
		}
		_, err := s.dir.Lstat(ctx, s.name)
		if !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	s.name = norm.NFC.String(said)
	return false, nil
}

// newName asks whether an entry may be made by the spot's name, which nothing stands by: the rules
// for names, and that no other entry of the folder but the one named except differs from it in case
// alone. Who asks holds the names of the tree, by holdNames, and answers for the spot's name to be
// in NFC, as walk leaves it.
func (v *view) newName(ctx context.Context, s *spot, except string) error {
	name, err := NewName(s.name, v.s.o.PortableNames)
	if err != nil {
		return err
	}
	if name != s.name {
		return &NameError{"it came in a form that is not stored"}
	}
	if s.m.at == "/" && s.rel == "" && (v.s.reserved(name) || v.s.o.UniqueCase && v.s.reservedFolded(name)) {
		return &NameError{"it belongs to a folder that shows in every home"}
	}
	if s.dir == Dir(s.top) && s.top.Reserved(name) {
		return &NameError{"it is the storage's own"}
	}
	if !v.s.o.UniqueCase {
		return nil
	}
	return v.uniqueCase(ctx, s, except)
}

// uniqueCase reads the names of the folder, one after the other. A name that is hidden from the
// session is answered as it is itself.
func (v *view) uniqueCase(ctx context.Context, s *spot, except string) error {
	wanted := Folded(s.name)
	plain := ascii(s.name)
	taken := errors.New("taken")
	var by string
	err := s.dir.ReadNames(ctx, func(name string, _ fs.FileMode) error {
		if name == except || name == s.name {
			return nil
		}
		if plain && ascii(name) {
			if len(name) != len(s.name) || !strings.EqualFold(name, s.name) {
				return nil
			}
		} else if Folded(name) != wanted {
			return nil
		}
		by = name
		return taken
	})
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, taken):
		return err
	case !v.visible(s.m.canon + s.rel + "/" + by):
		return fs.ErrNotExist
	}
	return fs.ErrExist
}

// Folded is the same for names that differ in case or normalisation alone (Unicode Standard,
// section 3.13, D145).
func Folded(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(name)))
}

// holdNames holds the names of a tree while one is made: shared, unless names beside it count too.
func (s *Service) holdNames(a *account) (unlock func()) {
	if s.o.UniqueCase {
		a.names.Lock()
		return a.names.Unlock
	}
	a.names.RLock()
	return a.names.RUnlock
}
