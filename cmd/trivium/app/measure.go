package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/fx"

	"trivium/config"
	"trivium/identity"
	"trivium/internal/series"
	"trivium/internal/sqldb"
	"trivium/web"
	"trivium/xmpp"
)

// seriesFile has the measurements of the overview, in the data directory.
const seriesFile = "series.dat"

// newSeries names what is measured; the order is that of measured.
func newSeries() *series.Recorder {
	defs := make([]series.Def, 0, 16)
	for _, p := range protocols() {
		defs = append(defs, series.Def{ID: "sessions." + string(p)})
	}
	return series.New(append(defs,
		series.Def{ID: "bytes.in", Per: time.Second}, series.Def{ID: "bytes.out", Per: time.Second},
		series.Def{ID: "transfers", Per: time.Second}, series.Def{ID: "requests", Per: time.Second},
		series.Def{ID: "stanzas", Per: time.Second}, series.Def{ID: "messages", Per: time.Second},
		series.Def{ID: "logins.ok", Per: time.Minute}, series.Def{ID: "logins.refused", Per: time.Minute},
		series.Def{ID: "cpu", Per: 100 * time.Second}, // seconds of it in 100 s: percent of a processor
		series.Def{ID: "memory"}))
}

// protocols are those that sessions are counted by.
func protocols() []identity.Protocol {
	return []identity.Protocol{identity.ProtocolFTP, identity.ProtocolWeb, identity.ProtocolDAV, identity.ProtocolAPI, identity.ProtocolXMPP}
}

// measure fills the series from start to stop, and keeps them over a restart.
func measure(lc fx.Lifecycle, cfg *config.Config, rec *series.Recorder, r *identity.Registry, w *web.Server, x *xmpp.Server, log *slog.Logger) {
	rec.Use(func(values []float64) {
		n := 0
		put := func(list ...float64) { n += copy(values[n:], list) }
		sessions := r.CountByProtocol()
		for _, p := range protocols() {
			put(float64(sessions[p]))
		}
		t := r.Totals()
		put(float64(t.BytesIn), float64(t.BytesOut), float64(t.Transfers), float64(w.Requests()))
		stanzas, messages := x.Counts()
		put(float64(stanzas), float64(messages), float64(t.LoginsOK), float64(t.LoginsRefused))
		cpu, memory := usage()
		put(cpu.Seconds(), float64(memory))
	})
	file := filepath.Join(cfg.DataDir, seriesFile)
	if err := rec.Load(file); err != nil {
		log.Warn("the measurements of the overview begin anew", "file", file, "error", err)
	}
	background(lc, func(ctx context.Context) { rec.Run(ctx, file, log) })
}

// measured gives a monitoring system the counters that the overview draws; who is there it has from
// present, and the process from the library.
type measured struct {
	rec   *series.Recorder
	descs map[string]counter // by the ID of the series
}

type counter struct {
	desc  *prometheus.Desc
	label []string
}

func newMeasured(rec *series.Recorder) *measured {
	bytes := prometheus.NewDesc("trivium_bytes_total", "Bytes that sessions have sent (in) and received (out), by the server's side.", []string{"direction"}, nil)
	logins := prometheus.NewDesc("trivium_logins_total", "Log-ins by their result.", []string{"result"}, nil)
	one := func(name, help string) counter { return counter{desc: prometheus.NewDesc(name, help, nil, nil)} }
	return &measured{rec: rec, descs: map[string]counter{
		"bytes.in": {bytes, []string{"in"}}, "bytes.out": {bytes, []string{"out"}},
		"logins.ok": {logins, []string{"ok"}}, "logins.refused": {logins, []string{"refused"}},
		"transfers": one("trivium_transfers_total", "Transfers of files and listings that have begun."),
		"requests":  one("trivium_http_requests_total", "Requests for pages, files, WebDAV and the API."),
		"stanzas":   one("trivium_xmpp_stanzas_total", "Stanzas that clients have sent."),
		"messages":  one("trivium_xmpp_messages_total", "Messages among them."),
	}}
}

// Describe implements prometheus.Collector.
func (m *measured) Describe(to chan<- *prometheus.Desc) {
	seen := map[*prometheus.Desc]bool{}
	for _, c := range m.descs {
		if !seen[c.desc] {
			seen[c.desc] = true
			to <- c.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (m *measured) Collect(to chan<- prometheus.Metric) {
	now := m.rec.Now()
	for i, d := range m.rec.Defs() {
		if c, ok := m.descs[d.ID]; ok && i < len(now) {
			to <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, now[i], c.label...)
		}
	}
}

// described says for the page About which engine the store is, and how many bytes it takes.
func described(db *sqldb.DB) func(context.Context) (string, int64, error) {
	return func(ctx context.Context) (string, int64, error) {
		engine, err := db.Engine(ctx)
		if err != nil {
			return engine, 0, err
		}
		n, err := db.Size(ctx)
		return engine, n, err
	}
}
