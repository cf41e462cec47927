package pubsub

import (
	"errors"

	xstanza "mellium.im/xmpp/stanza"

	"trivium/xmpp"
)

// failure is an error that is the client's, with what it hears.
type failure struct {
	cond xstanza.Condition
	typ  xstanza.ErrorType
	app  string // name of a condition of pubsub#errors, with further attributes, or ""
	text string // for a person
}

func (f *failure) Error() string {
	s := string(f.cond)
	if f.app != "" {
		s += " (" + f.app + ")"
	}
	return s
}

func fail(cond xstanza.Condition, typ xstanza.ErrorType, app string) error {
	return &failure{cond: cond, typ: typ, app: app}
}

// The errors of XEP-0060, as its examples have them.
func badRequest(app string) error    { return fail(xstanza.BadRequest, xstanza.Modify, app) }
func notAcceptable(app string) error { return fail(xstanza.NotAcceptable, xstanza.Modify, app) }
func forbidden() error               { return fail(xstanza.Forbidden, xstanza.Auth, "") }
func notFound() error                { return fail(xstanza.ItemNotFound, xstanza.Cancel, "") }
func notAuthorized(app string) error { return fail(xstanza.NotAuthorized, xstanza.Auth, app) }

// errGone is notFound for an item.
var errGone = notFound()

func unsupported(feature string) error {
	return fail(xstanza.FeatureNotImplemented, xstanza.Cancel, "unsupported feature='"+feature+"'")
}

func preconditionNotMet() error {
	return fail(xstanza.Conflict, xstanza.Cancel, "precondition-not-met")
}

func tooMuch(cond xstanza.Condition, typ xstanza.ErrorType, app, text string) error {
	return &failure{cond, typ, app, text}
}

// refuse answers with an error.
func refuse(q *xmpp.Request, err error) {
	var f *failure
	if !errors.As(err, &f) {
		q.Broken(err)
		return
	}
	app := ""
	if f.app != "" {
		name, attrs := f.app, ""
		for i := range name {
			if name[i] == ' ' {
				name, attrs = f.app[:i], f.app[i:]
				break
			}
		}
		app = "<" + name + " xmlns='" + nsErrors + "'" + attrs + "/>"
	}
	q.FailText(f.cond, f.typ, f.text, app)
}
