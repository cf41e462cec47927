package xmpp

// Hold keeps the acknowledgement of a stanza back (XEP-0198) until Done.
type Hold struct{}

// Done says that all that the stanza caused is durable.
func (h Hold) Done() {}

// Hold is called in the goroutine of the stanza that is being handled.
func (s *Stream) Hold() Hold { return Hold{} }
