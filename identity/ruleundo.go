package identity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// UndoFor is how long a change of rules can be taken back.
const UndoFor = 10 * time.Minute

// undoSetting begins the names of the settings that keep an administrator's last change.
const undoSetting = "policy_undo."

// undoRecord is the last change of an administrator, as the store keeps it.
type undoRecord struct {
	At    time.Time
	Rules []undoRule
}

type undoRule struct {
	Key           StoredRule
	Before, After *StoredRule
}

// readUndo is the change that the actor can still take back; ErrNotFound where there is none.
func (s *Service) readUndo(ctx context.Context, r StoreReader, by Actor) (undoRecord, error) {
	var u undoRecord
	text, err := r.Setting(ctx, undoSetting+by.User)
	if err == nil && text != "" {
		err = json.Unmarshal([]byte(text), &u)
	}
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return u, err
	case err != nil || text == "" || s.now().Sub(u.At) > UndoFor:
		return u, faultf(ErrNotFound, "there is no change of yours to take back; that is possible for %d minutes", int(UndoFor/time.Minute))
	}
	return u, nil
}

// UndoUntil is until when the actor's last change of rules can be taken back; the zero time where there
// is none.
func (s *Service) UndoUntil(ctx context.Context, by Actor) (time.Time, error) {
	u, err := s.readUndo(ctx, s.store, by)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return u.At.Add(UndoFor), err
}

// UndoRules takes the actor's last change of rules back, where nobody has changed the same rules since.
func (s *Service) UndoRules(ctx context.Context, by Actor) (Review, error) {
	if !by.Level.Allows(changeRules) {
		return Review{}, faultf(ErrRefused, "changing the policy needs the level %s; yours is %s", changeRules, by.Level)
	}
	return s.applyRules(ctx, by, true, func(e *edit) (*draft, error) {
		u, err := s.readUndo(ctx, e, by)
		if err != nil {
			return nil, err
		}
		version, stored, err := e.PolicyRules(ctx)
		if err != nil {
			return nil, err
		}
		var edits []ruleDraft
		for _, x := range u.Rules {
			i := slices.IndexFunc(stored, x.Key.same)
			var now *StoredRule
			if i >= 0 {
				now = &stored[i]
			}
			p, err := s.compiled(x.Key)
			if err != nil {
				return nil, err
			}
			if (now == nil) != (x.After == nil) || now != nil && (now.Level != x.After.Level || now.By != x.After.By || !now.At.Equal(x.After.At)) {
				return nil, faultf(ErrRefused, "the rule %q has been changed since; nothing was taken back", p.Pattern)
			}
			edits = append(edits, ruleDraft{key: x.Key, parsed: p, after: x.Before})
		}
		return s.drafted(version, stored, edits)
	})
}
