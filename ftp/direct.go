package ftp

import (
	"crypto/tls"
	"io"
)

// direct is the engine of what is soon done: it carries a transfer to its end before Transfer
// returns, in the goroutine that runs the command, and takes about half of the processor time of
// the library for a small file. Should it not be soon done after all, the session gets another
// goroutine to read on (see watch).
type direct struct{ srv *Server }

// Transfer: see engine.
func (d direct) Transfer(t *transfer) {
	err := d.carry(t)
	t.over(err == nil)
	if t.bare != nil {
		_ = t.bare.Close() // of an upload that has come: nobody waits for it
	}
}

func (d direct) carry(t *transfer) error {
	if !t.prot && (t.list != nil || t.size <= small) {
		if t.bare = t.door.bare(d.srv.waits); t.bare != nil {
			t.started()
			return t.through(t.bare)
		}
	}
	conn, err := t.door.open()
	if err != nil {
		return err
	}
	t.started()
	if !t.prot {
		return t.through(conn)
	}
	return t.through(tls.Server(t.wired(conn), t.s.dataTLS()))
}

// through moves the bytes and closes both ends; an upload is settled first. Where the client has sent
// all of one and closed its side, the connection is left to be closed behind the reply (RFC 959 section
// 3.3 has no order of the two): closing takes the kernel longer than anything else of a small file.
func (t *transfer) through(conn io.ReadWriteCloser) error {
	h := handle{t}
	if t.upload != nil {
		_, _ = h.ReadFrom(conn) // its error is t.err, as Close's
	} else {
		_, _ = h.WriteTo(conn)
	}
	err := h.Close()
	if t.bare == nil || t.upload == nil || err != nil {
		_ = conn.Close() // what it had to say has been flushed
	}
	return err
}

// End: see engine.
func (direct) End() {}
