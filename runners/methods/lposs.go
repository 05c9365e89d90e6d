package methods

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/onnx"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// LPOSS spreads what MaskCLIP says of patches over those that a second network, dino, takes to be alike (arXiv
// 2503.19777, section 3): all patches of all windows of a picture are nodes of a graph with weights
//
//	W_ij = max(f_i·f_j, 0)^γ exp(-σ ‖p_i - p_j‖)   for the k patches j most like i
//
// made symmetric and normalised, S = D^-½ W D^-½, where f are the values of that network's last block and p the
// patches' places in pixels. The scores Y become Z of (I - α S) Z = Y after Steps steps of conjugate gradients from 0:
// fewer than it takes, as in the authors' code.
type LPOSS struct {
	Neighbours int     `json:"k"`     // k
	Gamma      float64 `json:"gamma"` // γ, a whole number
	Sigma      float64 `json:"sigma"` // σ, per pixel
	Alpha      float64 `json:"alpha"` // α
	Steps      int     `json:"steps"`
}

// Traits are bicubic positions to a given size, as in the authors' code, and a second network. Without texts nothing
// spreads.
func (*LPOSS) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Backbones: []string{dinoBackbone}}
}

// Check wants a vision transformer and parameters within reason.
func (l *LPOSS) Check(m Models) error { return l.check("lposs", m) }

func (l *LPOSS) check(method string, m Models) error {
	switch {
	case l.Neighbours < 1 || l.Steps < 1 || l.Steps > 100:
		return fmt.Errorf("%s: k %d and %d steps are out of range: they are 400 and 10 in the paper", method, l.Neighbours,
			l.Steps)
	case l.Gamma != math.Trunc(l.Gamma) || l.Gamma < 1 || l.Gamma > 10:
		return fmt.Errorf("%s: gamma %v is no whole number from 1 to 10", method, l.Gamma)
	case !(l.Sigma >= 0) || math.IsInf(l.Sigma, 0) || !(l.Alpha > 0 && l.Alpha < 1):
		return fmt.Errorf("%s: sigma %v and alpha %v are out of range: they are 0.01 and 0.95 in the paper", method,
			l.Sigma, l.Alpha)
	}
	if _, err := m.blocks(method, dinoBackbone); err != nil {
		return err
	}
	_, err := needBlocks(method, m)
	return err
}

// Read gives MaskCLIP's patches on the second network's grid, and the graph over all of a picture's windows.
func (l *LPOSS) Read(s *Scene) Reading {
	g, second := s.Graph, s.Backbones[dinoBackbone].(*vit.Tower)
	_, _, values := s.lastOf(second)
	r := (&MaskCLIP{Residual: true}).Read(s)
	r.Patches = s.Resized(g.L2Normalize(r.Patches), second)
	r.Whole = &Whole{Keep: g.L2Normalize(second.PatchTokens(g, values)), Pairs: pairs, Prepare: l.weights, Read: l.spread}
	return s.OnGrid(r, second)
}

// pairs are the cosines [n, n] of what was kept [w, N, W].
func pairs(g *onnx.Graph, keep onnx.Value) onnx.Value {
	x := g.Reshape(keep, g.Symbol("nodes"), keep.Shape()[2])
	return g.MatMul(x, g.Transpose(x, 1, 0))
}

// spread is Z [n, T].
func (l *LPOSS) spread(s *Scene, p Patches) onnx.Value {
	g := s.Graph
	n := p.Values.Shape()[0]
	w := g.Input("weights", tensor.F32, n, n)
	tiny := g.Scalar(1e-30) // beside what has become 0
	dot := func(a, b onnx.Value) onnx.Value { return g.Sum(g.Mul(a, b), 0) }
	system := func(x onnx.Value) onnx.Value { return g.Sub(x, g.Scale(g.MatMul(w, x), float32(l.Alpha))) } // (I - α S) x
	rest := p.Values
	direction, norm := rest, dot(rest, rest)
	var z onnx.Value
	for i := range l.Steps {
		image := system(direction)
		step := g.Div(norm, g.Add(dot(direction, image), tiny))
		if i == 0 {
			z = g.Mul(step, direction)
		} else {
			z = g.Add(z, g.Mul(step, direction))
		}
		rest = g.Sub(rest, g.Mul(step, image))
		next := dot(rest, rest)
		direction = g.Add(rest, g.Mul(g.Div(next, g.Add(norm, tiny)), direction))
		norm = next
	}
	return z
}

// weights turn the cosines of all pairs of patches into S [n, n], in place.
func (l *LPOSS) weights(at Layout) []tensor.Dense {
	w := at.Pairs
	n := w.Shape[0]
	places := at.centres()
	inParallel(n, func(i int) {
		row := w.Data[i*n:][:n]
		least := kthLargest(slices.Clone(row), min(l.Neighbours, n))
		for j, v := range row {
			if row[j] = 0; v < least || v <= 0 || i == j {
				continue
			}
			weight := v
			for range int(l.Gamma) - 1 {
				weight *= v
			}
			apart := math.Hypot(places[i][0]-places[j][0], places[i][1]-places[j][1])
			row[j] = weight * float32(math.Exp(-l.Sigma*apart))
		}
	})
	symmetrise(w.Data, n)
	roots := make([]float64, n)
	for i := range n {
		for _, v := range w.Data[i*n:][:n] {
			roots[i] += float64(v)
		}
		if roots[i] = math.Sqrt(roots[i]); roots[i] == 0 {
			roots[i] = 1
		}
	}
	inParallel(n, func(i int) {
		for j, v := range w.Data[i*n:][:n] {
			w.Data[i*n+j] = float32(float64(v) / (roots[i] * roots[j]))
		}
	})
	return []tensor.Dense{w}
}

// centres are y and x of all patches, in pixels of the network's input.
func (l Layout) centres() (out [][2]float64) {
	for _, p := range l.Windows {
		for i := range l.Rows * l.Cols {
			out = append(out, [2]float64{
				float64(p.Top) + (float64(i/l.Cols)+0.5)*float64(p.Height)/float64(l.Rows),
				float64(p.Left) + (float64(i%l.Cols)+0.5)*float64(p.Width)/float64(l.Cols),
			})
		}
	}
	return out
}

// symmetrise adds to a matrix [n, n] its transpose, in place, square by square.
func symmetrise(w []float32, n int) {
	const side = 64
	for top := 0; top < n; top += side {
		for left := top; left < n; left += side {
			for i := top; i < min(top+side, n); i++ {
				for j := max(left, i+1); j < min(left+side, n); j++ {
					sum := w[i*n+j] + w[j*n+i]
					w[i*n+j], w[j*n+i] = sum, sum
				}
			}
		}
	}
}

// kthLargest is the k-th largest of xs, from 1, which it puts into another order.
func kthLargest(xs []float32, k int) float32 {
	for {
		pivot := xs[len(xs)/2]
		above, at, below := 0, 0, len(xs) // xs[:above] > pivot, xs[above:at] == pivot, xs[below:] < pivot
		for at < below {
			switch v := xs[at]; {
			case v > pivot:
				xs[at], xs[above] = xs[above], v
				above, at = above+1, at+1
			case v < pivot:
				below--
				xs[at], xs[below] = xs[below], v
			default: // not numbers too
				at++
			}
		}
		switch {
		case k <= above:
			xs = xs[:above]
		case k <= at:
			return pivot
		default:
			xs, k = xs[at:], k-at
		}
	}
}

// LPOSSPlus is [LPOSS], whose stitched maps then spread over pixels of like colours around ([resample.Spread]).
type LPOSSPlus struct {
	Neighbours int     `json:"k"`
	Gamma      float64 `json:"gamma"`
	Sigma      float64 `json:"sigma"`
	Alpha      float64 `json:"alpha"` // of both steps
	Steps      int     `json:"steps"` // of both steps
	Reach      int     `json:"reach"` // rows and columns between pixels that are neighbours, at most
	Tau        float64 `json:"tau"`   // τ, of colours
}

func (l *LPOSSPlus) patches() *LPOSS {
	return &LPOSS{Neighbours: l.Neighbours, Gamma: l.Gamma, Sigma: l.Sigma, Alpha: l.Alpha, Steps: l.Steps}
}

// Traits are those of LPOSS.
func (l *LPOSSPlus) Traits() Traits { return l.patches().Traits() }

// Check wants what LPOSS wants, and parameters within reason.
func (l *LPOSSPlus) Check(m Models) error {
	if l.Reach < 1 || l.Reach > 16 || !(l.Tau > 0) || math.IsInf(l.Tau, 0) {
		return fmt.Errorf("lposs_plus: reach %d and tau %v are out of range: they are 6 and 0.01 in the paper", l.Reach,
			l.Tau)
	}
	return l.patches().check("lposs_plus", m)
}

// Read gives what LPOSS gives, to be spread over pixels.
func (l *LPOSSPlus) Read(s *Scene) Reading {
	r := l.patches().Read(s)
	r.Whole.Sharpen = func(rgb, maps tensor.Dense) error {
		spread, err := resample.NewSpread(rgb.Data, rgb.Shape[3], rgb.Shape[2], l.Reach, l.Tau)
		if err == nil {
			spread.Apply(maps.Data, maps.Shape[1], l.Alpha, l.Steps)
		}
		return err
	}
	return r
}
