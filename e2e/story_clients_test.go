package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// stays is a client program that logs in, prints "in", stays, and prints how it ended.
type stays struct {
	t     *testing.T
	name  string
	lines chan string
}

// stay starts a program; its first line of input is the password.
func stay(t *testing.T, name, input string, args ...string) *stays {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &stays{t, name, make(chan string, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	if _, err := io.WriteString(in, input); err != nil {
		t.Fatal(err)
	}
	return c
}

// says waits for a line that contains text.
func (c *stays) says(text string) {
	c.t.Helper()
	limit := time.After(60 * time.Second)
	var heard []string
	for {
		select {
		case line, ok := <-c.lines:
			if ok && strings.Contains(line, text) {
				return
			}
			if heard = append(heard, line); !ok {
				c.t.Fatalf("%s ended without %q:\n%s", c.name, text, strings.Join(heard, "\n"))
			}
		case <-limit:
			c.t.Fatalf("%s did not say %q:\n%s", c.name, text, strings.Join(heard, "\n"))
		}
	}
}

// TestStoryWithRealClients is TestOneAccountThreeRoads as people live it: ftplib, lftp, slixmpp
// and Chromium are logged in as one account, one list shows them, and one command ends them all.
func TestStoryWithRealClients(t *testing.T) {
	for _, program := range []string{"lftp", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}

	if exec.Command(python, "-c", "import slixmpp").Run() != nil {
		t.Skip("slixmpp is not installed")
	}
	ctx := browse(t)
	s := serve(t)
	s.run(t, password+"\n", "user", "add", "alice", "--level", "customer", "--password-stdin")

	ftplib := stay(t, "ftplib", password+"\n", python, "testdata/clients/ftplib_stays.py", s.addr["ftp"])
	slixmpp := stay(t, "slixmpp", password+"\n", python, "testdata/clients/slixmpp_stays.py", s.addr["xmpp"])
	lftp := stay(t, "lftp", "set ssl:verify-certificate no\nset net:max-retries 1\nopen -u 'alice,"+password+"' ftp://"+s.addr["ftp"]+"\nput story_clients_test.go -o story.txt\ncls\n", "lftp")
	base := "http://" + s.addr["web"]
	do(t, ctx, "log in", chromedp.Navigate(base+"/login"), chromedp.SendKeys(chromedp.CSS(`input[name="login"]`), "alice"),
		chromedp.SendKeys(chromedp.CSS(`input[name="password"]`), password+"\r"), chromedp.WaitVisible(chromedp.CSS(`body[data-user="alice"]`)))
	ftplib.says("in")
	slixmpp.says("in")
	lftp.says("story.txt")

	do(t, ctx, "one's own sessions on all roads", chromedp.Navigate(base+"/sessions"),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="ftp"]`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="xmpp"]`)),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="session-row"][data-protocol="web"]`)))
	do(t, ctx, "lftp's file in the browser", chromedp.Navigate(base+"/files/"),
		chromedp.WaitVisible(chromedp.CSS(`[data-testid="file-row"][data-name="story.txt"]`)))

	list := s.sessions(t, "--user", "alice")
	count := map[string]int{}
	for _, l := range list {
		count[l.Protocol]++
		if l.UID == nil || *l.UID != *list[0].UID || l.Level != 20 || l.User == nil || *l.User != "alice" {
			t.Errorf("%s: not the same account: %+v", l.Protocol, l)
		}
		if l.Protocol == "xmpp" && (l.JID == nil || *l.JID != "alice@localhost/phone" || *l.Priority != 7 || *l.Presence != "away") {
			t.Errorf("XMPP fields: %+v", l)
		}
	}
	if count["ftp"] != 2 || count["xmpp"] != 1 || count["web"] != 1 {
		b, _ := json.Marshal(count)
		t.Fatalf("sessions by protocol: %s", b)
	}

	s.run(t, "", "user", "disable", "alice", "--yes")
	ftplib.says("ended 421")
	slixmpp.says("ended not-authorized")
	do(t, ctx, "the cookie is dead", chromedp.Navigate(base+"/files/"), chromedp.WaitVisible(chromedp.CSS(`body[data-page="login"]`)))
	if left := s.sessions(t, "--user", "alice"); len(left) != 0 {
		t.Errorf("left in the list: %+v", left)
	}
}
