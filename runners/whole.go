package runners

import (
	"context"
	"fmt"

	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/tensor"
)

// maxNodes bounds the patches of all windows of a picture that are looked at together: what a method holds grows with
// their square.
const maxNodes = 8192

// openWholes loads the graphs over all windows of a picture. Methods that differ in nothing there share one.
func (r *Images) openWholes(lib *ort.Library) error {
	known := map[string]*ort.Session{}
	for i := range r.networks {
		n := &r.networks[i]
		if n.whole == nil {
			continue
		}
		g := r.options.graph()
		count := g.Symbol("nodes")
		p := methods.Patches{
			Keep:    g.Input("keep", tensor.F32, count, n.whole.Keep.Shape()[2]),
			Values:  g.Input("values", tensor.F32, count, g.Symbol("texts")),
			Centres: g.Input("centres", tensor.F32, count, 2), Index: g.Input("index", tensor.F32, count, 1),
		}
		g.Output("result", n.whole.Read(g, p))
		model, err := g.Model()
		if err != nil {
			return fmt.Errorf("%s: %w", r.names[i], err)
		}
		if n.session = known[string(model)]; n.session != nil {
			continue
		}
		if n.session, err = lib.NewSession(r.names[i]+", over all windows", model, r.options.Session); err != nil {
			return err
		}
		known[string(model)] = n.session
		r.seconds = append(r.seconds, n.session)
	}
	return nil
}

// window is what a method saw of one window of a picture.
type window struct {
	maps Maps
	keep []float32 // [N, W]
	// Of the padded window: its place in the picture, and its size.
	top, left, height, width int
}

// overWindows gives a method the last word on a picture, for every set of texts that wants it. Values are replaced in
// place.
func (r *Images) overWindows(ctx context.Context, method int, ws []window, sets []TextSet) error {
	n := &r.networks[method]
	in := make([]tensor.Dense, 4)
	keep, centres, index := &in[0], &in[2], &in[3]
	nodes := 0
	for _, w := range ws {
		keep.Data = append(keep.Data, w.keep...)
		for i := range w.maps.Rows * w.maps.Cols {
			y, x := i/w.maps.Cols, i%w.maps.Cols
			index.Data = append(index.Data, float32(len(index.Data)))
			centres.Data = append(centres.Data,
				float32(w.top)+(float32(y)+0.5)*float32(w.height)/float32(w.maps.Rows),
				float32(w.left)+(float32(x)+0.5)*float32(w.width)/float32(w.maps.Cols))
		}
		nodes += w.maps.Rows * w.maps.Cols
	}
	if nodes > maxNodes {
		return fmt.Errorf("method %s looks at all %d patches of a picture's windows together, more than %d; choose a "+
			"larger stride or a smaller size", r.names[method], nodes, maxNodes)
	}
	keep.Shape, centres.Shape, index.Shape = []int{nodes, len(keep.Data) / nodes}, []int{nodes, 2}, []int{nodes, 1}
	from, texts := 0, joined(sets).Shape[0]
	for _, set := range sets {
		to := from + set.Texts.Shape[0]
		if set.wants(method) {
			values := &in[1]
			*values = tensor.Dense{Shape: []int{nodes, to - from}}
			for _, w := range ws {
				values.Data = append(values.Data, w.maps.Select(from, to, texts).Patches...)
			}
			out := tensor.New(nodes, to-from)
			if err := r.options.Schedule.run(ctx, n.session, []ort.Value{float32s(in[0]), float32s(in[1]), float32s(in[2]),
				float32s(in[3])}, []ort.Value{float32s(out)}); err != nil {
				return err
			}
			for _, w := range ws {
				cells := w.maps.Rows * w.maps.Cols
				paste(tensor.Dense{Shape: []int{cells, texts}, Data: w.maps.Patches}, out.Rows(0, cells), from)
				out = out.Rows(cells, out.Shape[0])
			}
		}
		from = to
	}
	return nil
}

// overPictures gives methods the last word on pictures that are seen at once.
func (r *Images) overPictures(ctx context.Context, results []Batch, h, w int, sets []TextSet) error {
	for m, n := range r.networks {
		if n.whole == nil {
			continue
		}
		for i := range results[m].Values.Shape[0] {
			one := window{maps: results[m].At(i), keep: results[m].keep.At(i).Data, height: h, width: w}
			if err := r.overWindows(ctx, m, []window{one}, sets); err != nil {
				return err
			}
		}
	}
	return nil
}
