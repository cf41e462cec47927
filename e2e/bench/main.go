// Command bench measures what is promised of speed and memory. It starts the servers itself on free
// ports: this program's, Debian's vsftpd, ProFTPD and Pure-FTPd where they are there, and one that
// does nothing but copy, which is the limit of the machine. The servers take turns, figure by figure;
// medians are printed, and how ours stands to the best. Other figures are of our server alone.
// Figures are for reading side by side on one machine; nothing here passes or fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	bin, figures, servers, peers  string
	full, unpack                  bool
	size                          int64
	rounds, files, logs, sessions int
	soak, crowd, enters, chatters int
	guesses                       int
	kept, people                  int
	long                          time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/trivium", "the server's binary")
	flag.StringVar(&o.figures, "figures", "", "some, by commas; none or all: all of these:\n"+describe())
	flag.StringVar(&o.servers, "servers", "", "to compare, by commas: trivium, limit; FTP: trivium-sync, vsftpd, proftpd, pure-ftpd; chat: trivium-archive, prosody, ejabberd; none: all that are there")
	flag.StringVar(&o.peers, "peers", filepath.Join(os.TempDir(), "trivium-bench-peers"), "where the peers' packages are unpacked")
	flag.BoolVar(&o.unpack, "unpack", false, "fetch the peers' packages first, by apt-get, without installing them")
	flag.BoolVar(&o.full, "full", false, "all figures at full length: 1 GiB, 3 rounds, a soak of 100,000")
	flag.Int64Var(&o.size, "size", 256, "bulk transfer, MiB")
	flag.IntVar(&o.rounds, "rounds", 1, "how often each figure is taken; the median counts")
	flag.IntVar(&o.files, "files", 500, "small files of one measurement")
	flag.IntVar(&o.logs, "logins", 400, "log-ins of one measurement")
	flag.IntVar(&o.sessions, "sessions", 250, "idle FTP sessions; of our server ten times as many")
	flag.IntVar(&o.chatters, "chatters", 1000, "idle chat sessions")
	flag.IntVar(&o.enters, "enters", 1000, "chat log-ins of one measurement")
	flag.IntVar(&o.kept, "kept", 20_000, "messages in the archive whose pages are read")
	flag.IntVar(&o.people, "people", 20_000, "accounts of the table that the web shows")
	flag.DurationVar(&o.long, "time", 3*time.Second, "length of a figure of chat and web that is timed")
	flag.IntVar(&o.crowd, "crowd", 1000, "FTP sessions with transfers at once")
	flag.IntVar(&o.soak, "soak", 2000, "log-ins of the soak")
	flag.IntVar(&o.guesses, "guesses", 1000, "wrong passwords of each kind of name")
	bareHome := flag.String(bareFlag, "", "serve a folder as the limit (used by this program itself)")
	bareChat := flag.Bool(bareChatFlag, false, "relay messages as the limit of chat (used by this program itself)")
	bareWeb := flag.String(bareWebFlag, "", "serve a folder as the limit of the web (used by this program itself)")
	cert := flag.String("cert", "", "certificate and key for that")
	flag.Parse()
	if *bareHome != "" {
		exit(serveBare(*bareHome, *cert))
		return
	}
	if *bareWeb != "" {
		exit(serveBareWeb(*bareWeb))
		return
	}
	if *bareChat {
		exit(serveBareChat(*cert))
		return
	}
	if o.full {
		given := map[string]bool{}
		flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
		for name, value := range map[string]string{"figures": "all", "size": "1024", "rounds": "3", "files": "1000", "logins": "800", "soak": "100000", "chatters": "5000", "enters": "5000", "kept": "1000000", "people": "100000", "time": "8s"} {
			if !given[name] {
				exit(flag.Set(name, value))
			}
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx)
	stop()
	exit(err)
	os.Exit(0)
}

// exit ends the program with an error, if there is one.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// single is a figure of our server alone.
type single struct {
	name, about string
	run         func(ctx context.Context, bin string) error
	byHand      bool // taken where it is named alone
}

func (o *options) alone() []single {
	return []single{
		{name: "start", about: "start to ready", run: benchStart},
		{name: "fastpath", about: "system calls of a plain transfer", run: benchFastPath},
		{name: "storm", about: "log-ins amid wrong passwords", run: benchStorm},
		{name: "crowd", about: "many FTP sessions with transfers at once", run: func(ctx context.Context, bin string) error { return benchCrowd(ctx, bin, o.crowd) }},
		{name: "soak", about: "what the server holds after many log-ins and transfers", run: func(ctx context.Context, bin string) error { return benchSoak(ctx, bin, o.soak) }},
		{name: "guess", about: "whether the time of a wrong log-in tells which accounts there are; by hand", byHand: true,
			run: func(ctx context.Context, bin string) error { return benchGuess(ctx, bin, o.guesses) }},
	}
}

// describe lists the figures.
func describe() string {
	var b strings.Builder
	for _, f := range ofServers() {
		name, about := f.title()
		fmt.Fprintf(&b, "  %-10s %s\n", name, about)
	}
	for _, f := range new(options).alone() {
		fmt.Fprintf(&b, "  %-10s %s (ours alone)\n", f.name, f.about)
	}
	return b.String()
}

// wants reports whether a figure is to be taken.
func (o *options) wants(name string) bool {
	return o.figures == "" || o.figures == "all" || slices.Contains(strings.Split(o.figures, ","), name)
}

func (o *options) wantsServer(name string) bool {
	return o.servers == "" || slices.Contains(strings.Split(o.servers, ","), name)
}

func (o *options) run(ctx context.Context) error {
	o.size <<= 20
	if err := o.known(); err != nil {
		return err
	}
	if o.unpack {
		if err := unpackPeers(ctx, o.peers); err != nil {
			return err
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		fmt.Printf("load of the machine when it began: %s", load)
	}
	for _, f := range o.alone() {
		if !o.wants(f.name) || f.byHand && !slices.Contains(strings.Split(o.figures, ","), f.name) {
			continue
		}
		if err := f.run(ctx, o.bin); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if figures := wanted(o, compared()); len(figures) > 0 {
		if err := o.compare(ctx, figures); err != nil {
			return err
		}
	}
	if figures := wanted(o, chatFigures()); len(figures) > 0 {
		if err := o.compareChat(ctx, figures); err != nil {
			return err
		}
	}
	if figures := wanted(o, webFigures()); len(figures) > 0 {
		return o.compareWeb(ctx, figures)
	}
	return nil
}

// wanted are those of a list that are to be taken.
func wanted[B, S any](o *options, list []figureOf[B, S]) (some []figureOf[B, S]) {
	for _, f := range list {
		if o.wants(f.name) {
			some = append(some, f)
		}
	}
	return some
}

// ofServers are the figures that are taken of more servers than ours.
func ofServers() (all []interface{ title() (name, about string) }) {
	for _, f := range compared() {
		all = append(all, f)
	}
	for _, f := range chatFigures() {
		all = append(all, f)
	}
	for _, f := range webFigures() {
		all = append(all, f)
	}
	return all
}

// inTurn takes figures of all servers, which take turns, round after round; an error of do ends that.
func inTurn[B, S any, P interface {
	*S
	does(figure string) bool
}](ctx context.Context, rounds int, road string, figures []figureOf[B, S], servers []P, do func(f figureOf[B, S], s *S) error) error {
	begin := time.Now()
	for round := range rounds {
		for _, f := range figures {
			for i := range servers {
				s := servers[(i+round)%len(servers)] // nobody is always the first
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if !s.does(f.name) {
					continue
				}
				if err := do(f, s); err != nil {
					return err
				}
			}
		}
		fmt.Fprintf(os.Stderr, "%sround %d of %d done after %.0f s\n", road, round+1, rounds, time.Since(begin).Seconds())
	}
	return nil
}

// take takes a figure when the machine has come to rest; what goes wrong with one server is no reason to know
// nothing of the others.
func take[B, S any](f figureOf[B, S], b *B, s *S, t *target) {
	settle()
	if err := f.run(b, s); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %s: %v\n", f.name, t.name, err)
	}
}

// known refuses names that mean nothing.
func (o *options) known() error {
	var names []string
	for _, f := range ofServers() {
		name, _ := f.title()
		names = append(names, name)
	}
	for _, f := range o.alone() {
		names = append(names, f.name)
	}
	for _, n := range strings.Split(o.figures, ",") {
		if n != "" && n != "all" && !slices.Contains(names, n) {
			return fmt.Errorf("there is no figure %q; there are %s", n, strings.Join(names, ", "))
		}
	}
	return nil
}

// compare takes the figures of all servers.
func (o *options) compare(ctx context.Context, figures []figure) error {
	dir, err := os.MkdirTemp(scratch(), "trivium-bench-peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the peers serve as another account
		return err
	}
	targets, err := o.servings(ctx, dir)
	for _, t := range targets {
		defer t.stop()
	}
	if err != nil {
		return err
	}
	h, err := newHomes(o.size)
	if err != nil {
		return err
	}
	defer h.remove()
	for _, t := range targets {
		if err := h.furnish(t); err != nil {
			return err
		}
	}
	b := &bench{ctx: ctx, table: newTable(), size: o.size, files: o.files, logs: o.logs, idle: max(o.sessions, 1)}
	for _, t := range targets {
		b.table.names = append(b.table.names, t.name)
	}
	err = inTurn(ctx, o.rounds, "", figures, targets, func(f figure, t *target) error {
		if err := f.run(b, t); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", f.name, err) // a peer's fault is no reason to know nothing of the others
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n%d MiB, median of %d; servers that take turns; ratios: 1.00 is the same, more is better\n\n", o.size>>20, o.rounds)
	b.table.print(os.Stdout)
	return nil
}

// servings starts the servers; those that have started are returned with an error too.
func (o *options) servings(ctx context.Context, dir string) (all []*target, err error) {
	pair, err := newKeyPair(dir)
	if err != nil {
		return nil, err
	}
	add := func(name string, start func() (*target, error)) error {
		if !o.wantsServer(name) {
			return nil
		}
		t, err := start()
		if errors.Is(err, errNoPeer) {
			fmt.Printf("%s: left out, %v; -unpack fetches it\n", name, err)
			return nil
		}
		if err == nil {
			all = append(all, t)
		}
		return err
	}
	err = add("limit", func() (*target, error) { return startBare(ctx, dir, pair) })
	for _, p := range peers() {
		if err == nil {
			err = add(p.name, func() (*target, error) { return startPeer(ctx, p, o.peers, dir, pair) })
		}
	}
	if err == nil {
		err = add("trivium", func() (*target, error) { return own(ctx, o.bin, false) })
	}
	if err == nil {
		err = add("trivium-sync", func() (*target, error) {
			t, err := own(ctx, o.bin, true)
			if err == nil {
				t.only = []string{"up", "small"}
			}
			return t, err
		})
	}
	return all, err
}
