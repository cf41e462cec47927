package identity

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of the accounts that are kept.
const (
	maxKnown   = 4096
	maxMet     = 4096
	knownFresh = 2 * pollEvery
)

// knownAccounts keeps accounts as the store has them, and what tokens gave, so that a log-in with a
// password or a token that was right lately asks the store for nothing. A committed change counts at once all the same: who
// makes one forgets all accounts between its commit and the look at the sessions that it concerns.
// A log-in asks whether its account is still kept after its session can be found by that look, so
// one of the two sees the other. What another process has committed poll finds, and accounts are
// good only for as long as poll has just looked.
type knownAccounts struct {
	now    func() time.Time
	secret []byte // of the keys of tokens

	mu       sync.Mutex // guards what follows; taken alone
	accounts *recent[accountName, *Account]
	tokens   *recent[tokenKey, *knownGrant]
	met      *recent[meeting, struct{}]
	turn     int       // how often all was forgotten
	ruled    int       // the turn in which there was an administrator; 0: none is known of
	until    time.Time // zero before the first look of poll
}

// accountName is an account's own name; aliases are not kept, for the store alone knows where one
// leads.
type accountName struct {
	domain string
	login  UserName
}

// meeting is a log-in that went well, by an account's own name.
type meeting struct {
	prefix netip.Prefix
	name   accountName
}

func newKnownAccounts(now func() time.Time) *knownAccounts {
	k := &knownAccounts{now: now, secret: newKnownSecret(), met: newRecent[meeting](maxMet, func(*struct{}) {})}
	k.forget()
	return k
}

// mark is asked for before an account is read, and given to keep with it: what was read before
// all was forgotten is not kept after it.
func (k *knownAccounts) mark() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.turn
}

// keep keeps an account, which nobody may change any more.
func (k *knownAccounts) keep(mark int, acc *Account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if mark == k.turn {
		*k.accounts.get(accountName{acc.Domain, acc.Login}) = acc
	}
}

// find returns an account that is kept, else nil.
func (k *knownAccounts) find(domain string, login UserName) *Account {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.peek(domain, login)
}

// meet notes that somebody at an address block has shown to be acc.
func (k *knownAccounts) meet(prefix netip.Prefix, acc *Account) {
	if !prefix.IsValid() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.met.get(meeting{prefix, accountName{acc.Domain, acc.Login}})
}

// again is find for those who ask before they have shown anything: an account is found only from
// where somebody has shown to be it lately. How long the answer takes then tells nobody else whether
// there is such an account.
func (k *knownAccounts) again(prefix netip.Prefix, domain string, login UserName) *Account {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.met.peek(meeting{prefix, accountName{domain, login}}) == nil {
		return nil
	}
	return k.peek(domain, login)
}

// holds reports whether acc is what the store has now.
func (k *knownAccounts) holds(acc *Account) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.peek(acc.Domain, acc.Login) == acc
}

// peek is find with mu held.
func (k *knownAccounts) peek(domain string, login UserName) *Account {
	acc := k.accounts.peek(accountName{domain, login})
	if acc == nil || !k.now().Before(k.until) {
		return nil
	}
	return *acc
}

// rule notes that there is an administrator, as was read after mark.
func (k *knownAccounts) rule(mark int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ruled = mark
}

// isRuled reports whether there is an administrator, as far as that is known without a look.
func (k *knownAccounts) isRuled() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ruled == k.turn && k.now().Before(k.until)
}

// forget is called when a change has been committed, and where it is not known whether one was.
func (k *knownAccounts) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn++
	k.accounts = newRecent[accountName](maxKnown, func(**Account) {})
	k.tokens = newRecent[tokenKey](maxKnownTokens, func(**knownGrant) {})
}

// looked says that at the time given the store had no change that is not forgotten.
func (k *knownAccounts) looked(at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = at.Add(knownFresh)
}
