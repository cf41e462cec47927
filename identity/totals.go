package identity

import "sync/atomic"

// Totals are what all sessions together have done since the start, those that have ended included, for
// those who watch the server.
type Totals struct {
	BytesIn, BytesOut int64
	Transfers         int64 // begun, of files and listings
	LoginsOK          int64
	LoginsRefused     int64 // wrong ones, and those that a throttle or a ban did not let try
}

// totals counts beside the sessions' own counts; each has a cache line of its own, as all processors
// write the first two.
type totals struct {
	in  atomic.Int64
	_   [56]byte
	out atomic.Int64
	_   [56]byte

	transfers, loginsOK, loginsRefused atomic.Int64
}

// Totals reads the counters.
func (r *Registry) Totals() Totals {
	t := &r.totals
	return Totals{BytesIn: t.in.Load(), BytesOut: t.out.Load(), Transfers: t.transfers.Load(),
		LoginsOK: t.loginsOK.Load(), LoginsRefused: t.loginsRefused.Load()}
}

// CountByProtocol is how many sessions of each protocol are listed now. It reads no session.
func (r *Registry) CountByProtocol() map[Protocol]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make(map[Protocol]int, len(r.protocols))
	for p, n := range r.protocols {
		list[p] = n
	}
	return list
}
