package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Which accounts a figure uses, so that none disturbs another.
const (
	chatPairs    = 50
	chatStar     = 2 * chatPairs // who is watched
	chatWatchers = 200
	chatRosters  = chatStar + 1 + chatWatchers // accounts with many contacts
	chatRosterN  = 20
	chatKept     = chatRosters + chatRosterN // whose archive is large
	chatIdle     = chatKept + 1              // and all that follow
)

// chatBench is one run of the figures of chat.
type chatBench struct {
	ctx     context.Context
	table   *table
	long    time.Duration // of a timed figure
	logs    int           // log-ins of one measurement
	idle    int           // sessions
	kept    int           // messages in a large archive
	servers []*chatServer
}

func chatFigures() []chatFigure {
	return []chatFigure{
		{"messages", "chat: messages between 50 pairs, 1, 8 and 50 under way in each, over TLS", (*chatBench).messages},
		{"latency", "chat: how long a message takes at 1,000/s, over TLS", (*chatBench).latency},
		{"enter", "chat: log-ins with roster and presence, 16 at once, TLS and clear", (*chatBench).enter},
		{"presence", "chat: presence that 200 see", (*chatBench).presence},
		{"roster", "chat: rosters of 200 fetched", (*chatBench).roster},
		{"archive", "chat: messages that are kept and acknowledged, and pages of an archive of -kept messages", (*chatBench).archive},
		{"chat-idle", "chat: memory of idle sessions over TLS, with roster, presence and stream management", (*chatBench).idling},
	}
}

// compareChat takes the figures of all servers.
func (o *options) compareChat(ctx context.Context, figures []chatFigure) error {
	dir, err := os.MkdirTemp(scratch(), "trivium-bench-chat-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &chatBench{ctx: ctx, table: newTable(), long: o.long, logs: o.enters, idle: max(o.chatters, 1), kept: o.kept}
	accounts := chatIdle
	for _, f := range figures {
		if f.name == "chat-idle" {
			accounts += b.idle
		}
	}
	err = b.start(o, dir, accounts)
	defer func() {
		for _, s := range b.servers {
			s.stop()
		}
	}()
	if err != nil {
		return err
	}
	err = inTurn(ctx, o.rounds, "chat: ", figures, b.servers, func(f chatFigure, s *chatServer) error {
		if s.again != nil { // each figure finds a server that has just started
			if err := s.again(); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		take(f, b, s, &s.target)
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("\nchat, %v each, median of %d; servers that take turns; ratios: 1.00 is the same, more is better\n\n", o.long, o.rounds)
	b.table.print(os.Stdout)
	return nil
}

// start starts the servers and makes the accounts.
func (b *chatBench) start(o *options, dir string, accounts int) error {
	pair, err := newKeyPair(dir)
	if err != nil {
		return err
	}
	add := func(name string, start func() (*chatServer, error)) error {
		if !o.wantsServer(name) {
			return nil
		}
		s, err := start()
		if errors.Is(err, errNoPeer) {
			fmt.Printf("%s: left out, it is not installed\n", name)
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.servers, b.table.names = append(b.servers, s), append(b.table.names, s.name)
		return nil
	}
	err = add(bareLimit, func() (*chatServer, error) { return startBareChat(b.ctx, pair) })
	for _, p := range chatPeers() {
		if err == nil {
			err = add(p.name, func() (*chatServer, error) { return startChatPeer(b.ctx, p, dir, pair, accounts) })
		}
	}
	if err == nil {
		err = add(ours, func() (*chatServer, error) { return ownChat(b.ctx, o.bin, accounts, false) })
	}
	if err == nil {
		err = add("trivium-archive", func() (*chatServer, error) { return ownChat(b.ctx, o.bin, chatIdle, true) })
	}
	return err
}

// ownChat starts our server with accounts. Without the archive it is as it is fair beside peers, whose
// archive is off; with it, its data lies on a disk, where that costs something.
func ownChat(ctx context.Context, bin string, accounts int, archive bool) (*chatServer, error) {
	name, parent, only := ours, scratch(), []string{"messages", "latency", "enter", "presence", "roster", "chat-idle"}
	if archive {
		name, parent, only = oursKeeps, os.TempDir(), []string{"messages", "latency", "archive"}
	}
	s, err := startIn(ctx, parent, bin, "--set", "xmpp.tls=optional", "--set", fmt.Sprintf("xmpp.archive=%t", archive))
	if err != nil {
		return nil, err
	}
	t := &chatServer{domain: "localhost"}
	fill := func() {
		t.target = target{name: name, addr: s.addr["xmpp"], pid: s.cmd.Process.Pid, only: only, stop: s.stop}
		t.clear = t.addr
	}
	fill()
	t.again = func() error {
		err := s.again(ctx)
		fill()
		return err
	}
	if err := s.addMany(ctx, accounts, t.user); err != nil {
		s.stop()
		return nil, err
	}
	return t, nil
}

// addMany makes accounts by the control socket, several at once.
func (s *server) addMany(ctx context.Context, n int, name func(i int) string) error {
	socket := filepath.Join(s.dir, "data", "control.sock")
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}}
	defer c.CloseIdleConnections()
	return inParallel(n, parallel, func(i int) error {
		body, err := json.Marshal(map[string]string{"login": name(i), "password": password})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://trivium/api/v1/users", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := c.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		said, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode >= 300 {
			err = fmt.Errorf("account %s: %s: %.200s", name(i), res.Status, said)
		}
		return err
	})
}
