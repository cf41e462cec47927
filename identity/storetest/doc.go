// Package storetest is the contract of identity.Store as a test: every implementation passes it.
package storetest
