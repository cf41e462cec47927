package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// The peers are Debian's packages. They exclude one another, so they are unpacked beside one another
// and not installed; what they need of the system (an account, a PAM service) they see in a mount
// namespace of their own, and nothing of it stays.
//
// All are set up to be fast: no log, no look-ups of names, no delays, sendfile on, any TLS session on
// data connections. Each has one account, whose password is checked against the same hash.

// peerUser is the account of the peers, peerID its uid and gid.
const (
	peerUser = "bench"
	peerID   = 2121
	// peerHash is crypt(3) of password by SHA-512 in 1,000 rounds, the fewest: log-ins are to compare servers.
	peerHash = "$6$rounds=1000$benchsaltbench$NK2N3O.rET.vqnO.XLeFdQoRPr6faQiMJwJ.EuEs4IhvjjRlZcy6oKkVE4uxlq5cCZ.ciXbN8zpM8eSwgo9hZ0"
)

// peerPackages are what -unpack fetches.
var peerPackages = []string{"proftpd-core", "proftpd-mod-crypto", "vsftpd", "pure-ftpd", "pure-ftpd-common"}

// unpackPeers fetches the packages into a folder, without installing anything.
func unpackPeers(ctx context.Context, dir string) error {
	debs := filepath.Join(dir, "deb")
	if err := os.MkdirAll(debs, 0o755); err != nil {
		return err
	}
	get := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "download"}, peerPackages...)...)
	get.Dir = debs
	if out, err := get.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download: %w: %s", err, out)
	}
	all, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range all {
		if out, err := exec.CommandContext(ctx, "dpkg", "-x", deb, dir).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg -x: %w: %s", err, out)
		}
	}
	return nil
}

// keyPair is a certificate for the peers and the limit, as files.
type keyPair struct{ Cert, Key, Both string }

func newKeyPair(dir string) (p keyPair, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return p, err
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(now.Unix()), Subject: pkix.Name{CommonName: "bench"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), DNSNames: []string{"bench"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return p, err
	}
	bits, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return p, err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bits})
	p = keyPair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "both.pem")}
	return p, errors.Join(os.WriteFile(p.Cert, cert, 0o600), os.WriteFile(p.Key, private, 0o600),
		os.WriteFile(p.Both, append(private, cert...), 0o600))
}

// peerSetup is what the configurations are filled with.
type peerSetup struct {
	Root string // where the packages are unpacked; "/" where one is installed
	Dir  string // for files of this run
	Home string
	Host string
	Port int
	Pair keyPair
	User string
	ID   int
	Hash string
	Many int
}

// peer says how to start one.
type peer struct {
	name    string
	program string // below the root
	files   map[string]string
	args    []string
	prepare []string // a command to run first
	bind    [][2]string
}

func (s peerSetup) path(name string) string { return filepath.Join(s.Dir, name) }

// peers lists them.
func peers() []peer {
	return []peer{
		{name: "pure-ftpd", program: "usr/sbin/pure-ftpd",
			args: []string{"-S", "{{.Host}},{{.Port}}", "-c", "4000", "-C", "4000", "-l", "puredb:{{.Dir}}/pure.pdb", "-E", "-H", "-A", "-4",
				"-Y", "1", "-2", "{{.Pair.Both}}", "-L", "100000:20", "-I", "30", "-f", "none", "-g", "{{.Dir}}/pure.pid"},
			files:   map[string]string{"pure.passwd": "{{.User}}:{{.Hash}}:{{.ID}}:{{.ID}}::{{.Home}}/./::::::::::::\n"},
			prepare: []string{"usr/bin/pure-pw", "mkdb", "{{.Dir}}/pure.pdb", "-f", "{{.Dir}}/pure.passwd"}},
		{name: "proftpd", program: "usr/sbin/proftpd", args: []string{"-n", "-q", "-c", "{{.Dir}}/proftpd.conf"},
			files: map[string]string{"proftpd.conf": proftpdConf,
				"proftpd-passwd": "nobody:*:65534:65534::/:/bin/sh\n{{.User}}:{{.Hash}}:{{.ID}}:{{.ID}}::{{.Home}}:/bin/sh\n",
				"proftpd-group":  "nogroup:*:65534:\n{{.User}}:*:{{.ID}}:\n"}},
		{name: "vsftpd", program: "usr/sbin/vsftpd", args: []string{"{{.Dir}}/vsftpd.conf"},
			files: map[string]string{"vsftpd.conf": vsftpdConf, "vsftpd-pam.d/bench": "auth required pam_unix.so\naccount required pam_unix.so\n",
				"vsftpd-passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n{{.User}}:x:{{.ID}}:{{.ID}}::{{.Home}}:/bin/sh\n",
				"vsftpd-shadow": "root:*:1::::::\nnobody:*:1::::::\n{{.User}}:{{.Hash}}:1::::::\n", "empty/.keep": ""},
			bind: [][2]string{{"vsftpd-pam.d", "/etc/pam.d"}, {"vsftpd-passwd", "/etc/passwd"}, {"vsftpd-shadow", "/etc/shadow"}}},
	}
}

const vsftpdConf = `listen=YES
listen_ipv6=NO
listen_address={{.Host}}
listen_port={{.Port}}
background=NO
local_enable=YES
anonymous_enable=NO
write_enable=YES
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir={{.Dir}}/empty
nopriv_user=nobody
pam_service_name=bench
session_support=NO
xferlog_enable=NO
use_sendfile=YES
ascii_download_enable=YES
ascii_upload_enable=YES
max_clients=0
max_per_ip=0
idle_session_timeout=1800
seccomp_sandbox=NO
isolate_network=NO
ssl_enable=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file={{.Pair.Cert}}
rsa_private_key_file={{.Pair.Key}}
`

const proftpdConf = `ServerType standalone
ServerName bench
DefaultAddress {{.Host}}
Port {{.Port}}
SocketBindTight on
UseIPv6 off
User nobody
Group nogroup
MaxInstances 4000
ModulePath {{.Root}}/usr/lib/proftpd
LoadModule mod_tls.c
AuthOrder mod_auth_file.c
AuthUserFile {{.Dir}}/proftpd-passwd
AuthGroupFile {{.Dir}}/proftpd-group
RequireValidShell off
DefaultRoot ~
PidFile {{.Dir}}/proftpd.pid
ScoreboardFile {{.Dir}}/proftpd.score
SystemLog none
TransferLog none
WtmpLog off
UseReverseDNS off
UseSendfile on
TimeoutIdle 1800
AllowOverwrite on
AllowStoreRestart on
ListOptions "" maxfiles {{.Many}}
<IfModule mod_delay.c>
DelayEngine off
</IfModule>
<IfModule mod_ctrls.c>
ControlsEngine off
</IfModule>
TLSEngine on
TLSRequired off
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {{.Pair.Cert}}
TLSECCertificateKeyFile {{.Pair.Key}}
TLSCACertificateFile {{.Pair.Cert}}
TLSVerifyClient off
TLSOptions NoSessionReuseRequired
`

// expand fills a template.
func (s peerSetup) expand(text string) (string, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, s)
	return b.String(), err
}

// errNoPeer means that a peer is not there.
var errNoPeer = errors.New("neither installed nor unpacked")

// startPeer starts one with a home of its own.
func startPeer(ctx context.Context, p peer, root, dir string, pair keyPair) (*target, error) {
	if _, err := os.Stat(filepath.Join(root, p.program)); err != nil {
		root = "/"
		if _, err := os.Stat(filepath.Join(root, p.program)); err != nil {
			return nil, errNoPeer
		}
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("the peers drop root's rights, so this must be run as root")
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, p.name)
	s := peerSetup{Root: root, Dir: dir, Home: filepath.Join(dir, "home"), Host: "127.0.0.1", Port: port, Pair: pair,
		User: peerUser, ID: peerID, Hash: peerHash, Many: 10 * manyFiles}
	if err := os.MkdirAll(s.Home, 0o755); err != nil {
		return nil, err
	}
	for name, text := range p.files {
		if text, err = s.expand(text); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	argv := func(program string, args []string) ([]string, error) {
		out := []string{filepath.Join(root, program)}
		for _, a := range args {
			a, err := s.expand(a)
			if err != nil {
				return nil, err
			}
			out = append(out, a)
		}
		return out, nil
	}
	if p.prepare != nil {
		args, err := argv(p.prepare[0], p.prepare[1:])
		if err != nil {
			return nil, err
		}
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil { // #nosec: our own table
			return nil, fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	args, err := argv(p.program, p.args)
	if err != nil {
		return nil, err
	}
	var script strings.Builder
	for _, b := range p.bind {
		fmt.Fprintf(&script, "mount --bind %s %s && ", s.path(b[0]), b[1])
	}
	script.WriteString(`exec "$@"`)
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script.String(), "sh"}, args...)...) // #nosec: our own table
	apart(cmd)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &target{name: p.name, addr: net.JoinHostPort(s.Host, fmt.Sprint(port)), user: peerUser, password: password,
		pid: cmd.Process.Pid, home: s.Home, uid: peerID}
	t.stop = func() { t.kill(); _ = cmd.Wait() }
	if err := t.answers(ctx); err != nil {
		t.stop()
		return nil, fmt.Errorf("%s: %w; it said: %.500s", p.name, err, said.String())
	}
	return t, nil
}

// answers waits until the server greets.
func (t *target) answers(ctx context.Context) error {
	const tries = 100
	var err error
	for range tries {
		var c *client
		if c, err = dial(t.addr, nil); err == nil {
			c.close()
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
