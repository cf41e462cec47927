package bustest

import (
	"sync"
	"testing"
	"time"

	"trivium/internal/bus"
)

// Bus is what every form of a bus offers.
type Bus interface {
	Publish(event any)
	Subscribe(buffer int) *bus.Subscription
}

// patience is how long an event that must come may take.
const patience = 10 * time.Second

// Run tries a form of the bus. open makes an empty one, and cleans up with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Bus) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, b Bus)
	}{
		{"every subscriber gets every event in order", everyEvent},
		{"nothing from before the subscription", nothingEarlier},
		{"publish never waits, and who lags hears so and goes on", lagging},
		{"one who lags holds up no other", lagsAlone},
		{"close ends the channel and only that", closing},
		{"publish, subscribe and close at the same time", atOnce},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// next reads one event.
func next(t *testing.T, s *bus.Subscription) (any, bool) {
	t.Helper()
	select {
	case e, ok := <-s.C:
		return e, ok
	case <-time.After(patience):
		t.Fatal("no event came")
		return nil, false
	}
}

func want(t *testing.T, s *bus.Subscription, event any) {
	t.Helper()
	if got, ok := next(t, s); !ok || got != event {
		t.Fatalf("got %v (open: %v), want %v", got, ok, event)
	}
}

func everyEvent(t *testing.T, b Bus) {
	subs := []*bus.Subscription{b.Subscribe(100), b.Subscribe(100)}
	for i := range 100 {
		b.Publish(i)
	}
	for _, s := range subs {
		defer s.Close()
		for i := range 100 {
			want(t, s, i)
		}
	}
}

func nothingEarlier(t *testing.T, b Bus) {
	b.Publish("earlier")
	s := b.Subscribe(1)
	defer s.Close()
	b.Publish("later")
	want(t, s, "later")
}

func lagging(t *testing.T, b Bus) {
	s := b.Subscribe(4)
	defer s.Close()
	for round := range 3 {
		for i := range 1000 {
			b.Publish(i)
		}
		lagged, last := 0, -1
		for lagged == 0 {
			switch e, _ := next(t, s); e := e.(type) {
			case bus.Lagged:
				lagged++
			case int:
				if e <= last {
					t.Fatalf("%d after %d", e, last)
				}
				last = e
			default:
				t.Fatalf("got %v", e)
			}
		}
		if last == 999 {
			t.Fatalf("round %d: Lagged, but nothing was lost", round)
		}
		b.Publish("end")
		want(t, s, "end")
	}
}

func lagsAlone(t *testing.T, b Bus) {
	slow, quick := b.Subscribe(1), b.Subscribe(10)
	defer slow.Close()
	defer quick.Close()
	for i := range 100 {
		b.Publish(i)
		want(t, quick, i)
	}
}

func closing(t *testing.T, b Bus) {
	s, other := b.Subscribe(2), b.Subscribe(2)
	defer other.Close()
	b.Publish(1)
	want(t, other, 1)
	s.Close()
	s.Close()
	b.Publish(2)
	want(t, other, 2)
	for range 2 { // what was queued before Close may be there, nothing from after it
		e, ok := next(t, s)
		if !ok {
			return
		}
		if e != 1 {
			t.Fatalf("got %v after Close", e)
		}
	}
	t.Fatal("the channel is not closed")
}

func atOnce(t *testing.T, b Bus) {
	var publishers, subscribers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		publishers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					b.Publish(i)
				}
			}
		})
		subscribers.Go(func() {
			for range 50 {
				s := b.Subscribe(2)
				for range 5 {
					if _, ok := <-s.C; !ok {
						t.Error("closed by another")
					}
				}
				s.Close()
			}
		})
	}
	subscribers.Wait()
	close(stop)
	publishers.Wait()
}
