// Package runners answers: how do weights and pixels become maps?
//
// [Images] runs the image towers for any number of methods in a single graph, over whole inputs or their windows
// ([Sliding]); what depends on the size alone is computed once a size and handed in (tables.go), and a method of two
// passes has a second graph (stage.go). What a method says of a picture are [Maps] on the method's own grid. [Texts]
// runs the text tower for prompts and their ensembles, [EncodeCaption] for the tokens of one text. All take a loaded
// ONNX Runtime and an image-text model, and hand out plain arrays; what these say about an image is decoded in packages
// methods and resample.
package runners

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// Named is a method under the label a suite gives it.
type Named struct {
	Name   string
	Method methods.Method
	// Model is the image-text model that the method reads; nil is that of all.
	Model methods.ImageText
}

// ImageOptions describe one graph of image towers.
type ImageOptions struct {
	// Height and Width are the pixels of the network's input. Both 0 leave them open: one graph takes images of any
	// size, one size a call.
	Height, Width int
	// Positions is the interpolation of positional embeddings for all methods; empty is each method's own.
	Positions vit.Interpolation
	// Similarities asks for values by text (cosines, or the scores of methods that give scores) instead of tokens.
	Similarities bool
	// StandardOps writes attention and activations with operators of the ONNX standard only.
	StandardOps bool
	// Operators are further options of how the graph is written.
	Operators []onnx.Option
	// Backbones are networks beside the image-text model, by the names that methods ask for.
	Backbones map[string]methods.Backbone
	Session   ort.Options
	// Schedule is shared by all that compute on one device; nil lets everything run at once.
	Schedule *Schedule
	// Together is the most pictures, or windows of pictures, that a run takes of those that wait for their turn; with
	// less than 2 every call runs for itself.
	Together int
}

// open reports whether the size is left to each call.
func (o ImageOptions) open() bool { return o.Height == 0 && o.Width == 0 }

// ImageGraph is the graph that [NewImages] runs: input pixels [batch, 3, H, W] of values 0..255, and one output per
// method under its name. Without Similarities an output holds tokens [batch, 1+N, E], the global one first,
// un-normalised (of methods without a global token [batch, N, E]); with them there is a second input texts [texts, E]
// of normalised embeddings, and an output holds values [batch, 1+N, texts]. Methods that explain texts add two inputs
// more, of numbers from 0: asked, those of texts that matter, and explained, those of asked whose values [batch, N,
// explained] the output holds; those that read masks add regions [batch, N, R], 1 where a patch of the network dino
// lies in a region. If the size is left open, the inputs of [onnx.Graph.Tables] follow.
//
// Methods that need a second graph are refused: a single one would give other numbers under their name.
func ImageGraph(m methods.ImageText, ms []Named, o ImageOptions) (*onnx.Graph, error) {
	g, networks, err := imageGraph(m, ms, o)
	if err != nil {
		return nil, err
	}
	for i, n := range networks {
		if n.next != nil || n.whole != nil {
			return nil, fmt.Errorf("method %s is two graphs with a step between them; a parameter leaves the second one out "+
				"(ovbench list methods)", ms[i].Name)
		}
	}
	return g, nil
}

// network is what runners know of one method in a graph.
type network struct {
	models    methods.Models
	positions vit.Interpolation
	global    bool
	grid      func(height, width int) (rows, cols int)
	multiple  int
	next      *methods.Stage
	whole     *whole
	explains  bool // values of explained texts, in the place of cosines
	wide      bool
	together  bool
}

// imageGraph is the graph, and what is known of each method.
func imageGraph(m methods.ImageText, ms []Named, o ImageOptions) (*onnx.Graph, []network, error) {
	if err := errors.Join(checkNames(ms), o.checkBackbones()); err != nil {
		return nil, nil, err
	}
	g := o.graph()
	height, width := o.Height, o.Width
	if o.open() {
		height, width = g.Symbol("height"), g.Symbol("width")
	} else if err := checkSize(m, ms, o); err != nil {
		return nil, nil, err
	}
	scene := methods.Scene{Graph: g, RGB: g.Input("pixels", tensor.F32, g.Symbol("batch"), 3, height, width)}
	if o.Similarities {
		scene.Texts = g.Input("texts", tensor.F32, g.Symbol("texts"), m.Space())
		if slices.ContainsFunc(ms, func(n Named) bool { return n.Method.Traits().Explains }) {
			scene.Asked = g.Input("asked", tensor.I64, g.Symbol("asked"))
			scene.Explained = g.Input(explainedAxis, tensor.I64, g.Symbol(explainedAxis))
		}
	}
	if second := o.Backbones["dino"]; second != nil && slices.ContainsFunc(ms, readsRegions) {
		scene.Regions = g.Input("regions", tensor.F32, g.Symbol("batch"), second.Patches(g, scene.RGB), g.Symbol("regions"))
	}
	var networks []network
	for _, named := range ms {
		n := network{models: methods.Models{ImageText: m, Backbones: o.Backbones}}
		if named.Model != nil {
			n.models.ImageText = named.Model
		}
		if err := n.check(named, o); err != nil {
			return nil, nil, err
		}
		scene.Models, scene.Positions = n.models, n.positions
		r := named.Method.Read(&scene)
		if r.Whole != nil && !o.Similarities {
			return nil, nil, fmt.Errorf("method %s looks at all windows of a picture together with the texts, so without "+
				"texts it has no tokens", named.Name)
		}
		if r.Next != nil && !o.Similarities {
			return nil, nil, fmt.Errorf("method %s compares tokens with texts between two passes, so without texts it has no "+
				"tokens; a parameter leaves the second pass out (ovbench list methods)", named.Name)
		}
		g.Output(named.Name, scene.Values(r))
		n.global, n.grid, n.multiple, n.next = r.Global.Present(), r.Grid, r.Multiple, r.Next
		if r.Whole != nil {
			n.whole = &whole{Whole: r.Whole}
		}
		n.explains, n.wide, n.together = named.Method.Traits().Explains, r.Wide, named.Method.Traits().Together
		n.complete()
		networks = append(networks, n)
	}
	for i, v := range keptValues(networks) {
		g.Output(fmt.Sprint(keptPrefix, i), v)
	}
	return g, networks, nil
}

// readsRegions reports whether the method reads masks of regions.
func readsRegions(n Named) bool { return n.Method.Traits().Regions }

// check says why the method cannot be built, and chooses its positions.
func (n *network) check(named Named, o ImageOptions) error {
	t := named.Method.Traits()
	if err := methods.CheckBackbones(named.Name, named.Method, o.Backbones); err != nil {
		return err
	}
	if t.Texts && !o.Similarities {
		return fmt.Errorf("method %s says how much patches answer to texts, so without texts it says nothing: it has no "+
			"tokens", named.Name)
	}
	if n.positions = o.Positions; n.positions == "" {
		n.positions = n.models.Encoder().Interpolation(t.Positions)
	}
	return named.Method.Check(n.models)
}

// complete fills in what a reading leaves to the image-text model.
func (n *network) complete() {
	if n.grid == nil {
		n.grid = n.models.Encoder().Grid
	}
	if n.multiple == 0 {
		n.multiple = n.models.Encoder().Multiple()
	}
}

// keptValues are what the first graph keeps for all second ones. Methods that differ in their parameters keep the same.
func keptValues(networks []network) (kept []onnx.Value) {
	for _, n := range networks {
		for _, v := range n.keeps() {
			if !slices.Contains(kept, v) {
				kept = append(kept, v)
			}
		}
	}
	return kept
}

// keeps are what the first graph keeps for the method's later ones.
func (n *network) keeps() (list []onnx.Value) {
	if n.next != nil {
		list = n.next.Keep
	}
	if n.whole != nil {
		list = append(list[:len(list):len(list)], n.whole.Keep)
	}
	return list
}

// checkSize says why no graph of o's size can be built. The tables of one of open size tell what a fixed one would
// hold.
func checkSize(m methods.ImageText, ms []Named, o ImageOptions) error {
	h, w := o.Height, o.Width
	o.Height, o.Width = 0, 0
	g, networks, err := imageGraph(m, ms, o)
	if err != nil {
		return err
	}
	r := Images{model: m, options: o, networks: networks, tables: tables{list: g.Tables(), symbols: g.Symbols()}}
	return r.checkSize(1, h, w)
}

// checkNames wants methods under names of their own, which are not those of inputs.
func checkNames(ms []Named) error {
	if len(ms) == 0 {
		return fmt.Errorf("no methods to run")
	}
	taken := map[string]bool{"": true, "pixels": true, "texts": true, "asked": true, explainedAxis: true, "regions": true}
	for _, n := range ms {
		if taken[n.Name] || strings.HasPrefix(n.Name, keptPrefix) {
			return fmt.Errorf("method name %q is taken: give it another", n.Name)
		}
		taken[n.Name] = true
	}
	return nil
}

// checkBackbones wants networks whose tables have names of their own.
func (o ImageOptions) checkBackbones() error {
	taken := map[string]bool{"": true}
	for name, t := range o.Backbones {
		if taken[t.Label()] {
			return fmt.Errorf("the label %q of backbone %s is taken", t.Label(), name)
		}
		taken[t.Label()] = true
	}
	return nil
}

// graph is an empty graph in the operators that o asks for, and that its device has.
func (o ImageOptions) graph() *onnx.Graph {
	opts := slices.Clone(o.Operators)
	d := o.Session.Device.Provider
	if o.StandardOps || d == ort.OpenVINO { // which knows no others
		opts = append(opts, onnx.StandardOps)
	}
	if d == ort.CUDA {
		opts = append(opts, onnx.WithoutCuDNN)
		if o.Session.Precision == ort.F16 {
			opts = append(opts, onnx.HalfProducts)
		}
	}
	return onnx.New(opts...)
}

// Images runs image towers. It may be used from many goroutines; Close it when done.
type Images struct {
	session  *ort.Session
	model    methods.ImageText
	options  ImageOptions
	names    []string
	networks []network
	tables   tables
	stages   []*stage
	kept     [][]int        // shapes of what the graph keeps for the stages
	holds    int            // bytes that the backward passes of one run may hold
	seconds  []*ort.Session // of the stages and wholes, each once

	regions   bool // some method reads masks
	segmenter segmenter
	lobby     lobby
}

// input is what a batch of pictures gives to the graph.
type input struct {
	pixels  tensor.Dense // [B, 3, H, W]
	regions func() (tensor.Dense, error)
}

// inputOf is pictures of which no regions are known.
func (r *Images) inputOf(pixels tensor.Dense) input {
	return input{pixels, func() (tensor.Dense, error) {
		all := Window{W: pixels.Shape[3], H: pixels.Shape[2]}
		return r.regionsOf(Picture{Pixels: pixels}, Sliding{}, slices.Repeat([]Window{all}, pixels.Shape[0]), 1)
	}}
}

// NewImages builds the graph of the methods on m and loads it, and the second graphs of those that need one.
func NewImages(lib *ort.Library, m methods.ImageText, ms []Named, o ImageOptions) (*Images, error) {
	g, networks, err := imageGraph(m, ms, o)
	if err != nil {
		return nil, err
	}
	name := m.Source() + ", image tower"
	if !o.open() {
		name += fmt.Sprintf(" at %dx%d", o.Height, o.Width)
	}
	r := &Images{model: m, options: o, networks: networks, tables: tables{list: g.Tables(), symbols: g.Symbols()},
		holds: explainBytes, regions: slices.ContainsFunc(ms, readsRegions)}
	model, err := g.Model()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Source(), err)
	}
	if r.session, err = lib.NewSession(name, model, o.Session); err != nil {
		return nil, err
	}
	kept := keptValues(networks)
	for _, v := range kept {
		r.kept = append(r.kept, v.Shape())
	}
	for i, n := range networks {
		r.names = append(r.names, ms[i].Name)
		if n.whole != nil {
			n.whole.at = slices.Index(kept, n.whole.Keep)
		}
		if n.next == nil {
			continue
		}
		s := &stage{Stage: n.next, name: ms[i].Name, index: i}
		for _, v := range n.next.Keep {
			s.kept = append(s.kept, slices.Index(kept, v))
		}
		r.stages = append(r.stages, s)
	}
	if err := errors.Join(r.openStages(lib), r.openWholes(lib)); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Methods are the methods' names, in the order of results.
func (r *Images) Methods() []string { return slices.Clone(r.names) }

// Tokens are the projected tokens of each method for pixels [B, 3, H, W], whole numbers in 0..255 as [clip.Input] gives
// them.
func (r *Images) Tokens(ctx context.Context, pixels tensor.Dense) ([]Batch, error) {
	if r.options.Similarities {
		return nil, fmt.Errorf("this image tower gives similarities, not tokens")
	}
	return r.run(ctx, r.inputOf(pixels), nil)
}

// Similarities are the values of each method for pixels [B, 3, H, W] with normalised text embeddings [T, E].
func (r *Images) Similarities(ctx context.Context, pixels, texts tensor.Dense) ([]Batch, error) {
	sets := []TextSet{{Texts: texts}}
	out, err := r.similarities(ctx, r.inputOf(pixels), sets)
	if err == nil {
		err = r.overPictures(ctx, out, pixels, sets)
	}
	return out, err
}

// similarities are those with the texts of sets, one behind the other. A method of two graphs runs its second one for
// each set that wants it, and what it gives for one does not depend on the others.
func (r *Images) similarities(ctx context.Context, in input, sets []TextSet) ([]Batch, error) {
	if !r.options.Similarities {
		return nil, fmt.Errorf("this image tower gives tokens, not similarities")
	}
	if err := checkSets(sets); err != nil {
		return nil, err
	}
	if len(sets) > 1 && slices.ContainsFunc(r.networks, func(n network) bool { return n.together }) {
		return r.apart(ctx, in, sets)
	}
	return r.run(ctx, in, sets)
}

// apart runs the networks set by set, where what a method says of a text depends on the texts beside it.
func (r *Images) apart(ctx context.Context, in input, sets []TextSet) (all []Batch, err error) {
	for i := range sets {
		one, err := r.run(ctx, in, sets[i:i+1])
		if err != nil {
			return nil, err
		}
		if i == 0 {
			all = one
			continue
		}
		for m := range all {
			all[m].Values = beside(all[m].Values, one[m].Values)
		}
	}
	return all, nil
}

// run computes tokens, or values if there are texts. Explanations of more texts than fit a bound on memory come in
// parts, each with a pass of its own; second graphs run once, behind all of them.
func (r *Images) run(ctx context.Context, in input, sets []TextSet) ([]Batch, error) {
	pixels := in.pixels
	if err := r.checkPixels(pixels); err != nil {
		return nil, err
	}
	if !r.explains() {
		results, kept, err := r.pass(ctx, in, sets, question{})
		if err != nil {
			return nil, err
		}
		return results, r.runStages(ctx, pixels, sets, question{}, kept, results)
	}
	q := questionOf(sets)
	var results []Batch
	var kept []tensor.Dense
	for part := range slices.Chunk(q.explained, r.textsAtOnce(pixels.Shape)) {
		one, also, err := r.pass(ctx, in, sets, question{q.asked, part})
		if err != nil {
			return nil, err
		}
		if results == nil {
			results, kept = one, also
			continue
		}
		for i, n := range r.networks {
			if n.explains {
				results[i].Values = beside(results[i].Values, one[i].Values)
			}
		}
		for i, shape := range r.kept {
			if d := shape[len(shape)-1]; d < 0 && r.tables.symbols[-1-d] == explainedAxis {
				kept[i] = beside(kept[i], also[i])
			}
		}
	}
	if err := r.runStages(ctx, pixels, sets, q, kept, results); err != nil {
		return nil, err
	}
	for i, n := range r.networks {
		if !n.explains {
			continue
		}
		found := results[i].Values
		results[i].Values = unknown(found.Shape[0], found.Shape[1], joined(sets).Shape[0])
		for k, text := range q.explained {
			paste(results[i].Values, columns(found, k, k+1), int(q.asked[text]))
		}
	}
	return results, nil
}

// pass runs the graph once. It gives what methods say and what the graph keeps for second ones; values of explained
// texts [.., K] are of those of q alone.
func (r *Images) pass(ctx context.Context, given input, sets []TextSet, q question) (results []Batch,
	kept []tensor.Dense, err error) {
	pixels := given.pixels
	h, w := pixels.Shape[2], pixels.Shape[3]
	p := &pass{in: []ort.Value{float32s(pixels)}, byPicture: []bool{true}}
	forAll := func(v ort.Value) { p.in, p.byPicture = append(p.in, v), append(p.byPicture, false) }
	width := r.model.Space()
	if sets != nil {
		texts := joined(sets)
		forAll(float32s(texts))
		width = texts.Shape[0]
	}
	if r.explains() {
		forAll(numbers(q.asked))
		forAll(numbers(q.explained))
	}
	if r.regions {
		regions, err := given.regions()
		if err != nil {
			return nil, nil, err
		}
		p.in, p.byPicture = append(p.in, float32s(regions)), append(p.byPicture, true)
	}
	for _, t := range r.tables.at(h, w) {
		forAll(float32s(t))
	}
	results = make([]Batch, len(r.names))
	for i, n := range r.networks {
		rows, cols := n.grid(h, w)
		tokens, columns := rows*cols, width
		if n.global {
			tokens++
		}
		if n.explains {
			columns = len(q.explained)
		}
		results[i] = Batch{Rows: rows, Cols: cols, Global: n.global}
		p.shapes = append(p.shapes, []int{pixels.Shape[0], tokens, columns})
	}
	sizes := r.sizes(pixels.Shape[0], h, w)
	sizes["texts"], sizes["asked"], sizes[explainedAxis] = width, len(q.asked), len(q.explained)
	for _, s := range r.kept {
		shape, err := r.tables.symbols.Resolve(s, sizes)
		if err != nil {
			return nil, nil, err
		}
		p.shapes = append(p.shapes, shape)
	}
	if err := r.compute(ctx, p); err != nil {
		return nil, nil, err
	}
	kept = p.out[len(results):]
	for i, n := range r.networks {
		results[i].Values = p.out[i]
		if slices.ContainsFunc(p.out[i].Data, func(v float32) bool { return v-v != 0 }) {
			return nil, nil, fmt.Errorf("%s gives NaN or infinity: the weights hold such values, or are too large for the "+
				"precision", r.names[i])
		}
		if n.whole != nil {
			results[i].keep = kept[n.whole.at]
		}
	}
	return results, kept, nil
}

// runStages runs the second graphs of methods that have one, whose values take the place of the first's.
func (r *Images) runStages(ctx context.Context, pixels tensor.Dense, sets []TextSet, q question, kept []tensor.Dense,
	results []Batch) (err error) {
	for _, s := range r.stages {
		turns, first := r.options.Schedule, results[s.index]
		if s.Search != nil {
			results[s.index].Values, err = s.search(ctx, turns, pixels, picked(joined(sets), q), kept, first)
		} else {
			err = s.run(ctx, turns, pixels, sets, kept, first)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// explains reports whether some method explains texts.
func (r *Images) explains() bool {
	return slices.ContainsFunc(r.networks, func(n network) bool { return n.explains })
}

// explainedAxis is the symbol of the number of texts that one pass explains, and the input that names them.
const explainedAxis = "explained"

// explainBytes bounds what the backward passes of one run hold.
const explainBytes = 1 << 30

// textsAtOnce is how many texts' backward passes fit the bound, for pixels [B, 3, H, W]: a few values of every channel
// by token and, where some method is wide, of every head by pair of tokens. One always does.
func (r *Images) textsAtOnce(pixels []int) int {
	const channels, heads = 16, 4 // held at once, of each kind
	most := 0
	for _, n := range r.networks {
		if !n.explains {
			continue
		}
		rows, cols := n.grid(pixels[2], pixels[3])
		tokens := 1 + rows*cols
		each := 4 * channels * tokens * r.model.Space()
		if t, ok := n.models.Encoder().(methods.Transformer); ok && n.wide {
			each += 4 * heads * t.Transformer().Heads * tokens * tokens
		}
		most = max(most, each)
	}
	return max(r.holds/(pixels[0]*most), 1)
}

// sizes are what symbols of the graph stand for, for pictures of h x w pixels.
func (r *Images) sizes(batch, h, w int) map[string]int {
	cells := func(rows, cols int) int { return rows * cols }
	known := map[string]int{"batch": batch, "height": h, "width": w, "patches": cells(r.model.Encoder().Grid(h, w))}
	for _, t := range r.options.Backbones {
		known[t.Label()+"patches"] = cells(t.Grid(h, w))
	}
	return known
}

func float32s(d tensor.Dense) ort.Value { return ort.Float32(d.Shape, d.Data) }

func numbers(xs []int64) ort.Value { return ort.Int64([]int{len(xs)}, xs) }

// checkPixels says why the network cannot take pixels.
func (r *Images) checkPixels(pixels tensor.Dense) error {
	s := pixels.Shape
	if len(s) != 4 || s[0] < 1 || s[1] != 3 {
		return fmt.Errorf("pixels have shape %v, want [B, 3, H, W]", s)
	}
	if err := r.checkSize(s[0], s[2], s[3]); err != nil {
		return err
	}
	if !r.options.open() && (s[2] != r.options.Height || s[3] != r.options.Width) {
		return fmt.Errorf("pixels are %dx%d, but this image tower was built for %dx%d", s[2], s[3], r.options.Height,
			r.options.Width)
	}
	return nil
}

// checkSize says why batches of pictures of h x w pixels are too small or too large.
func (r *Images) checkSize(batch, h, w int) error {
	if err := CheckSize(r.model, h, w); err != nil {
		return err
	}
	for name, t := range r.options.Backbones {
		if err := vit.CheckSize(name, t.Multiple(), h, w); err != nil {
			return err
		}
	}
	pairs, rows, cols := 0, 0, 0
	for _, n := range r.networks {
		if n.next != nil { // one at a time: the biases of a batch, and one image's likeness in float64
			pairs = batch + 2
		}
		if y, x := n.grid(h, w); y*x > rows*cols {
			rows, cols = y, x
		}
	}
	return r.tables.check(pairs, rows, cols, r.sizes(batch, h, w))
}

// CheckSize says why m cannot encode an image of height x width pixels.
func CheckSize(m methods.ImageText, height, width int) error {
	return vit.CheckSize(m.Name(), m.Encoder().Multiple(), height, width)
}

// Close frees the sessions.
func (r *Images) Close() error {
	err := r.session.Close()
	for _, s := range r.seconds {
		err = errors.Join(err, s.Close())
	}
	return err
}
