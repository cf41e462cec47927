// Package bus carries events from the package that causes them to whoever watches, within one
// process.
//
// An event is a value of a type that the causing package defines. Delivery is a hint: the store
// holds the truth, so a subscriber that falls behind loses events, hears so once ([Lagged]), and
// reads the truth again. Whoever publishes writes to the store first.
//
// bustest holds the contract as a test, for this form and for later ones between machines.
package bus
