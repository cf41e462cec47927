package mam

import "time"

// ID names a message in all archives that hold it. It is made before the message is written:
// microseconds since 1970 times 256, plus the number of the node. So ids of one node rise, two
// nodes never make the same, and the order of ids is the order of the archive. 0 is none. On the
// wire ids are opaque, see [Wire].
type ID int64

// nodeBits are the lowest bits of an ID.
const nodeBits = 8

// Time is when the message came, to the microsecond.
func (id ID) Time() time.Time { return time.UnixMicro(int64(id >> nodeBits)).UTC() }

// FirstAt is the lowest ID of a moment; 0 for one before 1970.
func FirstAt(t time.Time) ID {
	micro := t.UnixMicro()
	switch {
	case micro < 0:
		return 0
	case micro > maxMicro:
		return ID(maxMicro << nodeBits)
	}
	return ID(micro << nodeBits)
}

// LastAt is the highest ID of a moment.
func LastAt(t time.Time) ID { return FirstAt(t) | (1<<nodeBits - 1) }

const maxMicro = 1<<(63-nodeBits) - 1
