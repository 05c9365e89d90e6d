// Package labelmap answers: which class is every pixel of? It reads the numbers that label PNGs store and maps them to
// labels.
package labelmap

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Ignore labels pixels that no metric counts: void borders, unlabelled regions.
const Ignore = 0xFFFF

// Map is a label map of W x H pixels, row-major: Pix[y*W+x] is a class or [Ignore]. The zero value is the empty map. A
// Map shares Pix with its copies.
type Map struct {
	W, H int
	Pix  []uint16
}

// A Histogram counts the pixels of each value that label maps hold.
type Histogram map[uint16]int64

// Add counts the pixels of l.
func (h Histogram) Add(l Map) {
	for p := 0; p < len(l.Pix); {
		v, from := l.Pix[p], p
		for p < len(l.Pix) && l.Pix[p] == v { // maps have long runs
			p++
		}
		h[v] += int64(p - from)
	}
}

// Values are the values that occur, ascending.
func (h Histogram) Values() []uint16 { return slices.Sorted(maps.Keys(h)) }

// ErrValue is a stored number that stands for no label.
var ErrValue = errors.New("label value is out of range")

// A Table maps stored 8-bit values to labels; [Stray] marks values that must not occur.
type Table [256]uint16

// Stray is the label of a stored value that must not occur.
const Stray = Ignore - 1

// NewTable maps 0..classes-1 to themselves and void to Ignore. With reduceZero it is mmsegmentation's
// reduce_zero_label: stored 0 is Ignore too, stored k is label k-1, and classes does not count the stored 0.
func NewTable(classes int, void uint8, reduceZero bool) *Table {
	var t Table
	for i := range t {
		t[i] = Stray
	}
	first := 0
	if reduceZero {
		t[0] = Ignore
		first = 1
	}
	for k := range classes {
		t[first+k] = uint16(k)
	}
	t[void] = Ignore
	return &t
}

// Apply maps l in place. The error is a [*Strays], and l is then good for nothing.
func (t *Table) Apply(l Map) error {
	return l.Replace(t.allowed, func(v uint16) uint16 {
		if v < uint16(len(t)) {
			return t[v]
		}
		return Stray
	})
}

// Replace maps l in place by a function that gives [Stray] for values that must not occur; allowed lists the others.
// The error is a [*Strays], and l is then good for nothing.
func (l Map) Replace(allowed func() string, label func(v uint16) uint16) error {
	var strays *Strays
	var last, mapped uint16
	for i, v := range l.Pix {
		if i == 0 || v != last { // maps have long runs
			last, mapped = v, label(v)
		}
		if mapped == Stray {
			if strays == nil {
				strays = &Strays{First: v, x: i % l.W, y: i / l.W, allowed: allowed(), Pixels: make(map[uint16]int)}
			}
			strays.Pixels[v]++
		}
		l.Pix[i] = mapped
	}
	if strays != nil {
		return strays
	}
	return nil
}

// Strays is an ErrValue with all that is wrong: how many pixels have each value that must not occur.
type Strays struct {
	First   uint16 // found at x, y
	x, y    int
	allowed string
	Pixels  map[uint16]int
}

func (s *Strays) Error() string {
	return fmt.Sprintf("%v: %d at x %d, y %d; allowed are %s", ErrValue, s.First, s.x, s.y, s.allowed)
}

func (s *Strays) Unwrap() error { return ErrValue }

// allowed lists the stored values as ranges: "0..20, 255".
func (t *Table) allowed() string {
	var b bytes.Buffer
	for i := 0; i < len(t); i++ {
		if t[i] == Stray {
			continue
		}
		first := i
		for i+1 < len(t) && t[i+1] != Stray {
			i++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		if fmt.Fprint(&b, first); i > first {
			fmt.Fprintf(&b, "..%d", i)
		}
	}
	return b.String()
}
