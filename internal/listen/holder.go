package listen

import (
	"bufio"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// stateListen is TCP_LISTEN in the st column of /proc/net/tcp.
const stateListen = "0A"

// holder answers the pid of a process that listens where addr would, or 0 where /proc does not
// tell: it is absent, or the process belongs to somebody else.
func holder(addr string) int {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return 0
	}
	want, err := netip.ParseAddr(host)
	if err != nil {
		want = netip.Addr{} // a name, or none: any address will do
	}
	var sockets []string
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		sockets = append(sockets, listening(file, want.Unmap(), uint16(port))...)
	}
	return owner(sockets)
}

// listening answers the sockets in a file like /proc/net/tcp that listen on port at an address
// that overlaps want, as links in /proc/<pid>/fd show them.
func listening(file string, want netip.Addr, port uint16) (sockets []string) {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close() // only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st queues timer retrnsmt uid timeout inode …
		col := strings.Fields(lines.Text())
		if len(col) < 10 || col[3] != stateListen {
			continue
		}
		at, ok := parseProc(col[1])
		if !ok || at.Port() != port {
			continue
		}
		if a := at.Addr(); a == want || a.IsUnspecified() || !want.IsValid() || want.IsUnspecified() {
			sockets = append(sockets, "socket:["+col[9]+"]")
		}
	}
	return sockets
}

// parseProc reads the form 0100007F:0849: words of four bytes in the machine's order, which is
// little-endian on all that this is built for, then the port.
func parseProc(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// owner answers the pid of a process that has one of the sockets open.
func owner(sockets []string) int {
	if len(sockets) == 0 {
		return 0
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && slices.Contains(sockets, target) {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2]) // digits, by the pattern
			return pid
		}
	}
	return 0
}
