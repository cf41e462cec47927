package importer_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"trivium/identity/crypt3"
	"trivium/identity/importer"
)

func open(t testing.TB, name string) io.Reader {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(b))
}

// read gives all records by login.
func read(t testing.TB, format importer.Format, in importer.Input) (map[string]importer.Record, []string) {
	t.Helper()
	out, order := map[string]importer.Record{}, []string{}
	err := importer.Read(format, in, func(r importer.Record) error {
		out[r.Login] = r
		order = append(order, r.Login)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, order
}

// opens reports whether the hash of a record is that of a password.
func opens(r importer.Record, password string) bool {
	if len(r.Hashes) != 1 {
		return false
	}
	h, err := crypt3.Parse(r.Hashes[0])
	return err == nil && h.Matches(password)
}

// show is what a record says, without its secrets.
func show(r importer.Record) string {
	hashes := len(r.Hashes)
	r.Hashes = nil
	if r.Password != "" {
		r.Password = "yes"
	}
	b, _ := json.Marshal(r)
	return fmt.Sprintf("%s hashes %d home %s fault %q warnings %q", b, hashes, r.Home, r.Fault, r.Warnings)
}

func check(t *testing.T, got map[string]importer.Record, login, want string) {
	t.Helper()
	r, ok := got[login]
	if !ok {
		t.Errorf("no %q", login)
		return
	}
	if s := show(r); s != want {
		t.Errorf("%s:\n got %s\nwant %s", login, s, want)
	}
}

func TestPasswd(t *testing.T) {
	t.Parallel()
	got, order := read(t, importer.Passwd, importer.Input{Main: open(t, "passwd"), Shadow: open(t, "shadow"), Group: open(t, "group")})
	if want := []string{"root", "daemon", "nobody", "ann", "bea", "cat", "dan"}; !reflect.DeepEqual(order, want) {
		t.Errorf("order: %v", order)
	}
	check(t, got, "root", `{"login":"root","uid":0,"gid":0,"group":"root","display":"root"} hashes 0 home /root fault "" warnings []`)
	check(t, got, "ann", `{"login":"ann","uid":4101,"gid":4101,"group":"ann","groups":[{"name":"team","gid":4200}],"display":"Ann Person","phone":"+49 30 1"} hashes 1 home /home/ann fault "" warnings []`)
	check(t, got, "bea", `{"login":"bea","uid":4102,"gid":4102,"group":"bea","groups":[{"name":"team","gid":4200}],"expires_at":"2027-01-31T00:00:00Z"} hashes 1 home /home/bea fault "" warnings ["its shell is /usr/sbin/nologin"]`)
	check(t, got, "cat", `{"login":"cat","uid":4103,"gid":4103,"group":"cat","disabled":true} hashes 1 home /home/cat fault "" warnings ["its password is locked, so the account is disabled"]`)
	check(t, got, "dan", `{"login":"dan","uid":4104,"gid":4104,"group":"dan"} hashes 0 home /home/dan fault "" warnings []`)
	for _, login := range []string{"ann", "bea", "cat"} {
		if !opens(got[login], "correct horse") {
			t.Errorf("the hash of %s is not that of its password", login)
		}
	}
}

func TestProFTPD(t *testing.T) {
	t.Parallel()
	got, _ := read(t, importer.ProFTPD, importer.Input{Main: open(t, "proftpd.passwd"), Group: open(t, "proftpd.group")})
	check(t, got, "one", `{"login":"one","uid":1001,"gid":1001,"groups":[{"name":"staff","gid":100}]} hashes 1 home /srv/ftp/one fault "" warnings []`)
	check(t, got, "two", `{"login":"two","uid":1002,"gid":1001,"display":"Two Person"} hashes 1 home /srv/ftp/two fault "" warnings []`)
	check(t, got, "three", `{"login":"three","uid":1003,"gid":100,"group":"staff"} hashes 1 home /srv/ftp/three fault "" warnings []`)
	check(t, got, "four", `{"login":"four","uid":1004,"gid":100,"group":"staff","disabled":true} hashes 1 home /srv/ftp/four fault "" warnings ["its password is locked, so the account is disabled"]`)
	for login := range got {
		if !opens(got[login], "correct horse") {
			t.Errorf("the hash of %s is not that of its password", login)
		}
	}
}

func TestPureFTPd(t *testing.T) {
	t.Parallel()
	got, _ := read(t, importer.PureFTPd, importer.Input{Main: open(t, "pureftpd.passwd")})
	check(t, got, "one", `{"login":"one","uid":10021,"gid":10021,"display":"one Person","quota_bytes":52428800,"quota_files":1000,"upload_rate":204800,"download_rate":102400} hashes 1 home /srv/ftp/one fault "" warnings []`)
	if !opens(got["one"], "correct horse") {
		t.Error("the hash of one is not that of its password")
	}
}

func TestSFTPGo(t *testing.T) {
	t.Parallel()
	got, _ := read(t, importer.SFTPGo, importer.Input{Main: open(t, "sftpgo.json")})
	check(t, got, "one", `{"login":"one","groups":[{"name":"team"}],"email":"one@example.org","about":"First","quota_bytes":1048576,"quota_files":10,"upload_rate":128000} hashes 1 home /srv/sftpgo/one fault "" warnings []`)
	check(t, got, "two", `{"login":"two","uid":1500,"gid":1500,"protocols":["web"],"disabled":true,"expires_at":"2027-01-01T00:00:00Z"} hashes 1 home /srv/sftpgo/two fault "" warnings ["it may only list, download: not taken over, set the mode of its home" "it has permissions of its own for some folders: not taken over, set their modes" "it has the folder \"shared\" at \"/shared\": not taken over, see extra mounts and groups" "it may come from some addresses only, which is not taken over: see classes" "its SSH keys have no use here" "its second factor is encrypted by SFTPGo and cannot be taken over" "its files lie in the cloud or encrypted, and not in its home folder"]`)
	if !got["three"].Disabled {
		t.Error("three may log in by SSH alone, and is not disabled")
	}
	if !opens(got["one"], "password") {
		t.Error("the hash of one is not that of its password")
	}
}

func TestProsody(t *testing.T) {
	t.Parallel()
	got := map[string]importer.Record{}
	err := importer.ReadProsody(os.DirFS(filepath.Join("testdata", "prosody")), func(r importer.Record) error {
		got[r.Login] = r
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if h := got["one@example.org"].Hashes; len(h) != 1 || !strings.HasPrefix(h[0], "SCRAM-SHA-1$10000:") {
		t.Errorf("one: %d hashes", len(h))
	}
	if h := got["two@example.org"].Hashes; len(h) != 1 || !strings.HasPrefix(h[0], "SCRAM-SHA-256$10000:") {
		t.Errorf("two: %d hashes", len(h))
	}
	if p := got["three@example.org"].Password; p != "correct horse" {
		t.Errorf("three: %q", p)
	}
	if p := got["größe@example.org"].Password; p != "with \"quotes\", \\ and \n a line" {
		t.Errorf("größe: %q", p)
	}
	check(t, got, "gone@example.org", `{"login":"gone@example.org"} hashes 0 home  fault "" warnings ["its SCRAM keys are damaged"]`)
}

func TestXEP0227(t *testing.T) {
	t.Parallel()
	got, _ := read(t, importer.XEP0227, importer.Input{Main: open(t, "ejabberd.xml")})
	for _, login := range []string{"one@example.org", "two@example.org"} {
		h := got[login].Hashes
		if len(h) != 1 || !strings.HasPrefix(h[0], "SCRAM-SHA-1$4096:") || len(got[login].Warnings) > 0 {
			t.Errorf("%s: %s", login, show(got[login]))
		}
	}
	got, _ = read(t, importer.XEP0227, importer.Input{Main: strings.NewReader(`<?xml version='1.0'?><server-data xmlns='urn:xmpp:pie:0'><host jid='capulet.com'>
		<user name='juliet'><scram-credentials xmlns='urn:xmpp:pie:0#scram' mechanism='SCRAM-SHA-1'><iter-count>100000</iter-count>
		<salt>TmFDbE5hQ2xOYUNsTmFDbE5hQ2xOYUNsTmFDbE5hQ2xOYUNsTmFDbE5hQ2wK</salt><server-key>0pXWGK0GZJ6TR73AIUN3ITYtA1g=</server-key>
		<stored-key>Q6qT/SbybblGCZz8e8eSfCJOQic=</stored-key></scram-credentials><query xmlns='jabber:iq:roster'><item jid='a@b'/></query></user>
		<user name='old' password='scram:Q6qT/SbybblGCZz8e8eSfCJOQic=,0pXWGK0GZJ6TR73AIUN3ITYtA1g=,TmFDbE5hQ2xOYUNs,4096'/>
		<user name='plain' password='secret'/></host></server-data>`)})
	if h := got["juliet@capulet.com"].Hashes; len(h) != 1 || !strings.HasPrefix(h[0], "SCRAM-SHA-1$100000:TmFD") {
		t.Errorf("juliet: %q", h)
	}
	if h := got["old@capulet.com"].Hashes; len(h) != 1 || got["old@capulet.com"].Password != "" {
		t.Errorf("old: %q", h)
	}
	if p := got["plain@capulet.com"].Password; p != "secret" {
		t.Errorf("plain: %q", p)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"commas":     "login,password,hash,uid,groups,level,state,email,quota_bytes,expires_at,protocols\nann,\"se,cret\",,4101,\"a;b\",staff,disabled,ann@example.org,1000,2030-01-31,ftp xmpp\n",
		"semicolons": "\ufeffLogin;Password;Hash;UID;Groups;Level;State;E-Mail;Quota;Expires;Protocols\r\nann;se,cret;;4101;a b;30;disabled;ann@example.org;1000;2030-01-31T00:00:00Z;ftp,xmpp\r\n",
	} {
		got, _ := read(t, importer.CSV, importer.Input{Main: strings.NewReader(text)})
		if got["ann"].Password != "se,cret" {
			t.Errorf("%s: password %q", name, got["ann"].Password)
		}
		check(t, got, "ann", `{"login":"ann","uid":4101,"groups":[{"name":"a"},{"name":"b"}],"level":30,"password":"yes","email":"ann@example.org","protocols":["ftp","xmpp"],"disabled":true,"expires_at":"2030-01-31T00:00:00Z","quota_bytes":1000} hashes 0 home  fault "" warnings []`)
	}
	got, _ := read(t, importer.CSV, importer.Input{Main: strings.NewReader("login,uid,level\nbad,x,\nboss,1,emperor\n,1,\nmany,1,2,3\nfine,1,\nFINE,1,\n")})
	for _, login := range []string{"bad", "boss", "", "many", "FINE"} {
		if got[login].Fault == "" {
			t.Errorf("%q has no fault", login)
		}
	}
	if got["fine"].Fault != "" {
		t.Errorf("fine: %s", got["fine"].Fault)
	}
}

// endless gives as much as is asked for.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = 'a'
	}
	e.left -= n
	return int(n), nil
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	got, _ := read(t, importer.Passwd, importer.Input{Main: io.MultiReader(strings.NewReader("a:x:1:1:::\n"), &endless{100 << 20}, strings.NewReader("\nb:x:2:2:::\n"))})
	if got["line 2"].Fault == "" || got["b"].Fault != "" || len(got) != 3 {
		t.Errorf("a line of 100 MB: %d records", len(got))
	}
	for name, tt := range map[string]struct {
		format importer.Format
		text   io.Reader
	}{
		"billion laughs":     {importer.XEP0227, strings.NewReader(`<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><server-data xmlns='urn:xmpp:pie:0'><host jid='a'><user name='&b;'/></host></server-data>`)},
		"an entity":          {importer.XEP0227, strings.NewReader(`<server-data xmlns='urn:xmpp:pie:0'><host jid='a'><user name='&b;'/></host></server-data>`)},
		"a text without end": {importer.XEP0227, io.MultiReader(strings.NewReader(`<server-data xmlns='urn:xmpp:pie:0'><host jid='a'>`), &endless{100 << 20})},
		"nesting":            {importer.XEP0227, strings.NewReader(`<server-data xmlns='urn:xmpp:pie:0'>` + strings.Repeat("<a>", 100000))},
		"other files":        {importer.XEP0227, strings.NewReader(`<server-data xmlns='urn:xmpp:pie:0' xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='/etc/shadow'/></server-data>`)},
		"a user without end": {importer.SFTPGo, io.MultiReader(strings.NewReader(`{"users":[{"username":"`), &endless{100 << 20})},
		"nested JSON":        {importer.SFTPGo, strings.NewReader(`{"admins":` + strings.Repeat("[", 100000))},
		"a cell without end": {importer.CSV, io.MultiReader(strings.NewReader("login,email\n\""), &endless{100 << 20})},
		"another format":     {importer.Passwd, strings.NewReader("{\"users\":[]}\n")},
	} {
		err := importer.Read(tt.format, importer.Input{Main: tt.text}, func(importer.Record) error { return nil })
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestRecordsHideSecrets(t *testing.T) {
	t.Parallel()
	r := importer.Record{Login: "ann", Password: "secret", Hashes: []string{"secret"}}
	for _, s := range []string{fmt.Sprint(r), fmt.Sprintf("%+v %#v", r, []importer.Record{r}), fmt.Sprint(&r), r.LogValue().String()} {
		if strings.Contains(s, "secret") {
			t.Errorf("printed: %s", s)
		}
	}
}

var errStop = errors.New("stop")

func TestStop(t *testing.T) {
	t.Parallel()
	n := 0
	err := importer.Read(importer.ProFTPD, importer.Input{Main: open(t, "proftpd.passwd")}, func(importer.Record) error { n++; return errStop })
	if !errors.Is(err, errStop) || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

func FuzzRead(f *testing.F) {
	for i, name := range []string{"passwd", "proftpd.passwd", "pureftpd.passwd", "sftpgo.json", "ejabberd.xml", "shadow", "group"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), string(b), "")
	}
	f.Add(uint8(6), "login,uid,groups,expires_at\nann,1,\"a;b\",2030-01-31\n", "")
	f.Add(uint8(0), "a:x:1:1:::\n", "a:!$6$x:1:::::7:\n")
	f.Fuzz(func(_ *testing.T, which uint8, main, other string) {
		formats := importer.Formats()
		in := importer.Input{Main: strings.NewReader(main), Shadow: strings.NewReader(other), Group: strings.NewReader(other)}
		_ = importer.Read(formats[int(which)%len(formats)], in, func(r importer.Record) error {
			_ = r.User()
			return nil
		})
	})
}
