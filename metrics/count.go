package metrics

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// MaxClasses bounds the number of classes of a confusion matrix.
const MaxClasses = 1 << 12

// Cell counts the pixels of one image whose truth is Truth and whose prediction is Pred.
type Cell struct {
	Truth, Pred uint16
	Count       int64
}

// Sparse is what one image contributes to a confusion matrix: its non-zero cells, sorted by
// truth, then prediction. Truth lies in 0..classes-1, Pred in 0..classes, where Pred = classes
// gathers the predictions outside that range. It is a value to be stored, in files as
// [[truth, prediction, pixels], …]; nil is an empty image.
type Sparse []Cell

// MarshalJSON writes rows of three numbers.
func (s Sparse) MarshalJSON() ([]byte, error) {
	return appendRows(len(s), func(i int) []int64 { return []int64{int64(s[i].Truth), int64(s[i].Pred), s[i].Count} }), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Sparse) UnmarshalJSON(b []byte) error {
	*s = slices.Grow(Sparse(nil), rowsIn(b, 3))
	return readRows(b, 3, func(x []int64) error {
		if x[0] != int64(uint16(x[0])) || x[1] != int64(uint16(x[1])) {
			return fmt.Errorf("confusion cell %v is out of range", x)
		}
		*s = append(*s, Cell{Truth: uint16(x[0]), Pred: uint16(x[1]), Count: x[2]})
		return nil
	})
}

// Areas reduces the record to what pooled scores need.
func (s Sparse) Areas(classes int) (AreaRecord, error) {
	if _, err := s.check(classes); err != nil {
		return nil, err
	}
	var out AreaRecord
	of := func(class uint16) *ClassArea { // an image has few classes
		for i := range out {
			if out[i].Class == class {
				return &out[i]
			}
		}
		out = append(out, ClassArea{Class: class})
		return &out[len(out)-1]
	}
	for _, c := range s {
		of(c.Truth).Truth += c.Count
		if int(c.Pred) < classes {
			of(c.Pred).Pred += c.Count
		}
		if c.Truth == c.Pred {
			of(c.Truth).Intersection += c.Count
		}
	}
	slices.SortFunc(out, func(a, b ClassArea) int { return cmp.Compare(a.Class, b.Class) })
	return out, nil
}

// Pixels is how many are counted.
func (s Sparse) Pixels() (n int64) {
	for _, c := range s {
		n += c.Count
	}
	return n
}

// Count compares two label maps of the same pixels. Pixels whose truth is ignore do not count,
// whatever is predicted there. Any other truth outside 0..classes-1 is an error; a prediction
// outside it is kept as Pred = classes.
func Count(truth, pred []uint16, classes int, ignore uint16) (Sparse, error) {
	if err := checkClasses(classes); err != nil {
		return nil, err
	}
	if len(truth) != len(pred) {
		return nil, fmt.Errorf("%d truth and %d predicted pixels", len(truth), len(pred))
	}
	if len(truth) > math.MaxInt32 {
		return nil, fmt.Errorf("%d pixels, more than one image may have (%d)", len(truth), math.MaxInt32)
	}
	if rows := classes + 2; rows*rows <= max(1<<12, len(truth)) {
		return countDense(truth, pred, classes, ignore)
	}
	return countRuns(truth, pred, classes, ignore)
}

func checkClasses(classes int) error {
	if classes < 1 || classes > MaxClasses {
		return fmt.Errorf("%d classes, want 1..%d", classes, MaxClasses)
	}
	return nil
}

// countDense fills a histogram of (row, column) in one pass. Two rows follow those of the
// classes: ignored truth, then truth that is an error.
//
// Label maps are mostly flat: four pixels that repeat the pair before them only lengthen a run.
// Where they do not, neighbours still tend to share a bin, and an increment waits for the one
// before it in the same bin; four histograms in turn take that wait away.
func countDense(truth, pred []uint16, classes int, ignore uint16) (Sparse, error) {
	stride := classes + 1
	bins := stride * (classes + 2)
	all := make([]uint32, 4*bins)
	h0, h1, h2, h3 := all[:bins], all[bins:2*bins], all[2*bins:3*bins], all[3*bins:]
	b := binner{uint16(classes), ignore, uint32(stride)}
	var runTruth, runPred uint64 // the pair of the run, four times
	var runBin, run uint32
	pred = pred[:len(truth)]
	i := 0
	for ; i+4 <= len(truth); i += 4 {
		t, p := truth[i:i+4:i+4], pred[i:i+4:i+4]
		if four(t) == runTruth && four(p) == runPred && i > 0 {
			run += 4
			continue
		}
		h0[runBin] += run
		h0[b.bin(t[0], p[0])]++
		h1[b.bin(t[1], p[1])]++
		h2[b.bin(t[2], p[2])]++
		runTruth, runPred, runBin, run = uint64(t[3])*ones, uint64(p[3])*ones, b.bin(t[3], p[3]), 0
		h3[runBin]++
	}
	h0[runBin] += run
	for ; i < len(truth); i++ {
		h0[b.bin(truth[i], pred[i])]++
	}
	var out Sparse
	for bin := range h0 {
		n := int64(h0[bin]) + int64(h1[bin]) + int64(h2[bin]) + int64(h3[bin])
		row := bin / stride
		if n == 0 || row == classes {
			continue
		}
		if row > classes {
			return nil, badTruth(truth, classes, ignore)
		}
		out = append(out, Cell{uint16(row), uint16(bin % stride), n})
	}
	return out, nil
}

// ones repeats a label four times by multiplication.
const ones = 1<<48 | 1<<32 | 1<<16 | 1

// four packs four labels; the compiler makes it one load.
func four(v []uint16) uint64 {
	return uint64(v[0]) | uint64(v[1])<<16 | uint64(v[2])<<32 | uint64(v[3])<<48
}

type binner struct {
	classes, ignore uint16
	stride          uint32
}

// bin is the histogram index of a pixel.
func (b binner) bin(truth, pred uint16) uint32 {
	row := uint32(truth)
	if truth >= b.classes {
		row = uint32(b.classes) + 1
	}
	if truth == b.ignore {
		row = uint32(b.classes)
	}
	return row*b.stride + uint32(min(pred, b.classes))
}

// countRuns counts runs of equal pairs in a map: the way for small images of many classes, whose
// histogram would be larger than the image.
func countRuns(truth, pred []uint16, classes int, ignore uint16) (Sparse, error) {
	counts := make(map[Cell]int64)
	for i := 0; i < len(truth); {
		t, p := truth[i], pred[i]
		first := i
		for i < len(truth) && truth[i] == t && pred[i] == p {
			i++
		}
		if t == ignore {
			continue
		}
		if int(t) >= classes {
			return nil, badTruth(truth, classes, ignore)
		}
		counts[Cell{Truth: t, Pred: min(p, uint16(classes))}] += int64(i - first)
	}
	return sparseOf(counts), nil
}

// sparseOf turns counts by pair, whose keys have Count 0, into a record.
func sparseOf(counts map[Cell]int64) Sparse {
	var out Sparse
	for c, n := range counts {
		c.Count = n
		out = append(out, c)
	}
	slices.SortFunc(out, order)
	return out
}

// order sorts cells by truth, then prediction.
func order(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.Truth, b.Truth), cmp.Compare(a.Pred, b.Pred))
}

func badTruth(truth []uint16, classes int, ignore uint16) error {
	for i, v := range truth {
		if int(v) >= classes && v != ignore {
			return fmt.Errorf(
				"truth has label %d at pixel %d, but there are %d classes and label %d is ignored; map void labels to the "+
					"ignored one, and check reduce_zero_label", v, i, classes, ignore)
		}
	}
	return nil
}

// check refuses records that Count cannot have made, as a damaged file may hold, and sums the pixels of others.
func (s Sparse) check(classes int) (sum int64, err error) {
	for i, c := range s {
		switch {
		case int(c.Truth) >= classes || int(c.Pred) > classes:
			return 0, fmt.Errorf("cell %d: truth %d, prediction %d, with %d classes", i, c.Truth, c.Pred, classes)
		case c.Count <= 0 || c.Count > maxCount || sum > maxCount:
			return 0, fmt.Errorf("cell %d: count %d", i, c.Count)
		case i > 0 && order(s[i-1], c) >= 0:
			return 0, fmt.Errorf("cell %d: truth %d, prediction %d is out of order or repeated", i, c.Truth, c.Pred)
		}
		sum += c.Count
	}
	return sum, nil
}
