package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// TCP listens on addr: host:port, where an empty host means all addresses and port 0 any free
// port. Keep-alive probes are left to the caller, who knows what an idle connection means on its
// road, and Multipath TCP is off, since it takes sendfile and TCP_INFO from the connections. The
// error is one line for a person; errors.Is finds the system's own in it.
func TCP(ctx context.Context, addr string) (net.Listener, error) {
	if err := check(addr); err != nil {
		return nil, err
	}
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, explain(addr, err)
	}
	return ln, nil
}

// fault is an error whose text says all of its cause that a person needs.
type fault struct {
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// check finds what is wrong with the form of addr.
func check(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return &fault{fmt.Sprintf("cannot listen on %q: it is no address. Write host:port, :port for all addresses, or [IPv6]:port", addr), err}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return &fault{fmt.Sprintf("cannot listen on %q: %q is no port. Write a number from 0 to 65535 behind the colon", addr, port), err}
	}
	if strings.ContainsAny(host, "/ ") {
		return &fault{fmt.Sprintf("cannot listen on %q: %q is neither an address of this machine nor a name", addr, host), nil}
	}
	return nil
}

// explain says what an error of listening means.
func explain(addr string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &fault{fmt.Sprintf("cannot listen on %s: in use by %s. Stop it, or set another address", addr, user(addr)), err}
	case errors.Is(err, syscall.EACCES) && !privileged(addr):
		return &fault{fmt.Sprintf("cannot listen on %s: permission denied by the system's policy (SELinux, AppArmor or the unit's sandbox). Allow it there, or set another port", addr), err}
	case errors.Is(err, syscall.EACCES):
		program, perr := os.Executable()
		if perr != nil {
			program = "trivium"
		}
		return &fault{fmt.Sprintf("cannot listen on %s: permission denied, as ports below 1024 need a right of their own. Run `sudo setcap cap_net_bind_service=+ep %s`, or set a port from 1024 up", addr, program), err}
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return &fault{fmt.Sprintf("cannot listen on %s: this machine does not have that address. Set one that it has, or :port for all", addr), err}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &fault{fmt.Sprintf("cannot listen on %s: too many open files. Raise the limit (ulimit -n, or LimitNOFILE in the systemd unit)", addr), err}
	case errors.Is(err, syscall.EAFNOSUPPORT):
		return &fault{fmt.Sprintf("cannot listen on %s: this machine does not speak that kind of address. Set an address of another kind", addr), err}
	case errors.As(err, &dns):
		return &fault{fmt.Sprintf("cannot listen on %s: the name %s has no address. Set an address of this machine, or :port for all", addr, dns.Name), err}
	}
	return fmt.Errorf("cannot listen on %s: %w", addr, err)
}

// privileged reports whether the port is one that only some programs may open (by default below
// 1024, ip(7) ip_unprivileged_port_start).
func privileged(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	n, perr := strconv.Atoi(port)
	return err == nil && perr == nil && n < 1024
}

// user names the program that listens on addr, with its pid where that can be seen.
func user(addr string) string {
	switch pid := holder(addr); pid {
	case 0:
		return "another program"
	case os.Getpid():
		return "another listener of this server"
	default:
		return fmt.Sprintf("another program (pid %d)", pid)
	}
}
