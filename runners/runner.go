// Package runners answers: how do weights and pixels become maps?
//
// [Images] runs one image tower for any number of methods in a single graph, [Texts] the text tower for
// prompts and their ensembles. Both take a loaded ONNX Runtime and a [clip.Model], and hand out plain
// arrays; what these say about an image is decoded in packages methods and resample.
package runners

import (
	"context"
	"fmt"
	"slices"

	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// Named is a method under the label a suite gives it.
type Named struct {
	Name   string
	Method methods.Method
}

// ImageOptions describe one graph of an image tower.
type ImageOptions struct {
	// Height and Width are the pixels of the network's input. Both 0 leave them open: one graph takes images of any
	// size, one size a call.
	Height, Width int
	// Positions is the interpolation of positional embeddings for all methods; empty is each method's own.
	Positions clip.Interpolation
	// Similarities asks for cosines with texts instead of tokens.
	Similarities bool
	// StandardOps writes attention and activations with operators of the ONNX standard only.
	StandardOps bool
	Session     ort.Options
}

// open reports whether the size is left to each call.
func (o ImageOptions) open() bool { return o.Height == 0 && o.Width == 0 }

// ImageGraph is the graph that [NewImages] runs: input pixels [batch, 3, H, W], and one output per method
// under its name. Without Similarities an output holds tokens [batch, 1+N, E], the class token first,
// un-normalised; with them there is a second input texts [texts, E] of normalised embeddings, and an
// output holds cosines [batch, 1+N, texts]. If the size is left open, the inputs of [onnx.Graph.Tables] follow.
func ImageGraph(m *clip.Model, ms []Named, o ImageOptions) (*onnx.Graph, error) {
	if len(ms) == 0 {
		return nil, fmt.Errorf("no methods to run")
	}
	var opts []onnx.Option
	if o.StandardOps {
		opts = append(opts, onnx.StandardOps)
	}
	g := onnx.New(opts...)
	height, width := o.Height, o.Width
	if o.open() {
		height, width = g.Symbol("height"), g.Symbol("width")
	} else if err := m.CheckSize(height, width); err != nil {
		return nil, err
	}
	pixels := g.Input("pixels", tensor.F32, g.Symbol("batch"), 3, height, width)
	var texts onnx.Value
	if o.Similarities {
		texts = g.Input("texts", tensor.F32, g.Symbol("texts"), m.Embed)
	}
	for _, n := range ms {
		if err := n.Method.Check(m); err != nil {
			return nil, fmt.Errorf("method %s: %w", n.Name, err)
		}
		p := o.Positions
		if p == "" {
			p = n.Method.Positions()
		}
		out := n.Method.Tokens(g, m, pixels, p)
		if o.Similarities {
			out = g.Linear(g.L2Normalize(out), texts, onnx.Value{})
		}
		g.Output(n.Name, out)
	}
	return g, nil
}

// Images runs an image tower. It may be used from many goroutines; Close it when done.
type Images struct {
	session *ort.Session
	model   *clip.Model
	options ImageOptions
	names   []string
	tables  tables
}

// NewImages builds the graph of the methods on m and loads it.
func NewImages(lib *ort.Library, m *clip.Model, ms []Named, o ImageOptions) (*Images, error) {
	g, err := ImageGraph(m, ms, o)
	if err != nil {
		return nil, err
	}
	model, err := g.Model()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path, err)
	}
	name := m.Path + ", image tower"
	if !o.open() {
		name += fmt.Sprintf(" at %dx%d", o.Height, o.Width)
	}
	s, err := lib.NewSession(name, model, o.Session)
	if err != nil {
		return nil, err
	}
	r := &Images{session: s, model: m, options: o, tables: tables{list: g.Tables()}}
	for _, n := range ms {
		r.names = append(r.names, n.Name)
	}
	return r, nil
}

// Methods are the methods' names, in the order of results.
func (r *Images) Methods() []string { return slices.Clone(r.names) }

// Grid is the number of patch tokens, rows by columns, of images of height x width pixels.
func (r *Images) Grid(height, width int) (rows, cols int) { return r.model.Grid(height, width) }

// Tokens are the projected tokens [B, 1+N, E] of each method for pixels [B, 3, H, W].
func (r *Images) Tokens(ctx context.Context, pixels tensor.Dense) ([]tensor.Dense, error) {
	if r.options.Similarities {
		return nil, fmt.Errorf("this image tower gives similarities, not tokens")
	}
	return r.run(ctx, pixels, r.model.Embed, ort.Float32(pixels.Shape, pixels.Data))
}

// Similarities are the cosines [B, 1+N, T] of each method's tokens for pixels [B, 3, H, W] with normalised
// text embeddings [T, E].
func (r *Images) Similarities(ctx context.Context, pixels, texts tensor.Dense) ([]tensor.Dense, error) {
	if !r.options.Similarities {
		return nil, fmt.Errorf("this image tower gives tokens, not similarities")
	}
	if len(texts.Shape) != 2 {
		return nil, fmt.Errorf("texts have shape %v, want [T, E]", texts.Shape)
	}
	return r.run(ctx, pixels, texts.Shape[0], ort.Float32(pixels.Shape, pixels.Data), ort.Float32(texts.Shape, texts.Data))
}

func (r *Images) run(ctx context.Context, pixels tensor.Dense, columns int, in ...ort.Value) ([]tensor.Dense, error) {
	if err := r.checkPixels(pixels); err != nil {
		return nil, err
	}
	h, w := pixels.Shape[2], pixels.Shape[3]
	for _, t := range r.tables.at(h, w) {
		in = append(in, ort.Float32(t.Shape, t.Data))
	}
	rows, cols := r.Grid(h, w)
	results := make([]tensor.Dense, len(r.names))
	out := make([]ort.Value, len(r.names))
	for i := range results {
		results[i] = tensor.New(pixels.Shape[0], 1+rows*cols, columns)
		out[i] = ort.Float32(results[i].Shape, results[i].Data)
	}
	return results, r.session.Run(ctx, in, out)
}

// checkPixels says why the network cannot take pixels.
func (r *Images) checkPixels(pixels tensor.Dense) error {
	s := pixels.Shape
	if len(s) != 4 || s[0] < 1 || s[1] != 3 {
		return fmt.Errorf("pixels have shape %v, want [B, 3, H, W]", s)
	}
	if r.options.open() {
		return r.model.CheckSize(s[2], s[3])
	}
	if s[2] != r.options.Height || s[3] != r.options.Width {
		return fmt.Errorf("pixels are %dx%d, but this image tower was built for %dx%d", s[2], s[3], r.options.Height, r.options.Width)
	}
	return nil
}

// Close frees the session.
func (r *Images) Close() error { return r.session.Close() }
