package clip

import (
	"cmp"
	"fmt"
	"math"

	"ovbench/runners/checkpoint"
	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
	"ovbench/runners/weights"
)

// ResNet is CLIP's modified ResNet (arXiv 2103.00020, section 2.4): a stem of three convolutions, bottlenecks that
// average before they stride, and an attention pool in place of the mean.
type ResNet struct {
	heads  int
	pixels vit.Normalization
	Stem   [3]ConvNorm
	Stages [4][]Bottleneck
	Pool   AttentionPool
}

// ConvNorm is a convolution without bias and the BatchNorm behind it.
type ConvNorm struct {
	Weight                       weights.Tensor // [out, in, k, k]
	Scale, Shift, Mean, Variance weights.Tensor // [out]
}

// Bottleneck is a residual block: 1x1, 3x3 and 1x1 convolutions, four times wider at its end than inside.
type Bottleneck struct {
	Conv   [3]ConvNorm
	Down   *ConvNorm // of the short cut; nil where it is the identity
	stride int
}

// AttentionPool is one layer of multi-head attention over the pixels of the last stage and their mean.
type AttentionPool struct {
	Positions tensor.Dense   // [1+g·g, C], row 0 for the mean
	Q, K, V   weights.Linear // [C] → [C]
	Out       weights.Linear // [C] → [E]
}

// batchNormEps is torch's default, which CLIP leaves as it is.
const batchNormEps = 1e-5

// loadResNet places the image tower of OpenAI's and open_clip's ResNets.
func loadResNet(l *weights.Loader, m *Model) {
	stem := l.Any("visual.layer1.0.conv1.weight", 4)
	pos := l.Any("visual.attnpool.positional_embedding", 2)
	if l.Err() != nil {
		return
	}
	w := stem.Shape[0]
	m.Patch = 32
	m.Image = 32 * l.Side(pos.Name, pos.Shape[0], 1)
	m.Config.Vision = vit.Shape{Width: w, Activation: vit.ReLU}
	r := &ResNet{}
	in := 3
	for i, out := range [...]int{w / 2, w / 2, w} {
		r.Stem[i] = loadConvNorm(l, fmt.Sprintf("visual.conv%d", i+1), fmt.Sprintf("visual.bn%d", i+1), out, in, 3)
		in = out
	}
	for i := range r.Stages {
		prefix := fmt.Sprintf("visual.layer%d", i+1)
		m.Stages[i] = l.Count(prefix)
		for b := range m.Stages[i] {
			block := loadBottleneck(l, fmt.Sprintf("%s.%d", prefix, b), in, w<<i)
			if b == 0 && i > 0 {
				block.stride = 2
			}
			r.Stages[i] = append(r.Stages[i], block)
			in = 4 * w << i
		}
	}
	r.Pool = AttentionPool{
		Positions: l.Read(pos.Name, pos.Shape[0], in),
		Q:         l.Linear("visual.attnpool.q_proj", in, in), K: l.Linear("visual.attnpool.k_proj", in, in),
		V: l.Linear("visual.attnpool.v_proj", in, in), Out: l.Linear("visual.attnpool.c_proj", m.Embed, in),
	}
	m.encoder = r
}

func loadConvNorm(l *weights.Loader, conv, bn string, out, in, k int) ConvNorm {
	return ConvNorm{
		Weight: l.Take(conv+".weight", out, in, k, k),
		Scale:  l.Take(bn+".weight", out), Shift: l.Take(bn+".bias", out),
		Mean: l.Take(bn+".running_mean", out), Variance: l.Take(bn+".running_var", out),
	}
}

// loadBottleneck reads a block of planes channels inside. A block that changes the number of channels has a short cut
// of its own.
func loadBottleneck(l *weights.Loader, prefix string, in, planes int) Bottleneck {
	b := Bottleneck{stride: 1}
	for i, s := range [3][3]int{{planes, in, 1}, {planes, planes, 3}, {4 * planes, planes, 1}} {
		b.Conv[i] = loadConvNorm(l, fmt.Sprintf("%s.conv%d", prefix, i+1), fmt.Sprintf("%s.bn%d", prefix, i+1), s[0], s[1],
			s[2])
	}
	if in != 4*planes {
		d := loadConvNorm(l, prefix+".downsample.0", prefix+".downsample.1", 4*planes, in, 1)
		b.Down = &d
	}
	return b
}

// Embed turns pictures rgb [B, 3, H, W] of values 0..255 into tokens [B, 1+N, C] before the attention pool: their mean
// first, then the pixels of the last stage row by row, positions resized to the grid added. H and W are numbers that a
// size check accepts, or symbols: then the positions are a table of the graph.
func (r *ResNet) Embed(g *onnx.Graph, rgb onnx.Value, p vit.Interpolation) onnx.Value {
	x := r.Features(g, rgb)
	x = g.Concat(1, g.Mean(x, 1), x)
	table := func(h, w int) tensor.Dense {
		rows, cols := r.Grid(h, w)
		return r.PositionTable(rows, cols, p)
	}
	return g.Add(x, g.Table("positions."+string(p), rgb, table, x.Shape()[1:]...))
}

// Features turns pictures rgb [B, 3, H, W] of values 0..255 into the pixels [B, N, C] of the last stage, row by row.
func (r *ResNet) Features(g *onnx.Graph, rgb onnx.Value) onnx.Value {
	x := r.pixels.Apply(g, rgb)
	for i := range r.Stem {
		x = g.Relu(r.Stem[i].apply(g, x, [...]int{2, 1, 1}[i], 1))
	}
	x = g.AvgPool(x, 2)
	for _, stage := range r.Stages {
		for i := range stage {
			x = stage[i].apply(g, x)
		}
	}
	s := x.Shape()
	patches := s[2] * s[3]
	if s[2] < 0 || s[3] < 0 {
		patches = g.Symbol("patches")
	}
	return g.Transpose(g.Reshape(x, s[0], s[1], patches), 0, 2, 1)
}

// Grid is the number of pixels of the last stage. The first convolution rounds half pixels up and the four poolings
// round down: 63 pixels give 2 tokens, 62 give 1.
func (r *ResNet) Grid(height, width int) (rows, cols int) { return (height + 1) / 32, (width + 1) / 32 }

// PositionTable is the positional embedding [1+rows·cols, C] of a grid, computed from the checkpoint's own table.
func (r *ResNet) PositionTable(rows, cols int, p vit.Interpolation) tensor.Dense {
	return p.Resize(r.Pool.Positions, 1, rows, cols)
}

// apply is the block with its residual. Where it strides, averages of 2x2 stand before the last convolution and in the
// short cut; all convolutions have stride 1.
func (b *Bottleneck) apply(g *onnx.Graph, x onnx.Value) onnx.Value {
	y := g.Relu(b.Conv[0].apply(g, x, 1, 0))
	y = g.Relu(b.Conv[1].apply(g, y, 1, 1))
	y = b.Conv[2].apply(g, g.AvgPool(y, b.stride), 1, 0)
	if b.Down != nil {
		x = b.Down.apply(g, g.AvgPool(x, b.stride), 1, 0)
	}
	return g.Relu(g.Add(y, x))
}

func (c *ConvNorm) apply(g *onnx.Graph, x onnx.Value, stride, pad int) onnx.Value {
	x = g.Conv(x, c.Weight.In(g), onnx.Value{}, stride, pad)
	return g.BatchNorm(x, c.Scale.In(g), c.Shift.In(g), c.Mean.In(g), c.Variance.In(g), batchNormEps)
}

// QKV is the queries, keys and values [B, 1+N, C] of the attention pool for tokens x.
func (r *ResNet) QKV(g *onnx.Graph, x onnx.Value) (q, k, u onnx.Value) {
	return r.Pool.Q.Apply(g, x), r.Pool.K.Apply(g, x), r.Pool.V.Apply(g, x)
}

// Heads is the number of heads of the attention pool.
func (r *ResNet) Heads() int { return r.heads }

// HeadDim is the width of one of its heads, 64 in all of OpenAI's models.
func (r *ResNet) HeadDim() int { return r.Pool.Positions.Shape[1] / r.heads }

// Scale is the factor of the attention logits, 1/sqrt(HeadDim) as in CLIP.
func (r *ResNet) Scale() float32 { return float32(1 / math.Sqrt(float64(r.HeadDim()))) }

// Attention is multi-head attention without projections; scale multiplies the logits.
func (r *ResNet) Attention(g *onnx.Graph, q, k, u onnx.Value, scale float32) onnx.Value {
	return g.Attention(q, k, u, r.heads, scale, onnx.Value{}, false)
}

// Project takes the pool's result [B, 1+N, C] to tokens [B, 1+N, E].
func (r *ResNet) Project(g *onnx.Graph, x onnx.Value) onnx.Value { return r.Pool.Out.Apply(g, x) }

// Normalization is what the stem wants.
func (r *ResNet) Normalization() vit.Normalization { return r.pixels }

// Multiple is what the stages divide an image's sides by.
func (*ResNet) Multiple() int { return 32 }

// Interpolation is bilinear: that of attention pools in all code there is.
func (*ResNet) Interpolation(vit.Interpolation) vit.Interpolation { return vit.Bilinear }

// Encode is the attention pool queried by all tokens in place of the mean alone.
func (r *ResNet) Encode(g *onnx.Graph, rgb onnx.Value, p vit.Interpolation) onnx.Value {
	return r.Project(g, r.Pooled(g, r.Embed(g, rgb, p)))
}

// Pooled is CLIP's attention pool for all tokens [B, 1+N, C], without the projection.
func (r *ResNet) Pooled(g *onnx.Graph, x onnx.Value) onnx.Value {
	q, k, u := r.QKV(g, x)
	return r.Attention(g, q, k, u, r.Scale())
}

func (r *ResNet) normalised(n vit.Normalization) encoder {
	other := *r
	other.pixels = n
	return &other
}

// complete splits the attention pool into heads, of width 64 if nothing else is known.
func (r *ResNet) complete(c *Config, h hints, _ checkpoint.Format) error {
	width := cmp.Or(h.visionHeadWidth, 64)
	channels := r.Pool.Positions.Shape[1]
	if channels%width != 0 {
		return fmt.Errorf("the attention pool's %d channels cannot be split into heads of %d", channels, width)
	}
	r.heads = channels / width
	c.Vision.Heads = r.heads
	return nil
}
