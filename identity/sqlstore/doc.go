// Package sqlstore keeps accounts, browser sessions, bans, settings and the audit log of identity
// in the SQL store. It implements identity.Store; storetest is the contract that it is tested by.
//
// Times are kept to the microsecond. An error that is none of identity's own sentinels and not the
// caller's context wraps identity.ErrUnavailable.
package sqlstore
