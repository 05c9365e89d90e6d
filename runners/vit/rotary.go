package vit

import (
	"math"

	"ovbench/runners/tensor"
)

// Rotary is a rotation of queries and keys by the places of patches on their grid (Heo et al., arXiv 2403.13298, of one
// base for both axes): half the pairs of a head turn by the column, the rest by the row. Tokens before the patches do
// not turn.
type Rotary struct {
	Base   float64 // the slowest pair of an axis turns by 1/Base^(1-4/d) a step, the fastest by 1
	Offset int     // place of the first row and column
	Native int     // cells of a side that steps are scaled back to, as timm does on other grids; 0 for whole steps
}

// table is f of the angles [lead+rows·cols, d/2] for heads of d channels.
func (r *Rotary) table(lead, rows, cols, d int, f func(float64) float64) tensor.Dense {
	n := d / 4 // frequencies of an axis
	out := tensor.New(lead+rows*cols, d/2)
	step := func(cells int) float64 {
		if r.Native == 0 {
			return 1
		}
		return float64(r.Native) / float64(cells)
	}
	for i := range out.Shape[0] {
		row := out.At(i).Data
		for k := range row {
			angle := 0.0
			if at := i - lead; at >= 0 {
				place := float64(at%cols+r.Offset) * step(cols)
				if k >= n {
					place = float64(at/cols+r.Offset) * step(rows)
				}
				angle = place * math.Pow(r.Base, -float64(k%n)/float64(n))
			}
			row[k] = float32(f(angle))
		}
	}
	return out
}
