package ftp_test

import "testing"

// TestRest: who is silent after the log-in is read by another goroutine, and hears nothing of it;
// half a line that came before is not lost.
func TestRest(t *testing.T) {
	w := newWorld(t)
	c := dial(t, w.addr).login("alice", w.password)
	c.do(200, "NOOP")
	_, err := c.conn.Write([]byte("NO"))
	must(t, err)
	eventually(t, "the stack is small", func() bool { return w.srv.Rested() == 1 })
	_, err = c.conn.Write([]byte("OP\r\n"))
	must(t, err)
	c.want(200)
	c.do(221, "QUIT")
	c.ended()
}
