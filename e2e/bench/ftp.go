package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type ftpConn struct {
	net.Conn
	r *bufio.Reader
}

func dialFTP(addr string) (*ftpConn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	f := &ftpConn{c, bufio.NewReader(c)}
	_, err = f.reply()
	return f, err
}

func (f *ftpConn) reply() (string, error) {
	for {
		line, err := f.r.ReadString('\n')
		if err != nil || len(line) > 3 && line[3] == ' ' {
			return strings.TrimSpace(line), err
		}
	}
}

func (f *ftpConn) do(line string) (string, error) {
	if _, err := fmt.Fprintf(f, "%s\r\n", line); err != nil {
		return "", err
	}
	return f.reply()
}

func (f *ftpConn) want(line, code string) (string, error) {
	got, err := f.do(line)
	if err == nil && !strings.HasPrefix(got, code) {
		err = fmt.Errorf("%s: got %s", strings.Fields(line)[0], got)
	}
	return got, err
}

func (f *ftpConn) data() (net.Conn, error) {
	got, err := f.want("EPSV", "229")
	if err != nil {
		return nil, err
	}
	var port int
	if _, err := fmt.Sscanf(got[strings.Index(got, "(|||"):], "(|||%d|)", &port); err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(f.RemoteAddr().String())
	if err != nil {
		return nil, err
	}
	return net.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

const fastPathSize = 64 << 20

// benchFastPath counts the server's system calls in one plain upload and one plain download.
func benchFastPath(ctx context.Context, bin string) error {
	if _, err := exec.LookPath("strace"); err != nil {
		fmt.Println("fast path: skipped, strace is not installed")
		return nil
	}
	s, err := start(ctx, bin)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.add(ctx, "bench"); err != nil {
		return err
	}
	f, err := dialFTP(s.addr["ftp"])
	if err != nil {
		return err
	}
	for _, step := range [][2]string{{"USER bench", "331"}, {"PASS " + password, "230"}, {"TYPE I", "200"}} {
		if _, err := f.want(step[0], step[1]); err != nil {
			return err
		}
	}
	trace := filepath.Join(s.dir, "strace")
	tr := exec.CommandContext(ctx, "strace", "-f", "-c", "-o", trace, "-e", "trace=sendfile,splice,read,write", "-p", fmt.Sprint(s.cmd.Process.Pid))
	stderr, err := tr.StderrPipe()
	if err != nil {
		return err
	}
	if err := tr.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(stderr).ReadString('\n'); err != nil { // "Process N attached"
		return err
	}
	if err := transfer(f, "STOR big", true); err != nil {
		return err
	}
	if err := transfer(f, "RETR big", false); err != nil {
		return err
	}
	_ = tr.Process.Signal(os.Interrupt)
	_ = tr.Wait()
	b, err := os.ReadFile(trace)
	if err != nil {
		return err
	}
	counts := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if w := strings.Fields(line); len(w) >= 5 {
			counts[w[len(w)-1]] = w[3]
		}
	}
	fmt.Printf("plain 64 MiB up and down, system calls:    splice %s, sendfile %s, read %s, write %s\n",
		counts["splice"], counts["sendfile"], counts["read"], counts["write"])
	return nil
}

func transfer(f *ftpConn, verb string, up bool) error {
	d, err := f.data()
	if err != nil {
		return err
	}
	if _, err := f.want(verb, "150"); err != nil {
		return err
	}
	if up {
		_, err = io.CopyN(d, zeros{}, fastPathSize)
	} else {
		_, err = io.Copy(io.Discard, d)
	}
	_ = d.Close()
	if err != nil {
		return err
	}
	got, err := f.reply()
	if err == nil && !strings.HasPrefix(got, "226") {
		err = fmt.Errorf("%s: got %s", verb, got)
	}
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

const (
	stormConns = 200
	stormTime  = 10 * time.Second
)

// benchStorm lets 200 connections guess while one person logs in again and again.
func benchStorm(ctx context.Context, bin string) error {
	s, err := start(ctx, bin)
	if err != nil {
		return err
	}
	defer s.stop()
	for _, u := range []string{"victim", "honest"} {
		if err := s.add(ctx, u); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stormTime)
	defer cancel()
	var guesses atomic.Int64
	var wg sync.WaitGroup
	for i := range stormConns {
		wg.Go(func() { guess(ctx, s.addr["ftp"], i, &guesses) })
	}
	var honest []time.Duration
	refused := 0
	for ctx.Err() == nil {
		begin := time.Now()
		if err := login(s.addr["ftp"], "honest"); err != nil {
			refused++
		} else {
			honest = append(honest, time.Since(begin))
		}
	}
	wg.Wait()
	hwm, err := s.kib("VmHWM")
	if err != nil {
		return err
	}
	if len(honest) == 0 {
		return fmt.Errorf("no honest log-in came through, %d refused", refused)
	}
	slices.Sort(honest)
	fmt.Printf("storm of wrong passwords, %d connections:  %d guesses/s, peak RSS %d MB; honest log-ins %d (p50 %d ms, max %d ms), %d refused\n",
		stormConns, guesses.Load()/int64(stormTime.Seconds()), hwm/1024, len(honest),
		honest[len(honest)/2].Milliseconds(), honest[len(honest)-1].Milliseconds(), refused)
	return nil
}

func guess(ctx context.Context, addr string, i int, n *atomic.Int64) {
	for ctx.Err() == nil {
		f, err := dialFTP(addr)
		if err != nil {
			continue
		}
		_ = f.SetDeadline(time.Now().Add(stormTime))
		for ctx.Err() == nil {
			if _, err = f.do(fmt.Sprintf("USER victim%d", i%50)); err != nil {
				break
			}
			if _, err = f.do("PASS wrong"); err != nil {
				break
			}
			n.Add(1)
		}
		_ = f.Close()
	}
}

func login(addr, user string) error {
	f, err := dialFTP(addr)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if _, err := f.want("USER "+user, "331"); err != nil {
		return err
	}
	if _, err := f.want("PASS "+password, "230"); err != nil {
		return err
	}
	_, err = f.want("QUIT", "221")
	return err
}
