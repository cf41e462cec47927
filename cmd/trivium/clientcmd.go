package main

import (
	"fmt"
	"net/http"
)

type clientCmd struct {
	FTP  clientFTPCmd  `cmd:"" name:"ftp" help:"FTP: greeting, TLS, log-in, and a listing over PASV and EPSV."`
	DAV  clientDAVCmd  `cmd:"" name:"dav" help:"WebDAV: TLS, OPTIONS, PROPFIND, and whether uploads can be resumed."`
	XMPP clientXMPPCmd `cmd:"" name:"xmpp" help:"Chat: SRV records, STARTTLS, log-in, direct TLS and WebSocket."`
	API  clientAPICmd  `cmd:"" name:"api" help:"The REST interface: TLS and a bearer token."`
}

type clientFTPCmd struct {
	Test ftpTestCmd `cmd:"" help:"Try it as a client does, from the server itself. With -v all that was said."`
}

type clientDAVCmd struct {
	Test davTestCmd `cmd:"" help:"Try it as a client does, from the server itself. With -v all that was said."`
}

type clientXMPPCmd struct {
	Test xmppTestCmd `cmd:"" help:"Try it as a client does, from the server itself. With -v all that was said."`
}

type clientAPICmd struct {
	Test apiTestCmd `cmd:"" help:"Try it as a client does, from the server itself. With -v all that was said."`
}

type ftpTestCmd struct{ testFlags }

type davTestCmd struct{ testFlags }

type xmppTestCmd struct{ testFlags }

type apiTestCmd struct{ testFlags }

// Run tries FTP.
func (c *ftpTestCmd) Run(s *shell) error { return c.test(s, "ftp") }

// Run tries WebDAV.
func (c *davTestCmd) Run(s *shell) error { return c.test(s, "dav") }

// Run tries chat.
func (c *xmppTestCmd) Run(s *shell) error { return c.test(s, "xmpp") }

// Run tries the REST interface.
func (c *apiTestCmd) Run(s *shell) error { return c.test(s, "api") }

type testFlags struct {
	User string `placeholder:"LOGIN" help:"Log in as this account, with a password that is thrown away; without it the log-in is left out."`
	URL  string `name:"url" placeholder:"URL" help:"Another address of this server, such as ftp://ftp.example.org:2121."`
}

type connectionTest struct {
	Road  string `json:"road"`
	State string `json:"state"`
	Steps []struct {
		ID     string   `json:"id"`
		Title  string   `json:"title"`
		State  string   `json:"state"`
		Detail string   `json:"detail"`
		Why    string   `json:"why"`
		Fix    string   `json:"fix"`
		Took   int64    `json:"took_ms"`
		Lines  []string `json:"lines"`
	} `json:"steps"`
}

func (c *testFlags) test(s *shell, road string) error {
	if err := s.live(); err != nil {
		return err
	}
	var got connectionTest
	body, err := s.send(http.MethodPost, at("connect", road, "test"), nil, map[string]string{"user": c.User, "url": c.URL}, &got)
	if err != nil {
		return err
	}
	failed := 0
	for _, step := range got.Steps {
		if step.State == "failed" {
			failed++
		}
	}
	if s.JSON {
		if err := s.json(body); err != nil {
			return err
		}
	} else if err := got.print(s); err != nil {
		return err
	}
	if failed == 0 {
		return nil
	}
	word := "steps"
	if failed == 1 {
		word = "step"
	}
	return &failure{exit: exitFailed, code: "failed", message: fmt.Sprintf("%d %s of the test failed", failed, word)}
}

// print writes a line for each step, with what it means under it.
func (t *connectionTest) print(s *shell) error {
	marks := map[string][2]string{"ok": {"✓", green}, "warning": {"!", yellow}, "failed": {"✗", red}, "skipped": {"–", ""}}
	for _, step := range t.Steps {
		mark := marks[step.State]
		line := fmt.Sprintf("%s %-12s %s", s.paint(s.stdout, mark[1], mark[0]), step.ID, printable(step.Title))
		if step.Detail != "" {
			line += ": " + printable(step.Detail)
		}
		if step.Took > 0 {
			line += fmt.Sprintf(" (%d ms)", step.Took)
		}
		if _, err := fmt.Fprintln(s.stdout, line); err != nil { // with colours
			return err
		}
		if s.Verbose {
			for _, l := range step.Lines {
				if err := s.result("    " + printable(l)); err != nil {
					return err
				}
			}
		}
		for _, x := range [][2]string{{"why", step.Why}, {"fix", step.Fix}} {
			if x[1] == "" {
				continue
			}
			if err := s.result("               " + x[0] + "  " + printable(x[1])); err != nil {
				return err
			}
		}
	}
	return nil
}
