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
	Height, Width int // pixels of the network's input
	// Positions is the interpolation of positional embeddings for all methods; empty is each method's own.
	Positions clip.Interpolation
	// Similarities asks for cosines with texts instead of tokens.
	Similarities bool
	// StandardOps writes attention and activations with operators of the ONNX standard only.
	StandardOps bool
	Session     ort.Options
}

// ImageGraph is the graph that [NewImages] runs: input pixels [batch, 3, H, W], and one output per method
// under its name. Without Similarities an output holds tokens [batch, 1+N, E], the class token first,
// un-normalised; with them there is a second input texts [texts, E] of normalised embeddings, and an
// output holds cosines [batch, 1+N, texts].
func ImageGraph(m *clip.Model, ms []Named, o ImageOptions) (*onnx.Graph, error) {
	if len(ms) == 0 {
		return nil, fmt.Errorf("no methods to run")
	}
	if err := m.CheckSize(o.Height, o.Width); err != nil {
		return nil, err
	}
	var opts []onnx.Option
	if o.StandardOps {
		opts = append(opts, onnx.StandardOps)
	}
	g := onnx.New(opts...)
	pixels := g.Input("pixels", tensor.F32, g.Symbol("batch"), 3, o.Height, o.Width)
	var texts onnx.Value
	if o.Similarities {
		texts = g.Input("texts", tensor.F32, g.Symbol("texts"), m.Embed)
	}
	for _, n := range ms {
		if err := n.Method.Check(m); err != nil {
			return nil, err
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
	s, err := lib.NewSession(fmt.Sprintf("%s, image tower at %dx%d", m.Path, o.Height, o.Width), model, o.Session)
	if err != nil {
		return nil, err
	}
	r := &Images{session: s, model: m, options: o}
	for _, n := range ms {
		r.names = append(r.names, n.Name)
	}
	return r, nil
}

// Methods are the methods' names, in the order of results.
func (r *Images) Methods() []string { return slices.Clone(r.names) }

// Grid is the number of patch tokens, rows by columns.
func (r *Images) Grid() (rows, cols int) { return r.model.Grid(r.options.Height, r.options.Width) }

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
	return r.run(ctx, pixels, texts.Shape[0], ort.Float32(pixels.Shape, pixels.Data), ort.Float32(texts.Shape, texts.Data))
}

func (r *Images) run(ctx context.Context, pixels tensor.Dense, columns int, in ...ort.Value) ([]tensor.Dense, error) {
	rows, cols := r.Grid()
	results := make([]tensor.Dense, len(r.names))
	out := make([]ort.Value, len(r.names))
	for i := range results {
		results[i] = tensor.New(pixels.Shape[0], 1+rows*cols, columns)
		out[i] = ort.Float32(results[i].Shape, results[i].Data)
	}
	return results, r.session.Run(ctx, in, out)
}

// Close frees the session.
func (r *Images) Close() error { return r.session.Close() }
