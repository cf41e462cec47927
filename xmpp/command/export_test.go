package command

import "trivium/xmpp"

// Submitted is the reader of forms.
func Submitted(el *xmpp.Element) (Values, bool) { return submitted(el) }
