package identity_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a goroutine of the service, its store or a watcher is left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
