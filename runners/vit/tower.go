// Package vit answers: what is a vision transformer, whoever trained it?
//
// A [Tower] is data: what one family has and another does not (a class token, registers, a bias of the patches,
// LayerNorm before the blocks, LayerScale, the activation, how positions are read on other grids) are fields, filled in
// by the packages that read checkpoints. Its methods write it into a graph part by part, so that methods of reading it
// can leave parts out or put others in their place; the same part on the same input is the same [onnx.Value].
//
// The architecture is that of Dosovitskiy et al., "An Image is Worth 16x16 Words" (arXiv 2010.11929), with the
// additions of CLIP (2103.00020), DINO (2104.14294), DINOv2 (2304.07193) and registers (2309.16588).
package vit

import (
	"cmp"
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/weights"
)

// Tower is a vision transformer: patch embedding, class token, registers, positions, blocks. It is immutable once made;
// its methods may be called from any goroutine. Tokens lie in the order class token, registers, patches row by row.
type Tower struct {
	Transformer
	// Prefix begins the names of the tower's tables and symbols; towers of one graph have prefixes of their own.
	Prefix    string
	Patch     int            // side in pixels
	Pixels    Normalization  // what the patch embedding wants
	Conv      weights.Linear // weight [W, 3, Patch, Patch]; the bias may be absent
	Class     tensor.Dense   // [W]; no data without a class token
	Registers tensor.Dense   // [R, W]; no data without registers. They have no positions
	Positions tensor.Dense   // [1+g·g, W], row 0 for the class token; [g·g, W] without one
	Rule      Interpolation  // how the tower's authors read Positions on other grids; empty leaves it to the caller
	Pre       *weights.Norm  // before the first block; nil without one
	Post      weights.Norm   // behind the last block
	Rotary    *Rotary        // rotation of queries and keys; nil without it
	Pool      *Pool          // makes the global token in place of a class token; nil without one
}

// Grid is the number of patches, rows by columns, of an image of height x width pixels. A remainder that fills no patch
// is dropped.
func (t *Tower) Grid(height, width int) (rows, cols int) { return height / t.Patch, width / t.Patch }

// Multiple is the side of a patch in pixels.
func (t *Tower) Multiple() int { return t.Patch }

// Label begins the names of the tower's tables and symbols.
func (t *Tower) Label() string { return t.Prefix }

// Features are the patches behind the last LayerNorm: [B, N, W].
func (t *Tower) Features(g *onnx.Graph, rgb onnx.Value, p Interpolation) onnx.Value {
	return t.PatchTokens(g, t.Final(g, t.Before(g, rgb, p, t.Depth())))
}

// maxSide bounds the pixels of an input's side.
const maxSide = 4096

// CheckSize says why an image of height x width pixels cannot be encoded in tokens of patch pixels by the tower called
// name.
func CheckSize(name string, patch, height, width int) error {
	if height < patch || width < patch || height > maxSide || width > maxSide {
		return fmt.Errorf("size %dx%d is out of range: %s takes %d to %d pixels a side", height, width, name, patch, maxSide)
	}
	return nil
}

// Lead is the number of tokens before the patches: class token and registers.
func (t *Tower) Lead() int { return t.classes() + t.registers() }

// classes is 1 with a class token.
func (t *Tower) classes() int { return min(len(t.Class.Data), 1) }

func (t *Tower) registers() int { return len(t.Registers.Data) / t.Width }

// Embed turns pictures rgb [B, 3, H, W] of values 0..255 into tokens [B, Lead+N, W] before the first block. H and W are
// numbers that CheckSize accepts, or symbols: then the positions are a table of the graph. p is the interpolation of
// positions where the tower has no rule of its own.
func (t *Tower) Embed(g *onnx.Graph, rgb onnx.Value, p Interpolation) onnx.Value {
	bias := onnx.Value{}
	if t.Conv.Bias.Shape != nil {
		bias = t.Conv.Bias.In(g)
	}
	x := g.Conv(t.Pixels.Apply(g, rgb), t.Conv.Weight.In(g), bias, t.Patch, 0)
	x = g.Transpose(g.Reshape(x, x.Shape()[0], t.Width, t.Patches(g, rgb)), 0, 2, 1)
	if lead := t.Lead(); lead > 0 {
		x = g.PadFront(x, 1, lead)
	}
	p = t.Interpolation(p)
	x = g.Add(x, g.Table(t.Prefix+"positions."+string(p), rgb, func(h, w int) tensor.Dense {
		rows, cols := t.Grid(h, w)
		return t.constants(rows, cols, p)
	}, x.Shape()[1:]...))
	if t.Pre != nil {
		x = t.Pre.Apply(g, x, t.Eps)
	}
	return x
}

// constants are what is added to tokens of zeros before patches [Lead+rows·cols, W]: positions, the class token and
// registers.
func (t *Tower) constants(rows, cols int, p Interpolation) tensor.Dense {
	table := t.PositionTable(rows, cols, p)
	for i, c := range t.Class.Data {
		table.Data[i] += c
	}
	if t.registers() == 0 {
		return table
	}
	at := t.classes() * t.Width
	out := tensor.Dense{Shape: []int{t.Lead() + rows*cols, t.Width}}
	out.Data = append(append(append(out.Data, table.Data[:at]...), t.Registers.Data...), table.Data[at:]...)
	return out
}

// PositionTable is the positional embedding of a grid, computed from the checkpoint's own table: [rows·cols, W], behind
// one row for the class token if there is one.
func (t *Tower) PositionTable(rows, cols int, p Interpolation) tensor.Dense {
	return p.Resize(t.Positions, t.classes(), rows, cols)
}

// Tokens is the number of tokens Lead+N of pictures rgb, or its symbol.
func (t *Tower) Tokens(g *onnx.Graph, rgb onnx.Value) int { return g.Plus(t.Patches(g, rgb), t.Lead()) }

// Patches is the number of patches of pictures rgb, or its symbol.
func (t *Tower) Patches(g *onnx.Graph, rgb onnx.Value) int {
	if h, w := rgb.Shape()[2], rgb.Shape()[3]; h >= 0 && w >= 0 {
		rows, cols := t.Grid(h, w)
		return rows * cols
	}
	return g.Symbol(t.Prefix + "patches")
}

// On is the tower on pictures rgb, by whose grid queries and keys are rotated.
func (t *Tower) On(rgb onnx.Value) *Tower {
	if t.Rotary == nil {
		return t
	}
	on := *t
	on.rotate = func(g *onnx.Graph, x onnx.Value) onnx.Value {
		table := func(name string, f func(float64) float64) onnx.Value {
			return g.Table(t.Prefix+"rotary."+name, rgb, func(h, w int) tensor.Dense {
				rows, cols := t.Grid(h, w)
				return t.Rotary.table(t.Lead(), rows, cols, t.HeadDim(), f)
			}, t.Tokens(g, rgb), t.HeadDim()/2)
		}
		return g.Rotate(x, table("cos", math.Cos), table("sin", math.Sin), t.Heads)
	}
	return &on
}

// Before are the tokens that block i, from 0, takes; those behind the last block for i = Depth.
func (t *Tower) Before(g *onnx.Graph, rgb onnx.Value, p Interpolation, i int) onnx.Value {
	x := t.Embed(g, rgb, p)
	t = t.On(rgb)
	for b := range i {
		x = t.Block(g, b, x)
	}
	return x
}

// Final is the LayerNorm behind the last block.
func (t *Tower) Final(g *onnx.Graph, x onnx.Value) onnx.Value { return t.Post.Apply(g, x, t.Eps) }

// ClassToken is the first of tokens x [B, Lead+N, W]: [B, 1, W].
func (t *Tower) ClassToken(g *onnx.Graph, x onnx.Value) onnx.Value { return g.Slice(x, 1, 0, 1) }

// PatchTokens are the last of tokens x [B, Lead+N, W]: [B, N, W].
func (t *Tower) PatchTokens(g *onnx.Graph, x onnx.Value) onnx.Value {
	return g.Slice(x, 1, t.Lead(), onnx.End)
}

// ClassBlock is the class token [B, 1, W] that block i gives: its attention reads all tokens, the rest is done for one.
func (t *Tower) ClassBlock(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	h := t.Norm(g, i, x)
	b := &t.Blocks[i]
	q, k, u := b.Q.Apply(g, t.ClassToken(g, h)), b.K.Apply(g, h), b.V.Apply(g, h)
	c := g.Add(t.ClassToken(g, x), t.Out(g, i, t.SelfAttention(g, q, k, u)))
	return g.Add(c, t.MLP(g, i, c))
}

// Interpolation is how positions are read on other grids: the tower's own rule, or else the given one.
func (t *Tower) Interpolation(p Interpolation) Interpolation { return cmp.Or(t.Rule, p) }
