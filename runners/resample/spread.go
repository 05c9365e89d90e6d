package resample

import (
	"fmt"
	"math"
)

// Spread lets maps flow between pixels of like colours: W_ij = exp(-‖c_i - c_j‖/τ) for pixels i and j at most reach
// rows and columns apart, c being CIE Lab over (100, 128, 128), is normalised to S = D^-½ W D^-½ by the row sums D,
// and maps Y become Z of (I - α S) Z = Y after some steps of conjugate gradients from 0 (LPOSS+, arXiv 2503.19777,
// section 3.3).
//
// The weights depend on the picture alone. They take two bytes a pixel for every pair of reach 1, 336 at reach 6.
type Spread struct {
	w, h    int
	steps   [][2]int    // rows and columns to half of the neighbours; the other half is opposite
	weights [][]float32 // of each step S between a pixel and the one there; 0 beyond the border
}

// maxSpread bounds the pixels of a picture whose maps are spread: weights take 336 bytes for each.
const maxSpread = 1 << 20

// NewSpread computes the weights of a picture of w x h pixels, planar [3, h, w] in 0..255.
func NewSpread(rgb []float32, w, h, reach int, tau float64) (*Spread, error) {
	mustBePositive(w, h, reach)
	mustHave("picture", len(rgb), 3*w*h)
	if w*h > maxSpread {
		return nil, fmt.Errorf("an input of %dx%d pixels is too large for maps to be spread over pixels (%d at most): "+
			"choose a smaller size", w, h, maxSpread)
	}
	s := &Spread{w: w, h: h}
	for y := 0; y <= reach; y++ {
		for x := -reach; x <= reach; x++ {
			if y > 0 || x > 0 {
				s.steps = append(s.steps, [2]int{y, x})
				s.weights = append(s.weights, make([]float32, w*h))
			}
		}
	}
	lab := labOf(rgb, w*h)
	sums := make([]float64, w*h)
	for k, step := range s.steps {
		ahead := step[0]*w + step[1]
		for y := range h - min(step[0], h) {
			x0, x1 := s.columns(step[1])
			for i := y*w + x0; i < y*w+x1; i++ {
				a, b := &lab[i], &lab[i+ahead]
				d0, d1, d2 := float64(a[0]-b[0]), float64(a[1]-b[1]), float64(a[2]-b[2])
				v := math.Exp(-math.Sqrt(d0*d0+d1*d1+d2*d2) / tau)
				s.weights[k][i] = float32(v)
				sums[i] += v
				sums[i+ahead] += v
			}
		}
	}
	for k, step := range s.steps {
		for i, v := range s.weights[k] {
			if v > 0 {
				s.weights[k][i] = float32(float64(v) / math.Sqrt(sums[i]*sums[i+step[0]*w+step[1]]))
			}
		}
	}
	return s, nil
}

// columns are those from which a step of dx columns stays in the picture.
func (s *Spread) columns(dx int) (from, to int) {
	from = min(max(-dx, 0), s.w)
	return from, max(min(s.w, s.w-dx), from)
}

// labOf is CIE Lab of sRGB colours under D65, over (100, 128, 128).
func labOf(rgb []float32, n int) [][3]float32 {
	out := make([][3]float32, n)
	linear := func(v float32) float64 {
		c := float64(v) / 255
		if c > 0.04045 {
			return math.Pow((c+0.055)/1.055, 2.4)
		}
		return c / 12.92
	}
	f := func(t float64) float64 {
		if t > 0.008856 {
			return math.Cbrt(t)
		}
		return 7.787*t + 4.0/29
	}
	for i := range out {
		r, g, b := linear(rgb[i]), linear(rgb[n+i]), linear(rgb[2*n+i])
		x := f((0.412453*r + 0.357580*g + 0.180423*b) / 0.95047)
		y := f(0.212671*r + 0.715160*g + 0.072169*b)
		z := f((0.019334*r + 0.119193*g + 0.950227*b) / 1.08883)
		out[i] = [3]float32{float32((116*y - 16) / 100), float32(500 * (x - y) / 128), float32(200 * (y - z) / 128)}
	}
	return out
}

// Apply spreads maps [h·w, queries] in place. Queries do not change each other.
func (s *Spread) Apply(maps []float32, queries int, alpha float64, steps int) {
	mustHave("maps", len(maps), s.w*s.h*queries)
	var cells [4][]float32 // what is left, the direction, its image and the result
	for i := range cells {
		cells[i] = make([]float32, lanes*s.w*s.h)
	}
	for from := 0; from < queries; from += lanes {
		count := min(lanes, queries-from)
		clear(cells[0])
		for i := range s.w * s.h {
			copy(cells[0][lanes*i:], maps[i*queries+from:][:count])
		}
		s.solve(&cells, alpha, steps)
		for i := range s.w * s.h {
			copy(maps[i*queries+from:], cells[3][lanes*i:][:count])
		}
	}
}

// solve takes cells[0], which it changes, to cells[3].
func (s *Spread) solve(cells *[4][]float32, alpha float64, steps int) {
	rest, direction, image, result := cells[0], cells[1], cells[2], cells[3]
	copy(direction, rest)
	clear(result)
	norm := s.dot(rest, rest)
	for range steps {
		s.image(image, direction, float32(alpha))
		along := s.dot(direction, image)
		var step, turn [lanes]float32
		for k := range step {
			step[k] = float32(norm[k] / (along[k] + 1e-30)) // beside what has become 0
		}
		s.each(func(i int) {
			r, d, m, z := cell(rest, i), cell(direction, i), cell(image, i), cell(result, i)
			for k := range step {
				z[k] += step[k] * d[k]
				r[k] -= step[k] * m[k]
			}
		})
		next := s.dot(rest, rest)
		for k := range turn {
			turn[k] = float32(next[k] / (norm[k] + 1e-30))
		}
		norm = next
		s.each(func(i int) {
			r, d := cell(rest, i), cell(direction, i)
			for k := range turn {
				d[k] = r[k] + turn[k]*d[k]
			}
		})
	}
}

// each calls do for all cells, on all cores.
func (s *Spread) each(do func(i int)) {
	inBands(s.h, func(y0, y1 int) {
		for i := y0 * s.w; i < y1*s.w; i++ {
			do(i)
		}
	})
}

// dot is the product of a and b for each lane, the same whatever the number of cores.
func (s *Spread) dot(a, b []float32) (sum [lanes]float64) {
	rows := make([][lanes]float64, s.h)
	inBands(s.h, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			for i := y * s.w; i < (y+1)*s.w; i++ {
				p, q := cell(a, i), cell(b, i)
				for k := range p {
					rows[y][k] += float64(p[k]) * float64(q[k])
				}
			}
		}
	})
	for y := range rows {
		for k, v := range rows[y] {
			sum[k] += v
		}
	}
	return sum
}

// image is (I - α S) x.
func (s *Spread) image(dst, x []float32, alpha float32) {
	inBands(s.h, func(y0, y1 int) {
		for y := y0; y < y1; y++ {
			row := dst[lanes*y*s.w:][:lanes*s.w]
			clear(row)
			for k, step := range s.steps {
				ahead := step[0]*s.w + step[1]
				if x0, x1 := s.columns(step[1]); y+step[0] < s.h && x0 < x1 {
					i := y*s.w + x0
					weighAdd(row[lanes*x0:], x[lanes*(i+ahead):], s.weights[k][i:][:x1-x0])
				}
				if x0, x1 := s.columns(-step[1]); y >= step[0] && x0 < x1 {
					i := y*s.w + x0 - ahead
					weighAdd(row[lanes*x0:], x[lanes*i:], s.weights[k][i:][:x1-x0])
				}
			}
			for i, v := range x[lanes*y*s.w:][:len(row)] {
				row[i] = v - alpha*row[i]
			}
		}
	})
}
