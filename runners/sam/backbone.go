package sam

import (
	"ovbench/runners/onnx"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Backbone is the image encoder as methods read it beside an image-text model. Its grid is the same for pictures of all
// sizes.
type Backbone struct {
	*Model
	label string
}

// Backbone is m's, as role in a graph that may hold others.
func (m *Model) Backbone(role string) *Backbone { return &Backbone{m, role + "."} }

// Label begins the names of its tables.
func (b *Backbone) Label() string { return b.label }

// Grid is the patches of every picture.
func (b *Backbone) Grid(int, int) (rows, cols int) { return b.Model.Grid, b.Model.Grid }

// Multiple is 1: the encoder stretches all sizes to its own.
func (b *Backbone) Multiple() int { return 1 }

// Patches is the number of patches of every picture.
func (b *Backbone) Patches(*onnx.Graph, onnx.Value) int { return b.Model.Grid * b.Model.Grid }

// Features are those behind the neck [B, n·n, C] for pictures rgb [B, 3, H, W], 0..255, which are stretched to the
// encoder's square bilinearly (torch, without antialias), as ProxyCLIP's code does; the segmenter itself resizes the
// picture on disk and pads it.
func (b *Backbone) Features(g *onnx.Graph, rgb onnx.Value, _ vit.Interpolation) onnx.Value {
	shape := rgb.Shape()
	stretch := func(axis string, pixels int, of func(h, w int) int) onnx.Value {
		return g.Table(b.label+"stretch."+axis, rgb, func(h, w int) tensor.Dense {
			n := of(h, w)
			return tensor.Dense{Shape: []int{b.Image, n}, Data: resample.BilinearWeights(b.Image, n)}
		}, b.Image, pixels)
	}
	down := stretch("rows", shape[2], func(h, _ int) int { return h })
	across := stretch("columns", shape[3], func(_, w int) int { return w })
	square := g.MatMul(g.MatMul(down, rgb), g.Transpose(across, 1, 0))
	return cells(g, b.encoder.embed(g, b.normalization().Apply(g, square)))
}

// normalization is that of the encoder's pixels.
func (b *Backbone) normalization() (n vit.Normalization) {
	for c := range 3 {
		n.Mean[c], n.Std[c] = b.Mean[c]/255, b.Std[c]/255
	}
	return n
}

// Pixels are the network's input [1, 3, S, S] for a picture, as the segmenter sees it, and the rows and columns of the
// grid that lie in the picture. A rest that fills no patch is left out.
func (b *Backbone) Pixels(rgb resample.RGB) (pixels tensor.Dense, rows, cols int, err error) {
	f, err := newFrame(rgb.W, rgb.H, b.Image)
	if err != nil {
		return pixels, 0, 0, err
	}
	return f.pixels(f.resized(rgb), b.Mean, b.Std), max(f.height/b.Patch, 1), max(f.width/b.Patch, 1), nil
}

// LastAttention is what the last block's attention over the whole picture reads, for pixels [1, 3, S, S]: queries and
// keys [1, n·n, heads·(dh+2n)], which tell relative positions, and values [1, n·n, D]; and the factor of the logits.
func (b *Backbone) LastAttention(g *onnx.Graph, pixels onnx.Value) (q, k, v onnx.Value, scale float32) {
	last := len(b.encoder.blocks) - 1
	block := &b.encoder.blocks[last]
	x := b.encoder.before(g, pixels, last)
	q, k, v = block.qkv(g, block.norm1.Apply(g, x, eps), b.Heads)
	return q, k, v, block.scale()
}

// LooksAround reports whether the last block attends over the whole picture, as all released ones do.
func (b *Backbone) LooksAround() bool {
	return b.encoder.blocks[len(b.encoder.blocks)-1].window == b.Model.Grid
}
