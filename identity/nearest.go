package identity

import (
	"context"
	"strings"
)

// maxSlips is how many slips of the hand (a character left out, added, wrong, or two exchanged)
// still make a name the likely one.
const maxSlips = 2

// maxNearest is how many accounts there may be for all their names to be read for a mistake.
const maxNearest = 20_000

// Nearest returns the login or alias that is most like name, for "did you mean"; "" where none
// is, or where there are more than 20,000 accounts. It reads all names, so it is for mistakes, not for
// every request, and never for log-ins.
func (s *Service) Nearest(ctx context.Context, name string) string {
	wanted := strings.ToLower(strings.TrimSuffix(name, "@"+s.opts.Domain))
	best, least := "", maxSlips+1
	try := func(login UserName, domain string) {
		n := s.display(login, domain)
		// A name of which everything is wrong is none that was meant.
		if d := slips(wanted, n, least-1); d < least && d < len([]rune(wanted)) && d < len([]rune(n)) {
			best, least = n, d
		}
	}
	if n, err := s.store.CountAccounts(ctx, UserFilter{Limit: maxNearest + 1}); err != nil || n > maxNearest {
		return ""
	}
	as, err := s.store.Accounts(ctx, UserFilter{Limit: maxNearest})
	if err != nil {
		return ""
	}
	for _, a := range as {
		try(a.Login, a.Domain)
	}
	aliases, err := s.store.Aliases(ctx, "")
	if err != nil {
		return best
	}
	for _, a := range aliases {
		if s.display(a.Name, a.Domain) == wanted {
			continue // it is that of a removed account, or it would have been found
		}
		try(a.Name, a.Domain)
	}
	return best
}

// slips is the optimal string alignment distance of a and b, or more than most where it is that.
func slips(a, b string, most int) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > most || -d > most {
		return most + 1
	}
	// Three rows of the table: the one before the last, the last, and the one being filled.
	older, old, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(y)]
}
