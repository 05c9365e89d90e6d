package methods

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// GScoreCAM is gScoreCAM (Chen et al., ACCV 2022) and Score-CAM (arXiv 1910.01279), which show a model its picture
// behind each channel's activation a_c and weight the channels by what it then says:
//
//	max(0, Σ_c w_c a_c),  w = softmax over all channels of λ cos(x ⊙ m_c)
//
// where m_c is a_c enlarged to the picture and stretched to 0..1. gScoreCAM tries the K channels of the largest
// gradient, as Grad-CAM has it, and takes 0 for the scores of the others; Score-CAM tries all. Activations are the
// output of the last block, or of a ResNet's last stage. The price is a forward pass a channel; texts share those they
// have in common.
type GScoreCAM struct {
	K int `json:"k"` // channels to try; 300 in the authors' code, all where there are fewer. 0 is Score-CAM
}

// Traits are positions read bicubically to a size.
func (*GScoreCAM) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Ending: ReLUMinMaxResizeMinMax}
}

// Check wants a token of the whole picture.
func (c *GScoreCAM) Check(m Models) error {
	if c.K < 0 {
		return fmt.Errorf("gscorecam: k %d is negative; 0 tries all channels, as Score-CAM does", c.K)
	}
	return needGlobal("gscorecam", m)
}

// Read gives Grad-CAM, whose weights say which channels are to be tried, and then the channels weighted by what the
// model said.
func (c *GScoreCAM) Read(s *Scene) Reading {
	g := s.Graph
	row := s.lastRow(false)
	seed := s.target(cosineTarget, row.embedding)
	var activations, weights onnx.Value
	var pixels vit.Normalization
	if pool, ok := s.Encoder().(*clip.ResNet); ok {
		activations = pool.Features(g, s.RGB)
		weights, pixels = row.pixelWeights(g, seed, activations), pool.Normalization()
	} else {
		t := s.Tower()
		activations = s.patchesOf(s.Before(t.Depth()), 1)
		weights, pixels = g.Gradient(seed, row.class)[0], t.Pixels
	}
	r := s.weighted(activations, weights)
	shape := weights.Shape()
	weights = g.Transpose(g.Reshape(weights, shape[0], shape[1], shape[3]), 1, 2, 0) // [B, C, K]
	scale := s.CosineScale()
	r.Next = &Stage{
		Keep: []onnx.Value{activations, weights},
		Read: func(s *Scene, _ []onnx.Value) Reading {
			s.RGB = s.Input("pictures", tensor.F32, s.Graph.Symbol("pictures"), 3, s.Graph.Symbol("height"),
				s.Graph.Symbol("width"))
			return Reading{Patches: s.Linear(s.lastRow(false).embedding, s.Texts, onnx.Value{}), Scored: true}
		},
		Search: func(f Found) (tensor.Dense, error) { return c.search(f, scale, pixels) },
	}
	return r
}

// search is the method behind the first graph.
func (c *GScoreCAM) search(f Found, scale float64, pixels vit.Normalization) (tensor.Dense, error) {
	activations, weights := f.Kept[0], f.Kept[1]
	images, patches, channels := activations.Shape[0], activations.Shape[1], activations.Shape[2]
	texts := weights.Shape[2]
	out := tensor.New(images, patches, texts)
	for b := range images {
		a := activations.At(b)
		tried := make([][]bool, texts) // by channel
		wanted := make([]bool, channels)
		for t := range texts {
			tried[t] = c.choose(Column(weights.At(b).Data, texts, t))
			for i, yes := range tried[t] {
				wanted[i] = wanted[i] || yes
			}
		}
		scores, err := c.scores(f, b, a, wanted, pixels)
		if err != nil {
			return out, err
		}
		for t := range texts {
			logits := make([]float32, channels)
			for i := range logits {
				if tried[t][i] && scores[i] != nil {
					logits[i] = scores[i][t]
				}
			}
			w := Softmax(logits, scale)
			for n := range patches {
				sum := 0.0
				for i, v := range a.At(n).Data {
					sum += w[i] * float64(v)
				}
				out.At(b).At(n).Data[t] = float32(max(sum, 0))
			}
		}
	}
	return out, nil
}

// choose are the channels to try for one text, by their weights: those of the K largest.
func (c *GScoreCAM) choose(weights []float32) []bool {
	out := make([]bool, len(weights))
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	if c.K > 0 && c.K < len(order) {
		slices.SortStableFunc(order, func(i, j int) int {
			switch {
			case weights[i] > weights[j]:
				return -1
			case weights[i] < weights[j]:
				return 1
			}
			return 0
		})
		order = order[:c.K]
	}
	for _, i := range order {
		out[i] = true
	}
	return out
}

// searchBatch is the number of changed pictures in one forward pass.
const searchBatch = 16

// scores are the cosines of picture b behind each wanted channel with every text; nil where the channel masks nothing.
func (c *GScoreCAM) scores(f Found, b int, activations tensor.Dense, wanted []bool,
	pixels vit.Normalization) ([][]float32, error) {
	picture := f.RGB.At(b)
	out := make([][]float32, len(wanted))
	var channels []int
	for i, yes := range wanted {
		if yes {
			channels = append(channels, i)
		}
	}
	for batch := range slices.Chunk(channels, searchBatch) {
		var shown []int
		masked := tensor.Dense{Shape: append([]int{0}, picture.Shape...)}
		for _, i := range batch {
			if m := c.mask(activations, i, f.Rows, f.Cols, picture.Shape[1], picture.Shape[2]); m != nil {
				shown = append(shown, i)
				masked.Data = append(masked.Data, behind(m, picture, pixels)...)
			}
		}
		if masked.Shape[0] = len(shown); len(shown) == 0 {
			continue
		}
		said, err := f.Run(len(shown), 1, masked)
		if err != nil {
			return nil, err
		}
		for k, i := range shown {
			out[i] = said.At(k).Data
		}
	}
	return out, nil
}

// mask is a channel of activations [N, C] at h x w pixels, corners on corners, in 0..1. The authors of gScoreCAM divide
// by the range and 1e-6; those of Score-CAM by the range alone, and leave out channels that have none.
func (c *GScoreCAM) mask(activations tensor.Dense, channel, rows, cols, h, w int) []float32 {
	cells := make([]float32, rows*cols)
	for n := range cells {
		cells[n] = activations.At(n).Data[channel]
	}
	m := make([]float32, h*w)
	resample.BilinearCorners(m, w, h, cells, cols, rows)
	low, high := slices.Min(m), slices.Max(m)
	span := float64(high) - float64(low)
	if c.K > 0 {
		span += 1e-6
	}
	if span == 0 || math.IsNaN(span) {
		return nil
	}
	for i, v := range m {
		m[i] = float32((float64(v) - float64(low)) / span)
	}
	return m
}

// behind is a picture [3, H, W] behind a mask: where the mask is 0 it has the mean colour, which towers normalise to 0.
func behind(mask []float32, picture tensor.Dense, pixels vit.Normalization) []float32 {
	grey := pixels.Grey()
	out := make([]float32, len(picture.Data))
	for i, v := range picture.Data {
		g := grey[i/len(mask)]
		out[i] = g + (v-g)*mask[i%len(mask)]
	}
	return out
}
