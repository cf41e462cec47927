package identity

import "context"

// Resource names something that a level guards: kind, colon, segments: "web:/admin/users",
// "file:/pub/a", "ftp:SITE CHMOD", "xmpp:muc:create", "login:ftp".
type Resource string

// Decision is the answer of the policy table for one resource and one subject.
type Decision struct {
	Resource Resource `json:"resource"`
	Required Level    `json:"required"` // LevelNobody: never
	Allowed  bool     `json:"allowed"`
	Held     Level    `json:"held"`
	Pattern  string   `json:"pattern"` // of the rule that decided; "" where the default of the kind did
	Source   string   `json:"source"`  // "config", "store", "route", "default"
	Client   string   `json:"client"`  // what a client sees that may not: "404", "550", "502", "item-not-found" …
}

// Rule is one row of the policy table.
type Rule struct {
	Pattern string `json:"pattern"`
	Level   Level  `json:"level"`
	Source  string `json:"source"`
}

// Allowed reports whether the session may use the resource now. The answer counts for this
// moment alone: roads ask again for each use.
func (s *Service) Allowed(ses *Session, r Resource) bool { return s.allowed(ses, r) }

// Required returns the level that r needs, whoever asks; a road that knows a stricter or other
// default of its own (the web's route table) passes it as def, else LevelOf(kind) stands.
func (s *Service) Required(r Resource, def ...Level) Level { return s.required(r, def...) }

// Explain says which rule decides for an account (user, as `login` or `login@domain`) or, where
// user is "", for a held level.
func (s *Service) Explain(ctx context.Context, r Resource, user string, level Level) (Decision, error) {
	return s.explain(ctx, r, user, level)
}

// Rules lists the table, the most specific first.
func (s *Service) Rules() []Rule { return s.rules() }
