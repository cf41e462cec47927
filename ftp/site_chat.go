package ftp

import (
	"context"
	"strings"

	"trivium/identity"
)

// Chat is what SITE MSG and SITE INVITE need of a chat. Its errors are those of identity; a user
// who does not exist, or who may not be reached, is identity.ErrNotFound.
type Chat interface {
	// Message sends a text from the session's user to another, by login or login@domain.
	Message(ctx context.Context, from *identity.Session, to, text string) error
	// Invite asks a user into a room, by its name or address.
	Invite(ctx context.Context, from *identity.Session, to, room string) error
}

// siteMsg is SITE MSG.
func (s *session) siteMsg(arg string) {
	to, text, _ := strings.Cut(arg, " ")
	if to == "" || strings.TrimSpace(text) == "" {
		s.reply(501, "SITE MSG <user> <text>")
		return
	}
	s.told(s.srv.chat.Message(s.ctx, s.ses, to, text), "Sent.")
}

// siteInvite is SITE INVITE.
func (s *session) siteInvite(arg string) {
	to, room, _ := strings.Cut(arg, " ")
	if to == "" || room == "" || strings.Contains(room, " ") {
		s.reply(501, "SITE INVITE <user> <room>")
		return
	}
	s.told(s.srv.chat.Invite(s.ctx, s.ses, to, room), "The invitation is sent.")
}

// told answers what the chat has done. An error of the road there stays out of the reply.
func (s *session) told(err error, text string) {
	switch a := replyTo(err); {
	case err == nil:
		s.reply(200, text)
	case a.text == absent:
		s.reply(550, "There is nobody of that name who can be reached.")
	case a == failed:
		s.logger().Error("chat", "error", err)
		s.reply(451, failed.text)
	default:
		s.fail(err)
	}
}
