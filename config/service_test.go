package config

import "testing"

func TestServicesAndContacts(t *testing.T) {
	for text, ok := range map[string]bool{"stun:stun.example.org": true, "turn:turn.example.org:3478?transport=udp": true, "turns:[2001:db8::1]:443": true,
		"turn:a:99999": false, "turn:a:0": false, "http://a": false, "stun:": false, "stun:a?transport=udp": false, "stun:a b": false} {
		if err := checkService(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, ok := range map[string]bool{"mailto:abuse@example.org": true, "xmpp:help@example.org": true, "https://example.org/help": true,
		"abuse@example.org": false, "http://example.org": false, "mailto:": false, "": false} {
		if err := checkContact(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
