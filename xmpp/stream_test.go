package xmpp

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	xstream "mellium.im/xmpp/stream"

	"mellium.im/xmpp/jid"

	"trivium/config"
)

// stuck is a transport whose peer reads nothing.
type stuck struct{ transport }

func (stuck) closing() []byte { return nil }
func (stuck) hurry(time.Time) {}
func (stuck) cut()            {}
func (stuck) write([]item, time.Duration) error {
	return errors.New("nothing is read")
}

func TestRoom(t *testing.T) {
	for _, tt := range []struct {
		name string
		free func(*Stream)
	}{
		{"written", func(s *Stream) { s.mu.Lock(); s.taken(s.q.len()); s.mu.Unlock() }},
		{"ended", func(s *Stream) { s.end(xstream.SystemShutdown, "") }},
		{"dropped", func(s *Stream) { s.drop() }},
		{"detached", func(s *Stream) {
			s.mu.Lock()
			s.sm = &smacks{life: time.Minute}
			s.detach()
			s.mu.Unlock()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStream(jid.JID{}, nil, "", config.Limits{XMPPQueueSize: 1000})
				s.attach(stuck{}, nil)
				s.Put(make([]byte, 400))
				s.Room() // less than half: at once
				s.Put(make([]byte, 400))
				free := false
				go func() { s.Room(); free = true }()
				synctest.Wait()
				if free {
					t.Error("room while more than half of the queue is in use")
				}
				tt.free(s)
				synctest.Wait()
				if !free {
					t.Error("waits for ever")
				}
			})
		})
	}
}
