// Package listen opens TCP listeners with errors that say what to do, and accepts on them without
// giving up when descriptors run out.
//
// Not here: PROXY protocol, sockets handed over by systemd.
package listen
