package runners_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/clip/cliptest"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// matrix is a float64 matrix of the slow twin below, row by row.
type matrix [][]float64

// slow computes CLIP and the methods that read it from the papers' formulas in float64, one number after the other. It
// shares nothing with the graphs but the checkpoint's tensors and the positional table.
type slow struct {
	t *testing.T
	m *clip.Model
}

func (s slow) vision() *clip.ViT { return s.m.Encoder().(*clip.ViT) }

func (s slow) weights(w weights.Tensor) tensor.Dense {
	d, err := w.Read()
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s slow) norm(x matrix, n weights.Norm) matrix {
	w, b := s.weights(n.Weight).Data, s.weights(n.Bias).Data
	out := make(matrix, len(x))
	for i, row := range x {
		mean, variance := 0.0, 0.0
		for _, v := range row {
			mean += v / float64(len(row))
		}
		for _, v := range row {
			variance += (v - mean) * (v - mean) / float64(len(row))
		}
		for k, v := range row {
			out[i] = append(out[i], (v-mean)/math.Sqrt(variance+1e-5)*float64(w[k])+float64(b[k]))
		}
	}
	return out
}

func (s slow) linear(x matrix, l weights.Linear) matrix {
	w, b := s.weights(l.Weight), s.weights(l.Bias).Data
	out := make(matrix, len(x))
	for i, row := range x {
		for o := range w.Shape[0] {
			sum := float64(b[o])
			for k, v := range row {
				sum += v * float64(w.Data[o*len(row)+k])
			}
			out[i] = append(out[i], sum)
		}
	}
	return out
}

func add(a, b matrix) matrix {
	out := make(matrix, len(a))
	for i := range a {
		for k := range a[i] {
			out[i] = append(out[i], a[i][k]+b[i][k])
		}
	}
	return out
}

func (s slow) attend(q, k, v matrix) matrix {
	return s.attendBy(q, k, v, 1/math.Sqrt(float64(s.m.Config.Vision.HeadDim())), nil)
}

// attendBy is attention with another scale and a bias of logits, if not nil.
func (s slow) attendBy(q, k, v matrix, scale float64, bias func(i, j int) float64) matrix {
	heads, dim := s.m.Config.Vision.Heads, s.m.Config.Vision.HeadDim()
	out := make(matrix, len(q))
	for i := range q {
		out[i] = make([]float64, heads*dim)
		for h := range heads {
			sum := 0.0
			w := make([]float64, len(k))
			for j := range k {
				dot := 0.0
				for c := h * dim; c < (h+1)*dim; c++ {
					dot += q[i][c] * k[j][c]
				}
				dot *= scale
				if bias != nil {
					dot += bias(i, j)
				}
				w[j] = math.Exp(dot)
				sum += w[j]
			}
			for j := range v {
				for c := h * dim; c < (h+1)*dim; c++ {
					out[i][c] += w[j] / sum * v[j][c]
				}
			}
		}
	}
	return out
}

// unit divides every head of every row by its norm.
func (s slow) unit(x matrix) matrix {
	dim := s.m.Config.Vision.HeadDim()
	out := make(matrix, len(x))
	for i, row := range x {
		for h := 0; h < len(row); h += dim {
			norm := 0.0
			for _, v := range row[h : h+dim] {
				norm += v * v
			}
			for _, v := range row[h : h+dim] {
				out[i] = append(out[i], v/math.Sqrt(norm))
			}
		}
	}
	return out
}

// reading is a rival with its parameters.
type reading struct {
	method      string
	layers      int     // of ClearCLIP
	iterations  int     // of GEM
	temperature float64 // of GEM, 0 adapts
}

// rival is a method's reading of the last blocks, from the papers' formulas.
func (s slow) rival(r reading, pixels tensor.Dense) tensor.Dense {
	name := r.method
	blocks := s.vision().Blocks
	x := s.embed(pixels)
	var second matrix // GEM's path, or ClearCLIP's sum
	for i, b := range blocks {
		h := s.norm(x, b.LN1)
		q, k, v := s.linear(h, b.Q), s.linear(h, b.K), s.linear(h, b.V)
		if name == "gem" && i >= len(blocks)-6 {
			if second == nil {
				second = x
			}
			second = add(second, s.linear(s.gem(r, h, q, k, v), b.Out))
		}
		if name == "clearclip" && i >= len(blocks)-r.layers {
			y := s.linear(s.attend(q, q, v), b.Out)
			if second != nil {
				y = add(second, y)
			}
			second = y
		}
		if i < len(blocks)-1 {
			x = add(x, s.linear(s.attend(q, k, v), b.Out))
			x = add(x, s.mlp(x, b))
			continue
		}
		switch name {
		case "maskclip":
			x = add(x, s.linear(v, b.Out))
			x = add(x, s.mlp(x, b))
		case "sclip":
			x = add(x, s.linear(add(s.attend(q, q, v), s.attend(k, k, v)), b.Out))
			x = add(x, s.mlp(x, b))
		case "naclip":
			_, cols := s.m.Grid(pixels.Shape[2], pixels.Shape[3])
			x = s.linear(s.attendBy(k, k, v, 1/math.Sqrt(float64(s.m.Config.Vision.HeadDim())), func(i, j int) float64 {
				if i == 0 || j == 0 {
					return 0
				}
				dy, dx := float64((i-1)/cols-(j-1)/cols), float64((i-1)%cols-(j-1)%cols)
				return math.Exp(-(dy*dy + dx*dx) / (2 * 5 * 5))
			}), b.Out)
		case "gem", "clearclip":
			x = second
		}
	}
	return s.project(x)
}

// gem is the mean self-self attention of GEM; h are the normalised tokens.
func (s slow) gem(r reading, h, q, k, v matrix) matrix {
	temperature := 0.0
	for _, row := range h {
		norm := 0.0
		for _, x := range row {
			norm += x * x
		}
		temperature += math.Sqrt(norm) / float64(len(h)) / math.Sqrt(float64(s.m.Config.Vision.HeadDim()))
	}
	if r.temperature > 0 {
		temperature = r.temperature
	}
	var sum matrix
	for _, z := range []matrix{q, k, v} {
		z = s.unit(z)
		for range r.iterations {
			z = s.unit(s.attendBy(z, z, z, temperature, nil))
		}
		z = s.attendBy(z, z, v, temperature, nil)
		if sum == nil {
			sum = z
		} else {
			sum = add(sum, z)
		}
	}
	for _, row := range sum {
		for c := range row {
			row[c] /= 3
		}
	}
	return sum
}

func (s slow) mlp(x matrix, b vit.Block) matrix {
	h := s.linear(s.norm(x, b.LN2), b.Up)
	for _, row := range h {
		for k, v := range row {
			if s.m.Config.Vision.Activation == vit.GELU {
				row[k] = v * (1 + math.Erf(v/math.Sqrt2)) / 2
			} else {
				row[k] = v / (1 + math.Exp(-1.702*v))
			}
		}
	}
	return s.linear(h, b.Down)
}

// tokens are the embedded tokens before the first block.
func (s slow) embed(pixels tensor.Dense) matrix {
	v, patch := s.vision(), s.m.Patch
	h, w := pixels.Shape[2], pixels.Shape[3]
	rows, cols := s.m.Grid(h, w)
	kernel := s.weights(v.Conv.Weight)
	table := v.PositionTable(rows, cols, vit.Bilinear)
	width := table.Shape[1]
	x := make(matrix, 1+rows*cols)
	for i := range x {
		for o := range width {
			sum := float64(table.Data[i*width+o])
			if i == 0 {
				sum += float64(v.Class.Data[o])
			} else {
				y0, x0 := (i-1)/cols*patch, (i-1)%cols*patch
				for c := range 3 {
					for dy := range patch {
						for dx := range patch {
							sum += float64(pixels.Data[(c*h+y0+dy)*w+x0+dx]) * float64(kernel.Data[((o*3+c)*patch+dy)*patch+dx])
						}
					}
				}
			}
			x[i] = append(x[i], sum)
		}
	}
	return s.norm(x, *v.Pre)
}

// tokens of plain CLIP (depth 0) or of CLIP Surgery in its closed form: x_d + Σ P_i(softmax(V_i V_iᵀ s) V_i).
func (s slow) tokens(pixels tensor.Dense, depth int) tensor.Dense {
	v := s.vision()
	o := s.embed(pixels)
	n := o
	for i, b := range v.Blocks {
		h := s.norm(o, b.LN1)
		q, k, u := s.linear(h, b.Q), s.linear(h, b.K), s.linear(h, b.V)
		if i == len(v.Blocks)-depth {
			n = o
		}
		if i >= len(v.Blocks)-depth {
			n = add(n, s.linear(s.attend(u, u, u), b.Out))
		}
		o = add(o, s.linear(s.attend(q, k, u), b.Out))
		o = add(o, s.mlp(o, b))
	}
	if depth == 0 {
		n = o
	}
	n[0] = o[0]
	return s.project(n)
}

// project is the end of the tower.
func (s slow) project(n matrix) tensor.Dense {
	v := s.vision()
	n = s.norm(n, v.Post)
	out := tensor.New(1, len(n), s.m.Embed)
	proj := s.weights(v.Proj.Weight)
	for i, row := range n {
		for e := range s.m.Embed {
			sum := 0.0
			for k, x := range row {
				if v.Proj.Transposed {
					sum += x * float64(proj.Data[e*len(row)+k])
				} else {
					sum += x * float64(proj.Data[k*s.m.Embed+e])
				}
			}
			out.Data[i*s.m.Embed+e] = float32(sum)
		}
	}
	return out
}

// Models of shapes nobody ships, at sizes that are oblong and no multiple of the patch.
func TestUnusualShapes(t *testing.T) {
	lib := library(t)
	tower := func(w, l, h int) cliptest.Tower { return cliptest.Tower{Width: w, Layers: l, Heads: h} }
	for _, c := range []struct {
		name  string
		shape cliptest.Shape
		h, w  int
	}{
		{"patch 14, 7 layers", cliptest.Shape{Image: 56, Patch: 14, Embed: 24, Vision: tower(64, 7, 1), Text: tower(64, 1, 1),
			Vocab: 647}, 60, 85},
		{"head width 16", cliptest.Shape{Image: 32, Patch: 8, Embed: 40, Vision: tower(48, 6, 3), Text: tower(64, 1, 1),
			Vocab: 647}, 32, 32},
		{"gelu, head width 80", cliptest.Shape{Image: 32, Patch: 16, Embed: 16, Vision: tower(160, 6, 2),
			Text: tower(64, 1, 1), Vocab: 647, Activation: "gelu"}, 95, 16},
		{"head width 104", cliptest.Shape{Image: 28, Patch: 14, Embed: 20, Vision: tower(208, 6, 2), Text: tower(64, 1, 1),
			Vocab: 647, Activation: "gelu"}, 70, 42},
		{"one patch", cliptest.Shape{Image: 32, Patch: 32, Embed: 8, Vision: tower(64, 9, 4), Text: tower(64, 1, 1),
			Vocab: 647}, 40, 33},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := cliptest.Write(dir, c.shape, 7); err != nil {
				t.Fatal(err)
			}
			m, err := clip.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(3, 4))
			pixels := tensor.New(1, 3, c.h, c.w)
			for i := range pixels.Data {
				pixels.Data[i] = rng.Float32()*4 - 2
			}
			var fused []tensor.Dense
			for _, standard := range []bool{false, true} {
				images, err := runners.NewImages(lib, m, every(t, m), runners.ImageOptions{Backbones: backbones(t),
					Height: c.h, Width: c.w, Positions: vit.Bilinear, StandardOps: standard, Session: ort.Options{Mmap: standard},
				})
				if err != nil {
					t.Fatal(err)
				}
				defer images.Close()
				got := tokens(t, images, pixels)
				if !standard {
					fused = got
				}
				for i, name := range images.Methods() {
					if d := distance(got[i], fused[i]); d > 1e-5 {
						t.Errorf("%s: standard operators are %.2g from fused ones", name, d)
					}
					var want tensor.Dense
					switch name {
					case "clip":
						want = slow{t, m}.tokens(pixels, 0)
					case "clip_surgery":
						want = slow{t, m}.tokens(pixels, 6)
					case "maskclip", "sclip", "clearclip", "naclip", "gem":
						want = slow{t, m}.rival(reading{method: name, layers: 1, iterations: 1}, pixels)
					default: // too long for a twin; compared with recordings only
						continue
					}
					equal(t, fmt.Sprintf("%s, standard %v", name, standard), got[i], want)
				}
			}
		})
	}
}

// Parameters that were not recorded, against the twin.
func TestParameters(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, _ := open(t, micro, micro)
	pixels := random(1, 24, 40)
	for _, c := range []struct {
		method string
		want   reading
	}{
		{"clearclip:last_n_layers=3", reading{method: "clearclip", layers: 3}},
		{"gem:temperature=7.5:iterations=3", reading{method: "gem", iterations: 3, temperature: 7.5}},
		{"gem:iterations=0", reading{method: "gem"}},
	} {
		method, err := methods.Parse(c.method)
		if err != nil {
			t.Fatal(err)
		}
		got := tokens(t, images(t, m, []runners.Named{{Name: c.method, Method: method}},
			runners.ImageOptions{Positions: vit.Bilinear}), pixels)
		equal(t, c.method, got[0], slow{t, m}.rival(c.want, pixels))
	}
	surgery, err := methods.New("clip_surgery", map[string]any{"depth": 3})
	if err != nil {
		t.Fatal(err)
	}
	got := tokens(t, images(t, m, []runners.Named{{Name: "s", Method: surgery}}, runners.ImageOptions{}), pixels)
	equal(t, "clip_surgery of depth 3", got[0], slow{t, m}.tokens(pixels, 3))
}

// The class token of CLIP Surgery is CLIP's, and methods on one graph share the trunk.
func TestSurgeryKeepsTheOriginalPath(t *testing.T) {
	lib := library(t)
	dir := t.TempDir()
	shape := cliptest.Shape{Image: 32, Patch: 8, Embed: 16, Vision: cliptest.Tower{Width: 64, Layers: 8, Heads: 1},
		Text: cliptest.Tower{Width: 64, Layers: 1, Heads: 1}, Vocab: 647}
	if err := cliptest.Write(dir, shape, 11); err != nil {
		t.Fatal(err)
	}
	m, err := clip.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := runners.ImageOptions{Height: 32, Width: 32}
	images, err := runners.NewImages(lib, m, named(t, "clip", "clip_surgery"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer images.Close()
	out, err := images.Tokens(t.Context(), noise(32))
	if err != nil {
		t.Fatal(err)
	}
	cls := func(i int) tensor.Dense { return tensor.Dense{Shape: []int{16}, Data: out[i].Values.Data[:16]} }
	if d := distance(cls(1), cls(0)); d > 1e-6 {
		t.Errorf("class tokens are %.2g apart", d)
	}
	nodes := func(names ...string) int {
		g, err := runners.ImageGraph(m, named(t, names...), o)
		if err != nil {
			t.Fatal(err)
		}
		return g.Nodes()
	}
	// Six blocks add attention, its projection (two nodes) and a sum. The end adds the class token's last block (13), a
	// slice, a concatenation, LayerNorm and projection.
	if both, alone := nodes("clip", "clip_surgery"), nodes("clip"); both != alone+6*4+13+4 {
		t.Errorf("both methods take %d nodes, clip %d: want %d more", both, alone, 6*4+13+4)
	}
}
