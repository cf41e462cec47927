package xmpp

import (
	"errors"
	"fmt"
	"testing"
)

// Who answers nothing leaves room for the others.
func TestQuestionsAreShared(t *testing.T) {
	q := &questions{}
	n, ended := 0, 0
	ask := func(of string) (id string, err error) {
		n++
		id = fmt.Sprint(n)
		return id, q.add(id, of+"/r", Address{of, "example.org"}, answerWithin, func(*Stanza, error) { ended++ })
	}
	fill := func(of string) (ids []string) {
		for {
			id, err := ask(of)
			if errors.Is(err, errTooMany) {
				return ids
			}
			ids = append(ids, id)
		}
	}
	first := fill("silent")
	if len(first) == 0 || len(first) > maxQuestions/questionShare {
		t.Errorf("one account is asked %d", len(first))
	}
	for i := range 20 {
		fill(fmt.Sprint("silent", i))
	}
	var few []string
	for i := range 100 {
		id, err := ask("quick")
		if err != nil {
			t.Fatalf("question %d: %v", i, err)
		}
		few = append(few, id)
	}
	for _, id := range few {
		q.end(id, "quick/r", nil, nil)
		q.end(id, "quick/r", nil, nil) // counts once
	}
	if _, is := q.of[Address{"quick", "example.org"}]; is || ended != len(few) {
		t.Errorf("%d are kept of one who owes none, %d were answered", q.of[Address{"quick", "example.org"}], ended)
	}
	for id, a := range q.open { // no timer outlives the test
		q.end(id, a.to, nil, ErrNoAnswer)
	}
	if len(q.open) != 0 || len(q.of) != 0 {
		t.Errorf("%d questions of %d accounts are left", len(q.open), len(q.of))
	}
}
