package methods

import (
	"fmt"

	"ovbench/runners/onnx"
	"ovbench/runners/vit"
)

// Rollout is the product of the attention matrices A of all blocks, each with the residual (Abnar and Zuidema, arXiv
// 2005.00928):
//
//	R = Â_L ··· Â_from,  Â = ½ (mean over heads of A + I)
//
// of which the class token's row is read. It does not depend on the text. The row alone is computed, from the last
// block down.
type Rollout struct {
	From       int  `json:"from"`       // first block, from 0; 1 in Chefer's evaluation. Negative counts from the end: -1 is the last block
	Normalised bool `json:"normalised"` // rows of A + I are divided by their sum, 2
}

// Traits are positions read bicubically to a size.
func (*Rollout) Traits() Traits {
	return Traits{Positions: vit.BicubicSize, Texts: true, Explains: true, Ending: ResizeMinMax}
}

// Check wants a vision transformer that has block From.
func (r *Rollout) Check(m Models) error {
	t, err := needClass("rollout", m)
	if err != nil {
		return err
	}
	if r.From >= t.Depth() || r.From < -t.Depth() {
		return fmt.Errorf("rollout: from %d is out of range: %s has %d blocks", r.From, m.Name(), t.Depth())
	}
	return nil
}

// Read gives the class token's row of the product.
func (r *Rollout) Read(s *Scene) Reading {
	g, t := s.Graph, s.Tower()
	from := r.From
	if from < 0 {
		from += t.Depth()
	}
	row := r.step(g, s.classOnly(), meanHeads(g, s.lastRow(false).weights))
	for i := t.Depth() - 2; i >= from; i-- {
		q, k, _ := t.QKV(g, i, s.Before(i))
		a := g.Weights(q, k, t.Heads, t.Scale(), onnx.Value{}, false)
		row = r.step(g, row, rowTimes(g, row, a))
	}
	return s.scored(row)
}

// step is a row of the product times one more Â; the row and the row times A are given.
func (r *Rollout) step(g *onnx.Graph, row, times onnx.Value) onnx.Value {
	sum := g.Add(times, row)
	if r.Normalised {
		sum = g.Scale(sum, 0.5)
	}
	return sum
}
