// Package mam is the message archive of each account: what a person has sent and received, on all
// devices and after any fall of the server.
//
// [Store] is what it needs of a database, sqlstore is it over SQL, and storetest is the contract.
// A message gets its archive id before it is written, so that the delivered copies can carry it;
// it is acknowledged when it is on disk.
package mam
