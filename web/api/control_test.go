package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"trivium/identity"
	"trivium/web/api"
)

// recorder is the shortest http.ResponseWriter: the command line's own process has no socket.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func local(t testing.TB, h http.Handler, req *http.Request) answer {
	t.Helper()
	w := &recorder{header: http.Header{}}
	h.ServeHTTP(w, req)
	return answer{w.status, w.header, w.body.String()}
}

func TestControl(t *testing.T) {
	s := start(t)
	ask := func(method, path, body string) answer {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://trivium/api/v1"+path, bytes.NewReader([]byte(body)))
		check(t, err)
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		return local(t, s.control, req)
	}
	var u api.User
	ask(http.MethodPost, "/users", `{"login":"alice","level":"root"}`).into(t, &u)
	if u.Level != identity.LevelRoot {
		t.Errorf("%+v", u)
	}
	var st api.Status
	ask(http.MethodGet, "/status", "").into(t, &st)
	if st.Version != "1.2.3" || st.Domain != "example.org" || !st.SetUp || st.Listeners == nil || st.Running {
		t.Errorf("%+v", st)
	}
	if got := ask(http.MethodGet, "/me", ""); got.status != http.StatusNotFound {
		t.Errorf("/me on the control socket: %d", got.status)
	}
	if got := ask(http.MethodPost, "/status", ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET" {
		t.Errorf("%d %v", got.status, got.header)
	}
	events, err := s.id.Audit(t.Context(), identity.AuditFilter{Event: "user.add"})
	check(t, err)
	if len(events) != 1 || events[0].Via != "cli" {
		t.Errorf("%+v", events)
	}
}

// FuzzBody sends any bytes as the body of the operations that read one. Whatever comes, the
// answer is JSON and the server is not at fault.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `{"login":"alice"}`, `{"login":"\u0000"}`, `{"login":"a","level":"admin"}`, `{"login":"a","level":1e99}`,
		`{"login":"a","uid":-1}`, `{"login":"a","uid":99999999999}`, `{"scopes":["ftp"],"user":"alice","ttl":9223372036854775807}`,
		`{"scopes":["ftp"],"user":"alice","from":["::/0","fe80::1%eth0"]}`, `{"ids":["a"],"reason":"x"}`, `{"users":["alice"]}`, `{"password":"x"}`,
		`{"login":"a"}{"login":"b"}`, "\xff\xfe", `{"level":{}}`, `{"expires_at":"9999-99-99"}`, `{"name":"g","gid":4294967295}`,
	} {
		f.Add(body, uint8(0))
	}
	s := start(f, identity.LevelUser)
	paths := []struct{ method, path string }{
		{http.MethodPost, "/users"},
		{http.MethodPatch, "/users/user"},
		{http.MethodPut, "/users/nosuch/password"},
		{http.MethodPost, "/groups"},
		{http.MethodPost, "/groups/user/members"},
		{http.MethodPost, "/aliases"},
		{http.MethodPost, "/tokens"},
		{http.MethodPost, "/tokens/revoke"},
		{http.MethodPost, "/sessions/end"},
	}
	f.Fuzz(func(t *testing.T, body string, which uint8) {
		for i, p := range paths {
			if int(which) != 0 && i != int(which)%len(paths) {
				continue
			}
			req, err := http.NewRequestWithContext(t.Context(), p.method, "http://trivium/api/v1"+p.path, bytes.NewReader([]byte(body)))
			check(t, err)
			req.Header.Set("Content-Type", "application/json")
			got := local(t, s.control, req)
			if got.status >= 500 {
				t.Errorf("%s %s %q: %d %s", p.method, p.path, body, got.status, s.log.String())
			}
			if got.status != http.StatusNoContent && !json.Valid([]byte(got.body)) {
				t.Errorf("%s %s %q: not JSON: %s", p.method, p.path, body, got.body)
			}
		}
	})
}
