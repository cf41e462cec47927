package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Wrong log-ins of one name that count: from the fifth on, each is delayed, known name or not.
const guessesPerName = 4

// kindsOfNames are compared: a wrong password of an account, of none, of one that is disabled, of one
// that has no password. The first is what the others are compared with.
func kindsOfNames() []string { return []string{"known", "unknown", "disabled", "passwordless"} }

// guesser tries a wrong password on one road; the time is that of the answer alone.
type guesser struct {
	road string
	try  func(name string) (time.Duration, error)
}

// benchGuess asks whether a stranger can tell by time which accounts there are: wrong passwords of names
// of each kind take turns at random on each road, and the Mann-Whitney test compares the times.
func benchGuess(ctx context.Context, bin string, tries int) error {
	s, err := start(ctx, bin, "--set", "limits.login_attempts_ftp=1000000", "--set", "limits.login_attempts_xmpp=1000000",
		"--set", "limits.login_timeout=1h", "--set", "limits.http_idle_timeout=1h")
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("wrong passwords, %d of each kind of name, in random order; 0.50: no telling apart\n\n", tries)
	fmt.Println("| road | kind | half within, ms | as known, p | told apart |")
	fmt.Println("|---|---|---|---|---|")
	for _, g := range s.guessers() {
		names, err := s.names(ctx, strings.ReplaceAll(strings.ToLower(g.road), " ", ""), tries)
		if err != nil {
			return err
		}
		var order []int
		for k := range names {
			order = append(order, slices.Repeat([]int{k}, tries)...)
		}
		mrand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		times, used := make([][]float64, len(names)), make([]int, len(names))
		for _, k := range order {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			took, err := g.try(names[k][used[k]/guessesPerName])
			if err != nil {
				return fmt.Errorf("%s: %w", g.road, err)
			}
			used[k]++
			times[k] = append(times[k], took.Seconds()*1e3)
		}
		for k, name := range kindsOfNames() {
			p, apart := mannWhitney(times[0], times[k])
			fmt.Printf("| %s | %s | %.3f | %.3f | %.3f |\n", g.road, name, middle(times[k]), p, apart)
		}
	}
	return nil
}

// names makes accounts of each kind for one road.
func (s *server) names(ctx context.Context, road string, tries int) ([][]string, error) {
	n := (tries + guessesPerName - 1) / guessesPerName
	all := make([][]string, len(kindsOfNames()))
	for k, kind := range kindsOfNames() {
		for i := range n {
			name := fmt.Sprintf("%s.%s%04d", road, kind, i)
			all[k] = append(all[k], name)
			account := map[string]any{"login": name}
			switch kind {
			case "unknown":
				continue
			case "known", "disabled":
				account["password"] = password
			}
			if err := s.control(ctx, "/users", account); err != nil {
				return nil, err
			}
			if kind == "disabled" {
				if err := s.control(ctx, "/users/"+name+"/disable", nil); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// control asks the control socket for a change.
func (s *server) control(ctx context.Context, path string, body any) error {
	c := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "data", "control.sock"))
	}}}
	b := []byte("{}")
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://trivium/api/v1"+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		return fmt.Errorf("%s: %s %s", path, res.Status, answer)
	}
	return nil
}

func (s *server) guessers() []guesser {
	return []guesser{
		{"web form", s.guessForm()}, {"WebDAV", s.guessHTTP("/dav/", http.MethodHead)}, {"API", s.guessHTTP("/api/v1/me", http.MethodGet)},
		{"FTP", s.guessFTP()}, {"PLAIN", s.guessPlain()}, {"SCRAM", s.guessSCRAM(true)}, {"SCRAM first step", s.guessSCRAM(false)},
	}
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// guessForm posts the form of one browser.
func (s *server) guessForm() func(string) (time.Duration, error) {
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	token := ""
	return func(name string) (time.Duration, error) {
		if token == "" {
			res, err := c.Get("http://" + s.addr["web"] + "/login")
			if err != nil {
				return 0, err
			}
			defer res.Body.Close()
			page, err := io.ReadAll(res.Body)
			m := csrfField.FindSubmatch(page)
			if err != nil || m == nil {
				return 0, fmt.Errorf("the form: %w", errors.Join(err, errNoForm))
			}
			token = string(m[1])
		}
		form := url.Values{"csrf": {token}, "login": {name}, "password": {"a wrong password"}}
		return refusal(name, func() (*http.Response, error) { return c.PostForm("http://"+s.addr["web"]+"/login", form) })
	}
}

// refusal is how long it takes until a wrong log-in over HTTP is refused.
func refusal(name string, send func() (*http.Response, error)) (time.Duration, error) {
	begin := time.Now()
	res, err := send()
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	took := time.Since(begin)
	if err == nil && res.StatusCode != http.StatusUnauthorized {
		err = fmt.Errorf("%s: %s", name, res.Status)
	}
	return took, err
}

var errNoForm = errors.New("there is none")

// guessHTTP sends Basic credentials.
func (s *server) guessHTTP(path, method string) func(string) (time.Duration, error) {
	c := &http.Client{Timeout: patience}
	return func(name string) (time.Duration, error) {
		r, err := http.NewRequest(method, "http://"+s.addr["web"]+path, nil)
		if err != nil {
			return 0, err
		}
		r.SetBasicAuth(name, "a wrong password")
		return refusal(name, func() (*http.Response, error) { return c.Do(r) })
	}
}

// guessFTP stays on one control connection.
func (s *server) guessFTP() func(string) (time.Duration, error) {
	var c *client
	return func(name string) (took time.Duration, err error) {
		if c == nil {
			if c, err = dial(s.addr["ftp"], nil); err != nil {
				return 0, err
			}
		}
		c.hurry()
		if err = c.want("USER "+name, "331"); err != nil {
			return 0, err
		}
		begin := time.Now()
		err = c.want("PASS a wrong password", "530")
		return time.Since(begin), err
	}
}

// talk opens a stream over TLS.
func (s *server) talk() (*talker, error) {
	raw, err := net.DialTimeout("tcp", s.addr["xmpp"], patience)
	if err != nil {
		return nil, err
	}
	c := &talker{raw: raw, conn: raw}
	_ = raw.SetDeadline(time.Now().Add(patience))
	if err := c.open("localhost"); err != nil {
		return nil, err
	}
	if err := c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
		return nil, err
	}
	if _, err := c.await("<proceed"); err != nil {
		return nil, err
	}
	c.conn = tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // #nosec: the certificates are self-signed
	return c, c.open("localhost")
}

// perTalk log-ins are tried on a stream: what may be said before the log-in has a bound.
const perTalk = 50

// talks returns the stream for the next log-in.
func (s *server) talks() func() (*talker, error) {
	var c *talker
	n := 0
	return func() (_ *talker, err error) {
		if n++; n%perTalk == 1 {
			if c != nil {
				_ = c.raw.Close()
			}
			if c, err = s.talk(); err != nil {
				return nil, err
			}
		}
		_ = c.raw.SetDeadline(time.Now().Add(patience))
		return c, nil
	}
}

const saslNS = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"

// guessPlain measures SASL PLAIN.
func (s *server) guessPlain() func(string) (time.Duration, error) {
	next := s.talks()
	return func(name string) (took time.Duration, err error) {
		c, err := next()
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := c.send("<auth " + saslNS + " mechanism='PLAIN'>" + base64.StdEncoding.EncodeToString([]byte("\x00"+name+"\x00a wrong password")) + "</auth>"); err != nil {
			return 0, err
		}
		_, err = c.await("<failure")
		return time.Since(begin), err
	}
}

// guessSCRAM measures the answer to a proof of nothing, or that to the name.
func (s *server) guessSCRAM(proof bool) func(string) (time.Duration, error) {
	next := s.talks()
	return func(name string) (took time.Duration, err error) {
		c, err := next()
		if err != nil {
			return 0, err
		}
		b64 := base64.StdEncoding.EncodeToString
		begin := time.Now()
		if err := c.send("<auth " + saslNS + " mechanism='SCRAM-SHA-256'>" + b64([]byte("n,,n="+name+",r="+rand.Text())) + "</auth>"); err != nil {
			return 0, err
		}
		el, err := c.await("<challenge")
		first := time.Since(begin)
		if err != nil {
			return 0, err
		}
		challenge, err := base64.StdEncoding.DecodeString(text(el))
		if err != nil {
			return 0, err
		}
		nonce, _, _ := strings.Cut(strings.TrimPrefix(string(challenge), "r="), ",")
		wrong := make([]byte, 32)
		_, _ = rand.Read(wrong)
		begin = time.Now()
		if err := c.send("<response " + saslNS + ">" + b64([]byte("c=biws,r="+nonce+",p="+b64(wrong))) + "</response>"); err != nil {
			return 0, err
		}
		_, err = c.await("<failure")
		if !proof {
			return first, err
		}
		return time.Since(begin), err
	}
}

// mannWhitney says how probable it is that two samples of one distribution differ as much as these (by the
// normal approximation, which is good from 20 on), and how often one of b is more than one of a.
func mannWhitney(a, b []float64) (p, more float64) {
	type value struct {
		v    float64
		from int
	}
	var all []value
	for from, list := range [][]float64{a, b} {
		for _, v := range list {
			all = append(all, value{v, from})
		}
	}
	slices.SortFunc(all, func(x, y value) int {
		switch {
		case x.v < y.v:
			return -1
		case x.v > y.v:
			return 1
		}
		return 0
	})
	ranks, n1, n2 := 0.0, float64(len(a)), float64(len(b))
	for i := 0; i < len(all); { // those that are equal share their ranks
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		for k := i; k < j; k++ {
			if all[k].from == 1 {
				ranks += float64(i+j+1) / 2
			}
		}
		i = j
	}
	u := ranks - n2*(n2+1)/2
	z := (u - n1*n2/2) / math.Sqrt(n1*n2*(n1+n2+1)/12)
	return math.Erfc(math.Abs(z) / math.Sqrt2), u / (n1 * n2)
}

func middle(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[len(s)/2]
}
