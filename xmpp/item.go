package xmpp

// Item is one item of a node of an account (XEP-0060), as modules hand it to one another. Payload is
// one whole element.
type Item struct {
	ID      string
	Payload []byte
}
