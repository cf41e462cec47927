// Package control holds the data directory: it makes and locks it, and opens the Unix socket in it
// over which the command line talks to the running server.
//
// Who may connect is decided by the kernel's word (SO_PEERCRED): the server's own user and root.
package control
