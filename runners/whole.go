package runners

import (
	"context"
	"fmt"
	"image"
	"slices"

	"ovbench/runners/methods"
	"ovbench/runners/onnx"
	"ovbench/runners/ort"
	"ovbench/runners/resample"
	"ovbench/runners/sam"
	"ovbench/runners/tensor"
)

// maxNodes bounds the patches of all windows of a picture whose pairs are looked at: what that holds grows with their
// square.
const maxNodes = 8192

// whole is what a method does with all windows of a picture at once.
type whole struct {
	*methods.Whole
	at       int          // of what the first graph keeps
	relation int          // of what the segmenter's graph gives
	pairs    *ort.Session // nil without
	session  *ort.Session
}

// segmenter is the graph of a segmenter's image encoder, for all methods that read it. It sees each picture once.
type segmenter struct {
	*sam.Backbone
	pixels, cells onnx.Value // of its graph
	relations     []onnx.Value
	session       *ort.Session
}

// openWholes loads the graphs over all windows of a picture. Methods that differ in nothing there share one.
func (r *Images) openWholes(lib *ort.Library) (err error) {
	known := map[string]*ort.Session{}
	open := func(name string, g *onnx.Graph) (*ort.Session, error) {
		model, err := g.Model()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if known[string(model)] == nil {
			s, err := lib.NewSession(name, model, r.options.Session)
			if err != nil {
				return nil, err
			}
			known[string(model)], r.seconds = s, append(r.seconds, s)
		}
		return known[string(model)], nil
	}
	look := r.options.graph()
	for i := range r.networks {
		n, name := &r.networks[i], r.names[i]
		if n.whole == nil {
			continue
		}
		if n.whole.Pairs != nil {
			g := r.options.graph()
			g.Output("pairs", n.whole.Pairs(g, keptInput(g, n.whole.Keep)))
			if n.whole.pairs, err = open(name+", pairs of patches", g); err != nil {
				return err
			}
		}
		r.addRelation(look, n)
		if n.whole.session, err = open(name+", over all windows", n.overAll(r.options, r.model)); err != nil {
			return err
		}
	}
	if r.segmenter.Backbone != nil {
		r.segmenter.session, err = open(r.segmenter.Path+", last attention", look)
	}
	return err
}

// addRelation adds to the segmenter's graph what a method reads of it, if it does.
func (r *Images) addRelation(look *onnx.Graph, n *network) {
	if n.whole.Segmenter == nil {
		return
	}
	s := &r.segmenter
	if s.Backbone == nil {
		s.Backbone = n.models.Backbones["sam"].(*sam.Backbone)
		s.pixels = look.Input("pixels", tensor.F32, 1, 3, s.Image, s.Image)
		s.cells = look.Input("cells", tensor.I64, look.Symbol("cells"))
	}
	v := n.whole.Segmenter(look, s.pixels, s.cells)
	if n.whole.relation = slices.Index(s.relations, v); n.whole.relation < 0 {
		n.whole.relation = len(s.relations)
		s.relations = append(s.relations, v)
		look.Output(fmt.Sprint("relation/", n.whole.relation), v)
	}
}

// keptInput is what was kept of all windows.
func keptInput(g *onnx.Graph, keep onnx.Value) onnx.Value {
	return g.Input("keep", tensor.F32, g.Symbol("windows"), g.Symbol("patches"), keep.Shape()[2])
}

// overAll is the graph over all windows.
func (n *network) overAll(o ImageOptions, m methods.ImageText) *onnx.Graph {
	s := &methods.Scene{Graph: o.graph(), Models: n.models, Positions: n.positions}
	p := methods.Patches{Keep: keptInput(s.Graph, n.whole.Keep),
		Values: s.Input("values", tensor.F32, s.Symbol("nodes"), s.Symbol("texts"))}
	s.Texts = s.Input("texts", tensor.F32, s.Symbol("texts"), m.Space())
	if n.whole.Segmenter != nil {
		p.Relation = s.Input("relation", tensor.F32, s.Symbol("cells"), s.Symbol("cells"))
	}
	s.Output("result", n.whole.Read(s, p))
	return s.Graph
}

// glance is a picture with what the segmenter made of it, once somebody has asked.
type glance struct {
	Picture
	parts map[partOf]relations
}

// partOf is a part of a picture, enlarged to whole patches.
type partOf struct{ enlarge, part, parts int }

// relations are what the segmenter says of a part of a picture, of rows x cols cells of its grid.
type relations struct {
	rows, cols int
	values     []tensor.Dense
}

// Enlarged is a picture with sides that are multiples of so many pixels, resized as OpenCV does it; 0 leaves it.
func Enlarged(rgb resample.RGB, multiple int) resample.RGB {
	if multiple == 0 || rgb.W%multiple == 0 && rgb.H%multiple == 0 {
		return rgb
	}
	up := func(n int) int { return (n + multiple - 1) / multiple * multiple }
	return resample.CV2Linear(rgb, up(rgb.W), up(rgb.H))
}

// of cuts the part out of a picture.
func (p partOf) of(img *image.NRGBA) resample.RGB {
	rgb := Enlarged(resample.FromNRGBA(img), p.enlarge)
	from, to := p.part*rgb.W/p.parts, (p.part+1)*rgb.W/p.parts
	out := resample.NewRGB(to-from, rgb.H)
	for y := range out.H {
		copy(out.Pix[3*y*out.W:], rgb.Pix[3*(y*rgb.W+from):][:3*out.W])
	}
	return out
}

// look shows a part of the picture to the segmenter.
func (r *Images) look(ctx context.Context, p *glance, at partOf) (relations, error) {
	if known, ok := p.parts[at]; ok {
		return known, nil
	}
	pixels, rows, cols, err := r.segmenter.Pixels(at.of(p.image()))
	if err != nil {
		return relations{}, err
	}
	var cells []int64
	for y := range rows {
		for x := range cols {
			cells = append(cells, int64(y*r.segmenter.Model.Grid+x))
		}
	}
	found := relations{rows: rows, cols: cols}
	var out []ort.Value
	for range r.segmenter.relations {
		d := tensor.New(len(cells), len(cells))
		found.values, out = append(found.values, d), append(out, float32s(d))
	}
	if p.parts == nil {
		p.parts = map[partOf]relations{}
	}
	p.parts[at] = found
	return found, r.options.Schedule.Segment(ctx, func() error {
		return r.segmenter.session.Run(ctx, []ort.Value{float32s(pixels), numbers(cells)}, out)
	})
}

// overWindows gives a method the last word on a picture, for every set of texts that wants it. keep is what the first
// graph kept of each window, [N, W].
func (r *Images) overWindows(ctx context.Context, out *Scan, m int, keep []tensor.Dense, p *glance,
	sets []TextSet) error {
	w, maps := r.networks[m].whole, out.methods[m]
	kept := tensor.Dense{Shape: append([]int{len(keep)}, keep[0].Shape...)}
	for _, k := range keep {
		kept.Data = append(kept.Data, k.Data...)
	}
	l := out.layout(m, maps[0].Rows, maps[0].Cols)
	nodes := len(maps) * l.Rows * l.Cols
	if w.pairs != nil {
		if nodes > maxNodes {
			return fmt.Errorf("method %s looks at all pairs of %d patches of a picture's windows, more than %d; choose a "+
				"larger stride or a smaller size", r.names[m], nodes, maxNodes)
		}
		l.Pairs = tensor.New(nodes, nodes)
		err := r.options.Schedule.run(ctx, w.pairs, []ort.Value{float32s(kept)}, []ort.Value{float32s(l.Pairs)})
		if err != nil {
			return err
		}
	}
	parts := max(w.Parts, 1)
	var columns []Maps // what Read gave of each part
	for l.Part, l.Parts = 0, parts; l.Part < parts; l.Part++ {
		result := maps
		var relation []ort.Value
		if w.Segmenter != nil {
			found, err := r.look(ctx, p, partOf{w.Enlarge, l.Part, parts})
			if err != nil {
				return err
			}
			l.Cells, relation = [2]int{found.rows, found.cols}, []ort.Value{float32s(found.values[w.relation])}
			result = []Maps{{Rows: found.rows, Cols: found.cols, Patches: make([]float32, found.rows*found.cols*out.texts)}}
			columns = append(columns, result[0])
		}
		if err := r.overPart(ctx, m, out.texts, l, kept, relation, maps, result, sets); err != nil {
			return err
		}
	}
	if w.Segmenter != nil {
		one := sideBySide(columns, out.texts)
		if len(maps) == 1 {
			one.Global = maps[0].Global
		}
		out.methods[m], out.joined[m] = []Maps{one}, true
	}
	if w.Sharpen == nil {
		return nil
	}
	defer r.options.Schedule.begin("middle")()
	return out.sharpen(m, p, w, sets)
}

// overPart runs a method's graph over all windows, for a part of the picture and every set of texts that wants it. maps
// are what it said of the windows, result is where new values go.
func (r *Images) overPart(ctx context.Context, m, texts int, l methods.Layout, kept tensor.Dense, relation []ort.Value,
	maps, result []Maps, sets []TextSet) error {
	w := r.networks[m].whole
	var prepared []ort.Value
	ended := r.options.Schedule.begin("middle")
	for _, d := range w.Prepare(l) {
		prepared = append(prepared, float32s(d))
	}
	ended()
	from := 0
	for _, set := range sets {
		to := from + set.Texts.Shape[0]
		if set.wants(m) {
			values := tensor.Dense{Shape: []int{len(maps) * l.Rows * l.Cols, to - from}}
			for _, one := range maps {
				values.Data = append(values.Data, one.Select(from, to, texts).Patches...)
			}
			in := slices.Concat([]ort.Value{float32s(kept), float32s(values), float32s(set.Texts)}, relation, prepared)
			if err := r.overTexts(ctx, w, in, result, from, to, texts); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// overTexts runs the graph over all windows for texts from..to-1 of texts, whose values go into result.
func (r *Images) overTexts(ctx context.Context, w *whole, in []ort.Value, result []Maps, from, to, texts int) error {
	cells := result[0].Rows * result[0].Cols
	got := tensor.New(len(result)*cells, to-from)
	if err := r.options.Schedule.run(ctx, w.session, in, []ort.Value{float32s(got)}); err != nil {
		return err
	}
	for i, one := range result {
		paste(tensor.Dense{Shape: []int{cells, texts}, Data: one.Patches}, got.Rows(i*cells, (i+1)*cells), from)
	}
	return nil
}

// layout is where the patches of a method's windows lie.
func (s *Scan) layout(method, rows, cols int) methods.Layout {
	l := methods.Layout{Height: s.Height, Width: s.Width, Rows: rows, Cols: cols}
	for _, w := range s.Windows {
		top, h := s.sliding.padding(w.H, s.multiples[method])
		left, width := s.sliding.padding(w.W, s.multiples[method])
		l.Windows = append(l.Windows, methods.Place{Top: w.Y - top, Left: w.X - left, Height: h, Width: width})
	}
	return l
}

// sharpen puts in the place of a method's maps the one at the pixels of the input that it makes of them.
func (s *Scan) sharpen(m int, p *glance, w *whole, sets []TextSet) error {
	one := Maps{Rows: s.Height, Cols: s.Width, Patches: make([]float32, s.Height*s.Width*s.texts)}
	if len(s.methods[m]) == 1 {
		one.Global = s.methods[m][0].Global
	}
	plane := make([]float32, s.Height*s.Width)
	from := 0
	for _, set := range sets {
		to := from + set.Texts.Shape[0]
		if set.wants(m) {
			mosaic := s.Mosaic(m, from, to)
			maps := tensor.New(len(plane), to-from)
			for q := range to - from {
				mosaic.Plane(plane, s.Width, s.Height, q)
				for i, v := range plane {
					maps.Data[i*(to-from)+q] = v
				}
			}
			if err := w.Sharpen(p.Pixels, maps); err != nil {
				return err
			}
			paste(tensor.Dense{Shape: []int{len(plane), s.texts}, Data: one.Patches}, maps, from)
		}
		from = to
	}
	s.methods[m], s.joined[m] = []Maps{one}, true
	return nil
}

// overPictures gives methods the last word on pictures that are seen at once.
func (r *Images) overPictures(ctx context.Context, results []Batch, pixels tensor.Dense, sets []TextSet) error {
	for m, n := range r.networks {
		if n.whole == nil {
			continue
		}
		var all []Maps
		for i := range results[m].Values.Shape[0] {
			s := r.newScan(Picture{Pixels: pixels.Rows(i, i+1)}, Sliding{}, sets)
			s.methods[m] = []Maps{results[m].At(i)}
			keep := []tensor.Dense{results[m].keep.At(i)}
			if err := r.overWindows(ctx, &s, m, keep, &glance{Picture: s.picture}, sets); err != nil {
				return err
			}
			all = append(all, s.methods[m][0])
		}
		results[m] = batchOf(all, joined(sets).Shape[0])
	}
	return nil
}
