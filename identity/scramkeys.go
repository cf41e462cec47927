package identity

import "fmt"

// SCRAMKeys are what a server keeps of a password for one mechanism (RFC 5802 section 3), for who moves
// an account elsewhere. Who has them can guess at the password, and pass for the server.
type SCRAMKeys struct {
	Mechanism      string // SCRAM-SHA-256 or SCRAM-SHA-1
	Iterations     int
	Salt           []byte
	Stored, Server []byte
}

// OpenSCRAMKeys returns the keys of an account's record, which the seal key opens; none where it has no
// password, or one that is kept otherwise.
func OpenSCRAMKeys(sealKey []byte, id UserID, r Record) ([]SCRAMKeys, error) {
	if len(r.Sealed) == 0 {
		return nil, nil
	}
	seal, err := newSealer(sealKey)
	if err != nil {
		return nil, err
	}
	rec, err := (&passwords{seal: seal}).open(id, r)
	if err != nil {
		return nil, fmt.Errorf("reading SCRAM keys: %w", err)
	}
	var list []SCRAMKeys
	for _, k := range []struct {
		name string
		keys *scramKeys
	}{{"SCRAM-SHA-256", rec.SHA256}, {"SCRAM-SHA-1", rec.SHA1}} {
		if rec.Kind == recordSCRAM && k.keys != nil && rec.Iterations > 0 {
			list = append(list, SCRAMKeys{k.name, rec.Iterations, rec.Salt, k.keys.Stored, k.keys.Server})
		}
	}
	return list, nil
}
