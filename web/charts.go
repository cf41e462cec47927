package web

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"trivium/identity"
	"trivium/internal/series"
	"trivium/web/text"
)

// chart is one of the overview. What it shows is drawn by a script, and stands in a table without one.
type chart struct {
	ID, Title, Unit string
	Stacked         bool
	Lines           []chartLine

	Says   string // what the sentence begins with
	Label  string // what a screen reader says in the place of the drawing
	Points int
	Rows   []chartRow // the newest first
}

// chartLine is one series: its colour and dash go by its place.
type chartLine struct {
	ID, Label string
	Now       string // as of the newest point
}

// chartRow is a row of the table, with a value of each line.
type chartRow struct {
	At     stamp
	Values []string
}

// Units of charts.
const (
	unitCount     = "count"
	unitBytes     = "bytes"
	unitRate      = "bytes/s"
	unitPerSecond = "/s"
	unitPerMinute = "/min"
	unitPercent   = "%"
)

// charts are those of the overview, in their order.
func charts(words *text.Language) []chart {
	make := func(id, unit string, lines ...string) chart {
		c := chart{ID: id, Title: words.T("overview.chart_" + id), Unit: unit}
		for _, l := range lines {
			if p, ok := strings.CutPrefix(l, "sessions."); ok {
				c.Lines = append(c.Lines, chartLine{ID: l, Label: protocolLabel(identity.Protocol(p))})
			} else {
				c.Lines = append(c.Lines, chartLine{ID: l, Label: words.T("overview.line_" + strings.ReplaceAll(l, ".", "_"))})
			}
		}
		return c
	}
	list := []chart{
		make("sessions", unitCount, "sessions.ftp", "sessions.web", "sessions.dav", "sessions.api", "sessions.xmpp"),
		make("traffic", unitRate, "bytes.in", "bytes.out"),
		make("work", unitPerSecond, "requests", "stanzas", "messages", "transfers"),
		make("logins", unitPerMinute, "logins.ok", "logins.refused"),
		make("cpu", unitPercent, "cpu"),
		make("memory", unitBytes, "memory"),
	}
	list[0].Stacked = true
	return list
}

// protocolLabel is a protocol as people know it.
func protocolLabel(p identity.Protocol) string {
	return sessionRow{Info: identity.Info{Protocol: p}}.Label()
}

// measure is a value in words; "–" where nothing was measured.
func measure(words *text.Language, v float64, unit string) string {
	if math.IsNaN(v) {
		return "–"
	}
	switch unit {
	case unitBytes:
		return words.Bytes(int64(v))
	case unitRate:
		return words.Bytes(int64(v)) + "/s"
	}
	digits := 0
	switch {
	case unit == unitCount && v == math.Trunc(v):
	case v < 10 && v != 0:
		digits = 2
	case v < 100 && v != 0:
		digits = 1
	}
	n := words.Decimal(v, digits)
	switch unit {
	case unitCount:
		return n
	case unitPercent:
		return n + " %"
	}
	return n + unit
}

// charts fills the charts of a range; without measurements they are empty.
func (s *Server) charts(p *page, g series.Range) []chart {
	list := charts(p.words)
	if s.opt.Series == nil {
		return nil
	}
	defs := s.opt.Series.Defs()
	w := s.opt.Series.Window(g.Span, s.now())
	table := w.Merge(g.Row)
	last := len(w.Times) - 1
	for i := range list {
		c := &list[i]
		values := make([]string, 0, len(c.Lines))
		c.Points = len(w.Merge(g.Step).Times)
		columns := make([]int, len(c.Lines))
		for k := range c.Lines {
			l := &c.Lines[k]
			columns[k] = slices.IndexFunc(defs, func(d series.Def) bool { return d.ID == l.ID })
			l.Now = "–"
			if columns[k] >= 0 && last >= 0 {
				l.Now = measure(p.words, w.Values[columns[k]][last], c.Unit)
			}
			values = append(values, l.Label+" "+l.Now)
		}
		c.Says = p.T("overview.chart_says", c.Title, p.T("overview.range_"+g.Name))
		c.Label = c.Says + strings.Join(values, ", ") + "."
		for at := len(table.Times) - 1; at >= 0; at-- {
			row := chartRow{At: p.Stamp(time.Unix(table.Times[at], 0))}
			for _, col := range columns {
				v := math.NaN()
				if col >= 0 {
					v = table.Values[col][at]
				}
				row.Values = append(row.Values, measure(p.words, v, c.Unit))
			}
			c.Rows = append(c.Rows, row)
		}
	}
	return list
}

// getSeries sends what a script draws: the points of a range.
func (s *Server) getSeries(v *visit) error {
	if s.opt.Series == nil {
		return errAbsent
	}
	g := series.RangeOf(v.QueryParam("range"))
	w := s.opt.Series.Window(g.Span, s.now()).Merge(g.Step)
	b := append([]byte(`{"step":`), strconv.Itoa(int(g.Step/time.Second))...)
	b = append(b, `,"times":[`...)
	for i, t := range w.Times {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, t, 10)
	}
	b = append(b, `],"values":{`...)
	for i, d := range s.opt.Series.Defs() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, d.ID), ":["...)
		for k, x := range w.Values[i] {
			if k > 0 {
				b = append(b, ',')
			}
			b = appendPoint(b, x)
		}
		b = append(b, ']')
	}
	return v.Blob(http.StatusOK, "application/json", append(b, "}}"...))
}

// appendPoint writes a point as JSON has it, with as many digits as a drawing shows.
func appendPoint(b []byte, v float64) []byte {
	if math.IsNaN(v) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', 5, 64)
}

// getOverviewEvents streams each new point.
func (s *Server) getOverviewEvents(v *visit) error {
	if s.opt.Series == nil {
		return errAbsent
	}
	return s.stream(v, func(ctx context.Context) (<-chan struct{}, func() string, error) {
		return s.opt.Series.Watch(ctx), s.overview.point, nil
	})
}
