package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"trivium/identity"
)

// guard shows what keeps guessing down: failures, delays, bans, and the gate before slow hashes.
type guard struct {
	read func() identity.GuardStats
	rows []guardRow
}

type guardRow struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(identity.GuardStats) float64
}

func newGuard(read func() identity.GuardStats) *guard {
	g := &guard{read: read}
	add := func(name, help string, kind prometheus.ValueType, value func(identity.GuardStats) float64) {
		g.rows = append(g.rows, guardRow{prometheus.NewDesc("trivium_"+name, help, nil, nil), kind, value})
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	add("login_failures_total", "Wrong log-ins.", counter, func(s identity.GuardStats) float64 { return float64(s.Failures) })
	add("login_delayed_total", "Log-ins that waited because of wrong ones of the same account.", counter, func(s identity.GuardStats) float64 { return float64(s.Delayed) })
	add("login_delay_seconds_total", "How long they waited, all together.", counter, func(s identity.GuardStats) float64 { return s.Waited.Seconds() })
	add("login_spared_total", "Log-ins that did not wait, as the account is known to be used from there.", counter, func(s identity.GuardStats) float64 { return float64(s.Spared) })
	add("login_refused_total", "Log-ins that were not let wait, as too many did.", counter, func(s identity.GuardStats) float64 { return float64(s.Refused) })
	add("bans_total", "Bans made by rules.", counter, func(s identity.GuardStats) float64 { return float64(s.Bans) })
	add("bans_widened_total", "Those of them that cover a whole block.", counter, func(s identity.GuardStats) float64 { return float64(s.Widened) })
	add("ban_hits_total", "Connections and log-ins turned away by a ban.", counter, func(s identity.GuardStats) float64 { return float64(s.Hits) })
	add("bans", "Bans that hold now.", gauge, func(s identity.GuardStats) float64 { return float64(s.Held) })
	add("password_hashes_total", "Slow hashes begun.", counter, func(s identity.GuardStats) float64 { return float64(s.Hashes) })
	add("hash_queue", "Log-ins that wait for a slow hash.", gauge, func(s identity.GuardStats) float64 { return float64(s.GateQueue) })
	add("hash_waits_total", "Log-ins that have waited for one.", counter, func(s identity.GuardStats) float64 { return float64(s.GateWaits) })
	add("hash_wait_seconds_total", "How long they waited, all together.", counter, func(s identity.GuardStats) float64 { return s.GateWaited.Seconds() })
	add("hash_busy_total", "Log-ins that were told to come later, as too many waited.", counter, func(s identity.GuardStats) float64 { return float64(s.GateSent) })
	return g
}

// Describe implements prometheus.Collector.
func (g *guard) Describe(to chan<- *prometheus.Desc) {
	for _, r := range g.rows {
		to <- r.desc
	}
}

// Collect implements prometheus.Collector.
func (g *guard) Collect(to chan<- prometheus.Metric) {
	s := g.read()
	for _, r := range g.rows {
		to <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(s))
	}
}
