// Package runners answers: how do weights and pixels become maps?
//
// [Images] runs one image tower for any number of methods in a single graph, over whole inputs or their windows
// ([Sliding]); what depends on the size alone is computed once a size and handed in (tables.go), and a method of two
// passes has a second graph (stage.go). [Texts] runs the text tower for prompts and their ensembles, [EncodeCaption] for
// the tokens of one text. All take a loaded ONNX Runtime and a [clip.Model], and hand out plain arrays; what these say
// about an image is decoded in packages methods and resample.
package runners

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
//
// Methods that need a second graph are refused: a single one would give other numbers under their name.
func ImageGraph(m *clip.Model, ms []Named, o ImageOptions) (*onnx.Graph, error) {
	g, stages, _, err := imageGraph(m, ms, o)
	if err != nil {
		return nil, err
	}
	if len(stages) > 0 {
		return nil, fmt.Errorf("method %s is two graphs with a step between them; a parameter leaves the second one out (ovbench list methods)", stages[0].name)
	}
	return g, nil
}

// imageGraph is the graph, the second passes of its methods, and what its outputs behind the methods' own hold for them.
func imageGraph(m *clip.Model, ms []Named, o ImageOptions) (g *onnx.Graph, stages []stage, kept []onnx.Value, err error) {
	if err := checkNames(ms); err != nil {
		return nil, nil, nil, err
	}
	g = o.graph()
	height, width := o.Height, o.Width
	if o.open() {
		height, width = g.Symbol("height"), g.Symbol("width")
	} else if err := checkSize(m, ms, o); err != nil {
		return nil, nil, nil, err
	}
	pixels := g.Input("pixels", tensor.F32, g.Symbol("batch"), 3, height, width)
	var texts onnx.Value
	if o.Similarities {
		texts = g.Input("texts", tensor.F32, g.Symbol("texts"), m.Embed)
	}
	for i, n := range ms {
		if err := n.Method.Check(m); err != nil {
			return nil, nil, nil, err
		}
		p := o.Positions
		if p == "" {
			p = methods.Positions(n.Method, m)
		}
		staged, ok := methods.StagedOf(n.Method)
		if !ok {
			g.Output(n.Name, o.read(g, n.Method.Tokens(g, m, pixels, p), texts))
			continue
		}
		if !o.Similarities {
			return nil, nil, nil, fmt.Errorf("method %s compares tokens with texts between two passes, so without texts it has no tokens; a parameter leaves the second pass out (ovbench list methods)", n.Name)
		}
		first, values := staged.First(g, m, pixels, p)
		g.Output(n.Name, o.read(g, first, texts))
		s := stage{Staged: staged, name: n.Name, index: i}
		for _, v := range values {
			at := slices.Index(kept, v)
			if at < 0 { // methods that differ in their parameters keep the same
				at, kept = len(kept), append(kept, v)
			}
			s.kept = append(s.kept, at)
		}
		stages = append(stages, s)
	}
	for i, v := range kept {
		g.Output(fmt.Sprint(keptPrefix, i), v)
	}
	return g, stages, kept, nil
}

// checkSize says why no graph of o's size can be built. The tables of one of open size tell what a fixed one would hold.
func checkSize(m *clip.Model, ms []Named, o ImageOptions) error {
	if err := m.CheckSize(o.Height, o.Width); err != nil {
		return err
	}
	rows, cols := m.Grid(o.Height, o.Width)
	o.Height, o.Width = 0, 0
	g, _, _, err := imageGraph(m, ms, o)
	if err != nil {
		return err
	}
	return checkTables(g.Tables(), 0, rows, cols)
}

// checkNames wants methods under names of their own, which are not those of inputs.
func checkNames(ms []Named) error {
	if len(ms) == 0 {
		return fmt.Errorf("no methods to run")
	}
	taken := map[string]bool{"": true, "pixels": true, "texts": true}
	for _, n := range ms {
		if taken[n.Name] || strings.HasPrefix(n.Name, keptPrefix) {
			return fmt.Errorf("method name %q is taken: give it another", n.Name)
		}
		taken[n.Name] = true
	}
	return nil
}

// graph is an empty graph in the operators that o asks for.
func (o ImageOptions) graph() *onnx.Graph {
	if o.StandardOps {
		return onnx.New(onnx.StandardOps)
	}
	return onnx.New()
}

// read is what comes out of a graph for a method's tokens.
func (o ImageOptions) read(g *onnx.Graph, tokens, texts onnx.Value) onnx.Value {
	if !o.Similarities {
		return tokens
	}
	return g.Linear(g.L2Normalize(tokens), texts, onnx.Value{})
}

// Images runs an image tower. It may be used from many goroutines; Close it when done.
type Images struct {
	session *ort.Session
	model   *clip.Model
	options ImageOptions
	names   []string
	tables  tables
	stages  []stage
	kept    []int          // columns of what the graph keeps for the stages
	seconds []*ort.Session // of the stages, each once
}

// NewImages builds the graph of the methods on m and loads it, and the second graphs of those that need one.
func NewImages(lib *ort.Library, m *clip.Model, ms []Named, o ImageOptions) (*Images, error) {
	g, stages, kept, err := imageGraph(m, ms, o)
	if err != nil {
		return nil, err
	}
	name := m.Path + ", image tower"
	if !o.open() {
		name += fmt.Sprintf(" at %dx%d", o.Height, o.Width)
	}
	r := &Images{model: m, options: o, tables: tables{list: g.Tables()}, stages: stages}
	if r.session, err = newSession(lib, m, g, name, o.Session); err != nil {
		return nil, err
	}
	for _, v := range kept {
		r.kept = append(r.kept, v.Shape()[2])
	}
	if err := r.openStages(lib); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for _, n := range ms {
		r.names = append(r.names, n.Name)
	}
	return r, nil
}

func newSession(lib *ort.Library, m *clip.Model, g *onnx.Graph, name string, o ort.Options) (*ort.Session, error) {
	model, err := g.Model()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Path, err)
	}
	return lib.NewSession(name, model, o)
}

// Methods are the methods' names, in the order of results.
func (r *Images) Methods() []string { return slices.Clone(r.names) }

// Grid is the number of patch tokens, rows by columns, of images of height x width pixels.
func (r *Images) Grid(height, width int) (rows, cols int) { return r.model.Grid(height, width) }

// Tokens are the projected tokens of each method for pixels [B, 3, H, W].
func (r *Images) Tokens(ctx context.Context, pixels tensor.Dense) ([]Batch, error) {
	if r.options.Similarities {
		return nil, fmt.Errorf("this image tower gives similarities, not tokens")
	}
	return r.run(ctx, pixels, nil)
}

// Similarities are the cosines of each method's tokens for pixels [B, 3, H, W] with normalised text embeddings [T, E].
func (r *Images) Similarities(ctx context.Context, pixels, texts tensor.Dense) ([]Batch, error) {
	return r.similarities(ctx, pixels, []Vocabulary{{Texts: texts}})
}

// similarities are those with the texts of vocabularies, one behind the other. A method of two graphs runs its second one for
// each vocabulary that wants it, and what it gives for one does not depend on the others.
func (r *Images) similarities(ctx context.Context, pixels tensor.Dense, words []Vocabulary) ([]Batch, error) {
	if !r.options.Similarities {
		return nil, fmt.Errorf("this image tower gives tokens, not similarities")
	}
	if err := checkWords(words); err != nil {
		return nil, err
	}
	return r.run(ctx, pixels, words)
}

// run computes tokens, or cosines if there are texts.
func (r *Images) run(ctx context.Context, pixels tensor.Dense, words []Vocabulary) ([]Batch, error) {
	if err := r.checkPixels(pixels); err != nil {
		return nil, err
	}
	batch, h, w := pixels.Shape[0], pixels.Shape[2], pixels.Shape[3]
	in := []ort.Value{float32s(pixels)}
	columns := r.model.Embed
	if words != nil {
		texts := joined(words)
		in = append(in, float32s(texts))
		columns = texts.Shape[0]
	}
	for _, t := range r.tables.at(h, w) {
		in = append(in, float32s(t))
	}
	rows, cols := r.Grid(h, w)
	results := make([]tensor.Dense, len(r.names))
	for i := range results {
		results[i] = tensor.New(batch, 1+rows*cols, columns)
	}
	kept := make([]tensor.Dense, len(r.kept))
	for i, width := range r.kept {
		kept[i] = tensor.New(batch, 1+rows*cols, width)
	}
	if err := r.session.Run(ctx, in, append(values(results), values(kept)...)); err != nil {
		return nil, err
	}
	for i := range r.stages {
		if err := r.stages[i].run(ctx, r.model, pixels, words, kept, results[r.stages[i].index]); err != nil {
			return nil, err
		}
	}
	out := make([]Batch, len(results))
	for i, d := range results {
		out[i] = Batch{Rows: rows, Cols: cols, Global: true, Values: d}
	}
	return out, nil
}

func float32s(d tensor.Dense) ort.Value { return ort.Float32(d.Shape, d.Data) }

func values(ds []tensor.Dense) []ort.Value {
	out := make([]ort.Value, len(ds))
	for i, d := range ds {
		out[i] = float32s(d)
	}
	return out
}

// checkPixels says why the network cannot take pixels.
func (r *Images) checkPixels(pixels tensor.Dense) error {
	s := pixels.Shape
	if len(s) != 4 || s[0] < 1 || s[1] != 3 {
		return fmt.Errorf("pixels have shape %v, want [B, 3, H, W]", s)
	}
	if err := r.model.CheckSize(s[2], s[3]); err != nil {
		return err
	}
	if !r.options.open() && (s[2] != r.options.Height || s[3] != r.options.Width) {
		return fmt.Errorf("pixels are %dx%d, but this image tower was built for %dx%d", s[2], s[3], r.options.Height, r.options.Width)
	}
	rows, cols := r.Grid(s[2], s[3])
	pairs := 0
	if len(r.stages) > 0 { // one at a time: the biases of a batch, and one image's likeness in float64
		pairs = s[0] + 2
	}
	return checkTables(r.tables.list, pairs, rows, cols)
}

// Close frees the sessions.
func (r *Images) Close() error {
	err := r.session.Close()
	for _, s := range r.seconds {
		err = errors.Join(err, s.Close())
	}
	return err
}
