package app

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"trivium/identity"
	"trivium/internal/series"
)

// newMetrics is what a monitoring system reads: the process, and who is there. It is read off the
// list of sessions at each question, so that it can say nothing else than that does.
func newMetrics(s *identity.Service, rec *series.Recorder, log *slog.Logger) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newPresent(s.Registry),
		newGuard(s.Guard),
		newMeasured(rec),
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}), nil
}

// present counts sessions by road and state, and the resources of the chat road as its clients see
// them: connected (bound), available (presence sent), interested (the roster asked for).
type present struct {
	list                func(identity.Filter) []identity.Info
	sessions, resources *prometheus.Desc
}

func newPresent(r *identity.Registry) *present {
	return &present{
		list:      r.List,
		sessions:  prometheus.NewDesc("trivium_sessions", "Sessions by protocol and state.", []string{"protocol", "state"}, nil),
		resources: prometheus.NewDesc("trivium_xmpp_resources", "Bound resources of the chat road: all that are connected, and of those the available and the interested ones.", []string{"what"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (p *present) Describe(to chan<- *prometheus.Desc) {
	to <- p.sessions
	to <- p.resources
}

// Collect implements prometheus.Collector.
func (p *present) Collect(to chan<- prometheus.Metric) {
	type key struct{ protocol, state string }
	sessions := map[key]int{}
	var connected, available, interested int
	for _, s := range p.list(identity.Filter{}) {
		sessions[key{string(s.Protocol), string(s.State)}]++
		if s.Protocol != identity.ProtocolXMPP || s.Resource == nil {
			continue
		}
		connected++
		if s.State == identity.StateAvailable {
			available++
		}
		if s.Interested != nil && *s.Interested {
			interested++
		}
	}
	for k, n := range sessions {
		to <- prometheus.MustNewConstMetric(p.sessions, prometheus.GaugeValue, float64(n), k.protocol, k.state)
	}
	for what, n := range map[string]int{"connected": connected, "available": available, "interested": interested} {
		to <- prometheus.MustNewConstMetric(p.resources, prometheus.GaugeValue, float64(n), what)
	}
}
