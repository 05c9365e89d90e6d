package methods

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ovbench/runners/resample"
)

// Ending is how values of patches become a map of pixels in 0..1: steps in their order, joined by dashes. relu takes
// negative values for zero, minmax stretches what is there to 0..1, resize enlarges to pixels, bilinearly. Methods'
// authors differ in it.
//
// All endings order pixels alike where no value is negative; values at a fixed threshold and contrasts differ, because
// an enlargement by an even number never hits the centre of a patch and so shrinks the range before a late minmax.
//
// The zero Ending is [MinMaxResize].
type Ending string

// The endings in use.
const (
	// MinMaxResize is CLIP Surgery's. The map stays within 0..1, and every text is at 1 in some patch, present in the
	// image or not.
	MinMaxResize Ending = "minmax-resize"
	// ResizeMinMax is that of Chefer's notebook and of LeGrad.
	ResizeMinMax Ending = "resize-minmax"
	// ReLUMinMaxResize is Grad-ECLIP's.
	ReLUMinMaxResize Ending = "relu-minmax-resize"
	// ReLUMinMaxResizeMinMax is that of gScoreCAM's code, of pytorch-grad-cam and of CLIP-ES. They add 1e-8 or 1e-7 to
	// what they divide by; here nothing is added.
	ReLUMinMaxResizeMinMax Ending = "relu-minmax-resize-minmax"
)

// Endings lists them.
var Endings = []Ending{MinMaxResize, ResizeMinMax, ReLUMinMaxResize, ReLUMinMaxResizeMinMax}

// ParseEnding understands the names above, and "reference" or "" as none: the method's own.
func ParseEnding(s string) (Ending, error) {
	if s == "" || s == "reference" {
		return "", nil
	}
	names := []string{"reference"}
	for _, e := range Endings {
		if string(e) == s {
			return e, nil
		}
		names = append(names, string(e))
	}
	return "", fmt.Errorf("ending %q is not known; known are %s", s, strings.Join(names, ", "))
}

// Flaw is why a map shows nothing; empty where it shows something.
type Flaw string

// The flaws of maps. Such a map is 0 everywhere.
const (
	Constant    Flaw = "constant" // all values are one
	AllNegative Flaw = "negative" // no value is above zero, and the ending takes negative ones for zero
	NotFinite   Flaw = "NaN"      // some value is not a finite number
)

// Map is the map of one text at h x w pixels, from values [rows·cols] of patches.
func (e Ending) Map(values []float32, rows, cols, h, w int) (m []float32, flaw Flaw) {
	m = make([]float32, h*w)
	cells := slices.Clone(values)
	if !finite(cells) {
		return m, NotFinite
	}
	for _, step := range strings.Split(string(cmp.Or(e, MinMaxResize)), "-") {
		x := cells
		if cells == nil {
			x = m
		}
		switch step {
		case "relu":
			for i, v := range x {
				x[i] = max(v, 0)
			}
			if !slices.ContainsFunc(x, func(v float32) bool { return v > 0 }) {
				return m, AllNegative
			}
		case "minmax":
			if !MinMax(x) {
				clear(m)
				return m, Constant
			}
		case "resize":
			resample.Bilinear(m, w, h, cells, cols, rows)
			cells = nil
		}
	}
	return m, ""
}

func finite(x []float32) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
