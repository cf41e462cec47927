package identity

import (
	"context"
	"errors"
	"time"
)

// Bounds of requests that are done once.
const (
	onceLife = 24 * time.Hour
	maxOnce  = 1000 // that one asker has kept at a time
)

// Once is a request that came with a key, so that it is done once however often it comes.
type Once struct {
	Asker  string // whose key it is: two askers may have the same one
	Key    string
	Print  []byte // a keyed hash of the request
	Answer []byte // sealed by who asks for it; nil: not done yet
	At     time.Time
}

// BeginOnce keeps a request that is about to be done, for 24 hours. Where there is one of that asker and
// key already, it returns that and false. An asker who keeps too many gets ErrRefused.
func (s *Service) BeginOnce(ctx context.Context, o Once) (Once, bool, error) {
	now := s.now().UTC().Truncate(timeUnit)
	o.At, o.Answer = now, nil
	var have *Once
	err := s.store.Write(ctx, func(w StoreWriter) error {
		have = nil
		if err := w.ForgetOnce(ctx, now.Add(-onceLife)); err != nil {
			return err
		}
		old, err := w.Once(ctx, o.Asker, o.Key)
		switch {
		case err == nil:
			have = &old
			return nil
		case !errors.Is(err, ErrNotFound):
			return err
		}
		n, err := w.CountOnce(ctx, o.Asker)
		if err != nil {
			return err
		}
		if n >= maxOnce {
			return faultf(ErrRefused, "%d requests with keys of yours are kept, and no more can be; they go after 24 hours", n)
		}
		return w.AddOnce(ctx, o)
	})
	if errors.Is(err, ErrExists) { // another process was faster
		old, err := s.store.Once(ctx, o.Asker, o.Key)
		return old, false, err
	}
	if err != nil {
		return Once{}, false, err
	}
	if have != nil {
		return *have, false, nil
	}
	return o, true, nil
}

// AnswerOnce keeps what a request was answered.
func (s *Service) AnswerOnce(ctx context.Context, asker, key string, answer []byte) error {
	return s.store.Write(ctx, func(w StoreWriter) error { return w.AnswerOnce(ctx, asker, key, answer) })
}

// DropOnce forgets a request that did nothing, so that it may come again.
func (s *Service) DropOnce(ctx context.Context, asker, key string) error {
	return s.store.Write(ctx, func(w StoreWriter) error { return w.RemoveOnce(ctx, asker, key) })
}
