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
		free func(*Stream)
	}{
		{"written", func(s *Stream) { s.mu.Lock(); s.written(len(s.q)); s.mu.Unlock() }},
		{"ended", func(s *Stream) { s.end(xstream.SystemShutdown, "") }},
		{"dropped", func(s *Stream) { s.drop() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStream(jid.JID{}, nil, "", config.Limits{XMPPQueueSize: 1000})
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
