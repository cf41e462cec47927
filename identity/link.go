package identity

import (
	"context"
	"time"
)

// Link says who an account is at a provider of OpenID Connect: issuer and subject together name one
// person for ever (OpenID Connect Core 1.0 section 5.7).
type Link struct {
	Issuer   string
	Subject  string
	User     UserID
	Source   string    // the name of the provider in the config of the time
	Label    string    // what the person is called there, to be shown
	LinkedAt time.Time // when it was made
	UsedAt   time.Time // of the last log-in by it; zero: none yet
}

// unlink removes all links of an account.
func (e *edit) unlink(ctx context.Context, id UserID) error {
	ls, err := e.Links(ctx, id)
	if err != nil {
		return err
	}
	for _, l := range ls {
		if err := e.RemoveLink(ctx, l.Issuer, l.Subject); err != nil {
			return err
		}
	}
	return nil
}
