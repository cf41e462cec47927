package xmpp

import (
	"fmt"
	"testing"

	"trivium/identity"
)

func TestEveryErrorHasAnAnswer(t *testing.T) {
	for _, err := range identity.Errors() {
		a, ok := answerTo(fmt.Errorf("wrapped: %w", err))
		if !ok || a.sasl == "" || a.cond.Err == "" || a.text == "" {
			t.Errorf("%v has no answer", err)
		}
	}
	if _, ok := answerTo(fmt.Errorf("another")); ok {
		t.Error("an error of nobody is known")
	}
}

// Nobody learns from the words which accounts there are.
func TestAnswersReveal(t *testing.T) {
	want, _ := answerTo(identity.ErrCredentials)
	for _, err := range []error{identity.ErrDisabled, identity.ErrExpired, identity.ErrRoadClosed, identity.ErrNotFound} {
		got, _ := answerTo(err)
		if got.sasl != want.sasl || got.text != want.text || got.last != want.last {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

func TestEveryReasonHasAnError(t *testing.T) {
	for _, code := range []identity.ReasonCode{identity.ReasonEnded, identity.ReasonDisabled, identity.ReasonRevoked, identity.ReasonExpired,
		identity.ReasonPolicy, identity.ReasonIdle, identity.ReasonReplaced, identity.ReasonShutdown} {
		if reasonError(identity.Reason{Code: code}).Err == "" {
			t.Errorf("%s has no stream error", code)
		}
	}
}
