// Package xmpp is the chat road: client streams, presence, rosters and messages.
package xmpp
