package web

import (
	"html/template"
	"net/url"
	"sync"
	"time"

	"trivium/identity"
)

// flashKind is success (fades), or error and info (stay until they are dismissed).
type flashKind string

const (
	flashSuccess flashKind = "success"
	flashError   flashKind = "error"
	flashInfo    flashKind = "info" // what somebody has to say
)

// flash is what the next page of a session says once.
type flash struct {
	Kind   flashKind
	Text   string
	From   string            // who says it, where that is a person
	Secret identity.Secret   // an app password, shown once
	Label  string            // of the secret
	Codes  []identity.Secret // recovery codes, shown once
}

const (
	flashLife = 10 * time.Minute
	flashMost = 10_000 // sessions with an unread flash; past it a third of them goes
)

// flashes keeps what is to be said in memory: text in a cookie could be planted, and a secret
// must not lie in the browser.
type flashes struct {
	now func() time.Time

	mu sync.Mutex // guards by
	by map[string]kept
}

type kept struct {
	flash
	at time.Time
}

func newFlashes(now func() time.Time) *flashes { return &flashes{now: now, by: map[string]kept{}} }

func (f *flashes) put(session string, x flash) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if len(f.by) >= flashMost {
		for id, k := range f.by {
			if now.Sub(k.at) > flashLife || len(f.by) > flashMost*2/3 {
				delete(f.by, id)
			}
		}
	}
	f.by[session] = kept{x, now}
}

// take returns and forgets.
func (f *flashes) take(session string) *flash {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.by[session]
	delete(f.by, session)
	if !ok || f.now().Sub(k.at) > flashLife {
		return nil
	}
	return &k.flash
}

// CodesFile is the recovery codes as a file that the browser keeps: a link with all of it inside, as
// they are shown once.
func (f flash) CodesFile() template.URL {
	text := ""
	for _, c := range f.Codes {
		text += c.Reveal() + "\n"
	}
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(text)) //nolint:gosec // letters, digits and dashes of our own
}
