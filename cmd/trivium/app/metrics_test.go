package app

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"trivium/identity"
)

func TestPresent(t *testing.T) {
	resource, yes, no := "r", true, false
	p := newPresent(accounts(t).Registry)
	p.list = func(identity.Filter) []identity.Info {
		return []identity.Info{
			{Protocol: identity.ProtocolFTP, State: identity.StateReady},
			{Protocol: identity.ProtocolXMPP, State: identity.StateUnauthed},
			{Protocol: identity.ProtocolXMPP, State: identity.StateConnected, Resource: &resource, Interested: &no},
			{Protocol: identity.ProtocolXMPP, State: identity.StateAvailable, Resource: &resource, Interested: &yes},
			{Protocol: identity.ProtocolXMPP, State: identity.StateAvailable, Resource: &resource, Interested: &no},
		}
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(p)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetValue())
			}
			got[f.GetName()+" "+strings.Join(labels, " ")] = m.Gauge.GetValue()
		}
	}
	for name, want := range map[string]float64{
		"trivium_xmpp_resources connected": 3, "trivium_xmpp_resources available": 2, "trivium_xmpp_resources interested": 1,
		"trivium_sessions ftp ready": 1, "trivium_sessions xmpp available": 2, "trivium_sessions xmpp c2s_unauthed": 1,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v, of %v", name, got[name], want, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	rec := newSeries()
	rec.Use(func(values []float64) { values[len(values)-1-6] = 42 }) // requests
	h, err := newMetrics(accounts(t), rec, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"go_goroutines", "process_resident_memory_bytes", `trivium_xmpp_resources{what="connected"} 0`,
		"trivium_http_requests_total 42", `trivium_logins_total{result="refused"} 0`, `trivium_bytes_total{direction="in"} 0`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in %s", want, w.Body.String())
		}
	}
}
