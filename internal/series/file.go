package series

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
)

// The file: magic, the names of the series, of each tier its step, the step of its last point, how many
// there are and they themselves, and a sum over all that. Numbers are big-endian, points as IEEE 754
// single precision.
const (
	magic    = "TRISER1\n"
	maxNames = 256
	maxFile  = 8 << 20 // bytes
)

var errFile = errors.New("this is no file of measurements, or it is damaged")

// Save writes the points to a file, whole or not at all.
func (r *Recorder) Save(file string) error {
	next := file + ".new"
	if err := os.WriteFile(next, r.encode(), 0o600); err != nil {
		return fmt.Errorf("writing measurements: %w", err)
	}
	if err := os.Rename(next, file); err != nil {
		return fmt.Errorf("writing measurements: %w", err)
	}
	return nil
}

// Load takes the points of a file in the place of those that there are. Series are found by their names:
// what the file does not have has no points, what it has beyond is left out. No file is no error.
func (r *Recorder) Load(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading measurements: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("reading measurements: %w", err)
	}
	return r.decode(b)
}

func (r *Recorder) encode() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := []byte(magic)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.defs)))
	for _, d := range r.defs {
		b = append(b, byte(len(d.ID)))
		b = append(b, d.ID...)
	}
	b = append(b, byte(len(r.tiers)))
	for _, t := range r.tiers {
		t = t.closed()
		n := t.len()
		b = binary.BigEndian.AppendUint32(b, uint32(t.step))
		b = binary.BigEndian.AppendUint64(b, uint64(t.last))
		b = binary.BigEndian.AppendUint32(b, uint32(n))
		for _, p := range t.points[len(t.points)-n*t.width:] {
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(p))
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// reader takes a file apart; after a fault all it gives is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return make([]byte, min(max(n, 8), 256))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

func (r *Recorder) decode(b []byte) error {
	if len(b) > maxFile || len(b) < len(magic)+4 || !bytes.HasPrefix(b, []byte(magic)) {
		return errFile
	}
	body := b[:len(b)-4]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return errFile
	}
	in := &reader{b: body[len(magic):]}
	width := int(binary.BigEndian.Uint16(in.take(2)))
	if width > maxNames {
		return errFile
	}
	columns := make([]int, width) // where a column of the file goes; -1: nowhere
	for i := range columns {
		name := string(in.take(int(in.take(1)[0])))
		columns[i] = -1
		for k, d := range r.defs {
			if d.ID == name {
				columns[i] = k
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clear()
	for range int(in.take(1)[0]) {
		step, last, n := int64(in.u32()), int64(binary.BigEndian.Uint64(in.take(8))), int(in.u32())
		if in.bad || n > len(in.b)/4/max(width, 1) {
			in.bad = true
			break
		}
		points := in.take(n * width * 4)
		for _, t := range r.tiers {
			if t.step == step && n <= t.most && last >= 0 && last < math.MaxInt64/step {
				t.fill(points, columns, n, last)
			}
		}
	}
	if in.bad || len(in.b) > 0 {
		r.clear()
		return errFile
	}
	return nil
}

// fill takes the points of a file, whose columns go where columns says.
func (t *tier) fill(points []byte, columns []int, n int, last int64) {
	t.points, t.last = make([]float32, n*t.width), last
	for i := range t.points {
		t.points[i] = float32(math.NaN())
	}
	for k := range n {
		for i, to := range columns {
			if to >= 0 {
				if p := math.Float32frombits(binary.BigEndian.Uint32(points[(k*len(columns)+i)*4:])); !math.IsInf(float64(p), 0) {
					t.points[k*t.width+to] = p
				}
			}
		}
	}
}
