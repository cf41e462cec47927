package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// version is set by the linker.
var version = "dev"

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the exit.
func run(args, environ []string, stdin *os.File, stdout, stderr io.Writer) int {
	started := time.Now()
	cli := &commands{}
	parser, exited, err := newParser(cli, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "trivium:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited.done {
		return exited.code // --help and --version have said it
	}
	s := &shell{Globals: &cli.Globals, environ: environ, stdin: stdin, stdout: stdout, stderr: stderr, started: started}
	if err != nil {
		s.JSON = s.JSON || wantsJSON(args)
		return s.report(usageError(parser.Model, err))
	}
	s.fillFromEnv()
	signal.Ignore(syscall.SIGXFSZ) // a limit of file sizes fails a write, and does not end the process
	ctx := context.Background()
	if parsed.Command() != "serve" { // which has its own way to stop
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	s.ctx = ctx
	err = parsed.Run(s)
	if err != nil && ctx.Err() != nil {
		return exitInterrupted
	}
	var f *failure
	if errors.As(err, &f) && f.code == "usage" && f.hint == "" {
		f.hint = helpHint(parsed.Selected())
	}
	return s.report(errors.Join(err, s.close()))
}

// exit remembers that kong wanted to end the program.
type exit struct {
	done bool
	code int
}

func newParser(cli *commands, stdout, stderr io.Writer) (*kong.Kong, *exit, error) {
	e := &exit{}
	parser, err := kong.New(cli,
		kong.Name("trivium"),
		kong.Description("FTP, web and XMPP: three roads to one set of accounts."),
		kong.Writers(stdout, stderr),
		kong.Vars{"version": "trivium " + version},
		kong.Exit(func(code int) {
			if !e.done {
				e.done, e.code = true, code
			}
		}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "start", Title: "Start:"}, {Key: "people", Title: "People:"}, {Key: "live", Title: "Live:"}, {Key: "server", Title: "Server:"},
			{Key: "every", Title: "Flags of every command:"},
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, FlagsLast: true, WrapUpperBound: 100}),
	)
	return parser, e, err
}
