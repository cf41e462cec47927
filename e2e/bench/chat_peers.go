package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// The chat peers are Debian's Prosody and ejabberd, where they are installed; they bear one another.
// Both are set up to be fast and alike: no log, no limits, all data in memory's folder, no archive, the
// modules that a chat client of today asks for, passwords for SCRAM-SHA-256, and registration by
// anybody on loopback, which is how the accounts are made.

// chatDomain is the peers' domain.
const chatDomain = "bench.localhost"

// chatPeer says how to start one.
type chatPeer struct {
	name    string
	program string
	args    []string
	env     []string
	file    string
	conf    string
}

func chatPeers() []chatPeer {
	return []chatPeer{
		{name: "prosody", program: "/usr/bin/prosody", args: []string{"-F", "--config", "{{.Dir}}/prosody.cfg.lua"}, file: "prosody.cfg.lua", conf: prosodyConf},
		{name: "ejabberd", program: "/usr/bin/erl",
			args: []string{"+K", "true", "+P", "250000", "-noshell", "-noinput", "-mnesia", "dir", `"{{.Dir}}/spool"`, "-s", "ejabberd"},
			env: []string{"EJABBERD_CONFIG_PATH={{.Dir}}/ejabberd.yml", "EJABBERD_LOG_PATH={{.Dir}}/ejabberd.log", "EJABBERD_PID_PATH={{.Dir}}/ejabberd.pid",
				"ERL_LIBS=/usr/lib/x86_64-linux-gnu", "ERL_MAX_PORTS=32000", "HOME={{.Dir}}"},
			file: "ejabberd.yml", conf: ejabberdConf},
	}
}

const prosodyConf = `run_as_root = true
pidfile = "{{.Dir}}/prosody.pid"
data_path = "{{.Dir}}/data"
network_backend = "epoll"
interfaces = { "{{.Host}}" }
c2s_ports = { {{.Port}} }
c2s_direct_tls_ports = { }
http_ports = { }
https_ports = { }
modules_enabled = { "roster"; "saslauth"; "tls"; "disco"; "carbons"; "pep"; "private"; "blocklist"; "vcard4"; "vcard_legacy";
  "version"; "time"; "ping"; "register_ibr"; "csi_simple"; "smacks"; "offline"; }
modules_disabled = { "s2s" }
allow_registration = true
registration_throttle_max = 100000000
c2s_require_encryption = false
authentication = "internal_hashed"
password_hash = "SHA-256"
storage = "internal"
log = { error = "{{.Dir}}/prosody.log" }
ssl = { key = "{{.Pair.Key}}"; certificate = "{{.Pair.Cert}}" }
VirtualHost "` + chatDomain + `"
`

const ejabberdConf = `hosts: [ ` + chatDomain + ` ]
loglevel: error
certfiles: [ {{.Pair.Both}} ]
auth_method: [ internal ]
auth_password_format: scram
auth_scram_hash: sha256
listen:
  - { port: {{.Port}}, ip: "{{.Host}}", module: ejabberd_c2s, max_stanza_size: 262144, starttls: true, backlog: 511, shaper: none, access: all }
registration_timeout: infinity
shaper_rules: { max_user_sessions: 1000 }
modules:
  mod_blocking: {}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_disco: {}
  mod_last: {}
  mod_offline: {}
  mod_ping: {}
  mod_privacy: {}
  mod_private: {}
  mod_pubsub: { plugins: [ flat, pep ] }
  mod_register: { ip_access: all, access: all, welcome_message: {} }
  mod_roster: { versioning: true }
  mod_stream_mgmt: {}
  mod_time: {}
  mod_vcard: { search: false }
  mod_version: {}
`

// startChatPeer starts one with a folder of its own.
func startChatPeer(ctx context.Context, p chatPeer, dir string, pair keyPair, accounts int) (*chatServer, error) {
	if _, err := os.Stat(p.program); err != nil {
		return nil, errNoPeer
	}
	if p.name == "ejabberd" {
		if all, err := filepath.Glob("/usr/lib/*/ejabberd-*/ebin"); err != nil || len(all) == 0 {
			return nil, errNoPeer
		}
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	setup := peerSetup{Dir: filepath.Join(dir, p.name), Host: "127.0.0.1", Port: port, Pair: pair}
	if err := os.MkdirAll(setup.path("data"), 0o755); err != nil {
		return nil, err
	}
	conf, err := setup.expand(p.conf)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(setup.path(p.file), []byte(conf), 0o600); err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(setup.Host, fmt.Sprint(port))
	s := &chatServer{target: target{name: p.name, addr: addr, only: []string{"messages", "latency", "enter", "presence", "roster", "chat-idle"}}, clear: addr, domain: chatDomain}
	run := func() error { return s.runPeer(ctx, p, setup) }
	if err := run(); err != nil {
		return nil, err
	}
	s.again = func() error { s.stop(); return run() }
	if err := s.register(accounts); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *chatServer) runPeer(ctx context.Context, p chatPeer, setup peerSetup) error {
	var args, env []string
	for _, list := range []struct {
		from []string
		to   *[]string
	}{{p.args, &args}, {p.env, &env}} {
		for _, a := range list.from {
			a, err := setup.expand(a)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, a)
		}
	}
	cmd := exec.CommandContext(ctx, p.program, args...) // #nosec: our own table
	cmd.Env = append(os.Environ(), env...)
	apart(cmd)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err
	}
	s.pid = cmd.Process.Pid
	s.stop = func() { s.kill(); _ = cmd.Wait() }
	const tries = 300
	for range tries {
		c, err := net.DialTimeout("tcp", s.addr, time.Second)
		if err == nil {
			_ = c.Close()
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	s.stop()
	return fmt.Errorf("%s does not listen; it said: %.500s", p.name, said.String())
}

// register makes accounts, each on a connection of its own (XEP-0077).
func (s *chatServer) register(accounts int) error {
	return inParallel(accounts, parallel, func(i int) error {
		raw, err := net.DialTimeout("tcp", s.clear, patience)
		if err != nil {
			return err
		}
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(patience))
		c := &talker{raw: raw, conn: raw}
		if err := c.open(s.domain); err != nil {
			return err
		}
		_, err = c.ask("make", "set", "<query xmlns='jabber:iq:register'><username>"+s.user(i)+"</username><password>"+password+"</password></query>")
		return err
	})
}

// inParallel runs fn for 0 to n-1, some at once, and gives the first error.
func inParallel(n, atOnce int, fn func(i int) error) error {
	next, stop := make(chan int), make(chan struct{})
	errs := make(chan error, atOnce)
	var wg sync.WaitGroup
	var once sync.Once
	for range min(atOnce, n) {
		wg.Go(func() {
			for i := range next {
				if err := fn(i); err != nil {
					errs <- err
					once.Do(func() { close(stop) })
					return
				}
			}
		})
	}
loop:
	for i := range n {
		select {
		case next <- i:
		case <-stop:
			break loop
		}
	}
	close(next)
	wg.Wait()
	close(errs)
	var first error
	for err := range errs {
		if first == nil {
			first = err
		}
	}
	return first
}

// chatServer is one server that runs and is measured; target's addr is where STARTTLS is spoken.
type chatServer struct {
	target
	clear  string // where it is spoken without TLS
	domain string // "" for the limit
	again  func() error
	keys   sync.Map // salted passwords
}

func (s *chatServer) user(i int) string { return fmt.Sprintf("chat%05d", i) }
