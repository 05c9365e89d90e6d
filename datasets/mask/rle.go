// Package mask answers: which pixels are inside? It has the masks of COCO, as run lengths, and fills polygons as COCO's
// and Cityscapes' tools do.
package mask

import (
	"fmt"
	"slices"

	"ovbench/datasets/files"
)

// RLE is a binary mask of H x W pixels as COCO stores it: run lengths of zeros and ones in turn, zeros first, down the
// columns, so that pixel x, y is number x*H+y. The zero value is no mask.
//
// Every RLE that this package makes is normal: the runs add up to H*W, and only the first may be empty. Equal masks
// then have equal Counts, which is not so in COCO's files and tools (cocoapi pull request 477). An RLE shares Counts
// with its copies, and nobody writes to it.
type RLE struct {
	H, W   int
	Counts []uint32
}

// maxRunDigits bounds the characters of one number in a compressed RLE. Seven hold 34 bits and a sign, more than a
// difference of two run lengths needs.
const maxRunDigits = 7

// New makes a mask of run lengths, COCO's uncompressed form. Empty runs may stand anywhere and are merged away.
func New(counts []uint32, h, w int) (RLE, error) {
	if err := checkMaskSize(h, w); err != nil {
		return RLE{}, err
	}
	var sum uint64
	for _, n := range counts {
		sum += uint64(n)
	}
	if sum != uint64(h)*uint64(w) {
		return RLE{}, fmt.Errorf("run lengths add up to %d pixels, the mask of %dx%d has %d", sum, w, h, h*w)
	}
	return RLE{H: h, W: w, Counts: normalRuns(counts)}, nil
}

// Decode reads COCO's compressed form: run i less run i-2 where i > 2, in groups of five bits, the lowest first, each
// one character from '0' on; bit 5 says that more follow, bit 4 of the last is the sign.
func Decode(counts string, h, w int) (RLE, error) {
	var runs []uint32
	for p := 0; p < len(counts); {
		v, digits, err := runNumber(counts[p:])
		if err != nil {
			return RLE{}, fmt.Errorf("compressed run lengths, byte %d: %w", p, err)
		}
		if n := len(runs); n > 2 {
			v += int64(runs[n-2])
		}
		if v < 0 || v > files.MaxPixels {
			return RLE{}, fmt.Errorf("compressed run lengths, byte %d: a run of %d pixels", p, v)
		}
		runs = append(runs, uint32(v))
		p += digits
	}
	return New(runs, h, w)
}

// runNumber reads the number that s begins with.
func runNumber(s string) (v int64, digits int, err error) {
	for digits < len(s) && digits < maxRunDigits {
		d := int64(s[digits]) - '0'
		if d < 0 || d > 0x3f {
			return 0, 0, fmt.Errorf("character %q does not occur there", s[digits])
		}
		v |= d & 0x1f << (5 * digits)
		digits++
		if d&0x20 == 0 {
			if d&0x10 != 0 {
				v |= -1 << (5 * digits)
			}
			return v, digits, nil
		}
	}
	return 0, 0, fmt.Errorf("number %.*q does not end", maxRunDigits, s)
}

// Encode is the inverse of [Decode].
func (r RLE) Encode() string {
	s := make([]byte, 0, 2*len(r.Counts))
	for i, n := range r.Counts {
		v := int64(n)
		if i > 2 {
			v -= int64(r.Counts[i-2])
		}
		for more := true; more; {
			d := byte(v & 0x1f)
			v >>= 5
			if more = v != -int64(d>>4); more {
				d |= 0x20
			}
			s = append(s, d+'0')
		}
	}
	return string(s)
}

// Area counts the ones.
func (r RLE) Area() int64 {
	var area int64
	for i := 1; i < len(r.Counts); i += 2 {
		area += int64(r.Counts[i])
	}
	return area
}

// Box is the smallest rectangle around the ones, x0 <= x < x1 and y0 <= y < y1; all zero if there are none.
func (r RLE) Box() (x0, y0, x1, y1 int) {
	x0, y0 = r.W, r.H
	for first, last := range r.ones() {
		x0, x1 = min(x0, first/r.H), max(x1, last/r.H+1)
		if first/r.H != last/r.H { // passes a column's end and the next one's beginning
			y0, y1 = 0, r.H
		} else {
			y0, y1 = min(y0, first%r.H), max(y1, last%r.H+1)
		}
	}
	if x1 == 0 {
		return 0, 0, 0, 0
	}
	return x0, y0, x1, y1
}

// Paint sets dst[y*W+x] to value where the mask is one. dst has H*W pixels, else Paint panics.
func (r RLE) Paint(dst []uint16, value uint16) {
	if len(dst) != r.H*r.W {
		panic(fmt.Sprintf("mask: painting a mask of %dx%d pixels on %d", r.W, r.H, len(dst)))
	}
	for first, last := range r.ones() {
		x, y := first/r.H, first%r.H
		for range last - first + 1 {
			dst[y*r.W+x] = value
			if y++; y == r.H {
				x, y = x+1, 0
			}
		}
	}
}

// ones yields the numbers of the first and the last pixel of every run of ones.
func (r RLE) ones() func(yield func(first, last int) bool) {
	return func(yield func(first, last int) bool) {
		p := 0
		for i, n := range r.Counts {
			if i%2 == 1 && n > 0 && !yield(p, p+int(n)-1) {
				return
			}
			p += int(n)
		}
	}
}

// Union is one where r or s is. Both have the same size, else Union panics.
func (r RLE) Union(s RLE) RLE {
	if r.H != s.H || r.W != s.W {
		panic(fmt.Sprintf("mask: masks of %dx%d and %dx%d pixels have nothing in common", r.W, r.H, s.W, s.H))
	}
	var out runWriter
	a, b := runReader{counts: r.Counts}, runReader{counts: s.Counts}
	for a.next() && b.next() {
		n := min(a.left, b.left)
		out.add(a.one || b.one, n)
		a.left -= n
		b.left -= n
	}
	return RLE{H: r.H, W: r.W, Counts: out.counts}
}

// normalRuns copies counts without its empty runs, but for the first.
func normalRuns(counts []uint32) []uint32 {
	out := runWriter{counts: make([]uint32, 0, len(counts))}
	for r := (runReader{counts: counts}); r.next(); r.left = 0 {
		out.add(r.one, r.left)
	}
	return slices.Clip(out.counts)
}

// A runReader walks over the runs that are not empty.
type runReader struct {
	counts []uint32 // yet to come
	left   uint32   // of the run it stands in
	one    bool     // what that run consists of
	odd    bool     // the run to come is one of ones
}

func (r *runReader) next() bool {
	for r.left == 0 {
		if len(r.counts) == 0 {
			return false
		}
		r.left, r.one = r.counts[0], r.odd
		r.counts, r.odd = r.counts[1:], !r.odd
	}
	return true
}

// A runWriter joins runs of the same value.
type runWriter struct{ counts []uint32 }

func (w *runWriter) add(one bool, n uint32) {
	if len(w.counts) == 0 && one {
		w.counts = append(w.counts, 0)
	}
	if last := len(w.counts) - 1; last >= 0 && one == (last%2 == 1) {
		w.counts[last] += n
		return
	}
	w.counts = append(w.counts, n)
}

// checkMaskSize bounds what a mask's size may ask for.
func checkMaskSize(h, w int) error {
	if h <= 0 || w <= 0 || h > files.MaxPixels/w {
		return fmt.Errorf("a mask of %dx%d pixels; sides are positive and their product is at most %d", w, h,
			files.MaxPixels)
	}
	return nil
}
