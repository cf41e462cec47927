// Command bench measures what ARCHITECTURE promises of speed and memory: the start, the kernel's
// fast path of plain transfers, idle XMPP sessions, and a storm of wrong passwords. It starts the
// server itself on free ports and prints one line a figure. Figures are for reading side by side
// on one machine; nothing here passes or fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	bin := flag.String("bin", "bin/trivium", "the server's binary")
	only := flag.String("only", "", "one figure: start, fastpath, idle, storm")
	sessions := flag.Int("sessions", 1000, "idle XMPP sessions")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, f := range []struct {
		name string
		run  func(context.Context, string) error
	}{
		{"start", benchStart},
		{"fastpath", benchFastPath},
		{"idle", func(ctx context.Context, bin string) error { return benchIdle(ctx, bin, *sessions) }},
		{"storm", benchStorm},
	} {
		if *only != "" && *only != f.name {
			continue
		}
		if err := f.run(ctx, *bin); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", f.name, err)
			stop()
			os.Exit(1) //nolint:gocritic // stop has run
		}
	}
}
