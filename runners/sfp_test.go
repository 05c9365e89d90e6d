package runners_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// cosinesOf are those of all pairs of rows.
func cosinesOf(x matrix) matrix {
	out := make(matrix, len(x))
	for i := range x {
		for j := range x {
			dot, a, b := 0.0, 0.0, 0.0
			for c := range x[i] {
				dot, a, b = dot+x[i][c]*x[j][c], a+x[i][c]*x[i][c], b+x[j][c]*x[j][c]
			}
			out[i] = append(out[i], dot/math.Sqrt(a*b))
		}
	}
	return out
}

// mixed are rows weighted by w, whose rows are divided by their sums plus eps.
func mixed(w, x matrix, eps float64) matrix {
	out := make(matrix, len(w))
	for i := range w {
		sum := eps
		for _, v := range w[i] {
			sum += v
		}
		out[i] = make([]float64, len(x[0]))
		for j, v := range w[i] {
			for c := range x[j] {
				out[i][c] += v / sum * x[j][c]
			}
		}
	}
	return out
}

// atLeast are the values of at least beta; the others become 0.
func atLeast(x matrix, beta float64) matrix {
	for _, row := range x {
		for j, v := range row {
			if v < beta {
				row[j] = 0
			}
		}
	}
	return x
}

// standOut are the patches that stand out in the attention of a block which takes x, most looked at first.
func (s slow) standOut(x matrix, block int, ratio float64, most int) (list []int) {
	b := s.vision().Blocks[block]
	h := s.norm(x, b.LN1)
	q, k := s.linear(h, b.Q), s.linear(h, b.K)
	heads, dim := s.m.Config.Vision.Heads, s.m.Config.Vision.HeadDim()
	mean := make(matrix, len(x))
	for i := range x {
		mean[i] = make([]float64, len(x))
		for head := range heads {
			w, sum := make([]float64, len(x)), 0.0
			for j := range x {
				dot := 0.0
				for c := head * dim; c < (head+1)*dim; c++ {
					dot += q[i][c] * k[j][c]
				}
				w[j] = math.Exp(dot / math.Sqrt(float64(dim)))
				sum += w[j]
			}
			for j := range x {
				mean[i][j] += w[j] / sum / float64(heads)
			}
		}
	}
	for i := 1; i < len(x); i++ {
		if ratio*mean[0][i] > mean[i][i] {
			list = append(list, i-1)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int {
		if mean[0][a+1] > mean[0][b+1] {
			return -1
		}
		return 1
	})
	return list[:min(most, len(list))]
}

// mended are patches in which those that stand out are the mean of their neighbours that do not.
func mended(x matrix, out []int, cols int) matrix {
	y := slices.Clone(x)
	for _, i := range out {
		sum, n := make([]float64, len(x[i])), 0.0
		for j := range x {
			if dy, dx := j/cols-i/cols, j%cols-i%cols; j != i && max(dy, -dy) <= 1 && max(dx, -dx) <= 1 &&
				!slices.Contains(out, j) {
				n++
				for c, v := range x[j] {
					sum[c] += v
				}
			}
		}
		for c := range sum {
			sum[c] /= max(n, 1)
		}
		y[i] = sum
	}
	return y
}

// sfp is SFP from its description, in float64: the projected patches.
func (s slow) sfp(p methods.SFP, pixels tensor.Dense) tensor.Dense {
	_, cols := s.m.Grid(pixels.Shape[2], pixels.Shape[3])
	blocks := s.vision().Blocks
	last := len(blocks) - 1
	states := []matrix{s.embed(pixels)}
	for _, b := range blocks {
		o := states[len(states)-1]
		h := s.norm(o, b.LN1)
		o = add(o, s.linear(s.attend(s.linear(h, b.Q), s.linear(h, b.K), s.linear(h, b.V)), b.Out))
		states = append(states, add(o, s.mlp(o, b)))
	}
	x := states[last]
	out := s.standOut(states[last-1], last-1, p.Ratio, p.Outlier)
	middle := atLeast(cosinesOf(mended(states[p.Pre][1:], out, cols)), p.Beta)
	behind := atLeast(cosinesOf(states[p.Post][1:]), p.Beta)
	mean := 0.0
	for _, row := range middle {
		for _, v := range row {
			mean += v / float64(len(middle)*len(middle))
		}
	}
	guided := make(matrix, len(middle))
	for i, row := range middle {
		for _, v := range row {
			w := 0.0
			if v >= mean {
				w = math.Exp(3 * (v - mean))
			}
			guided[i] = append(guided[i], w)
		}
	}
	b := blocks[last]
	read := func(a matrix, class []float64) matrix {
		y := s.linear(a, b.Out)
		for _, row := range y {
			for c := range row {
				row[c] += p.Class * class[c]
			}
		}
		return y
	}
	h := s.norm(mixed(middle, mended(x[1:], out, cols), 1e-6), b.LN1)
	q, k, u := s.linear(h, b.Q), s.linear(h, b.K), s.linear(h, b.V)
	a := add(add(s.attend(k, k, u), s.attend(q, q, u)), mixed(guided, u, 0))
	for _, row := range a {
		for c := range row {
			row[c] /= 3
		}
	}
	sum := states[p.From]
	for i := p.From + 1; i <= p.To; i++ {
		sum = add(sum, states[i])
	}
	side := mixed(guided, s.linear(s.norm(sum[1:], b.LN1), b.V), 0)
	return s.project(mixed(behind, add(read(a, x[0]), read(side, sum[0])), 1e-6))
}

// SFP's graph gives what its description does.
func TestSFP(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, clip.Micro()); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	last := m.Config.Vision.Layers - 1
	p := methods.SFP{Beta: 0.4, Ratio: 1.5, Outlier: 4, Pre: last - 1, Post: 1, From: 1, To: last - 1, Class: 0.3}
	for _, standard := range []bool{false, true} {
		images := images(t, m, []runners.Named{{Name: "sfp", Method: &p}}, runners.ImageOptions{StandardOps: standard,
			Positions: "bilinear"})
		for _, size := range [][2]int{{48, 48}, {40, 72}} {
			pixels := random(1, size[0], size[1])
			equal(t, fmt.Sprint("sfp at ", size), patches(tokens(t, images, pixels)[0]), slow{t, m}.sfp(p, pixels))
		}
	}
}
