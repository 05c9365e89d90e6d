package methods

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// ResCLIP adds attention of middle blocks to that of the last (arXiv 2411.15851). Its first part (section 3.2, RCS) is
//
//	τ ((1-λ) A + λ mean_i softmax(q_i k_iᵀ s)) v,  i from From to To
//
// where A is the attention of another method, the Base. Its second part (section 3.3, SFR) segments the image with
// that, and computes A anew from logits that favour patches of one segment; see [ResCLIP.bias]. τ, λ and the threshold
// differ from data set to data set in the authors' configurations: [ResCLIP.Traits] has them, [All] those for VOC21.
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

// Traits are bicubic positions and values by data set, as in the authors' code.
func (*ResCLIP) Traits() Traits {
	t := Traits{Positions: vit.Bicubic, PerDataset: map[string]map[string]any{}}
	for dataset, v := range resclipOn {
		t.PerDataset[dataset] = map[string]any{"temp_thd": v[0], "rcs_tau": v[1], "rcs_lambda": v[2], "sfr_tau": v[3],
			"sfr_lambda": v[4]}
	}
	return t
}

// Check wants a vision transformer of as many blocks as the parameters name, and one more.
func (r *ResCLIP) Check(m Models) error {
	t, err := needClass("resclip", m)
	if err != nil {
		return err
	}
	if before := t.Depth() - 1; r.From < 1 || r.To < r.From || r.To > before {
		return fmt.Errorf("resclip: blocks from %d to %d are out of range: %s has blocks 1 to %d before its last", r.From,
			r.To, m.Name(), before)
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

// Read takes the tokens of the first part, and those of the second in their place if it is wanted.
func (r *ResCLIP) Read(s *Scene) Reading {
	st := r.state(s)
	var bias onnx.Value
	if r.Base == "naclip" {
		bias = s.neighbourhood(r.Sigma)
	}
	first := r.finish(s, st, 1, bias)
	if r.SFR {
		first.Next = r.second(s.Tower(), st)
	}
	return first
}

// second is the second part: logits τ ((1-λ) A + λ S), with S in the bias.
func (r *ResCLIP) second(v Tower, st state) *Stage {
	next := &Stage{
		Prepare: func(f First) []tensor.Dense { return []tensor.Dense{r.bias(v, f)} },
		Read: func(s *Scene, kept []onnx.Value) Reading {
			var st state
			for i, part := range st.parts(r.Base) {
				*part = kept[i]
			}
			shape := kept[0].Shape() // batch, tokens, width
			bias := s.Input("bias", tensor.F32, shape[0], 1, shape[1], shape[1])
			return r.finish(s, st, float32(r.SFRTau*(1-r.SFRLambda)), bias)
		},
	}
	for _, part := range st.parts(r.Base) {
		next.Keep = append(next.Keep, *part)
	}
	return next
}

// state is what the last block needs: the tokens before it, its queries, keys and values, and what the middle blocks'
// attention makes of the values. All are [B, 1+N, W].
type state struct{ x, q, k, u, middle onnx.Value }

func (r *ResCLIP) state(s *Scene) state {
	g, v := s.Graph, s.Tower()
	last := v.Depth() - 1
	st := state{x: s.Before(last)}
	st.q, st.k, st.u = v.QKV(g, last, st.x)
	for i := r.From - 1; i < r.To; i++ {
		q, k, _ := v.QKV(g, i, s.Before(i))
		a := v.Attention(g, q, k, st.u, onnx.Value{})
		if st.middle.Present() {
			a = g.Add(st.middle, a)
		}
		st.middle = a
	}
	st.middle = g.Scale(st.middle, 1/float32(r.To-r.From+1))
	return st
}

// finish is the last block, with the base's logits scaled by more than usual and shifted by bias.
func (r *ResCLIP) finish(s *Scene, st state, more float32, bias onnx.Value) Reading {
	g, v := s.Graph, s.Tower()
	attend := func(q, k onnx.Value) onnx.Value {
		return g.Attention(q, k, st.u, v.Heads, v.Scale()*more, bias, false)
	}
	var a onnx.Value
	switch r.Base {
	case "naclip":
		a = attend(st.k, st.k)
	case "clearclip":
		a = attend(st.q, st.q)
	case "sclip":
		a = g.Add(attend(st.q, st.q), attend(st.k, st.k))
	default:
		a = attend(st.q, st.k)
	}
	a = g.Add(g.Scale(a, float32(r.Tau*(1-r.Lambda))), g.Scale(st.middle, float32(r.Tau*r.Lambda)))
	return s.Project(read(g, v, v.Depth()-1, st.x, a, r.Base == "sclip"))
}

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

// bias segments every image with what the first part says of the texts, and gives the second part's bias
// τ λ S [B, 1, 1+N, 1+N], with naclip's neighbourhood added if that is the base.
func (r *ResCLIP) bias(v Tower, f First) tensor.Dense {
	pixels := v.Pixels.Values(f.RGB)
	n := 1 + f.Rows*f.Cols
	out := tensor.New(pixels.Shape[0], 1, n, n)
	var near tensor.Dense
	if r.Base == "naclip" {
		near = gaussian(1, f.Rows, f.Cols, r.Sigma)
	}
	for b := range pixels.Shape[0] {
		s := segment(pixels.At(b), f.Patches.At(b), f.Rows, f.Cols, v.Patch, r.Scale, r.Threshold)
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
