package methods

import (
	"fmt"
	"math"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// ResCLIP adds attention of middle blocks to that of the last (arXiv 2411.15851). Its first part (section 3.2, RCS) is
//
//	τ ((1-λ) A + λ mean_i softmax(q_i k_iᵀ s)) v,  i from From to To
//
// where A is the attention of another method, the Base. Its second part (section 3.3, SFR) segments the image with that, and
// computes A anew from logits that favour patches of one segment; see [ResCLIP.Between]. τ, λ and the threshold differ from data
// set to data set in the authors' configurations: [ResCLIP.On] has them, [All] those for VOC21.
type ResCLIP struct {
	Base      string  `json:"base"`       // naclip, clearclip, sclip or vanilla (q kᵀ); sclip keeps the residual and the MLP
	Sigma     float64 `json:"sigma"`      // of naclip's neighbourhood and of the blur of segments, in patches
	From      int     `json:"from"`       // first and
	To        int     `json:"to"`         // last of the middle blocks, counted from 1
	Tau       float64 `json:"rcs_tau"`    // τ and
	Lambda    float64 `json:"rcs_lambda"` // λ above
	SFR       bool    `json:"sfr"`        // runs the second part
	SFRTau    float64 `json:"sfr_tau"`    // τ and
	SFRLambda float64 `json:"sfr_lambda"` // λ of the second part's logits
	Threshold float64 `json:"temp_thd"`   // least probability of a pixel's text in the second part; below it the first text stands
	Scale     float64 `json:"scale"`      // logit scale of the second part
	Split     bool    `json:"split"`      // weakens pairs of a segment that the line between them leaves
}

// resclipOn is the authors' configurations by data set: temp_thd, rcs_tau, rcs_lambda, sfr_tau, sfr_lambda.
var resclipOn = map[string][5]float64{
	"voc21":       {0.50, 2.0, 0.3, 2.2, 0.7},
	"voc20":       {0.10, 2.0, 0.6, 2.1, 0.6},
	"context60":   {0.30, 2.0, 0.3, 1.8, 0.7},
	"context59":   {0.25, 2.0, 0.4, 1.8, 0.7},
	"coco_object": {0.11, 2.0, 0.4, 1.8, 0.7},
	"coco_stuff":  {0.11, 2.0, 0.4, 1.8, 0.7},
	"cityscapes":  {0.10, 2.0, 0.2, 2.1, 0.6},
	"ade20k":      {0.25, 2.0, 0.3, 2.1, 0.7},
}

// On are the authors' values for a data set.
func (*ResCLIP) On(dataset string) map[string]any {
	v, ok := resclipOn[dataset]
	if !ok {
		return nil
	}
	return map[string]any{"temp_thd": v[0], "rcs_tau": v[1], "rcs_lambda": v[2], "sfr_tau": v[3], "sfr_lambda": v[4]}
}

// Positions is bicubic, as in the authors' code.
func (*ResCLIP) Positions() clip.Interpolation { return clip.Bicubic }

// Redundant is none: the maps are plain cosines.
func (*ResCLIP) Redundant() Redundant { return NoSurgery }

// Check wants a vision transformer of as many blocks as the parameters name, and one more.
func (r *ResCLIP) Check(m *clip.Model) error {
	if err := needBlocks("resclip", m); err != nil {
		return err
	}
	if before := m.Vision.Depth() - 1; r.From < 1 || r.To < r.From || r.To > before {
		return fmt.Errorf("resclip: blocks from %d to %d are out of range: %s has blocks 1 to %d before its last", r.From, r.To, m.Name(), before)
	}
	if err := oneOf("resclip", "base", r.Base, "naclip", "clearclip", "sclip", "vanilla"); err != nil {
		return err
	}
	if !(r.Threshold >= 0 && r.Threshold < 1) {
		return fmt.Errorf("resclip: temp_thd %v is no probability below 1", r.Threshold)
	}
	if !(r.Scale > 0) || math.IsInf(r.Scale, 0) {
		return fmt.Errorf("resclip: scale %v is not positive", r.Scale)
	}
	return checkSigma("resclip", r.Sigma)
}

// Tokens are those of the first part.
func (r *ResCLIP) Tokens(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) onnx.Value {
	s := r.state(g, m, pixels, p)
	var bias onnx.Value
	if r.Base == "naclip" {
		bias = neighbourhood(g, m, pixels, r.Sigma)
	}
	return r.finish(g, m, s, m.Vision.Tower().Scale(), bias)
}

// state is what the last block needs: the tokens before it, its queries, keys and values, and what the middle blocks' attention makes
// of the values. All are [B, 1+N, W].
type state struct{ x, q, k, u, middle onnx.Value }

func (r *ResCLIP) state(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) state {
	v, last := m.Vision, m.Vision.Depth()-1
	s := state{x: before(g, v, pixels, p, last)}
	s.q, s.k, s.u = v.QKV(g, last, s.x)
	for i := r.From - 1; i < r.To; i++ {
		q, k, _ := v.QKV(g, i, before(g, v, pixels, p, i))
		a := v.Attention(g, q, k, s.u, onnx.Value{})
		if s.middle.Present() {
			a = g.Add(s.middle, a)
		}
		s.middle = a
	}
	s.middle = g.Scale(s.middle, 1/float32(r.To-r.From+1))
	return s
}

// finish is the last block, with the base's logits scaled by scale and shifted by bias.
func (r *ResCLIP) finish(g *onnx.Graph, m *clip.Model, s state, scale float32, bias onnx.Value) onnx.Value {
	v := m.Vision
	attend := func(q, k onnx.Value) onnx.Value {
		return g.Attention(q, k, s.u, v.Tower().Heads, scale, bias, false)
	}
	var a onnx.Value
	switch r.Base {
	case "naclip":
		a = attend(s.k, s.k)
	case "clearclip":
		a = attend(s.q, s.q)
	case "sclip":
		a = g.Add(attend(s.q, s.q), attend(s.k, s.k))
	default:
		a = attend(s.q, s.k)
	}
	a = g.Add(g.Scale(a, float32(r.Tau*(1-r.Lambda))), g.Scale(s.middle, float32(r.Tau*r.Lambda)))
	return v.Project(g, read(g, v, v.Depth()-1, s.x, a, r.Base == "sclip"))
}

// Staged reports whether the second part is wanted.
func (r *ResCLIP) Staged() bool { return r.SFR }

// parts are what the base reads of the state.
func (s *state) parts(base string) []*onnx.Value {
	switch base {
	case "naclip":
		return []*onnx.Value{&s.k, &s.u, &s.middle}
	case "clearclip":
		return []*onnx.Value{&s.q, &s.u, &s.middle}
	case "sclip":
		return []*onnx.Value{&s.x, &s.q, &s.k, &s.u, &s.middle}
	}
	return []*onnx.Value{&s.q, &s.k, &s.u, &s.middle}
}

// First are the tokens of the first part, and the state for the second.
func (r *ResCLIP) First(g *onnx.Graph, m *clip.Model, pixels onnx.Value, p clip.Interpolation) (tokens onnx.Value, kept []onnx.Value) {
	s := r.state(g, m, pixels, p)
	for _, part := range s.parts(r.Base) {
		kept = append(kept, *part)
	}
	return r.Tokens(g, m, pixels, p), kept
}

// Second are the tokens of the second part: logits τ ((1-λ) A + λ S), with S in the bias.
func (r *ResCLIP) Second(g *onnx.Graph, m *clip.Model, kept []onnx.Value, bias onnx.Value) onnx.Value {
	var s state
	for i, part := range s.parts(r.Base) {
		*part = kept[i]
	}
	return r.finish(g, m, s, m.Vision.Tower().Scale()*float32(r.SFRTau*(1-r.SFRLambda)), bias)
}

// Between segments every image with what the first part says of the texts, and gives the second part's bias
// τ λ S [B, 1, 1+N, 1+N], with naclip's neighbourhood added if that is the base.
func (r *ResCLIP) Between(m *clip.Model, pixels, cosines tensor.Dense) tensor.Dense {
	h, w := pixels.Shape[2], pixels.Shape[3]
	rows, cols := m.Grid(h, w)
	n := 1 + rows*cols
	out := tensor.New(pixels.Shape[0], 1, n, n)
	var near tensor.Dense
	if r.Base == "naclip" {
		near = gaussian(rows, cols, r.Sigma)
	}
	for b := range pixels.Shape[0] {
		s := segment(pixels.At(b), cosines.At(b), rows, cols, m.Patch, r.Scale, r.Threshold)
		bias := s.affinity(r.Sigma, r.Split)
		dst := out.At(b).Data
		for i := 1; i < n; i++ {
			for j := 1; j < n; j++ {
				dst[i*n+j] = float32(r.SFRTau * r.SFRLambda * bias[(i-1)*(n-1)+j-1])
			}
		}
		for i, v := range near.Data {
			dst[i] += v
		}
	}
	return out
}
