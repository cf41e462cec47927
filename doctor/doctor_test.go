package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func fixed(id, group string, s State) Check {
	return Check{ID: id, Group: group, About: id, Run: func(context.Context) []Result { return []Result{{Title: "t", State: s}} }}
}

func ids(r Report) (list []string) {
	for _, x := range r.Results {
		list = append(list, x.ID)
	}
	return list
}

func TestRun(t *testing.T) {
	net := fixed("names.address", Names, OK)
	net.Network = true
	many := Check{ID: "ftp.passive", Group: FTP, Run: func(context.Context) []Result {
		return []Result{{Title: "address", State: Failed}, {ID: "ftp.passive.ports", Title: "ports", State: Warning, Fixable: true}}
	}}
	none := Check{ID: "backup.age", Group: Backups, About: "Backups", Run: func(context.Context) []Result { return nil }}
	s := New(many, none, fixed("config.file", Configuration, OK))
	s.Add(net)
	tests := []struct {
		name    string
		offline bool
		ids     []string
		want    string
	}{
		{"all, by group", false, nil, "config.file names.address ftp.passive ftp.passive.ports backup.age"},
		{"a group", false, []string{"ftp"}, "ftp.passive ftp.passive.ports"},
		{"a result of a check", false, []string{"ftp.passive.ports"}, "ftp.passive ftp.passive.ports"},
		{"two", false, []string{"config.file", "backup"}, "config.file backup.age"},
		{"none", false, []string{"ft"}, ""},
		{"offline", true, []string{"names"}, "names.address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.run(t.Context(), tt.offline, tt.ids)
			if got := strings.Join(ids(r), " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	r := s.Offline(t.Context(), "names")
	if x := r.Results[0]; x.State != Skipped || !strings.Contains(x.Why, "--offline") || !r.Offline {
		t.Errorf("offline: %+v", x)
	}
	r = s.Run(t.Context())
	if x, _ := r.Find("backup.age"); x.State != Skipped || x.Why == "" {
		t.Errorf("a check without a result: %+v", x)
	}
	if x, _ := r.Find("ftp.passive.ports"); x.Fixable {
		t.Error("fixable, and nobody can")
	}
	var bad []State
	for _, x := range r.Attention() {
		bad = append(bad, x.State)
	}
	if !slices.Equal(bad, []State{Failed, Warning}) || r.Count(OK) != 2 {
		t.Errorf("attention: %v", bad)
	}
	if got := s.Unknown("ftp", "names.address", "x"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("unknown: %v", got)
	}
}

func TestNewest(t *testing.T) {
	state := OK
	quick := Check{ID: "a", Group: Web, Quick: true, Run: func(context.Context) []Result { return []Result{{State: state}} }}
	other := Check{ID: "b", Group: Web, Run: func(context.Context) []Result { return []Result{{State: state}} }}
	s := New(quick, other)
	if r := s.Newest(t.Context()); !r.At.IsZero() || len(r.Results) != 0 {
		t.Errorf("before any run: %+v", r)
	}
	s.Run(t.Context())
	state = Failed
	r := s.Newest(t.Context())
	a, _ := r.Find("a")
	b, _ := r.Find("b")
	if a.State != Failed || b.State != OK {
		t.Errorf("quick %s, other %s", a.State, b.State)
	}
}

func TestLatest(t *testing.T) {
	state, runs := OK, 0
	c := Check{ID: "a", Group: Web, Run: func(context.Context) []Result { return []Result{{State: state}} }}
	slow := Check{ID: "b", Group: Web, Slow: true, Run: func(context.Context) []Result { runs++; return []Result{{State: OK}} }}
	s := New(c, slow)
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return at }
	if !s.Latest().At.IsZero() {
		t.Error("a report before any run")
	}
	first := s.Run(t.Context())
	at = at.Add(time.Hour)
	s.Run(t.Context())
	if x, _ := s.Latest().Find("a"); !x.Since.Equal(first.At) {
		t.Errorf("since %v, want that of the first", x.Since)
	}
	if runs != 1 {
		t.Errorf("the slow check ran %d times", runs)
	}
	s.Run(t.Context(), "b")
	if runs != 2 {
		t.Errorf("the slow check ran %d times when asked for", runs)
	}
	if got := strings.Join(ids(s.Latest()), " "); got != "a b" || !s.Latest().At.Equal(at) {
		t.Errorf("a run of some checks counts as one of all: %s", got)
	}
	state = Warning
	s.Run(t.Context(), "a")
	if x, _ := s.Latest().Find("a"); x.State != Warning || strings.Join(ids(s.Latest()), " ") != "a b" {
		t.Errorf("what a run of one check found is not in the latest: %+v", s.Latest())
	}
	s.Offline(t.Context())
	state = Failed
	at = at.Add(time.Hour)
	s.Run(t.Context())
	if x, _ := s.Latest().Find("a"); !x.Since.Equal(at) || x.State != Failed {
		t.Errorf("the change: %+v", x)
	}
	at = at.Add(slowLife)
	s.Run(t.Context())
	if runs != 3 {
		t.Errorf("the slow check ran %d times, after a day", runs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := s.Run(ctx); r.Count(Skipped) != 2 {
		t.Errorf("an ended run: %+v", r)
	}
	if s.Latest().Count(Failed) != 1 {
		t.Error("an ended run is the latest")
	}
}

func TestFix(t *testing.T) {
	broken := true
	c := Check{ID: "config.modes", Group: Configuration,
		Run: func(context.Context) []Result {
			if broken {
				return []Result{{State: Warning, Fixable: true}}
			}
			return []Result{{State: OK}}
		},
		Fix: func(context.Context, string) error { broken = false; return nil }}
	s := New(c, fixed("x", Web, Failed))
	r, err := s.Fix(t.Context(), "config.modes")
	if err != nil || r.State != OK {
		t.Errorf("%+v, %v", r, err)
	}
	for _, id := range []string{"config.modes", "x", "nothing", "config"} {
		if _, err := s.Fix(t.Context(), id); err == nil {
			t.Errorf("%s was mended", id)
		}
	}
	broken = true
	s.checks[slices.IndexFunc(s.checks, func(c Check) bool { return c.ID == "config.modes" })].Fix = func(context.Context, string) error { return errors.New("read-only") }
	if _, err := s.Fix(t.Context(), "config.modes"); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("%v", err)
	}
}

func TestBackground(t *testing.T) {
	s := New(fixed("a", Web, OK))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	n := 0
	go func() {
		defer close(done)
		s.Background(ctx, time.Millisecond, func(Report) {
			if n++; n == 3 {
				cancel()
			}
		})
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
	if n != 3 {
		t.Errorf("%d runs", n)
	}
}
