package app

import (
	"context"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"trivium/doctor"
)

// doctorEvery is how often the server looks at itself; doctorAfter how soon after its start, when the
// listeners are open and nobody waits for it.
const (
	doctorEvery = time.Hour
	doctorAfter = 2 * time.Second
)

// newDoctor is the list of checks; the parts of the server join theirs with Add.
func newDoctor(lc fx.Lifecycle, log *slog.Logger, live serving) *doctor.Service {
	s := doctor.New()
	if live {
		background(lc, func(ctx context.Context) {
			select {
			case <-time.After(doctorAfter):
			case <-ctx.Done():
				return
			}
			s.Background(ctx, doctorEvery, func(r doctor.Report) { tellReport(log, r) })
		})
	}
	return s
}

// tellReport puts what somebody should see into the log.
func tellReport(log *slog.Logger, r doctor.Report) {
	for _, x := range r.Attention() {
		level := slog.LevelWarn
		if x.State == doctor.Failed {
			level = slog.LevelError
		}
		log.Log(context.Background(), level, "a check of the server did not pass", "event", "doctor", "check", x.ID, "found", x.Title, "fix", x.Fix)
	}
}
