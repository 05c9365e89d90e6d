package runners_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// planes is a picture of float64 channels [C][H][W].
type planes [][][]float64

// convolve is a convolution with zero padding (k-1)/2 and its BatchNorm, from their definitions.
func (s slow) convolve(x planes, c clip.ConvNorm, stride int) planes {
	w := s.weights(c.Weight)
	scale, shift, mean, variance := s.weights(c.Scale).Data, s.weights(c.Shift).Data, s.weights(c.Mean).Data,
		s.weights(c.Variance).Data
	k := w.Shape[2]
	pad := (k - 1) / 2
	h, wide := len(x[0]), len(x[0][0])
	out := make(planes, w.Shape[0])
	for o := range out {
		for y := 0; y < h; y += stride {
			var row []float64
			for z := 0; z < wide; z += stride {
				sum := 0.0
				for i := range x {
					for dy := range k {
						for dz := range k {
							if yy, zz := y+dy-pad, z+dz-pad; yy >= 0 && yy < h && zz >= 0 && zz < wide {
								sum += x[i][yy][zz] * float64(w.Data[((o*len(x)+i)*k+dy)*k+dz])
							}
						}
					}
				}
				row = append(row, (sum-float64(mean[o]))/math.Sqrt(float64(variance[o])+1e-5)*float64(scale[o])+float64(shift[o]))
			}
			out[o] = append(out[o], row)
		}
	}
	return out
}

// halve averages squares of 2x2.
func halve(x planes) planes {
	out := make(planes, len(x))
	for c := range x {
		for y := 0; y+1 < len(x[c]); y += 2 {
			var row []float64
			for z := 0; z+1 < len(x[c][y]); z += 2 {
				row = append(row, (x[c][y][z]+x[c][y][z+1]+x[c][y+1][z]+x[c][y+1][z+1])/4)
			}
			out[c] = append(out[c], row)
		}
	}
	return out
}

// rectify is max(x + y, 0); y may be absent.
func rectify(x, y planes) planes {
	for c := range x {
		for i, row := range x[c] {
			for j := range row {
				if y != nil {
					row[j] += y[c][i][j]
				}
				row[j] = max(row[j], 0)
			}
		}
	}
	return x
}

// resnetTokens are the tokens before the attention pool.
func (s slow) resnetTokens(pixels tensor.Dense) matrix {
	r := s.m.Encoder().(*clip.ResNet)
	h, w := pixels.Shape[2], pixels.Shape[3]
	x := make(planes, 3)
	for c := range x {
		for y := range h {
			var row []float64
			for z := range w {
				row = append(row, float64(pixels.Data[(c*h+y)*w+z]))
			}
			x[c] = append(x[c], row)
		}
	}
	for i, stride := range []int{2, 1, 1} {
		x = rectify(s.convolve(x, r.Stem[i], stride), nil)
	}
	x = halve(x)
	for i, stage := range r.Stages {
		for b, block := range stage {
			y := rectify(s.convolve(x, block.Conv[0], 1), nil)
			y = rectify(s.convolve(y, block.Conv[1], 1), nil)
			if i > 0 && b == 0 {
				x, y = halve(x), halve(y)
			}
			if b == 0 {
				x = s.convolve(x, *block.Down, 1)
			}
			x = rectify(s.convolve(y, block.Conv[2], 1), x)
		}
	}
	out := matrix{make([]float64, len(x))}
	rows, cols := len(x[0]), len(x[0][0])
	for y := range rows {
		for z := range cols {
			var token []float64
			for c := range x {
				token = append(token, x[c][y][z])
				out[0][c] += x[c][y][z] / float64(rows*cols)
			}
			out = append(out, token)
		}
	}
	return out
}

// attendScaled is attention of many heads at a scale, with queries and keys normalised per head if asked.
func attendScaled(q, k, v matrix, heads int, scale float64, normalise bool) matrix {
	dim := len(v[0]) / heads
	length := func(row []float64) float64 {
		sum := 0.0
		for _, x := range row {
			sum += x * x
		}
		if !normalise {
			return 1
		}
		return math.Sqrt(sum) + 1e-6
	}
	out := make(matrix, len(q))
	for i := range q {
		out[i] = make([]float64, heads*dim)
		for h := range heads {
			a, b := h*dim, (h+1)*dim
			sum, w := 0.0, make([]float64, len(k))
			for j := range k {
				dot := 0.0
				for c := a; c < b; c++ {
					dot += q[i][c] * k[j][c]
				}
				w[j] = math.Exp(dot * scale / length(q[i][a:b]) / length(k[j][a:b]))
				sum += w[j]
			}
			for j := range v {
				for c := a; c < b; c++ {
					out[i][c] += w[j] / sum * v[j][c]
				}
			}
		}
	}
	return out
}

// The graphs of a random ResNet equal the formulas in float64, at sizes of one and of many tokens.
func TestResNetAgainstFormulas(t *testing.T) {
	library(t) // or skip
	path, err := cliptest.WriteResNet(t.TempDir(), cliptest.ResNet{
		Stages: [4]int{2, 1, 2, 1}, Width: 8, Image: 64, Embed: 12, Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1},
		Vocab: 647,
	}, 5)
	if err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s, r := slow{t, m}, m.Encoder().(*clip.ResNet)
	rng := rand.New(rand.NewPCG(3, 4))
	ms := append(named(t, "clip"), surgeryOf(t, "released"), surgeryOf(t, "intended"))
	open := images(t, m, ms, runners.ImageOptions{})
	for _, size := range [][2]int{{64, 64}, {63, 95}} {
		pixels := tensor.New(1, 3, size[0], size[1])
		for i := range pixels.Data {
			pixels.Data[i] = float32(rng.NormFloat64())
		}
		fixed := images(t, m, ms, runners.ImageOptions{Height: size[0], Width: size[1]})
		got := tokens(t, fixed, pixels)
		x := s.resnetTokens(pixels)
		rows, cols := m.Grid(size[0], size[1])
		table := r.PositionTable(rows, cols, vit.Bilinear)
		for i := range x {
			for c := range x[i] {
				x[i][c] += float64(table.At(i).Data[c])
			}
		}
		q, k, v := s.linear(x, r.Pool.Q), s.linear(x, r.Pool.K), s.linear(x, r.Pool.V)
		plain := attendScaled(q, k, v, 4, 1/8., false) // 256 channels in heads of 64
		intended := attendScaled(v, v, v, 4, 1, true)
		intended[0] = plain[0]
		for i, want := range []matrix{plain, attendScaled(v, v, v, 4, 1/8., false), intended} {
			out := tensor.New(1, len(x), m.Embed)
			for j, row := range s.linear(want, r.Pool.Out) {
				for c, value := range row {
					out.Data[j*m.Embed+c] = float32(value)
				}
			}
			if d := distance(got[i], out); !(d < 1e-5) {
				t.Errorf("%v %s: distance %.2g", size, fixed.Methods()[i], d)
			}
			if d := distance(tokens(t, open, pixels)[i], out); !(d < 1e-5) {
				t.Errorf("%v %s, size left open: distance %.2g", size, fixed.Methods()[i], d)
			}
		}
	}
}
