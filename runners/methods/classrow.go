package methods

import (
	"fmt"
	"math"
	"slices"

	"ovbench/runners/clip"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Most explanations look at the last block from the class token: of all that its attention computes, the score needs
// that one row. Written down for the row alone, the backward pass through the block costs a few products of a vector
// with a matrix for each text, and is exact: the other rows of the gradient are zero.

// classRow is the last block, or an attention pool, as the global token sees it.
type classRow struct {
	x         onnx.Value // tokens [B, Lead+N, W] before the block
	norm      onnx.Value // the same behind the block's LayerNorm; x itself in an attention pool
	q         onnx.Value // of the global token [B, 1, W]
	k, v      onnx.Value // of all tokens [B, Lead+N, W]
	heads     int
	weights   onnx.Value // attention of the global token [B, heads, 1, Lead+N]
	attended  onnx.Value // [B, 1, W], before the output projection
	class     onnx.Value // the global token [B, 1, W] behind the block; attended in an attention pool
	embedding onnx.Value // [B, 1, E], of length 1
}

// headsOf are the forms of the last block's attention: the model's own heads, or one of full width at the scale of that
// width, which is another network than the model. reference is what a method's authors run.
var headsOf = []string{"reference", "native", "one"}

// lastRow adds the last block as the global token sees it, with attention in one head or the model's.
func (s *Scene) lastRow(one bool) classRow {
	if pool, ok := s.Encoder().(*clip.ResNet); ok {
		return s.poolRow(pool, one)
	}
	if s.Tower().Pool != nil {
		return s.headRow(s.Before(s.Tower().Depth()))
	}
	i := s.Tower().Depth() - 1
	x := s.Before(i)
	return s.blockRow(x, s.Tower().Norm(s.Graph, i, x), one)
}

// blockRow is the last block on tokens x, and on what its LayerNorm makes of them.
func (s *Scene) blockRow(x, norm onnx.Value, one bool) classRow {
	g, t := s.Graph, s.Tower()
	i := t.Depth() - 1
	b := &t.Blocks[i]
	r := classRow{x: x, norm: norm, heads: t.Heads}
	r.q, r.k, r.v = b.Q.Apply(g, t.ClassToken(g, r.norm)), b.K.Apply(g, r.norm), b.V.Apply(g, r.norm)
	r.attend(g, t.Scale(), one)
	r.class = g.Add(t.ClassToken(g, r.x), t.Out(g, i, r.attended))
	r.class = g.Add(r.class, t.MLP(g, i, r.class))
	r.embedding = g.L2Normalize(t.Project(g, r.class, vit.ByValue))
	return r
}

// headRow is the head that makes the global token of tokens x behind a block, as its query sees them.
func (s *Scene) headRow(x onnx.Value) classRow {
	g, t := s.Graph, s.Tower()
	r := classRow{x: x, norm: t.Final(g, x), heads: t.Pool.Heads}
	r.q, r.k, r.v = t.Pool.QKV(g, r.norm)
	r.attend(g, t.Pool.Scale(), false)
	r.class = r.attended
	r.embedding = g.L2Normalize(t.Global(g, x)) // of which that attention is a part
	return r
}

func (s *Scene) poolRow(pool *clip.ResNet, one bool) classRow {
	g := s.Graph
	r := classRow{x: pool.Embed(g, s.RGB, s.Positions), heads: pool.Heads()}
	r.norm = r.x
	r.q, r.k, r.v = pool.Pool.Q.Apply(g, g.Slice(r.x, 1, 0, 1)), pool.Pool.K.Apply(g, r.x), pool.Pool.V.Apply(g, r.x)
	r.attend(g, pool.Scale(), one)
	r.class = r.attended
	r.embedding = g.L2Normalize(pool.Project(g, r.attended))
	return r
}

// attend fills in what the global token's attention gives.
func (r *classRow) attend(g *onnx.Graph, scale float32, one bool) {
	if !one {
		r.weights = g.Weights(r.q, r.k, r.heads, scale, onnx.Value{}, false)
		r.attended = g.Attention(r.q, r.k, r.v, r.heads, scale, onnx.Value{}, false)
		return
	}
	r.heads = 1
	// Without heads to take apart, this is a product of matrices; so is its derivative.
	scale = float32(1 / math.Sqrt(float64(r.q.Shape()[2])))
	a := g.Softmax(g.MatMul(g.Scale(r.q, scale), g.Transpose(r.k, 0, 2, 1)), -1)
	shape := a.Shape()
	r.weights, r.attended = g.Reshape(a, shape[0], 1, shape[1], shape[2]), g.MatMul(a, r.v)
}

// lead is the number of tokens before the patches.
func (s *Scene) lead() int {
	if t, err := s.transformer(); err == nil {
		return t.Transformer().Lead()
	}
	return 1
}

// patchesOf are the patches of tokens [.., Lead+N, ..] along axis.
func (s *Scene) patchesOf(x onnx.Value, axis int) onnx.Value {
	return s.Slice(x, axis, s.lead(), onnx.End)
}

// classOnly is the class token's row of the identity: [1, Lead+N], a one and zeros.
func (s *Scene) classOnly() onnx.Value {
	return s.tokenRow("class", func(row []float32) { row[0] = 1 })
}

// meanRow is the row [1, Lead+N] that takes the mean over tokens.
func (s *Scene) meanRow() onnx.Value {
	return s.tokenRow("mean", func(row []float32) {
		for i := range row {
			row[i] = 1 / float32(len(row))
		}
	})
}

// tokenRow is a row over all tokens that depends on their number alone.
func (s *Scene) tokenRow(name string, fill func(row []float32)) onnx.Value {
	t := s.Tower()
	return s.Table(t.Prefix+name, s.RGB, func(h, w int) tensor.Dense {
		rows, cols := t.Grid(h, w)
		row := tensor.New(1, t.Lead()+rows*cols)
		fill(row.Data)
		return row
	}, 1, t.Tokens(s.Graph, s.RGB))
}

// meanHeads is the mean over the heads of weights [.., heads, M, N]: [.., M, N].
func meanHeads(g *onnx.Graph, weights onnx.Value) onnx.Value {
	shape := weights.Shape()
	n := len(shape)
	return g.Reshape(g.Mean(weights, n-3), append(append([]int{}, shape[:n-3]...), shape[n-2:]...)...)
}

// rowTimes is a row [.., 1, M] times the mean over the heads of weights [.., heads, M, N]: [.., 1, N]. The mean is
// taken of the products, which are rows, and not of the weights.
func rowTimes(g *onnx.Graph, row, weights onnx.Value) onnx.Value {
	shape := row.Shape()
	n := len(shape)
	return meanHeads(g, g.MatMul(g.Reshape(row, slices.Insert(slices.Clone(shape), n-2, 1)...), weights))
}

// scored is a reading of values by patch and text from a row over all tokens: [K, B, 1, Lead+N], or [B, 1, Lead+N] of
// all texts alike.
func (s *Scene) scored(row onnx.Value) Reading {
	shape := row.Shape()
	row = s.patchesOf(row, len(shape)-1)
	if len(shape) == 3 {
		alike := s.Scale(s.Reshape(s.Cast(s.Explained, tensor.F32), 1, s.Explained.Shape()[0]), 0) // [1, K], zeros
		return Reading{Patches: s.Add(s.Transpose(row, 0, 2, 1), alike), Scored: true}
	}
	shape = row.Shape()
	return Reading{Patches: s.Transpose(s.Reshape(row, shape[0], shape[1], shape[3]), 1, 2, 0), Scored: true}
}

// weighted is the sum over channels of activations [B, N, W] times weights [K, B, 1, W].
func (s *Scene) weighted(activations, weights onnx.Value) Reading {
	shape := weights.Shape()
	weights = s.Transpose(s.Reshape(weights, shape[0], shape[1], shape[3]), 1, 2, 0) // [B, W, T]
	return Reading{Patches: s.MatMul(activations, weights), Scored: true}
}

// needGlobal wants a token of the whole picture: a ResNet, or a vision transformer with a class token.
func needGlobal(method string, m Models) error {
	if _, pool := m.Encoder().(*clip.ResNet); pool {
		return nil
	}
	_, err := needClass(method, m)
	return err
}

// pooled reports whether a vision transformer has a pool that makes its global token.
func (m Models) pooled() bool {
	t, err := m.transformer()
	return err == nil && t.Transformer().Pool != nil
}

// pooledHeads refuses attention in one head of towers with a pool: nobody runs them so.
func pooledHeads(method, heads string, m Models) error {
	if heads == "one" {
		return fmt.Errorf("%s: heads one is of a class token's attention, and %s reads its pool's: use native", method,
			m.Name())
	}
	return nil
}

// needClass wants blocks and a class token that is the token of the whole picture.
func needClass(method string, m Models) (*vit.Tower, error) {
	t, err := needBlocks(method, m)
	if err == nil && (len(t.Class.Data) == 0 || t.Pool != nil) {
		err = fmt.Errorf("%s: %s has no class token that stands for the picture, which this method is defined with", method,
			m.Name())
	}
	return t, err
}
