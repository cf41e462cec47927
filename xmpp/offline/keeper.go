package offline

import (
	"context"
	"sync"
	"time"

	"trivium/xmpp"
)

// Bounds of the keeper: messages that wait to be written, and the time for one transaction.
const (
	maxQueued  = 4096
	keepWithin = 30 * time.Second
)

// keeper writes messages behind those who send them, many in one transaction. A message is
// acknowledged to its sender (XEP-0198) when it is durable.
type keeper struct {
	o *Offline

	mu      sync.Mutex // guards what follows
	room    *sync.Cond
	queue   []queued
	running bool
}

type queued struct {
	Waiting
	owner xmpp.Owner
	hold  xmpp.Hold
}

// put queues a message; where very many wait, the sender waits too.
func (k *keeper) put(w Waiting, owner xmpp.Owner, h xmpp.Hold) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.queue) >= maxQueued {
		k.room.Wait()
	}
	k.queue = append(k.queue, queued{w, owner, h})
	if !k.running {
		k.running = true
		go k.run()
	}
}

// run writes until nothing is left.
func (k *keeper) run() {
	for {
		k.mu.Lock()
		batch := k.queue
		k.queue = nil
		if len(batch) == 0 {
			k.running = false
			k.mu.Unlock()
			return
		}
		k.room.Broadcast()
		k.mu.Unlock()
		k.write(batch)
	}
}

func (k *keeper) write(batch []queued) {
	ctx, cancel := context.WithTimeout(context.Background(), keepWithin)
	defer cancel()
	list := make([]Waiting, len(batch))
	for i, q := range batch {
		list[i] = q.Waiting
	}
	if _, err := k.o.write(ctx, list, k.o.max); err != nil {
		// The archive has them, and so has a client that reads it; one that does not gets none of
		// these. Not to acknowledge them would end their senders' sessions for no use.
		k.o.log.Error("messages were not kept for those who are away", "messages", len(list), "error", err)
	}
	told := make(map[xmpp.Owner]bool)
	for _, q := range batch {
		q.hold.Done()
		if !told[q.owner] {
			told[q.owner] = true
			k.o.late(ctx, q.owner)
		}
	}
}
