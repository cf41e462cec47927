package identity

import (
	"encoding/json"
	"fmt"
)

// maxBrowserData bounds what a browser session keeps of application data, as JSON.
const maxBrowserData = 4096

// DataKey names a value of type T that a package keeps in browser sessions (Node++
// app_session_data_t). It goes with the session through a log-in and is dropped at log-out.
type DataKey[T any] struct{ name string }

// NewDataKey makes a key; name begins with the package's name.
func NewDataKey[T any](name string) DataKey[T] { return DataKey[T]{name} }

// Get returns the value; false where there is none.
func (k DataKey[T]) Get(b *Browser) (value T, ok bool) {
	b.record.all.mu.Lock()
	raw, ok := b.record.data[k.name]
	b.record.all.mu.Unlock()
	if !ok || json.Unmarshal(raw, &value) != nil {
		var none T
		return none, false
	}
	return value, true
}

// Set keeps a value. ErrInvalid where all values of the session would be larger than 4 KiB.
func (k DataKey[T]) Set(b *Browser, value T) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("session data %s: %w", k.name, err)
	}
	b.record.all.mu.Lock()
	defer b.record.all.mu.Unlock()
	size := len(k.name) + len(raw)
	for name, other := range b.record.data {
		if name != k.name {
			size += len(name) + len(other)
		}
	}
	if size > maxBrowserData {
		return fmt.Errorf("session data %s: more than %d bytes: %w", k.name, maxBrowserData, ErrInvalid)
	}
	if b.record.data == nil {
		b.record.data = map[string]json.RawMessage{}
	}
	b.record.data[k.name], b.record.dirty = raw, true
	return nil
}

// Delete drops the value.
func (k DataKey[T]) Delete(b *Browser) {
	b.record.all.mu.Lock()
	defer b.record.all.mu.Unlock()
	delete(b.record.data, k.name)
	b.record.dirty = true
}
