package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Trident splices what windows see before it correlates (arXiv 2411.09219, section 3): the last block attends in every
// window as [ProxyCLIP] does, by a second network, dino, with one mean of cosines for all windows of a picture; what
// it gives is laid out over the picture, averaged where windows overlap, and interpolated to the grid of Segment
// Anything's image encoder, sam, which has seen the picture as it was read. There
//
//	R = mean over heads of (P, where û ûᵀ > θ), rows over their sums
//
// correlates it, P being the attention of that encoder's last block, û its values of length 1, and θ of a row Cos times
// the mean of û ûᵀ over heads and columns, 0.9 at most. There is one map of the picture. Windows whose places are no
// whole numbers of patches count at the nearest. The authors' refinement of the label map by prompts is the protocol's.
type Trident struct {
	Beta     float64 `json:"beta"`           // share of the mean cosine that patches must pass to be attended to
	Gamma    float64 `json:"gamma"`          // sharpness
	Cos      float64 `json:"cos_fac"`        // of the mean of û ûᵀ
	Negative bool    `json:"refine_neg_cos"` // thresholds may be negative; false makes such ones 0.6
	Enlarge  bool    `json:"enlarge"`        // sam sees the picture enlarged to whole patches (OpenCV)
	Parts    int     `json:"parts"`          // side by side, which sam sees one by one: 2 on Cityscapes
}

// Traits are bicubic positions, as in the authors' code, two networks, and the constants of their configurations.
func (*Trident) Traits() Traits {
	return Traits{Positions: vit.Bicubic, Texts: true, Backbones: []string{dinoBackbone, samBackbone},
		PerDataset: map[string]map[string]any{
			"voc20":      {"cos_fac": 0},
			"cityscapes": {"cos_fac": 3, "refine_neg_cos": false, "parts": 2},
			"ade20k":     {"refine_neg_cos": false},
		}}
}

// Check wants vision transformers, an image encoder that ends with attention over the whole picture, and parameters
// within reason.
func (t *Trident) Check(m Models) error {
	if err := checkProxy("trident", t.Beta, t.Gamma); err != nil {
		return err
	}
	if !(t.Cos >= 0) || math.IsInf(t.Cos, 0) || t.Parts < 1 || t.Parts > 8 {
		return fmt.Errorf("trident: cos_fac %v and %d parts are out of range: they are 1.2 and 1 in the paper", t.Cos,
			t.Parts)
	}
	e, err := m.segmenter("trident")
	if err == nil && e != nil && !e.LooksAround() {
		err = fmt.Errorf("trident: the last block of %s attends within windows, where the method wants the whole picture",
			e.Path)
	}
	if err == nil {
		_, err = m.blocks("trident", dinoBackbone)
	}
	if err == nil {
		_, err = needBlocks("trident", m)
	}
	return err
}

// Read gives what ProxyCLIP says of each window, and the graph over all of them.
func (t *Trident) Read(s *Scene) Reading {
	g, v, second := s.Graph, s.Tower(), s.Backbones[dinoBackbone]
	last := v.Depth() - 1
	_, _, u := v.QKV(g, last, s.Before(last))
	features := g.L2Normalize(second.Features(g, s.RGB, s.Positions))
	r := (&ProxyCLIP{Beta: t.Beta, Gamma: t.Gamma}).Read(s)
	width := features.Shape()[2]
	r.Whole = &Whole{
		Keep: g.Concat(2, features, s.Resized(v.PatchTokens(g, u), second)),
		Segmenter: func(g *onnx.Graph, pixels, cells onnx.Value) onnx.Value {
			return t.relation(s.Models, g, pixels, cells)
		},
		Parts:   t.Parts,
		Prepare: func(l Layout) []tensor.Dense { return []tensor.Dense{spliced(l)} },
		Read:    func(s *Scene, p Patches) onnx.Value { return t.correlate(s, p, width) },
	}
	if t.Enlarge {
		r.Whole.Enlarge = s.Encoder().Multiple()
	}
	return r
}

// relation is R [m, m] for the cells of the encoder's grid in the picture.
func (t *Trident) relation(m Models, g *onnx.Graph, pixels, cells onnx.Value) onnx.Value {
	e := m.Backbones[samBackbone].(*sam.Backbone)
	q, k, v, scale := e.LastAttention(g, pixels)
	flat := func(x onnx.Value) onnx.Value { return g.Reshape(x, x.Shape()[1], x.Shape()[2]) }
	q, k, v = g.Gather(flat(q), cells), flat(k), g.Gather(flat(v), cells)
	head := func(x onnx.Value, h int) onnx.Value {
		width := x.Shape()[1] / e.Heads
		return g.Slice(x, 1, h*width, (h+1)*width)
	}
	// The mean over columns of û ûᵀ is the product with the mean of û.
	var units []onnx.Value
	var threshold onnx.Value // [m, 1]
	for h := range e.Heads {
		unit := g.L2Normalize(head(v, h))
		mean := g.Sum(g.Mul(unit, g.Mean(unit, 0)), -1)
		if units = append(units, unit); h > 0 {
			mean = g.Add(threshold, mean)
		}
		threshold = mean
	}
	threshold = g.Scale(threshold, float32(t.Cos/float64(e.Heads)))
	if !t.Negative {
		below := g.Above(g.Scalar(0), threshold)
		threshold = g.Add(g.Mul(threshold, g.Sub(g.Scalar(1), below)), g.Scale(below, 0.6))
	}
	const most = 0.9
	threshold = g.Transpose(g.Sub(threshold, g.Relu(g.Sub(threshold, g.Scalar(most)))), 1, 0)
	// Head by head, and transposed: attention is normalised over all cells, of which those in the picture are rows here.
	var sum onnx.Value
	for h, unit := range units {
		p := g.Softmax(g.Scale(g.MatMul(head(k, h), g.Transpose(head(q, h), 1, 0)), scale), 0)
		like := g.Above(g.MatMul(unit, g.Transpose(unit, 1, 0)), threshold)
		p = g.Mul(g.Gather(p, cells), like)
		if h > 0 {
			p = g.Add(sum, p)
		}
		sum = p
	}
	return g.Transpose(g.Div(sum, g.Sum(sum, 0)), 1, 0)
}

// correlate is the cosines [m, T] on the encoder's cells. What was kept are features of the second network, of a width,
// and values of the last block on its grid.
func (t *Trident) correlate(s *Scene, p Patches, width int) onnx.Value {
	g, v := s.Graph, s.Tower()
	features, values := g.Slice(p.Keep, 2, 0, width), g.Slice(p.Keep, 2, width, onnx.End)
	like := g.MatMul(features, g.Transpose(features, 0, 2, 1))
	a := proxyAttention(g, like, g.Mean(g.Mean(g.Mean(like, -1), -2), 0), t.Beta, t.Gamma)
	out := v.Out(g, v.Depth()-1, g.MatMul(a, values))
	out = g.Reshape(out, p.Values.Shape()[0], v.Width)
	onto := g.Input("onto", tensor.F32, p.Relation.Shape()[0], p.Values.Shape()[0])
	return s.Cosines(v.Project(g, g.MatMul(p.Relation, g.MatMul(onto, out)), vit.ByValue))
}

// spliced takes patches of all windows [n, W] to the segmenter's cells in a part of the picture: [m, n]. Patches are
// laid out by their windows' places, averaged where windows overlap, cut to the part, and interpolated bilinearly.
func spliced(l Layout) tensor.Dense {
	high, wide := float64(l.Windows[0].Height)/float64(l.Rows), float64(l.Windows[0].Width)/float64(l.Cols)
	places := make([][2]int, len(l.Windows))
	rows, cols := 0, 0
	for i, w := range l.Windows {
		places[i] = [2]int{max(int(math.Round(float64(w.Top)/high)), 0), max(int(math.Round(float64(w.Left)/wide)), 0)}
		rows, cols = max(rows, places[i][0]+l.Rows), max(cols, places[i][1]+l.Cols)
	}
	count := make([]float32, rows*cols)
	each := func(visit func(node, y, x int)) {
		for i, p := range places {
			for c := range l.Rows * l.Cols {
				visit(i*l.Rows*l.Cols+c, p[0]+c/l.Cols, p[1]+c%l.Cols)
			}
		}
	}
	each(func(_, y, x int) { count[y*cols+x]++ })
	from, to := l.Part*cols/l.Parts, (l.Part+1)*cols/l.Parts
	down := resample.BilinearWeights(l.Cells[0], rows)
	across := resample.BilinearWeights(l.Cells[1], to-from)
	out := tensor.New(l.Cells[0]*l.Cells[1], len(l.Windows)*l.Rows*l.Cols)
	each(func(node, y, x int) {
		if x < from || x >= to {
			return
		}
		for ty := range l.Cells[0] {
			w := down[ty*rows+y] / count[y*cols+x]
			for tx := 0; w != 0 && tx < l.Cells[1]; tx++ {
				out.At(ty*l.Cells[1] + tx).Data[node] = w * across[tx*(to-from)+x-from]
			}
		}
	})
	return out
}
