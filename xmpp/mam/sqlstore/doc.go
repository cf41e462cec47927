// Package sqlstore is a mam.Store over sqldb.
//
// Messages are appended to one table in the order in which they come, once for both archives, so
// that a write touches pages at one end only, however many people write. Which messages an
// archive holds stands in an index, and that is written behind, some thousands of messages at a
// time: until then the end of the log, which is the truth, is known from memory, and read again
// at the start. Both halves never overlap: a watermark divides them.
//
// A run of the index is a row with up to some hundred ids. The rows of one archive are read in
// order, once for all messages, once for each contact; the third kind holds the keys by which a
// message that is sent again is known.
package sqlstore
