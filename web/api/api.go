package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"trivium/backup"
	"trivium/config"
	"trivium/doctor"
	"trivium/files"
	"trivium/identity"
	"trivium/internal/certs"
	"trivium/internal/probe"
	"trivium/tokens"
	"trivium/webhooks"
)

// Prefix begins every path.
const Prefix = "/api/v1"

// Options is what New needs.
type Options struct {
	Identity *identity.Service
	Tokens   *tokens.Service
	Files    *files.Service // nil: questions about quotas are answered with unsupported
	Config   *config.Config
	Classes  []identity.Class // as identity got them

	// Status tells what only the running process knows; nil in the command line's own process.
	Status func() Status
	// BaseURL is the address of the web pages; nil: what the configuration gives. With a listener
	// on port 0 only the running server knows it.
	BaseURL func() string

	// Chat writes what chat keeps of an account (XEP-0227); nil: exports have none.
	Chat func(ctx context.Context, acc identity.Account, out io.Writer) error

	// Live is the configuration as the running server has it; nil: Config, which nobody changes.
	Live LiveConfig
	// Certificates are the server's own; nil: there are none.
	Certificates func() (*certs.Source, error)
	// Doctor looks at the server; nil: one without checks.
	Doctor *doctor.Service

	// TestConnection tries a road as an account's client does, and reports each step; nil: nothing runs.
	TestConnection func(ctx context.Context, by identity.Actor, user, road, at string, report func(probe.Step)) error

	Webhooks *webhooks.Service // nil: questions about webhooks are answered with unsupported

	// Backups makes backups and looks after them; nil: questions about them are answered with unsupported.
	Backups *backup.Service

	// Metrics answers GET /metrics; nil: there is no such path.
	Metrics http.Handler

	Version string
	Log     *slog.Logger // nil: none
	Now     func() time.Time
}

// API holds the routes.
type API struct {
	o      Options
	id     *identity.Service
	mux    *http.ServeMux
	huma   huma.API
	routes map[string]Route // by the mux's pattern
	spec   func() ([]byte, error)
	page   func() ([]byte, error) // the reference
	log    *slog.Logger
	now    func() time.Time

	keeper  *onceKeeper
	limits  limits
	misses  *misses
	streams *openStreams
}

// Route is one operation and the level that it requires at least.
type Route struct {
	Method, Path string // the path below Prefix, with {names}
	Operation    string
	Level        identity.Level
	Confirm      bool // asks for a proof that is not lent to every program: see fresh

	Conditional bool // takes If-Match
	stream      bool // its answer is sent as it is made, and has no tag
	pages       pages
}

// New makes the routes; Identity, Tokens and Config must be there.
func New(o Options) (*API, error) {
	if o.Identity == nil || o.Tokens == nil || o.Config == nil {
		return nil, errors.New("the API needs identity, tokens and config")
	}
	if o.Doctor == nil {
		o.Doctor = doctor.New()
	}
	a := &API{o: o, id: o.Identity, mux: http.NewServeMux(), routes: map[string]Route{}, log: o.Log, now: o.Now, misses: newMisses(), streams: newOpenStreams()}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	var err error
	a.limits = limits{newBuckets(o.Config.Web.APIRate, o.Config.Web.APIBurst), newBuckets(o.Config.Web.APIAccountRate, 3*o.Config.Web.APIBurst)}
	if a.keeper, err = newOnceKeeper(o.Identity); err != nil {
		return nil, err
	}
	conf := huma.DefaultConfig("Trivium", o.Version)
	conf.Info.Description = "Accounts, sessions, tokens and policy of one Trivium server."
	// The document is served by a route of its own with a level like all others, and answers
	// carry no $schema member.
	conf.OpenAPIPath, conf.DocsPath, conf.SchemasPath = "", "", ""
	conf.CreateHooks = nil
	conf.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	conf.Transformers = []huma.Transformer{problems}
	conf.RejectUnknownQueryParameters = true
	conf.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A token with scope api; with scope admin too where more than the rights of a customer are needed."},
		"basic":  {Type: "http", Scheme: "basic", Description: "Login, and a password or token."},
	}
	a.huma = humago.NewWithPrefix(a.mux, Prefix, conf)
	a.registerServer()
	a.registerDoctor()
	a.registerSettings()
	a.registerUsers()
	a.registerImport()
	a.registerExport()
	a.registerQuotas()
	a.registerTrash()
	a.registerShares()
	a.registerEntries()
	a.registerGroups()
	a.registerAliases()
	a.registerTokens()
	a.registerFactors()
	a.registerCertificates()
	a.registerSessions()
	a.registerTransfers()
	a.registerPolicy()
	a.registerBans()
	a.registerIntrospect()
	a.registerStream()
	a.registerInvites()
	a.registerAudit()
	a.registerSources()
	a.registerApplications()
	a.registerWebhooks()
	a.registerNotifications()
	a.registerEvents()
	a.registerConnect()
	a.registerBackups()
	a.registerMaintenance()
	a.registerAnnouncements()
	a.document()
	a.page = sync.OnceValues(a.refHTML)
	if err := a.known(dangerous()); err != nil {
		return nil, err
	}
	if o.Metrics != nil { // outside of the prefix and of the document: monitoring systems know where it is
		a.mux.Handle("GET /metrics", o.Metrics)
		a.routes["GET /metrics"] = Route{Method: http.MethodGet, Path: "/metrics", Operation: "metrics", Level: identity.LevelAdmin, stream: true}
	}
	a.spec = sync.OnceValues(func() ([]byte, error) {
		return json.MarshalIndent(a.huma.OpenAPI(), "", " ")
	})
	return a, nil
}

// Routes lists every operation, by path and method.
func (a *API) Routes() []Route {
	var list []Route
	for _, r := range a.routes {
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y Route) int {
		return slices.Compare([]string{x.Path, x.Method}, []string{y.Path, y.Method})
	})
	return list
}

// known makes sure that there are operations of these names.
func (a *API) known(operations []string) error {
	have := map[string]bool{}
	for _, r := range a.routes {
		have[r.Operation] = true
	}
	for _, op := range operations {
		if !have[op] {
			return fmt.Errorf("the API has no operation %q", op)
		}
	}
	return nil
}

// OpenAPI is the document at /api/v1/openapi.json.
func (a *API) OpenAPI() ([]byte, error) { return a.spec() }

// handle declares one operation. Level is the least that the guard lets through; where an
// operation shows one's own things to everybody and others' to few, its handler asks again.
func handle[I, O any](a *API, level identity.Level, method, path, id, summary string, fn func(context.Context, *I) (*O, error)) {
	declare(a, level, method, path, id, summary, nil, fn)
}

// tagged is handle for a change of what find reads, which may hang on If-Match.
func tagged[I, O any](a *API, level identity.Level, method, path, id, summary string, find lookup, fn func(context.Context, *I) (*O, error)) {
	declare(a, level, method, path, id, summary, find, fn)
}

func declare[I, O any](a *API, level identity.Level, method, path, id, summary string, find lookup, fn func(context.Context, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		MaxBodyBytes: maxBody,
		Extensions:   map[string]any{"x-level": int(level)},
	}
	confirm := slices.Contains(dangerous(), id)
	if confirm {
		op.Extensions["x-confirm"] = true
	}
	if level > identity.LevelNone {
		op.Security = []map[string][]string{{"bearer": {}}, {"basic": {}}}
	}
	in, out := reflect.TypeFor[I](), reflect.TypeFor[O]()
	route := Route{Method: method, Path: path, Operation: id, Level: level, Confirm: confirm, Conditional: find != nil,
		stream: out == reflect.TypeFor[huma.StreamResponse]()}
	list, isList := listBody(out)
	switch {
	case method != http.MethodGet || !isList:
		isList = false
	case embeds(in, reflect.TypeFor[PageIn]()):
		route.pages = pagesOwn
		isList = false
	case asks(in, "limit"): // the audit log has cursors of its own, which live as long as its rows
		isList = false
	default:
		route.pages = pagesAfter
	}
	a.routes[method+" "+Prefix+path] = route
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		c := who(ctx)
		if x := c.exchange; find != nil && x.match != nil {
			c.actor = c.actor.Provided(condition(*x.match, find, targetOf(in)))
			ctx = context.WithValue(ctx, callerKey{}, c)
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		if out != nil {
			v := reflect.ValueOf(out).Elem()
			if isList {
				v.Field(list).Set(c.exchange.cut(v.Field(list)))
			}
			if body := v.FieldByName("Body"); body.IsValid() && !route.stream && !isList {
				c.exchange.state = stateTag(body.Interface())
			}
		}
		return out, nil
	})
}

// caller is who asks: the actor, and the session where there is one.
type caller struct {
	actor   identity.Actor
	session *identity.Session // nil on the control socket
	owner   identity.UserID   // "" on the control socket
	grant   *identity.Grant   // nil: with the account's own password, or on the control socket

	exchange *exchange // of this request
}

type callerKey struct{}

// who returns the caller that the guard has put there.
func who(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

func (c caller) allows(need identity.Level) bool { return c.actor.Level.Allows(need) }

func hostOf(a netip.AddrPort) string { return a.Addr().Unmap().String() }
