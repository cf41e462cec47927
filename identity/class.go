package identity

import "net/netip"

// Class is a named set of client addresses, as ProFTPD's <Class>, with what it bounds. It is
// decided when the connection is accepted; the first class that matches is the session's.
type Class struct {
	Name                               string
	From                               []netip.Prefix
	Hosts                              []string // host name globs; the name must resolve back to the address
	All, Any                           []string // names of other classes: all of them, any of them
	Not                                bool     // the whole condition negated
	Roads                              []Road   // roads open to it; empty: all
	MaxLevel                           Level    // caps the held level; 0: no cap
	TLSRequired                        bool
	MaxSessions, MaxSessionsPerAddress int // 0: no limit
}
