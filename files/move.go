package files

import (
	"context"
	"errors"
	"io/fs"
	"strings"
)

// Versions follow their file when it is renamed, thrown away or restored, and are taken from its path
// when it goes for ever, so that those of a new file there are no others'. Bytes and rows cannot move in
// one step: the store is told first what is going to move, and after a crash the entry itself says
// whether it has.

// move is a Move that has been planned; nil: there are no versions that would follow.
type move struct {
	s *Service
	m Move
}

// cast is a path for the versions of what goes for ever: like that of something in the trash, whose
// line is gone. What a crash leaves there is removed by the next start.
func cast() string { return thrown(newBinID()) }

// planMove tells the store of an entry that is about to go. The caller holds the names of its tree,
// not shared, until the end of the move; top is that tree.
func (s *Service) planMove(ctx context.Context, top Top, m Move) (*move, error) {
	if !s.anyVersions(ctx) {
		return nil, nil
	}
	if err := s.endMoves(ctx, m.Tree, top); err != nil {
		return nil, err
	}
	some, err := s.o.Bin.VersionsBelow(ctx, m.Tree, m.From, 1)
	if err != nil || len(some) == 0 {
		return nil, err
	}
	m.ID = newBinID()
	if err := s.o.Bin.PlanMove(ctx, m); err != nil {
		return nil, err
	}
	return &move{s, m}, nil
}

// end lets the versions follow an entry that has moved, and gives the path where they are then; "" where
// nothing has. If the store fails now, the next move in the tree or the next sweep does it.
func (p *move) end(ctx context.Context, moved bool) (to string) {
	if p == nil {
		return ""
	}
	if err := p.s.o.Bin.EndMove(context.WithoutCancel(ctx), p.m, moved); err != nil {
		p.s.ledger.of(p.m.Tree).moved = false
		p.s.o.Log.WarnContext(ctx, "files: versions will follow their file later", "tree", p.m.Tree, "err", err)
		return ""
	}
	if !moved {
		return ""
	}
	return p.m.To
}

// endMoves ends what a crash, or the store, has left of moves in a tree. The caller holds the tree's
// names, not shared.
func (s *Service) endMoves(ctx context.Context, key string, top Top) error {
	a := s.ledger.of(key)
	if a.moved {
		return nil
	}
	for {
		left, err := s.o.Bin.Moves(ctx, key)
		if err != nil {
			return err
		}
		for _, m := range left {
			stays, err := stays(ctx, top, m)
			if err != nil {
				return err
			}
			if err := s.o.Bin.EndMove(ctx, m, !stays); err != nil {
				return err
			}
		}
		if len(left) == 0 {
			a.moved = true
			return nil
		}
	}
}

// sweepMoves is endMoves where there is something to do.
func (s *Service) sweepMoves(ctx context.Context, key string, top Top) error {
	if !s.anyVersions(ctx) {
		return nil
	}
	left, err := s.o.Bin.Moves(ctx, key)
	if err != nil || len(left) == 0 {
		return err
	}
	defer s.lockNames(key)()
	return s.endMoves(ctx, key, top)
}

// stays reports whether the entry of a move still stands where it was.
func stays(ctx context.Context, top Top, m Move) (bool, error) {
	var n Node
	var err error
	if id, ok := strings.CutPrefix(m.From, thrown("")); ok {
		var kept Dir
		if kept, err = top.Kept(ctx, KeptTrash, false); err == nil {
			n, err = kept.Lstat(ctx, id)
			_ = kept.Close()
		}
	} else {
		n, err = nodeAt(ctx, top, m.From)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
		return false, nil
	}
	return err == nil && n.Unique == m.Unique, err
}

// nodeAt looks at what stands by a path in a tree.
func nodeAt(ctx context.Context, top Top, p string) (Node, error) {
	way := split(p)
	if len(way) == 0 {
		return Node{}, fs.ErrNotExist
	}
	d, last := Dir(top), len(way)-1
	if last > 0 {
		var err error
		if d, err = reach(ctx, top, way[:last]); err != nil {
			return Node{}, err
		}
		defer d.Close()
	}
	return d.Lstat(ctx, way[last])
}
