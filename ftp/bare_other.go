//go:build !linux

package ftp

import "net"

// bare is not used here: every data connection is the runtime's.
type bare struct{ *net.TCPConn }

func (*door) bare(waits) *bare { return nil }

func (b *bare) tcp() (*net.TCPConn, error) { return b.TCPConn, nil }

func (*bare) reset() {}
