package xmpp

import (
	"testing"
	"testing/synctest"

	xstream "mellium.im/xmpp/stream"

	"mellium.im/xmpp/jid"

	"trivium/config"
)

func TestRoom(t *testing.T) {
	for _, tt := range []struct {
		name string
		free func(*stream)
	}{
		{"written", func(s *stream) { s.mu.Lock(); s.written(len(s.q)); s.mu.Unlock() }},
		{"ended", func(s *stream) { s.end(xstream.SystemShutdown, "") }},
		{"dropped", func(s *stream) { s.drop() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStream(jid.JID{}, nil, "", config.Limits{XMPPQueueSize: 1000})
				s.put(make([]byte, 400))
				s.room() // less than half: at once
				s.put(make([]byte, 400))
				free := false
				go func() { s.room(); free = true }()
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
