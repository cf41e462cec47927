package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
)

// AuditProof is what a check of the whole log found.
type AuditProof struct {
	Rows     int64        `json:"rows"`     // that are proven to be as they were written
	Removed  int64        `json:"removed"`  // taken out for their age, by a server with the seal key
	Unproven int64        `json:"unproven"` // from before the log was a chain
	Head     string       `json:"head"`     // where it ends
	Faults   []AuditFault `json:"faults"`   // none: the log is whole
}

// AuditFault is something in the log that is not as it was written.
type AuditFault struct {
	ID   int64  `json:"id"` // of the row
	Text string `json:"text"`
}

const (
	verifyPage = 2000 // rows read at once
	verifyMost = 100  // faults after which nothing more is looked for
)

// VerifyAudit follows the chain of the audit log from its beginning to its head, and says what has
// been changed, removed, added or moved. heads are ends of the log that were noted down earlier, at
// which its rows must have been those that they are; those that this server keeps are checked in any
// case. It takes some 10 µs a row, and no lock.
func (s *Service) VerifyAudit(ctx context.Context, heads ...AuditHead) (AuditProof, error) {
	head, err := s.store.AuditHead(ctx)
	if err != nil {
		return AuditProof{}, err
	}
	v := &verifier{store: s.store, sign: newSigner(s.seal.audit), head: head, next: head.Began + 1}
	v.proof.Head, v.proof.Faults = head.String(), []AuditFault{}
	if !v.sign.genuine(head) {
		v.fault(head.ID, "the head of the log was not made with this server's seal key")
	}
	kept, err := s.keptHeads(ctx)
	if err != nil {
		return v.proof, err
	}
	v.expect(append(kept, heads...))
	if head.Began > 0 {
		if v.proof.Unproven, err = v.legacy(ctx); err != nil {
			return v.proof, err
		}
	}
	for v.next <= head.ID && len(v.proof.Faults) < verifyMost {
		if err := v.step(ctx); err != nil {
			return v.proof, err
		}
	}
	if len(v.proof.Faults) >= verifyMost {
		return v.proof, nil
	}
	return v.proof, v.end(ctx)
}

// keptHeads are those that this process and the store remember.
func (s *Service) keptHeads(ctx context.Context) ([]AuditHead, error) {
	s.audit.mu.Lock()
	known := s.audit.known
	s.audit.mu.Unlock()
	var heads []AuditHead
	if len(known.MAC) > 0 {
		heads = append(heads, known)
	}
	text, err := s.store.Setting(ctx, auditHeadSetting)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if h, err := ParseAuditHead(text); err == nil {
		heads = append(heads, h)
	}
	return heads, nil
}

// verifier goes along the chain.
type verifier struct {
	store  Store
	sign   *signer
	head   AuditHead
	heads  []AuditHead // expected, by ID
	proof  AuditProof
	rows   []AuditRow // read and not looked at
	next   int64      // the ID that comes
	prev   []byte     // the chain until it
	anyway bool       // the next row need not follow: a fault has been told
	buf    []byte
}

func (v *verifier) fault(id int64, format string, args ...any) {
	v.proof.Faults = append(v.proof.Faults, AuditFault{id, fmt.Sprintf(format, args...)})
}

// expect takes the heads that the log must have had.
func (v *verifier) expect(heads []AuditHead) {
	for _, h := range heads {
		switch {
		case !v.sign.genuine(h) || h.fresh():
			v.fault(h.ID, "a noted head was not made with this server's seal key")
		case v.head.fresh():
			v.fault(h.ID, "the log had %d rows when a head was noted, and its head is gone", h.ID)
		case h.Began != v.head.Began:
			v.fault(h.ID, "a noted head belongs to another log than this one")
		case h.ID > v.head.ID:
			v.fault(v.head.ID+1, "the rows up to %d are gone: the end of the log was cut off, or an older copy put in its place", h.ID)
		default:
			v.heads = append(v.heads, h)
		}
	}
	slices.SortFunc(v.heads, func(a, b AuditHead) int { return int(a.ID - b.ID) })
}

// arrived compares the place that was reached with the noted heads; chain nil says that it is not
// known there.
func (v *verifier) arrived(id int64, chain []byte) {
	for len(v.heads) > 0 && v.heads[0].ID <= id {
		if h := v.heads[0]; h.ID == id && !bytes.Equal(h.Chain, chain) {
			v.fault(id, "the log up to here is another one than when its head was noted")
		}
		v.heads = v.heads[1:]
	}
}

// step looks at the next row, or at the gap in its place.
func (v *verifier) step(ctx context.Context) (err error) {
	for len(v.rows) > 0 && v.rows[0].ID < v.next {
		v.rows = v.rows[1:]
	}
	if len(v.rows) == 0 {
		if v.rows, err = v.store.AuditRows(ctx, v.next, verifyPage); err != nil {
			return err
		}
	}
	if len(v.rows) == 0 || v.rows[0].ID != v.next {
		return v.gap(ctx)
	}
	r := &v.rows[0]
	v.rows = v.rows[1:]
	sum, buf := link(v.prev, &r.AuditEvent, v.buf)
	v.buf = buf
	switch {
	case r.Event == EventAuditBroken:
		v.fault(r.ID, "at this row the server found the log changed: %s", r.Detail)
	case bytes.Equal(sum[:], r.Chain):
		v.proof.Rows++
	case !v.anyway:
		v.fault(r.ID, "the row does not follow from the one before it: one of the two was changed, added or moved")
	}
	v.anyway = false
	v.prev, v.next = r.Chain, r.ID+1
	v.arrived(r.ID, r.Chain)
	return nil
}

// gap goes past rows that are not there. It is read after the rows, so that of those which were
// removed meanwhile the gap is there.
func (v *verifier) gap(ctx context.Context) error {
	g, err := v.store.AuditGap(ctx, v.next)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err != nil || !bytes.Equal(g.MAC, v.sign.gap(g)) {
		last := v.head.ID
		if len(v.rows) > 0 {
			last = min(last, v.rows[0].ID-1)
		}
		if v.next == last {
			v.fault(v.next, "the row is gone")
		} else {
			v.fault(v.next, "the rows up to %d are gone", last)
		}
		v.next, v.anyway = last+1, true
		return nil
	}
	if g.First == v.next && !bytes.Equal(g.Before, v.prev) && !v.anyway {
		v.fault(v.next, "the rows that were removed here for their age do not follow from the one before them")
	}
	v.anyway = false
	v.proof.Removed += g.Last - max(g.First, v.head.Began+1) + 1
	v.arrived(g.Last-1, nil)
	v.arrived(g.Last, g.After)
	v.prev, v.next = g.After, g.Last+1
	return nil
}

// end compares the end of the chain with the head, and looks for rows past it.
func (v *verifier) end(ctx context.Context) error {
	if !v.anyway && !bytes.Equal(v.prev, v.head.Chain) {
		v.fault(v.head.ID, "the last row is not the one that the head of the log names")
	}
	more, err := v.store.AuditRows(ctx, v.head.ID+1, 1)
	if err != nil || len(more) == 0 {
		return err
	}
	now, err := v.store.AuditHead(ctx) // rows that were appended meanwhile are its
	if err == nil && now.ID < more[0].ID {
		v.fault(more[0].ID, "the row was added past the head of the log")
	}
	return err
}

// legacy counts the rows from before there was a chain.
func (v *verifier) legacy(ctx context.Context) (n int64, err error) {
	for from := int64(1); from <= v.head.Began; {
		rows, err := v.store.AuditRows(ctx, from, verifyPage)
		if err != nil {
			return n, err
		}
		for _, r := range rows {
			if r.ID <= v.head.Began {
				n++
			}
		}
		if len(rows) == 0 {
			break
		}
		from = rows[len(rows)-1].ID + 1
	}
	return n, nil
}
