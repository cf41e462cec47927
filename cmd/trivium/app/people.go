package app

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/template"
	"time"

	"go.uber.org/fx"
	"golang.org/x/text/language"

	"trivium/config"
	"trivium/identity"
	identitystore "trivium/identity/sqlstore"
	"trivium/internal/mail"
	"trivium/internal/sqldb"
	"trivium/internal/strength"
	"trivium/xmpp/notice"
)

//go:embed notices/*.txt
var noticeTexts embed.FS

// passwordJudge is the estimator with the list of config.
type passwordJudge struct {
	*strength.Estimator
	bad *strength.List
}

func newJudge(cfg *config.Config) (*passwordJudge, error) {
	j := &passwordJudge{Estimator: strength.New()}
	if cfg.Identity.BadPasswords == "" {
		return j, nil
	}
	f, err := os.Open(cfg.Identity.BadPasswords)
	if err != nil {
		return nil, fmt.Errorf("identity.bad_passwords: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	if j.bad, err = strength.ReadList(f); err != nil {
		return nil, fmt.Errorf("identity.bad_passwords: %w", err)
	}
	return j, nil
}

// Judge implements identity.PasswordJudge.
func (j *passwordJudge) Judge(password string, own ...string) (int, string) {
	e := j.Estimate(password, own...)
	return int(e.Score), map[strength.Kind]string{
		strength.Dictionary: "a common password or word", strength.Own: "made of the account's own names",
		strength.Repeat: "one piece again and again", strength.Sequence: "characters that follow one another",
		strength.Keyboard: "a row of the keyboard", strength.Date: "a date or year"}[e.Weak]
}

// Bad implements identity.PasswordJudge.
func (j *passwordJudge) Bad(password string) bool { return j.bad.Has(password) }

// mailKey is what DeriveKey makes the key of the queue from.
const mailKey = "mail queue"

// newMail is nil where config has no mail server.
func newMail(lc fx.Lifecycle, cfg *config.Config, db *sqldb.DB, s *identity.Service, log *slog.Logger) (*mail.Queue, error) {
	m := cfg.Mail
	if m.Host == "" {
		return nil, nil
	}
	from := m.From
	if from == "" {
		from = "noreply@" + cfg.Domain
	}
	q, err := mail.New(mail.Options{Store: identitystore.NewMails(db), Key: s.DeriveKey(mailKey), Host: m.Host, Port: m.Port, TLS: mail.TLS(m.TLS),
		User: m.User, Password: m.Password.Reveal, From: from, Name: siteName(cfg), Log: log})
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	background(lc, q.Run)
	return q, nil
}

// teller brings notices to people: what concerns an account by chat and by mail, links by mail alone.
type teller struct {
	texts     map[string]*template.Template // by language
	languages language.Matcher
	base      func() string
	site      string
	domain    string
	mail      *mail.Queue     // nil: none
	chat      *notice.Notices // nil: none
}

// noticeLanguages are those that there are texts in; the first stands where none is asked for.
var noticeLanguages = []language.Tag{language.English, language.German}

func newTeller(cfg *config.Config, st *status, q *mail.Queue, chat *notice.Notices) (*teller, error) {
	t := &teller{texts: map[string]*template.Template{}, languages: language.NewMatcher(noticeLanguages), base: st.baseURL,
		site: siteName(cfg), domain: cfg.Domain, mail: q, chat: chat}
	for _, tag := range noticeLanguages {
		text, err := template.ParseFS(noticeTexts, "notices/"+tag.String()+".txt")
		if err != nil {
			return nil, fmt.Errorf("reading the texts of notices: %w", err)
		}
		t.texts[tag.String()] = text
	}
	return t, nil
}

// noticeView is what the texts show.
type noticeView struct {
	Account, When, Until, Road, Client, Remote, By, Base, Site, Code, What string
	Removed                                                                bool
}

// byNobody stands for who acts without an account: the command line on the server's own machine.
const byNobody = "local"

// words are the subject and the text of a notice, in the person's language where there are texts in it.
func (t *teller) words(n identity.Notice) (subject, body string, err error) {
	tag, _ := language.MatchStrings(t.languages, n.Profile.Lang)
	base, _ := tag.Base()
	texts := t.texts[base.String()]
	if texts == nil {
		texts = t.texts[noticeLanguages[0].String()]
	}
	zone, err := time.LoadLocation(n.Profile.TimeZone) // "" is UTC
	if err != nil {
		zone = time.UTC
	}
	form, err := render(texts, "moment", noticeView{})
	if err != nil {
		return "", "", err
	}
	view := noticeView{Account: string(n.Login), When: n.At.In(zone).Format(form), Until: n.Until.In(zone).Format(form),
		Road: string(n.Protocol), Client: flat(n.Client), Remote: flat(n.Remote), By: flat(n.By), Base: t.base(), Site: t.site, Code: n.Code.Reveal(),
		What: flat(n.What), Removed: n.Removed}
	if view.By == byNobody {
		if view.By, err = render(texts, "administration", view); err != nil {
			return "", "", err
		}
	}
	if n.Domain != t.domain {
		view.Account += "@" + n.Domain
	}
	if n.Location != "" {
		view.Remote += " (" + flat(n.Location) + ")"
	}
	if subject, err = render(texts, string(n.Kind)+".subject", view); err != nil {
		return "", "", err
	}
	body, err = render(texts, string(n.Kind), view)
	return subject, body, err
}

// Notify implements identity.Notifier.
func (t *teller) Notify(ctx context.Context, n identity.Notice) error {
	subject, body, err := t.words(n)
	if err != nil {
		return err
	}
	var errs []error
	if t.chat != nil && n.Ways.Has(identity.NoticeChat) && n.Code.IsZero() && n.Login != "" {
		errs = append(errs, t.chat.Tell(ctx, n.Domain, string(n.Login), subject, body))
	}
	if t.mail != nil && n.Ways.Has(identity.NoticeMail) {
		for _, to := range []string{n.Profile.Email, n.Email} {
			if to != "" {
				errs = append(errs, t.mail.Send(ctx, mail.Message{To: to, Subject: subject, Body: body + "\n-- \n" + t.site + "\n" + t.base() + "\n", Until: n.Until}))
			}
		}
	}
	return errors.Join(errs...)
}

func render(t *template.Template, name string, view noticeView) (string, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, view); err != nil {
		return "", fmt.Errorf("writing a notice: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

// flat makes what came from outside one line.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }
