package sam

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/weights"
)

// encoder is the image tower: a vision transformer without class token (Li et al., "Exploring Plain Vision Transformer
// Backbones for Object Detection", ECCV 2022). Most blocks attend within windows, a few over the whole picture.
type encoder struct {
	grid, heads int
	patches     weights.Linear // [D, 3, p, p]
	positions   weights.Tensor // [1, n, n, D]
	blocks      []block
	neck        neck
}

// block is a pre-norm transformer block whose attention knows relative positions.
type block struct {
	window       int // side of the windows; the grid's for attention over the whole picture
	norm1, norm2 weights.Norm
	q, k, v, out weights.Linear
	rows, cols   tensor.Dense // rel_pos_h and rel_pos_w, [2·window-1, dh]
	up, down     weights.Linear
}

// neck takes D channels to those of the embedding: convolution of one cell, LayerNorm over channels, convolution of 3x3
// cells, LayerNorm.
type neck struct {
	conv1, conv2 weights.Tensor // [C, D, 1, 1], [C, C, 3, 3]
	norm1, norm2 weights.Norm
}

// eps is the term of the LayerNorms but for those of the decoder's transformer.
const eps = 1e-6

// embed takes pixels [B, 3, S, S] to the embedding [B, C, n, n].
func (e *encoder) embed(g *onnx.Graph, pixels onnx.Value) onnx.Value {
	return e.neck.apply(g, e.before(g, pixels, len(e.blocks)), e.grid)
}

// before are the tokens [B, n·n, D] that block i takes; those behind the last block for i = len(blocks).
func (e *encoder) before(g *onnx.Graph, pixels onnx.Value, i int) onnx.Value {
	x := e.tokens(g, pixels)
	for b := range i {
		x = e.blocks[b].apply(g, x, e.heads)
	}
	return x
}

// tokens are the patches [B, n·n, D] with their positions.
func (e *encoder) tokens(g *onnx.Graph, pixels onnx.Value) onnx.Value {
	w := e.patches.Weight.In(g)
	x := g.Conv(pixels, w, e.patches.Bias.In(g), w.Shape()[2], 0)
	n, width := e.grid*e.grid, x.Shape()[1]
	x = g.Transpose(g.Reshape(x, x.Shape()[0], width, n), 0, 2, 1)
	return g.Add(x, g.Reshape(e.positions.In(g), 1, n, width))
}

// apply is x + attention, then + MLP, for x [B, n·n, D].
func (b *block) apply(g *onnx.Graph, x onnx.Value, heads int) onnx.Value {
	x = g.Add(x, b.out.Apply(g, b.attend(g, b.norm1.Apply(g, x, eps), heads)))
	h := g.Gelu(b.up.Apply(g, b.norm2.Apply(g, x, eps)))
	return g.Add(x, b.down.Apply(g, h))
}

// attend is the block's attention over y [B, n·n, D], before the output projection.
//
// The grid is padded with zeros at the bottom and right to whole windows. Tokens there take part as keys, with the
// biases as their keys and values; so the bias is added behind the padding, and the projections are of real tokens
// only.
func (b *block) attend(g *onnx.Graph, y onnx.Value, heads int) onnx.Value {
	q, k, v := b.qkv(g, y, heads)
	w := windows{grid: side(y), window: b.window}
	return w.join(g, g.Attention(q, k, v, heads, b.scale(), onnx.Value{}, false), y.Shape()[0])
}

// scale is the factor of the attention logits, of which those by relative positions are told by [block.queries].
func (b *block) scale() float32 { return float32(1 / math.Sqrt(float64(b.rows.Shape[1]))) }

// qkv are queries and keys [.., w·w, heads·(dh+2w)], which tell relative positions, and values [.., w·w, D] of all
// windows of y [B, n·n, D].
func (b *block) qkv(g *onnx.Graph, y onnx.Value, heads int) (q, k, v onnx.Value) {
	w := windows{grid: side(y), window: b.window}
	project := func(l weights.Linear) onnx.Value {
		return g.Add(w.cut(g, g.Linear(y, l.Weight.In(g), onnx.Value{})), l.Bias.In(g))
	}
	return b.queries(g, project(b.q), heads, 1/math.Sqrt(float64(b.rows.Shape[1]))), b.keys(g, project(b.k), heads),
		project(b.v)
}

// queries puts behind each head's query q what it adds to the logits by relative rows and columns: q·Rh[i-a+w-1] for
// every row a of keys, q·Rw[j-b+w-1] for every column b, over the scale by which attention multiplies. q is [B, w·w,
// D], the result [B, w·w, heads·(dh+2w)]. With the keys of [block.keys] the logits are those of SAM, and no bias [w·w,
// w·w] exists.
func (b *block) queries(g *onnx.Graph, q onnx.Value, heads int, scale float64) onnx.Value {
	batch, w, dh := q.Shape()[0], b.window, b.rows.Shape[1]
	turn := func(x onnx.Value) onnx.Value { // rows change places with columns
		return g.Transpose(g.Reshape(x, batch, w, w, heads, x.Shape()[3]), 0, 2, 1, 3, 4)
	}
	along := func(x onnx.Value, name string, table tensor.Dense) onnx.Value {
		return g.MatMul(g.Reshape(x, batch, w, w*heads, dh), g.Const(name, relative(table, w, scale)))
	}
	byRow := along(q, "relative_rows", b.rows)
	byCol := turn(along(turn(g.Reshape(q, batch, w, w*heads, dh)), "relative_columns", b.cols))
	long := g.Concat(3, g.Reshape(q, batch, w*w, heads, dh), g.Reshape(byRow, batch, w*w, heads, w),
		g.Reshape(byCol, batch, w*w, heads, w))
	return g.Reshape(long, batch, w*w, heads*(dh+2*w))
}

// keys puts behind each head's key k its row and its column, 1 among w zeros each: [B, w·w, heads·(dh+2w)].
func (b *block) keys(g *onnx.Graph, k onnx.Value, heads int) onnx.Value {
	batch, w, dh := k.Shape()[0], b.window, b.rows.Shape[1]
	places := tensor.New(1, w*w, 1, dh+2*w)
	for cell := range w * w {
		places.Data[cell*(dh+2*w)+dh+cell/w] = 1
		places.Data[cell*(dh+2*w)+dh+w+cell%w] = 1
	}
	long := g.PadBack(g.Reshape(k, batch, w*w, heads, dh), 2*w, 3)
	return g.Reshape(g.Add(long, g.Const("places", places)), batch, w*w, heads*(dh+2*w))
}

// relative spreads a table of relative positions [2w-1, dh] to [w, dh, w]: entry i, d, a is table[i-a+w-1, d] over
// scale.
func relative(table tensor.Dense, w int, scale float64) tensor.Dense {
	dh := table.Shape[1]
	out := tensor.New(w, dh, w)
	for i := range w {
		for d := range dh {
			row := out.Data[(i*dh+d)*w:][:w]
			for a := range row {
				row[a] = float32(float64(table.Data[(i-a+w-1)*dh+d]) / scale)
			}
		}
	}
	return out
}

// windows cuts a grid into square windows, padded with zeros at the bottom and right.
type windows struct{ grid, window int }

// count is the number of windows a side.
func (w windows) count() int { return (w.grid + w.window - 1) / w.window }

// all is the number of windows of batch pictures, or its symbol.
func (w windows) all(g *onnx.Graph, batch int) int {
	n := w.count() * w.count()
	if batch >= 0 {
		return batch * n
	}
	return g.Symbol(fmt.Sprintf("%d windows", n))
}

// cut takes x [B, n·n, C] to [windows, w·w, C].
func (w windows) cut(g *onnx.Graph, x onnx.Value) onnx.Value {
	if w.grid == w.window {
		return x
	}
	n, batch, c := w.count(), x.Shape()[0], x.Shape()[2]
	x = g.Reshape(x, batch, w.grid, w.grid, c)
	if pad := n*w.window - w.grid; pad > 0 {
		x = g.PadBack(x, pad, 1, 2)
	}
	x = g.Transpose(g.Reshape(x, batch, n, w.window, n, w.window, c), 0, 1, 3, 2, 4, 5)
	return g.Reshape(x, w.all(g, batch), w.window*w.window, c)
}

// join undoes cut.
func (w windows) join(g *onnx.Graph, x onnx.Value, batch int) onnx.Value {
	if w.grid == w.window {
		return x
	}
	n, c := w.count(), x.Shape()[2]
	x = g.Transpose(g.Reshape(x, batch, n, n, w.window, w.window, c), 0, 1, 3, 2, 4, 5)
	x = g.Reshape(x, batch, n*w.window, n*w.window, c)
	if n*w.window > w.grid {
		x = g.Slice(g.Slice(x, 1, 0, w.grid), 2, 0, w.grid)
	}
	return g.Reshape(x, batch, w.grid*w.grid, c)
}

// side is that of the square grid whose tokens x [B, n·n, C] holds.
func side(x onnx.Value) int { return int(math.Sqrt(float64(x.Shape()[1])) + 0.5) }

// apply takes tokens [B, n·n, D] to the embedding [B, C, n, n].
func (k *neck) apply(g *onnx.Graph, x onnx.Value, grid int) onnx.Value {
	w := k.conv1.In(g)
	c := w.Shape()[0]
	x = k.norm1.Apply(g, g.Linear(x, g.Reshape(w, c, w.Shape()[1]), onnx.Value{}), eps)
	x = g.Conv(planes(g, x, grid), k.conv2.In(g), onnx.Value{}, 1, 1)
	return planes(g, k.norm2.Apply(g, cells(g, x), eps), grid)
}

// planes takes cells [B, n·n, C] to [B, C, n, n].
func planes(g *onnx.Graph, x onnx.Value, n int) onnx.Value {
	return g.Reshape(g.Transpose(x, 0, 2, 1), x.Shape()[0], x.Shape()[2], n, n)
}

// cells takes planes [B, C, h, w] to [B, h·w, C].
func cells(g *onnx.Graph, x onnx.Value) onnx.Value {
	s := x.Shape()
	return g.Transpose(g.Reshape(x, s[0], s[1], s[2]*s[3]), 0, 2, 1)
}
