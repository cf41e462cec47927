package listen

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv("LISTEN_TEST_CHILD"); addr != "" {
		occupy(addr)
		return
	}
	goleak.VerifyTestMain(m)
}

// occupy is a child process that listens on addr, says where, and waits for its stdin to end.
func occupy(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func TestInUse(t *testing.T) {
	for _, tt := range []struct{ name, theirs, ours string }{
		{"the same", "127.0.0.1:0", "127.0.0.1"},
		{"ours on all", "127.0.0.1:0", ""},
		{"theirs on all", ":0", "127.0.0.1"},
		{"IPv6", "[::1]:0", "::1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), "LISTEN_TEST_CHILD="+tt.theirs)
			in, err := child.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := child.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = in.Close()
				if err := child.Wait(); err != nil {
					t.Error(err)
				}
			}()
			var at string
			if _, err := fmt.Fscan(out, &at); err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(at)
			if err != nil {
				t.Skipf("this machine cannot listen on %s: %s", tt.theirs, at)
			}
			addr := net.JoinHostPort(tt.ours, port)
			ln, err := TCP(t.Context(), addr)
			if err == nil {
				t.Fatal(errors.Join(errors.New("no error"), ln.Close()))
			}
			want := fmt.Sprintf("cannot listen on %s: in use by another program (pid %d)", addr, child.Process.Pid)
			if !strings.HasPrefix(err.Error(), want) || !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%q, want %q…", err, want)
			}
		})
	}
}

func TestInUseByOurselves(t *testing.T) {
	ln, err := TCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := TCP(t.Context(), ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "another listener of this server") {
		t.Errorf("%v", err)
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, addr, want string }{
		{"no port", "2121", "host:port"},
		{"empty", "", "host:port"},
		{"bare IPv6", "::1:21:x", "host:port"},
		{"port too high", ":70000", "no port"},
		{"negative port", ":-1", "no port"},
		{"service name", ":ftp", "no port"},
		{"URL", "tcp://localhost:1", "host:port"},
		{"space", "a b:1", "neither"},
		{"address of another", "192.0.2.1:0", "does not have that address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ln, err := TCP(t.Context(), tt.addr)
			if err == nil {
				t.Fatal(errors.Join(errors.New("no error"), ln.Close()))
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "cannot listen on ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
		})
	}
}

func TestPermission(t *testing.T) {
	// The errors of ports below 1024 depend on the user and the kernel's settings, so the system's
	// answer is given here.
	denied := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}
	for addr, want := range map[string]string{":21": "setcap cap_net_bind_service=+ep /", "[::1]:2121": "policy"} {
		t.Run(addr, func(t *testing.T) {
			if err := explain(addr, denied); !strings.Contains(err.Error(), want) || !errors.Is(err, os.ErrPermission) {
				t.Errorf("%q", err)
			}
		})
	}
}

func TestSocketOptions(t *testing.T) {
	ln, err := TCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var proto, keep int
	var perr, kerr error
	if err := raw.Control(func(fd uintptr) {
		const soProtocol = 0x26 // socket(7) SO_PROTOCOL
		proto, perr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soProtocol)
		keep, kerr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
	}); err != nil || perr != nil || kerr != nil {
		t.Fatal(err, perr, kerr)
	}
	if proto != syscall.IPPROTO_TCP || keep != 0 {
		t.Errorf("protocol %d, keep-alive %d", proto, keep)
	}
}

func TestParseProc(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"0100007F:0849", "127.0.0.1:2121"},
		{"00000000:0015", "0.0.0.0:21"},
		{"00000000000000000000000001000000:1466", "[::1]:5222"},
		{"0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"},
		{"0100007F", ""}, {"zz:01", ""}, {"0100:01", ""}, {"0100007F:FFFFF", ""},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, ok := parseProc(tt.text)
			if ok != (tt.want != "") || ok && got != netip.MustParseAddrPort(tt.want) {
				t.Errorf("%v, %v", got, ok)
			}
		})
	}
}

// short is a listener on which the system is short of descriptors for the first n accepts.
type short struct {
	net.Listener
	n   int
	err error
}

func (s *short) Accept() (net.Conn, error) {
	if s.n--; s.n >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", s.err.(syscall.Errno))}
	}
	return s.Listener.Accept()
}

func TestServe(t *testing.T) {
	inner, err := TCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var pauses []time.Duration
	done := make(chan error, 1)
	go func() {
		done <- Serve(&short{inner, 3, syscall.EMFILE}, func(c net.Conn) {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}, func(err error, pause time.Duration) {
			if !errors.Is(err, syscall.EMFILE) {
				t.Error(err)
			}
			pauses = append(pauses, pause)
		})
	}()
	// Two at once: a handler must not hold up the next connection.
	var conns []net.Conn
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for i := len(conns) - 1; i >= 0; i-- {
		if _, err := conns[i].Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conns[i], make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := inner.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after Close: %v", err)
	}
	if fmt.Sprint(pauses) != "[5ms 10ms 20ms]" {
		t.Errorf("pauses %v", pauses)
	}
}

func TestServeAnswersOtherErrors(t *testing.T) {
	ln, err := TCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	err = Serve(&short{ln, 1, syscall.EINVAL}, func(net.Conn) {})
	if !errors.Is(err, syscall.EINVAL) {
		t.Errorf("%v", err)
	}
}
