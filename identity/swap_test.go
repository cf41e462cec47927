package identity

import "testing"

// What a change of the account makes of a session is not what another log-in has made of it since.
func TestSwap(t *testing.T) {
	t.Parallel()
	r := newRegistry(Options{Limits: Limits{}}, nil)
	s := &Session{id: "x", registry: r}
	r.enlist(s)
	first, narrow, wide := &attachment{}, &attachment{held: LevelCustomer}, &attachment{held: LevelRoot}
	r.place(s, first)
	r.place(s, narrow)
	if r.swap(s, first, wide) || s.had() != narrow {
		t.Error("the wider one came back")
	}
	if !r.swap(s, narrow, wide) || s.had() != wide {
		t.Error("nothing was changed")
	}
}
