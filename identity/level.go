package identity

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Level is what a session may do at most, or what a resource requires at least. The numbers
// are those of Node++ and stand so in JSON.
type Level uint8

// The levels. An account holds LevelLoggedIn or LevelUser to LevelRoot; LevelNobody is only
// ever required.
const (
	LevelNone      Level = 0   // no session is needed
	LevelAnonymous Level = 1   // an anonymous session
	LevelLoggedIn  Level = 2   // any authenticated session
	LevelUser      Level = 10  //
	LevelCustomer  Level = 20  //
	LevelStaff     Level = 30  //
	LevelModerator Level = 40  //
	LevelAdmin     Level = 50  //
	LevelRoot      Level = 100 //
	LevelNobody    Level = 125 // as a requirement never met; as a held level it passes nothing
)

// Levels lists every level from the lowest to the highest.
func Levels() []Level {
	return []Level{LevelNone, LevelAnonymous, LevelLoggedIn, LevelUser, LevelCustomer, LevelStaff,
		LevelModerator, LevelAdmin, LevelRoot, LevelNobody}
}

var levelNames = map[Level]string{
	LevelNone: "none", LevelAnonymous: "anonymous", LevelLoggedIn: "loggedin", LevelUser: "user",
	LevelCustomer: "customer", LevelStaff: "staff", LevelModerator: "moderator",
	LevelAdmin: "admin", LevelRoot: "root", LevelNobody: "nobody",
}

// Allows reports whether a session that holds l may use what requires need.
func (l Level) Allows(need Level) bool {
	if need == LevelNobody || l == LevelNobody {
		return false
	}
	return l >= need
}

// Holdable reports whether an account may hold l.
func (l Level) Holdable() bool {
	return l == LevelLoggedIn || l >= LevelUser && l <= LevelRoot && levelNames[l] != ""
}

// Min returns the lower of two held levels; a cap never raises, LevelNobody neither.
func (l Level) Min(limit Level) Level {
	if l == LevelNobody {
		return l
	}
	return min(l, limit)
}

// String returns the name in lower case, or the number where there is no name.
func (l Level) String() string {
	if n, ok := levelNames[l]; ok {
		return n
	}
	return strconv.Itoa(int(l))
}

// ParseLevel reads a level by name in any case ("logged-in" and "logged_in" are "loggedin")
// or by number. The error names the levels there are.
func ParseLevel(s string) (Level, error) {
	name := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(s)))
	for l, n := range levelNames {
		if n == name || strconv.Itoa(int(l)) == name {
			return l, nil
		}
	}
	return LevelNobody, fmt.Errorf("%q is not a level; the levels are %s: %w", s, levelList(), ErrInvalid)
}

func levelList() string {
	var names []string
	for _, l := range Levels() {
		names = append(names, fmt.Sprintf("%s (%d)", l, l))
	}
	return strings.Join(names, ", ")
}

// UnmarshalJSON accepts the number and, for people's hands, the name.
func (l *Level) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		s = string(b)
	}
	v, err := ParseLevel(s)
	if err != nil {
		return err
	}
	*l = v
	return nil
}
