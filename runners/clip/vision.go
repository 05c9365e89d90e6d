package clip

import (
	"fmt"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
)

// Grid is the number of patch tokens, rows by columns, of an image of height x width pixels.
// A remainder that fills no patch is dropped; a ResNet has a token for 31 pixels or more of it.
func (c Config) Grid(height, width int) (rows, cols int) {
	if c.Kind == "resnet" {
		return resnetGrid(height, width)
	}
	return height / c.Patch, width / c.Patch
}

// CheckSize says why an image of height x width pixels cannot be encoded.
func (c Config) CheckSize(height, width int) error {
	const most = 4096
	if height < c.Patch || width < c.Patch || height > most || width > most {
		return fmt.Errorf("size %dx%d is out of range: %s takes %d to %d pixels a side", height, width, c.Name(), c.Patch, most)
	}
	return nil
}

// CheckVision wants a vision transformer, for methods that go into its blocks.
func (m *Model) CheckVision() error {
	if m.Vision == nil {
		return fmt.Errorf("%s is the ResNet %s, which has no transformer blocks: the methods for it are clip and clip_surgery", m.Path, m.Name())
	}
	return nil
}

// Embed turns pixels [B, 3, H, W] into tokens [B, 1+N, W] before the first block: patches, class token,
// positions resized to the grid, LayerNorm. H and W are numbers that CheckSize accepts, or symbols: then the positions
// are a table of the graph.
func (v *ViT) Embed(g *onnx.Graph, pixels onnx.Value, p Interpolation) onnx.Value {
	x := g.Conv(v.pixels.apply(g, pixels), v.Conv.In(g), onnx.Value{}, v.patch, 0)
	patches := v.patches(g, pixels)
	x = g.Transpose(g.Reshape(x, x.Shape()[0], v.tower.Width, patches), 0, 2, 1)
	x = g.PadFront(x, 1, 1)
	// One table carries positions and the class token, which is zero until the table is added.
	table := func(h, w int) tensor.Dense {
		t := v.PositionTable(h/v.patch, w/v.patch, p)
		for i, c := range v.Class.Data {
			t.Data[i] += c
		}
		return t
	}
	x = g.Add(x, g.Table("positions."+string(p), pixels, table, x.Shape()[1:]...))
	return v.Pre.Apply(g, x, v.tower.Eps)
}

// Tokens is the number of tokens 1+N of pixels, or its symbol.
func (v *ViT) Tokens(g *onnx.Graph, pixels onnx.Value) int {
	if n := v.patches(g, pixels); n >= 0 {
		return 1 + n
	}
	return g.Symbol("1+patches")
}

// patches is the number of patch tokens, or its symbol.
func (v *ViT) patches(g *onnx.Graph, pixels onnx.Value) int {
	if h, w := pixels.Shape()[2], pixels.Shape()[3]; h >= 0 && w >= 0 {
		return (h / v.patch) * (w / v.patch)
	}
	return g.Symbol("patches")
}

// PositionTable is the positional embedding [1+rows·cols, W] of a grid, computed from the checkpoint's own table.
func (v *ViT) PositionTable(rows, cols int, p Interpolation) tensor.Dense {
	return p.resize(v.Positions, rows, cols)
}

// Depth is the number of blocks.
func (v *ViT) Depth() int { return len(v.Blocks) }

// Tower is the shape of the transformer.
func (v *ViT) Tower() Tower { return v.tower }

// Block applies block i (from 0) as CLIP does: x + attention, then + MLP.
func (v *ViT) Block(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	q, k, u := v.QKV(g, i, x)
	x = g.Add(x, v.Out(g, i, v.Attention(g, q, k, u, onnx.Value{})))
	return g.Add(x, v.MLP(g, i, x))
}

// ClassBlock is the class token [B, 1, W] that block i gives: its attention reads all tokens, the rest is done for one.
func (v *ViT) ClassBlock(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	class := func(x onnx.Value) onnx.Value { return g.Slice(x, 1, 0, 1) }
	h := v.Norm(g, i, x)
	b := &v.Blocks[i]
	q, k, u := b.Q.Apply(g, class(h)), b.K.Apply(g, h), b.V.Apply(g, h)
	c := g.Add(class(x), v.Out(g, i, v.Attention(g, q, k, u, onnx.Value{})))
	return g.Add(c, v.MLP(g, i, c))
}

// QKV is the queries, keys and values [B, 1+N, W] that block i forms from LayerNorm(x).
func (v *ViT) QKV(g *onnx.Graph, i int, x onnx.Value) (q, k, u onnx.Value) {
	b := &v.Blocks[i]
	h := v.Norm(g, i, x)
	return b.Q.Apply(g, h), b.K.Apply(g, h), b.V.Apply(g, h)
}

// Norm is the LayerNorm that block i applies before its attention.
func (v *ViT) Norm(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	return v.Blocks[i].LN1.Apply(g, x, v.tower.Eps)
}

// Attention is multi-head attention at CLIP's scale, without projections; bias may be absent.
func (v *ViT) Attention(g *onnx.Graph, q, k, u, bias onnx.Value) onnx.Value {
	return g.Attention(q, k, u, v.tower.Heads, v.tower.Scale(), bias, false)
}

// Out is the output projection of block i's attention.
func (v *ViT) Out(g *onnx.Graph, i int, x onnx.Value) onnx.Value { return v.Blocks[i].Out.Apply(g, x) }

// MLP is block i's feed-forward part with its LayerNorm, without the residual.
func (v *ViT) MLP(g *onnx.Graph, i int, x onnx.Value) onnx.Value {
	return v.Blocks[i].mlp(g, x, v.tower)
}

// Project takes tokens [B, 1+N, W] through the last LayerNorm and the projection to [B, 1+N, E].
func (v *ViT) Project(g *onnx.Graph, x onnx.Value) onnx.Value {
	return v.Proj.Apply(g, v.Post.Apply(g, x, v.tower.Eps))
}

func (b *Block) mlp(g *onnx.Graph, x onnx.Value, t Tower) onnx.Value {
	h := b.Up.Apply(g, b.LN2.Apply(g, x, t.Eps))
	if t.Activation == GELU {
		h = g.Gelu(h)
	} else {
		h = g.QuickGelu(h)
	}
	return b.Down.Apply(g, h)
}
