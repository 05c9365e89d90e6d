package sam

import (
	"fmt"
	"math"

	"ovbench/runners/onnx"
	"ovbench/runners/tensor"
	"ovbench/runners/weights"
)

// Point is a pixel of the picture, x to the right and y down from 0, that is said to lie on the object or off it.
type Point struct {
	X, Y     float64
	Positive bool
}

// Box is a rectangle in pixels of the picture: its top left and its bottom right corner.
type Box struct{ X0, Y0, X1, Y1 float64 }

// Prompt says which object is meant: points, a box, or both. Mask may add the low-resolution logits [4n·4n] of an
// earlier answer.
type Prompt struct {
	Points []Point
	Box    *Box
	Mask   []float32

	refines bool // it is a [Refiner]'s
}

// maxPoints is more than any map gives: SAM was trained with a dozen.
const maxPoints = 1 << 14

// Check says why p is no prompt for a picture of w x h pixels.
func (p Prompt) Check(w, h int) error {
	inside := func(x, y float64) bool { return x >= 0 && y >= 0 && x <= float64(w) && y <= float64(h) }
	if len(p.Points) == 0 && p.Box == nil {
		return fmt.Errorf("the prompt has neither points nor a box")
	}
	if len(p.Points) > maxPoints {
		return fmt.Errorf("the prompt has %d points; at most %d are taken", len(p.Points), maxPoints)
	}
	if p.refines { // its box may be a line, and reach out of the picture
		return nil
	}
	for _, q := range p.Points {
		if !inside(q.X, q.Y) {
			return fmt.Errorf("point (%v, %v) lies outside of the picture, which has %d x %d pixels", q.X, q.Y, w, h)
		}
	}
	if b := p.Box; b != nil && !(inside(b.X0, b.Y0) && inside(b.X1, b.Y1) && b.X0 < b.X1 && b.Y0 < b.Y1) {
		return fmt.Errorf("box %v,%v,%v,%v: want x0 < x1 and y0 < y1 inside of the picture, which has %d x %d pixels", b.X0,
			b.Y0, b.X1, b.Y1, w, h)
	}
	return nil
}

// prompts is the prompt encoder. Sparse prompts are computed here, a mask by a graph.
type prompts struct {
	frequencies  tensor.Dense // [2, C/2], of x and y
	corners      [4][]float32 // [C]: a point off, a point on the object, top left and bottom right of a box
	padding      []float32    // [C], the token behind points that come without a box
	noMask       []float32    // [C], at every cell
	conv1, conv2 weights.Linear
	norm1, norm2 weights.Norm
	conv3        weights.Linear
}

// place writes the positional encoding of (x, y), each in 0..1: sines, then cosines of random frequencies.
func (p *prompts) place(out []float32, x, y float32) {
	half := len(out) / 2
	for i := range half {
		a := (2*x-1)*p.frequencies.Data[i] + (2*y-1)*p.frequencies.Data[half+i]
		sin, cos := math.Sincos(2 * math.Pi * float64(a))
		out[i], out[half+i] = float32(sin), float32(cos)
	}
}

// grid is the positions of the cells of an embedding, [1, n·n, C].
func (p *prompts) grid(n int) tensor.Dense {
	out := tensor.New(1, n*n, 2*p.frequencies.Shape[1])
	for i := range n * n {
		row := out.Data[i*out.Shape[2]:][:out.Shape[2]]
		p.place(row, (float32(i%n)+0.5)/float32(n), (float32(i/n)+0.5)/float32(n))
	}
	return out
}

// The corners' numbers are the labels of points in exported decoders, with -1 for padding.
const (
	labelPadding     = -1
	labelOff         = 0
	labelOn          = 1
	labelTopLeft     = 2
	labelBottomRight = 3
)

// labelled is a point in pixels of the network's input, without the half pixel.
type labelled struct {
	x, y  float32
	label int
}

// list is the prompt as labelled points: points, then the corners of the box or, without one, the padding.
func (f Frame) list(p Prompt) []labelled {
	var out []labelled
	add := func(x, y float64, label int) {
		x, y = f.toInput(x, y)
		out = append(out, labelled{float32(x), float32(y), label})
	}
	for _, q := range p.Points {
		if q.Positive {
			add(q.X, q.Y, labelOn)
		} else {
			add(q.X, q.Y, labelOff)
		}
	}
	if b := p.Box; b != nil {
		add(b.X0, b.Y0, labelTopLeft)
		add(b.X1, b.Y1, labelBottomRight)
	} else {
		out = append(out, labelled{label: labelPadding})
	}
	return out
}

// sparse is the prompt's tokens [1, P, C] for an input of side pixels.
func (p *prompts) sparse(points []labelled, side int) tensor.Dense {
	c := len(p.padding)
	out := tensor.New(1, len(points), c)
	for i, q := range points {
		row := out.Data[i*c:][:c]
		add := p.padding // alone: padding has no position
		if q.label != labelPadding {
			p.place(row, (q.x+0.5)/float32(side), (q.y+0.5)/float32(side))
			add = p.corners[q.label]
		}
		for k, v := range add {
			row[k] += v
		}
	}
	return out
}

// dense takes low-resolution logits [1, 1, 4n, 4n] to what they add to the embedding, [1, C, n, n]. Norms are over
// channels; down says over the rows of every channel and column, as in Trident's code, which passes a mask without a
// batch.
func (p *prompts) dense(g *onnx.Graph, mask onnx.Value, down bool) onnx.Value {
	conv := func(x onnx.Value, l weights.Linear) onnx.Value {
		w := l.Weight.In(g)
		return g.Conv(x, w, l.Bias.In(g), w.Shape()[2], 0)
	}
	norm := func(n weights.Norm, x onnx.Value) onnx.Value {
		if !down {
			return planes(g, g.Gelu(n.Apply(g, cells(g, x), eps)), x.Shape()[2])
		}
		channels := func(t weights.Tensor) onnx.Value { return g.Reshape(t.In(g), t.Shape[0], 1, 1) }
		x = g.Sub(x, g.Mean(x, 2))
		x = g.Div(x, g.Sqrt(g.Add(g.Mean(g.Mul(x, x), 2), g.Scalar(eps))))
		return g.Gelu(g.Add(g.Mul(x, channels(n.Weight)), channels(n.Bias)))
	}
	x := norm(p.norm1, conv(mask, p.conv1))
	return conv(norm(p.norm2, conv(x, p.conv2)), p.conv3)
}
