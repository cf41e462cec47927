// Package httpio moves the bytes of files between HTTP and a disk: bodies that may take hours but
// never stand still, answers that reach sendfile(2), both counted while they go and cut when their
// session ends.
package httpio
