package identity

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Setting is a value that somebody chose in the running server: it outlives a restart.
type Setting struct {
	Key       string    `json:"key"`
	Value     string    `json:"value"`
	ChangedAt time.Time `json:"changed_at"`
	ChangedBy string    `json:"changed_by"` // "" for the machine's owner
}

// EventSettingSet and EventSettingUnset are the rows about settings; their subject is the key.
const (
	EventSettingSet   = "setting.set"
	EventSettingUnset = "setting.unset"
)

// changeSettings is the least level that changes what holds for the whole server.
const changeSettings = LevelAdmin

// Bounds of a setting, in bytes, and of how many there are.
const (
	maxSettingKey   = 128
	maxSettingValue = 8 << 10
	maxSettings     = 1000
)

// settingKey are the characters of a key.
const settingKey = "abcdefghijklmnopqrstuvwxyz0123456789._-"

// OnSetting calls fn after each change of a setting, on the goroutine of whoever made it; set is false
// where it was taken back. Before Run.
func (s *Service) OnSetting(fn func(key, value string, set bool)) {
	s.onSetting = append(s.onSetting, fn)
}

// Settings lists what people have set, by key.
func (s *Service) Settings(ctx context.Context) ([]Setting, error) { return s.store.Choices(ctx) }

// Setting reads one value; ErrNotFound where nobody has set it.
func (s *Service) Setting(ctx context.Context, key string) (string, error) {
	return s.store.Choice(ctx, key)
}

// SetSetting keeps a value and lets it take effect before it returns. What the value may be whoever asks
// has checked; nothing secret, for the audit log shows it. ErrRefused below LevelAdmin.
func (s *Service) SetSetting(ctx context.Context, by Actor, key, value string) error {
	if err := mayChangeSettings(by); err != nil {
		return err
	}
	switch {
	case key == "" || len(key) > maxSettingKey || strings.ContainsFunc(key, func(r rune) bool { return !strings.ContainsRune(settingKey, r) }):
		return faultf(ErrInvalid, "%q is no key of a setting", clip(key, maxSettingKey))
	case len(value) > maxSettingValue:
		return faultf(ErrInvalid, "the value of %s is too long: at most %d bytes", key, maxSettingValue)
	case !utf8.ValidString(value) || plain(value) != value:
		return faultf(ErrInvalid, "the value of %s is not UTF-8 text", key)
	}
	err := s.edit(ctx, by, func(e *edit) error {
		was, err := e.Choice(ctx, key)
		fresh := errors.Is(err, ErrNotFound)
		if err != nil && !fresh {
			return err
		}
		if fresh {
			list, err := e.Choices(ctx)
			if err != nil {
				return err
			}
			if len(list) >= maxSettings {
				return faultf(ErrInvalid, "there are %d settings, which is as many as are kept", maxSettings)
			}
			e.note(EventSettingSet, key, nil, fields{"value": value})
		} else {
			e.note(EventSettingSet, key, fields{"value": was}, fields{"value": value})
		}
		return e.PutChoice(ctx, Setting{Key: key, Value: value, ChangedAt: s.now(), ChangedBy: by.User})
	})
	if err != nil {
		return err
	}
	for _, fn := range s.onSetting {
		fn(key, value, true)
	}
	return nil
}

// UnsetSetting takes a value back; ErrNotFound where nobody has set it.
func (s *Service) UnsetSetting(ctx context.Context, by Actor, key string) error {
	if err := mayChangeSettings(by); err != nil {
		return err
	}
	err := s.edit(ctx, by, func(e *edit) error {
		was, err := e.Choice(ctx, key)
		if errors.Is(err, ErrNotFound) {
			return faultf(ErrNotFound, "nobody has set %s here", clip(key, maxSettingKey))
		}
		if err != nil {
			return err
		}
		e.note(EventSettingUnset, key, fields{"value": was}, nil)
		return e.RemoveChoice(ctx, key)
	})
	if err != nil {
		return err
	}
	for _, fn := range s.onSetting {
		fn(key, "", false)
	}
	return nil
}

func mayChangeSettings(by Actor) error {
	if !by.Level.Allows(changeSettings) || by.Level == LevelNobody {
		return faultf(ErrRefused, "changing the server's settings needs the level %s; yours is %s", changeSettings, by.Level)
	}
	return nil
}
