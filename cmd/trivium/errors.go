package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"trivium/config"
)

// The exit codes, which scripts rely on.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitConfig      = 3
	exitNotFound    = 4
	exitExists      = 5
	exitRefused     = 6
	exitNotRunning  = 7
	exitWarnings    = 8 // of doctor: it works, and somebody should look
	exitInterrupted = 130
)

// failure is an error with a code for programs and a hint for people.
type failure struct {
	exit    int
	code    string
	message string
	hint    string
	// own says that message is a whole report with its own beginning.
	own bool
	// said: the command has printed already what there is to say.
	said   bool
	faults []config.Fault
}

func (f *failure) Error() string { return f.message }

func usage(format string, args ...any) *failure {
	return &failure{exit: exitUsage, code: "usage", message: fmt.Sprintf(format, args...)}
}

func errNotRunning() *failure {
	return &failure{exit: exitNotRunning, code: "not_running", message: "the server is not running", hint: "start it with: trivium serve"}
}

// exitOf says what a code of the API means to a shell.
func exitOf(code string) int {
	switch code {
	case "not_found":
		return exitNotFound
	case "exists", "conflict":
		return exitExists
	case "refused", "unauthorized", "banned", "tls_required":
		return exitRefused
	case "invalid":
		return exitUsage
	case "not_running":
		return exitNotRunning
	}
	return exitFailed
}

func configError(err error) error {
	var faults *config.Faults
	if errors.As(err, &faults) {
		return &failure{exit: exitConfig, code: "config_invalid", message: faults.Error(), own: true, faults: faults.List}
	}
	return &failure{exit: exitConfig, code: "config_invalid", message: err.Error()}
}

// connectError parts a server that cannot be reached from a data directory that cannot be used.
func connectError(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return &failure{exit: exitNotRunning, code: "not_running", message: err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{exit: exitNotRunning, code: "timeout", message: "the server did not answer in time", hint: "--timeout sets how long to wait"}
	case errors.Is(err, fs.ErrPermission):
		return &failure{exit: exitRefused, code: "refused", message: err.Error()}
	}
	return err
}

// report prints err where people or, with --json, programs look for it, and gives the exit code.
func (s *shell) report(err error) int {
	if err == nil {
		return exitOK
	}
	f := &failure{exit: exitFailed, code: "failed", message: err.Error()}
	_ = errors.As(err, &f)
	if f.said {
		return f.exit
	}
	if s.JSON {
		type object struct {
			Code    string         `json:"code"`
			Message string         `json:"message"`
			Hint    string         `json:"hint"`
			Faults  []config.Fault `json:"faults,omitempty"`
		}
		b, merr := json.Marshal(map[string]object{"error": {f.code, f.message, f.hint, f.faults}})
		if merr == nil {
			fmt.Fprintf(s.stderr, "%s\n", b)
			return f.exit
		}
	}
	switch {
	case f.own:
		fmt.Fprintln(s.stderr, f.message)
	case f.hint == "":
		fmt.Fprintf(s.stderr, "trivium: %s\n", printable(f.message))
	case f.exit == exitUsage && f.code == "usage":
		fmt.Fprintf(s.stderr, "trivium: %s\n%s\n", printable(f.message), f.hint)
	default:
		fmt.Fprintf(s.stderr, "trivium: %s. %s\n", strings.TrimSuffix(printable(f.message), "."), printable(upperFirst(f.hint)))
	}
	return f.exit
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// wantsJSON looks for --json where parsing failed before it came to it.
func wantsJSON(args []string) bool {
	for _, a := range args {
		if a == "--" {
			return false
		}
		if a == "--json" {
			return true
		}
	}
	return false
}

// suggestion is what kong appends to a message.
var (
	suggestion = regexp.MustCompile(`, did you mean (?:one of )?"([^"]+)".*\?$`)
	unexpected = regexp.MustCompile(`(?s)^unexpected argument (.+)$`)
	unknown    = regexp.MustCompile(`(?s)^unknown flag (.+)$`)
	choice     = regexp.MustCompile(`(?s)^(\S+) must be one of (\S+) but got (.*)$`)
	missing    = regexp.MustCompile(`^expected "([^"]+)"$`)
)

// usageError turns kong's message into two lines: what is wrong with the nearest right word, and
// where to read on. What follows = in a flag is not repeated: it may be a secret.
func usageError(app *kong.Application, err error) error {
	var perr *kong.ParseError
	at := app.Node
	if errors.As(err, &perr) && perr.Context != nil {
		if n := perr.Context.Selected(); n != nil {
			at = n
		}
	}
	text, near := err.Error(), ""
	if m := suggestion.FindStringSubmatchIndex(text); m != nil {
		near = text[m[2]:m[3]]
		text = text[:m[0]]
	}
	f := usage("%s", text)
	f.hint = helpHint(at)
	switch {
	case unexpected.MatchString(text):
		word := unexpected.FindStringSubmatch(text)[1]
		if len(at.Children) > 0 {
			f.message = fmt.Sprintf("unknown command %q", word)
			near = nearest(word, at)
		} else if secretCommand(at) {
			f.message = strings.Join(pathOf(at)[1:], " ") + " takes one argument; a password never stands on the command line: use --password-stdin"
		} else {
			f.message = fmt.Sprintf("%s takes no argument %q", strings.Join(pathOf(at)[1:], " "), word)
		}
	case unknown.MatchString(text):
		flag, _, _ := strings.Cut(unknown.FindStringSubmatch(text)[1], "=")
		f.message = fmt.Sprintf("unknown flag %q", flag)
		if flag == "--password" || flag == "-p" {
			near = "--password-stdin"
		}
	case missing.MatchString(text) && len(at.Children) == 0:
		f.message = strings.Join(pathOf(at)[1:], " ") + " needs " + missing.FindStringSubmatch(text)[1]
	case strings.HasPrefix(text, "expected ") && len(at.Children) > 0:
		f.message = fmt.Sprintf("%s needs one of %s", strings.Join(pathOf(at)[1:], " "), strings.Join(namesOf(at), ", "))
		if at.Parent == nil {
			f.message = "there is no command"
		}
	case choice.MatchString(text):
		m := choice.FindStringSubmatch(text)
		f.message = fmt.Sprintf("%s is one of %s, not %s", strings.Trim(m[1], "<>"), strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(m[2], `,""`), `"`, ""), ",", ", "), m[3])
	}
	if near != "" {
		f.message += fmt.Sprintf(". Did you mean %q?", near)
	}
	return f
}

// helpHint says where to read on.
func helpHint(n *kong.Node) string {
	return "Run '" + strings.Join(append(pathOf(n), "--help"), " ") + "'."
}

func secretCommand(n *kong.Node) bool {
	for _, f := range n.Flags {
		if f.Name == "password-stdin" {
			return true
		}
	}
	return false
}

// pathOf is trivium, user, add.
func pathOf(n *kong.Node) []string {
	if n.Parent == nil {
		return []string{n.Name}
	}
	return append(pathOf(n.Parent), n.Name)
}

func namesOf(n *kong.Node) []string {
	var names []string
	for _, c := range n.Children {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names
}

// nearest is the command most like word: one that it begins, or that differs in few letters.
func nearest(word string, n *kong.Node) string {
	names := namesOf(n)
	for _, name := range names {
		if strings.HasPrefix(name, word) || strings.HasPrefix(word, name) {
			return name
		}
	}
	return config.Nearest(word, names)
}
