package api

import (
	"context"
	"net/http"

	"trivium/identity"
	"trivium/internal/probe"
)

// ConnectionTest is what the test of one road has found.
type ConnectionTest struct {
	Road  string     `json:"road"`
	User  string     `json:"user" doc:"whose throw-away password was used; empty: the log-in was left out"`
	State string     `json:"state" enum:"ok,warning,failed" doc:"the worst of the steps"`
	Steps []TestStep `json:"steps" doc:"in the order in which they were tried"`
}

// TestStep is one thing that was tried.
type TestStep struct {
	ID     string   `json:"id" doc:"stable, such as passive"`
	Title  string   `json:"title"`
	State  string   `json:"state" enum:"ok,warning,failed,skipped"`
	Detail string   `json:"detail" doc:"what was seen"`
	Why    string   `json:"why" doc:"what it means to clients, or why the step was skipped"`
	Fix    string   `json:"fix" doc:"what to do"`
	Took   int64    `json:"took_ms"`
	Lines  []string `json:"lines" doc:"what was said, without secrets: > to the server, < from it"`
}

func (a *API) registerConnect() {
	handle(a, identity.LevelLoggedIn, http.MethodPost, "/connect/{road}/test", "test-connection",
		"Try a road as a client does, with a password that is thrown away; administrators for others too", a.testConnection)
}

type testOut struct{ Body ConnectionTest }

func (a *API) testConnection(ctx context.Context, in *struct {
	Road string `path:"road" enum:"ftp,dav,xmpp,api"`
	Body struct {
		User string `json:"user,omitempty" doc:"absent: oneself; on the control socket nobody, and the log-in is left out"`
		URL  string `json:"url,omitempty" doc:"another address of this server, such as ftp://ftp.example.org:2121"`
	}
}) (*testOut, error) {
	c := who(ctx)
	if a.o.TestConnection == nil {
		return nil, newProblem(http.StatusConflict, codeUnsupported, "The server does not run, so there is nothing to connect to.", "Start it with: trivium serve")
	}
	name := in.Body.User
	if name == "" {
		name = c.actor.User
	}
	out := ConnectionTest{Road: in.Road, State: string(probe.OK), Steps: []TestStep{}}
	if name != "" {
		acc, err := a.mine(ctx, c, name)
		if err != nil {
			return nil, err
		}
		out.User = a.display(acc.Login, acc.Domain)
	}
	err := a.o.TestConnection(ctx, c.actor, out.User, in.Road, in.Body.URL, func(s probe.Step) {
		lines := s.Lines
		if lines == nil {
			lines = []string{}
		}
		out.Steps = append(out.Steps, TestStep{s.ID, s.Title, string(s.State), s.Detail, s.Why, s.Fix, s.Took.Milliseconds(), lines})
		if s.State == probe.Failed || s.State == probe.Warning && out.State == string(probe.OK) {
			out.State = string(s.State)
		}
	})
	if err != nil {
		return nil, err
	}
	return &testOut{out}, nil
}
