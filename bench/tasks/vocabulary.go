package tasks

import (
	"cmp"
	"math"
	"slices"

	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/runners/resample"
)

// ballot says which words compete for the pixels of a picture, and how the words of one class become its value. It
// works on patches, before windows are stitched and maps enlarged, as VIP (arXiv 2605.12325) does.
type ballot struct {
	rule    resample.Rule
	columns [][]int // the queries behind each value that competes
	join    func(values []float32, of []int, weights []float64) float32
	weigh   bool // words of a class by what the whole window says of them
	tem     float64
	plain   bool // all queries compete, each for itself
}

// ballot is that of a picture; truth is read for an oracle alone.
func (t *Target) ballot(truth labelmap.Map) ballot {
	p := t.Protocol
	b := ballot{rule: t.Rule, tem: p.AliasTemperature, weigh: p.AliasTemperature > 0}
	var there []int
	if p.Oracle() {
		there = present(truth.Pix, datasets.Info{Classes: t.Info.Classes}) // nil where every pixel is ignored
	}
	if there != nil && !slices.Contains(there, 0) { // no background to fall back to
		b.rule.Threshold, b.rule.Area = 0, 0
	}
	b.plain = there == nil && !p.JoinsAliases()
	b.rule.Classes = nil
	for q := range t.Texts {
		class := q
		if t.Rule.Classes != nil {
			class = t.Rule.Classes[q]
		}
		if there != nil && !slices.Contains(there, class) {
			continue
		}
		k := len(b.columns)
		if p.JoinsAliases() {
			k = slices.Index(b.rule.Classes, class)
		}
		if k < 0 || k == len(b.columns) {
			b.columns, b.rule.Classes = append(b.columns, []int{q}), append(b.rule.Classes, class)
			continue
		}
		b.columns[k] = append(b.columns[k], q)
	}
	switch p.Aliases {
	case configs.AliasesMean:
		b.join = func(values []float32, of []int, _ []float64) float32 {
			sum := 0.0
			for _, q := range of {
				sum += float64(values[q])
			}
			return float32(sum / float64(len(of)))
		}
	case configs.AliasesLSE:
		b.join = logSumExp(cmp.Or(t.Rule.Scale, 1), p.Tau())
	default: // of one query each
		b.join = func(values []float32, of []int, _ []float64) float32 { return values[of[0]] }
	}
	return b
}

// logSumExp joins the words j of a class, of cosines c and weights w, to
//
//	1/(τ s) log Σ_j exp(τ w_j s c_j)
//
// which times the scale s is VIP's logit of the class.
func logSumExp(scale, tau float64) func([]float32, []int, []float64) float32 {
	return func(values []float32, of []int, weights []float64) float32 {
		at := func(j int) float64 {
			v := tau * scale * float64(values[of[j]])
			if weights != nil {
				v *= weights[j]
			}
			return v
		}
		largest, sum := math.Inf(-1), 0.0
		for j := range of {
			largest = max(largest, at(j))
		}
		for j := range of {
			sum += math.Exp(at(j) - largest)
		}
		return float32((largest + math.Log(sum)) / (tau * scale))
	}
}

// read makes of the values of all queries [tokens, texts] of a window those that compete [tokens, columns].
func (b *ballot) read(values []float32, texts int) []float32 {
	if b.plain {
		return values
	}
	tokens, columns := len(values)/texts, len(b.columns)
	out := make([]float32, tokens*columns)
	for k, of := range b.columns {
		var weights []float64
		if b.weigh && len(of) > 1 {
			weights = b.weights(values, texts, of)
		}
		for i := range tokens {
			out[i*columns+k] = b.join(values[i*texts:][:texts], of, weights)
		}
	}
	return out
}

// weights are the softmax over the words of a class of their mean over the window's patches, divided by tem, relative
// to their mean. VIP takes the cosine with the mean patch: that mean over its length, which all words share.
func (b *ballot) weights(values []float32, texts int, of []int) []float64 {
	w, largest, sum := make([]float64, len(of)), math.Inf(-1), 0.0
	tokens := len(values) / texts
	for j, q := range of {
		for i := range tokens {
			w[j] += float64(values[i*texts+q])
		}
		w[j] /= float64(tokens) * b.tem
		largest = max(largest, w[j])
	}
	for j := range w {
		w[j] = math.Exp(w[j] - largest)
		sum += w[j]
	}
	for j := range w {
		w[j] *= float64(len(w)) / sum
	}
	return w
}

// mosaic is one of all queries with the values that compete.
func (b *ballot) mosaic(m resample.Mosaic) resample.Mosaic {
	if b.plain {
		return m
	}
	m.Tiles = slices.Clone(m.Tiles)
	for i := range m.Tiles {
		m.Tiles[i].Logits = b.read(m.Tiles[i].Logits, m.Queries)
	}
	m.Queries = len(b.columns)
	return m
}
