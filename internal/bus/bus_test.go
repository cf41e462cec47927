package bus_test

import (
	"testing"

	"go.uber.org/goleak"

	"trivium/internal/bus"
	"trivium/internal/bus/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	bustest.Run(t, func(*testing.T) bustest.Bus { return bus.New() })
}

// drain reads what is queued without waiting.
func drain(s *bus.Subscription) (got []any) {
	for {
		select {
		case e := <-s.C:
			got = append(got, e)
		default:
			return got
		}
	}
}

// The local bus queues at once, so here it can be said exactly who gets what.
func TestLaggedExactly(t *testing.T) {
	b := bus.New()
	s := b.Subscribe(3)
	defer s.Close()
	publish := func(from, to int) {
		for i := from; i <= to; i++ {
			b.Publish(i)
		}
	}
	same := func(step string, want ...any) {
		t.Helper()
		got := drain(s)
		if len(got) != len(want) {
			t.Fatalf("%s: %v, want %v", step, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: %v, want %v", step, got, want)
			}
		}
	}
	lagged := bus.Lagged{}
	publish(1, 3)
	same("as many as asked for", 1, 2, 3)
	publish(1, 9)
	same("too many", 1, 2, 3, lagged)
	publish(10, 12)
	same("on again", 10, 11, 12)

	publish(1, 5)
	<-s.C // 1, so that there is room behind an unread Lagged
	publish(6, 9)
	same("full again before Lagged was read: one is enough", 2, 3, lagged, 6)

	publish(1, 4) // 1 2 3 Lagged
	for range 4 {
		<-s.C
	}
	publish(5, 9)
	same("full again after Lagged was read: another", 5, 6, 7, lagged)

	publish(1, 4) // 1 2 3 Lagged
	for range 3 {
		<-s.C
	}
	publish(5, 7) // Lagged 5 6 7
	<-s.C         // Lagged
	publish(8, 9) // no room for 8
	same("the slot for Lagged is always free", 5, 6, 7, lagged)
}

func BenchmarkPublish(b *testing.B) {
	x := bus.New()
	for range 8 {
		s := x.Subscribe(64)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range s.C {
			}
		}()
		defer func() { s.Close(); <-done }()
	}
	for b.Loop() {
		x.Publish(1)
	}
}
