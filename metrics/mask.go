package metrics

import (
	"bytes"
	"fmt"
	"math"
)

// What a pixel is to one class: the values of a mask, one byte per pixel, row-major.
const (
	Outside uint8 = iota // of another class, or of none
	Inside               // of the class
	Void                 // not judged; every value above Inside reads as Void
)

// maxPixels bounds the pixels of one map, so that integer sums over a data set cannot overflow.
const maxPixels = 1 << 28

// ClassMask is the mask of one class in a label map: Inside where the label is class, Void where it
// is ignore, Outside elsewhere. ignore wins if both are equal.
func ClassMask(labels []uint16, class, ignore uint16) []uint8 {
	mask := make([]uint8, len(labels))
	for i, v := range labels {
		switch v {
		case ignore:
			mask[i] = Void
		case class:
			mask[i] = Inside
		}
	}
	return mask
}

// checkMap refuses maps and masks that are not of the same pixels.
func checkMap(score []float32, mask []uint8) error {
	switch {
	case len(score) != len(mask):
		return fmt.Errorf("a map of %d pixels and a mask of %d; resize the map to the image, never the mask", len(score),
			len(mask))
	case len(score) == 0:
		return fmt.Errorf("a map without pixels")
	case len(score) > maxPixels:
		return fmt.Errorf("a map of %d pixels, more than one image may have (%d)", len(score), maxPixels)
	}
	return nil
}

// run is the length of the stretch of equal values mask begins with.
func run(mask []uint8) int {
	v := mask[0]
	n := 1
	if len(mask) > 8 {
		var eight [8]uint8
		for i := range eight {
			eight[i] = v
		}
		for n+8 <= len(mask) && [8]uint8(mask[n:n+8]) == eight {
			n += 8
		}
	}
	for n < len(mask) && mask[n] == v {
		n++
	}
	return n
}

// Extent is what a map is like, apart from any truth.
type Extent struct {
	Min, Max float32 // of the numbers in it; 0 if there are none
	Peak     int     // the first pixel of value Max in row-major order; 0 if there is none
	Peaks    int     // pixels of value Max
	NaN      int     // pixels that are not numbers
}

// ExtentOf finds the extremes of a map. Pixels that are not numbers are passed over and counted.
//
// Note: numpy's and torch's arg-max return the first NaN instead.
func ExtentOf(score []float32) Extent {
	e := Extent{Min: float32(math.Inf(1)), Max: float32(math.Inf(-1))}
	for i, v := range score {
		if v >= e.Max {
			if v > e.Max || e.Peaks == 0 {
				e.Max, e.Peak, e.Peaks = v, i, 0
			}
			e.Peaks++
		}
		if v < e.Min {
			e.Min = v
		}
		if v != v {
			e.NaN++
		}
	}
	if e.NaN == len(score) {
		e.Min, e.Max = 0, 0
	}
	return e
}

// hasInside tells whether a mask has a pixel of its class.
func hasInside(mask []uint8) bool { return bytes.IndexByte(mask, Inside) >= 0 }
