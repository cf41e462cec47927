package app

import (
	"trivium/identity"
	"trivium/identity/crypt3"
)

// foreignHash reads what other servers keep of passwords.
func foreignHash(text string) (identity.ForeignHash, error) {
	h, err := crypt3.Parse(text)
	if err != nil {
		return identity.ForeignHash{}, err
	}
	return identity.ForeignHash{Kind: h.Kind, Cost: h.Cost, Weak: h.Weak, Memory: h.Memory, Decoy: h.Decoy, Matches: h.Matches}, nil
}
