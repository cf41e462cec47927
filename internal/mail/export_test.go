package mail

import (
	"bytes"
	"context"
)

// SendDue sends what is due now.
func (q *Queue) SendDue(ctx context.Context) { q.sendDue(ctx) }

// Head is a mail as it goes over the wire.
func (q *Queue) Head(m Message) (string, error) {
	msg, err := q.build("id", m)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	_, err = msg.WriteTo(&b)
	return b.String(), err
}
