package vit

import (
	"fmt"
	"strings"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Interpolation is how positional embeddings learned on one grid are read on another. At the
// native grid all of them are the identity.
type Interpolation string

// The interpolations in use.
const (
	// Bilinear is CLIP Surgery's: half-pixel centres, no antialias.
	Bilinear Interpolation = "bilinear"
	// Bicubic is that of SCLIP and its family, after DINO: torch's bicubic (a = -0.75) at the scale factor (n+0.1)/g
	// of an axis of n new and g old cells, which is not n/g.
	Bicubic Interpolation = "bicubic"
	// BicubicSize is MaskCLIP's, whose code is mmsegmentation's: torch's bicubic (a = -0.75) to a given size, at n/g.
	BicubicSize Interpolation = "bicubic-size"
	// BicubicAntialias is open_clip's and GEM's: antialiased bicubic (a = -0.5).
	BicubicAntialias Interpolation = "bicubic-antialias"
)

// Interpolations lists them.
var Interpolations = []Interpolation{Bilinear, Bicubic, BicubicSize, BicubicAntialias}

// ParseInterpolation understands the names above, and "reference" or "" as none: the method's own.
func ParseInterpolation(s string) (Interpolation, error) {
	if s == "" || s == "reference" {
		return "", nil
	}
	names := []string{"reference"}
	for _, p := range Interpolations {
		if string(p) == s {
			return p, nil
		}
		names = append(names, string(p))
	}
	return "", fmt.Errorf("positions %q are not known; known are %s", s, strings.Join(names, ", "))
}

// Resize reads table [lead+g·g, W] on a grid of rows x cols cells: [lead+rows·cols, W]. The leading rows stay. The
// result is new memory.
func (p Interpolation) Resize(table tensor.Dense, lead, rows, cols int) tensor.Dense {
	width := table.Shape[1]
	g := 1
	for g*g < table.Shape[0]-lead {
		g++
	}
	out := tensor.New(lead+rows*cols, width)
	copy(out.Data, table.Data[:lead*width])
	src, dst := table.Data[lead*width:], out.Data[lead*width:]
	switch {
	case rows == g && cols == g:
		copy(dst, src)
	case p == Bicubic:
		step := func(n int) float64 { return float64(g) / (float64(n) + 0.1) }
		resample.Bicubic(dst, cols, rows, src, g, g, width, step(cols), step(rows))
	case p == BicubicSize:
		resample.Bicubic(dst, cols, rows, src, g, g, width, 0, 0)
	case p == BicubicAntialias:
		resample.BicubicAntialias(dst, cols, rows, src, g, g, width)
	default:
		resample.BilinearCells(dst, cols, rows, src, g, g, width)
	}
	return out
}
