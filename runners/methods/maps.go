package methods

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/clip"
)

// FeatureSurgery is a form of feature surgery: which part of the similarities counts as shared by all texts.
type FeatureSurgery string

// The forms of feature surgery (arXiv 2304.05653, section 3.3).
const (
	// NoSurgery leaves cosine similarities as they are.
	NoSurgery FeatureSurgery = "none"
	// Labels is the authors' code for a set of texts: S_ij = w_j c_ij - mean_k w_k c_ik.
	Labels FeatureSurgery = "labels"
	// Paper is the same with Eq. 6-9 as printed: S_ij = c_ij - mean_k w_k c_ik.
	Paper FeatureSurgery = "paper"
	// Empty removes what the empty text shares: S_ij = c_ij - <F_i, R>. It is the form for a single text.
	Empty FeatureSurgery = "empty"
	// Sigmoid is Labels with weights that suit models of a sigmoid loss, whose small cosines make a softmax nearly even:
	// w_j = σ(scale c_j + bias) / mean, by the model's own scale and bias. It is our definition, no paper's.
	Sigmoid FeatureSurgery = "sigmoid"
)

// ParseFeatureSurgery understands the names above, and "reference" or "" as none given: the method's own.
func ParseFeatureSurgery(s string) (form FeatureSurgery, given bool, err error) {
	switch form = FeatureSurgery(s); form {
	case "", "reference":
		return "", false, nil
	case NoSurgery, Labels, Paper, Empty, Sigmoid:
		return form, true, nil
	}
	return "", false, fmt.Errorf("redundant %q is not known; known are reference, labels, paper, empty, sigmoid, none", s)
}

// Tau is the temperature of the class weights of feature surgery (the authors' code; the paper's τ).
const Tau = 2

// Softmax is the softmax of scale times x: CLIP's probabilities of texts from their cosines with the class token, where
// scale is the logit scale.
func Softmax(x []float32, scale float64) []float64 {
	out := make([]float64, len(x))
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, float64(v))
	}
	sum := 0.0
	for i, v := range x {
		out[i] = math.Exp(scale * (float64(v) - top))
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Score is how a model says how probable texts are from their cosines with its global token.
type Score struct {
	Scale   float64 // the logit scale
	Sigmoid bool    // each text by itself, σ(Scale c + Bias); else the softmax of Scale c over the texts
	Bias    float64
}

// ScoreOf is that of a model.
func ScoreOf(m *clip.Model) Score { return Score{m.LogitScale, m.Sigmoid, m.LogitBias} }

// Of are the probabilities of texts with cosines c.
func (s Score) Of(c []float32) []float64 {
	if !s.Sigmoid {
		return Softmax(c, s.Scale)
	}
	out := make([]float64, len(c))
	for i, v := range c {
		out[i] = 1 / (1 + math.Exp(-s.Scale*float64(v)-s.Bias))
	}
	return out
}

// weights are those of texts in a form of feature surgery.
func (s Score) weights(form FeatureSurgery, global []float32) ([]float64, error) {
	if form != Sigmoid {
		return Weights(global), nil
	}
	if !s.Sigmoid {
		return nil, fmt.Errorf("feature surgery: form %s is for models of a sigmoid loss, which this one is not: use %s",
			form,
			Labels)
	}
	w, sum := s.Of(global), 0.0
	for _, v := range w {
		sum += v
	}
	for j := range w {
		w[j] *= float64(len(w)) / sum
	}
	return w, nil
}

// Weights are the class weights w_j = softmax(τ c_j) / mean of the label-set form, from the cosines c of
// the global token with each text.
func Weights(global []float32) []float64 {
	w := Softmax(global, Tau)
	for j := range w {
		w[j] *= float64(len(w))
	}
	return w
}

// Apply replaces cosines sim [N, T] of one image's normalised tokens with T normalised texts by their feature surgery.
// The label-set forms weigh texts by global [T], the cosines of the global token; with a single text they are zero
// everywhere. empty [N] holds the cosines with the empty text and is used by the form Empty only, the model's score by
// Sigmoid only.
//
// The closed form costs N·T; the authors' code multiplies N·T·E features to the same end.
func (form FeatureSurgery) Apply(global, sim []float32, texts int, empty []float32, score Score) error {
	if texts < 1 || len(sim) == 0 || len(sim)%texts != 0 {
		return fmt.Errorf("feature surgery: %d similarities are not of %d texts", len(sim), texts)
	}
	switch form {
	case "", NoSurgery:
	case Empty:
		if len(empty)*texts != len(sim) {
			return fmt.Errorf("feature surgery: %d similarities with the empty text for %d tokens", len(empty), len(sim)/texts)
		}
		for i, r := range empty {
			for j := range texts {
				sim[i*texts+j] -= r
			}
		}
	case Labels, Paper, Sigmoid:
		if len(global) != texts {
			return fmt.Errorf("feature surgery: form %s weighs texts by a global token, which is not there: use %s or %s", form,
				Empty, NoSurgery)
		}
		w, err := score.weights(form, global)
		if err != nil {
			return err
		}
		for row := range slices.Chunk(sim, texts) {
			shared := 0.0
			for j, c := range row {
				shared += w[j] * float64(c)
			}
			shared /= float64(texts)
			for j, c := range row {
				if form == Paper {
					row[j] = float32(float64(c) - shared)
				} else {
					row[j] = float32(w[j]*float64(c) - shared)
				}
			}
		}
	default:
		return fmt.Errorf("feature surgery: form %q is not known", form)
	}
	return nil
}

// Column copies text j of sim [N, T]: [N].
func Column(sim []float32, texts, j int) []float32 {
	out := make([]float32, len(sim)/texts)
	for i := range out {
		out[i] = sim[i*texts+j]
	}
	return out
}

// MinMax stretches x to 0..1 in place. A constant map becomes 0 everywhere and is reported as false,
// as is one with a NaN.
func MinMax(x []float32) bool {
	lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		if v != v {
			clear(x)
			return false
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	if !(hi > lo) {
		clear(x)
		return false
	}
	for i, v := range x {
		x[i] = (v - lo) / (hi - lo)
	}
	return true
}
