package identity

// Store is what identity needs of a database; storetest is its contract.
type Store interface {
}

// Record is a sealed password record.
type Record struct {
	Sealed []byte
}
