package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSecret is more than any password that identity takes.
const maxSecret = 8192 // bytes

// passwordFlags are the ways in which a password may come: never as an argument.
type passwordFlags struct {
	Stdin bool   `name:"password-stdin" xor:"password" help:"Read the password from standard input."`
	File  string `name:"password-file" xor:"password" placeholder:"FILE" help:"Read the password from a file."`
}

// read returns the password. ask says whether a person may be asked for it; where nobody can be
// asked, ok is false.
func (p passwordFlags) read(s *shell, who string, ask bool) (password string, ok bool, err error) {
	switch {
	case p.Stdin:
		password, err = secretFrom(s.stdin, "standard input")
	case p.File != "":
		var f *os.File
		if f, err = os.Open(p.File); err != nil {
			return "", false, fmt.Errorf("cannot read the password: %w", err)
		}
		password, err = secretFrom(f, p.File)
		err = errors.Join(err, f.Close())
	case ask && !s.NoInput && terminal(s.stdin):
		return s.askPassword(who)
	default:
		return "", false, nil
	}
	if err == nil && password == "" {
		err = usage("the password is empty")
	}
	return password, err == nil, err
}

// secretFrom reads one line; the line end does not belong to it.
func secretFrom(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("cannot read the password from %s: %w", name, err)
	}
	if len(b) > maxSecret {
		return "", usage("what %s holds is too long for a password", name)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if strings.ContainsAny(text, "\r\n") {
		return "", usage("%s holds more than one line; a password is one", name)
	}
	return text, nil
}

// askPassword asks twice without echo; an empty answer means no password.
func (s *shell) askPassword(who string) (string, bool, error) {
	first, err := s.hidden("Password for " + who + ": ")
	if err != nil || first == "" {
		return "", false, err
	}
	second, err := s.hidden("The same again: ")
	if err != nil {
		return "", false, err
	}
	if first != second {
		return "", false, usage("the two passwords differ; nothing was done")
	}
	return first, true, nil
}

// hidden reads one line from the terminal without echo, and gives the echo back however it ends.
func (s *shell) hidden(question string) (string, error) {
	fd := int(s.stdin.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("asking for the password: %w", err)
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	quiet.Lflag |= unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return "", fmt.Errorf("asking for the password: %w", err)
	}
	fmt.Fprint(s.stderr, question)
	line, err := s.line()
	rerr := unix.IoctlSetTermios(fd, unix.TCSETS, before)
	fmt.Fprintln(s.stderr)
	return line, errors.Join(err, rerr)
}

// line reads from standard input until a line ends or the command is interrupted.
func (s *shell) line() (string, error) {
	type answer struct {
		text string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // stays behind in read(2) when interrupted; the process ends then
		text, err := bufio.NewReader(io.LimitReader(s.stdin, maxSecret)).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		got <- answer{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case a := <-got:
		return a.text, a.err
	case <-s.ctx.Done():
		return "", s.ctx.Err()
	}
}

// confirm asks before something that cannot be taken back. Without a terminal and --yes nothing
// is done.
func (s *shell) confirm(question, undone string) error {
	if s.Yes {
		return nil
	}
	refusal := &failure{exit: exitRefused, code: "not_confirmed", message: undone}
	if s.NoInput || !terminal(s.stdin) {
		refusal.hint = "--yes confirms it"
		return refusal
	}
	fmt.Fprintf(s.stderr, "%s [y/N] ", printable(question))
	text, err := s.line()
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "y", "yes":
		return nil
	}
	return refusal
}

// confirmWord asks for a word before something that is hard to take back.
func (s *shell) confirmWord(text, word, undone string) error {
	if s.Yes {
		return nil
	}
	refusal := &failure{exit: exitRefused, code: "not_confirmed", message: undone}
	if s.NoInput || !terminal(s.stdin) {
		refusal.hint = "--yes confirms it"
		return refusal
	}
	fmt.Fprintf(s.stderr, "%s\nType %s to do it: ", printable(text), printable(word))
	answer, err := s.line()
	if err != nil {
		return err
	}
	if strings.TrimSpace(answer) != word {
		return refusal
	}
	return nil
}
