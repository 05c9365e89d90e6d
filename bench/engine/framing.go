package engine

import (
	"context"
	"fmt"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// framing is how pictures of a data set meet the network. Data sets of equal framing show it the same pixels of the
// same picture.
type framing struct {
	input   clip.Input
	sliding runners.Sliding
	colours vit.Normalization // of the protocol
	upright bool
}

// normalizations are those that protocols name by mean. CLIP's stands for what the model itself wants.
var normalizations = map[string]vit.Normalization{"clip": vit.CLIP, "imagenet": vit.ImageNet}

// paddings by their names in protocols.
var paddings = map[string]runners.Padding{"none": runners.NoPadding, "patch": runners.Around, "corner": runners.Corner}

func framingOf(p configs.Protocol, d configs.Dataset) framing {
	f := framing{
		input:   clip.Input{Resize: clip.Resize(p.Resize), Height: p.Size.H, Width: p.Size.W, Filter: clip.Filter(p.Filter)},
		sliding: runners.Sliding{Window: p.Window, Pad: paddings[p.Pad]},
		colours: normalizations[p.Mean],
		upright: d.ApplyEXIF,
	}
	if f.sliding.Pad != runners.NoPadding {
		f.sliding.Fill = f.colours.Grey()
	}
	if p.Window > 0 {
		f.sliding.Stride = p.Stride
	}
	if f.input.Resize == clip.ShortSide {
		f.input.Long, f.input.Multiple = p.Long, p.Multiple
	}
	return f
}

// whole reports whether the network sees a picture at once, and its map of tokens covers the picture and no more.
func (f framing) whole() bool { return f.sliding.Window == 0 && f.sliding.Pad != runners.Around }

// checkFraming says why the network or the task cannot take pictures so.
func (p *Plan) checkFraming(t target) error {
	f := t.framing
	if err := f.input.Check(); err != nil {
		return err
	}
	h, w := f.input.Height, f.input.Width
	if s := f.sliding.Window; s > 0 {
		h, w = min(h, s), min(w, s)
	}
	if p.model != nil {
		if err := runners.CheckSize(p.model.Model, h, w); err != nil {
			return err
		}
	}
	needs := p.task.Needs()
	if needs.Whole && !f.whole() {
		return fmt.Errorf("task %s is of maps of the whole picture at once, not stitched ones: set protocol.window to 0 "+
			"and protocol.pad to none", p.suite.Task)
	}
	if needs.Whole && t.Protocol.PAMR > 0 {
		return fmt.Errorf("task %s does not refine its maps: set protocol.pamr to 0", p.suite.Task)
	}
	if needs.Probe && f.sliding.Pad != runners.NoPadding {
		return fmt.Errorf("task %s changes what the network sees, to the last pixel: set protocol.pad to none", p.suite.Task)
	}
	if needs.Probe && f.input.Resize == clip.ShortSide {
		return fmt.Errorf("task %s compares pictures of one size: set protocol.resize to squash", p.suite.Task)
	}
	return nil
}

// fixedSize is the height and width of what the network sees, if they are the same for all pictures of all targets,
// else 0.
func fixedSize(targets []target) (size [2]int) {
	for i, t := range targets {
		f := t.framing
		this := [2]int{f.input.Height, f.input.Width}
		if f.sliding != (runners.Sliding{}) || f.input.Resize == clip.ShortSide || i > 0 && this != size {
			return [2]int{}
		}
		size = this
	}
	return size
}

// sharedPicture is one picture for all data sets that ask for it in one framing.
type sharedPicture struct{ samples []sampleRef }

// sampleRef is a sample of a target.
type sampleRef struct{ target, index int }

// sharedPictures lists the samples without a record, those that share a picture together, in the order of targets.
func (r *run) sharedPictures() (list []*sharedPicture) {
	type key struct {
		framing framing
		path    string
		regions string // where its masks are
	}
	known := map[key]*sharedPicture{}
	for k := range r.plan.targets {
		t := &r.plan.targets[k]
		for _, i := range t.indices {
			if _, ok := r.records.Done[records.Key{Dataset: t.Info.Name, Index: i}]; ok {
				continue
			}
			at := key{framing: t.framing, path: t.picture(i), regions: t.regions}
			if known[at] == nil {
				known[at] = &sharedPicture{}
				list = append(list, known[at])
			}
			known[at].samples = append(known[at].samples, sampleRef{k, i})
		}
	}
	return list
}

// picture identifies the picture of a sample: its file, or else the sample alone.
func (t *target) picture(index int) string {
	if f, ok := t.Dataset.(datasets.Located); ok {
		if path, _ := f.Files(index); path != "" {
			return path
		}
	}
	return fmt.Sprintf("\x00%s %d", t.Info.Name, index)
}

// encoded is what the network made of one picture for one or more targets.
type encoded struct {
	framing framing
	pixels  tensor.Dense
	regions *runners.Regions // nil where no method reads them
	scan    runners.Scan
	columns map[int][2]int // of each target, in the cosines
	basis   [2]int         // of the tokens, if class experts are to read them
	pamr    map[[2]int]*resample.PAMR
	sitting sitting
}

// encode shows a picture to the network, with the texts of all targets at once. The empty text is measured, but steers
// nothing.
func (r *run) encode(ctx context.Context, p runners.Picture, f framing, targets []int, explained [][]int) (*encoded,
	error) {
	s := &encoded{framing: f, pixels: p.Pixels, regions: p.Regions,
		columns: map[int][2]int{}, pamr: map[[2]int]*resample.PAMR{}}
	sets := make([]runners.TextSet, len(targets))
	at := 0
	for i, k := range targets {
		n := r.texts[k].Shape[0]
		sets[i] = runners.TextSet{Texts: r.texts[k], Passive: n - len(r.plan.targets[k].Texts),
			Methods: r.plan.targets[k].network, Explained: explained[i]}
		s.columns[k] = [2]int{at, at + n}
		at += n
	}
	if basis := r.plan.basis(targets); basis != nil {
		sets = append(sets, *basis)
		s.basis = [2]int{at, at + basis.Texts.Shape[0]}
	}
	var err error
	s.scan, err = r.images.Scan(ctx, p, f.sliding, sets...)
	return s, err
}

// similarity is what one method saw of the picture, for one target.
func (s *encoded) similarity(t *target, target int, m methods.Method, method int) tasks.Similarity {
	from, to := s.columns[target][0], s.columns[target][1]
	method = t.network[method]
	sim := tasks.Similarity{Refiner: s.refiner, Settle: voted(m, s.regions)}
	sim.Stitched = func() resample.Mosaic { return s.scan.Mosaic(method, from, from+len(t.Texts)) }
	if t.framing.whole() {
		sim.Maps = s.scan.Maps(method, 0, from, to)
		if columns := to - from; columns > len(t.Texts) {
			sim.Maps, sim.Empty = sim.SplitLast(columns)
		}
	}
	return sim
}

// refiner is the refinement by the picture's colours, at the size of the truth: the pixels of the network, normalised
// and resized.
func (s *encoded) refiner(w, h int) *resample.PAMR {
	size := [2]int{w, h}
	if s.pamr[size] == nil {
		colours := make([]float32, 3*w*h)
		pixels := s.framing.colours.Values(s.pixels).At(0)
		for c := range 3 {
			resample.Bilinear(colours[c*w*h:][:w*h], w, h, pixels.At(c).Data, s.scan.Width, s.scan.Height)
		}
		s.pamr[size] = resample.NewPAMR(colours, w, h)
	}
	return s.pamr[size]
}

// onPatches is a stitched similarity as if the network had seen the picture at once: its map read at the centres of
// patches. It serves pictures and --save maps; no global token goes with it.
func onPatches(s tasks.Similarity, patch, texts int) tasks.Similarity {
	m := s.Stitched()
	s.Maps = runners.Maps{Rows: max(m.H/patch, 1), Cols: max(m.W/patch, 1)}
	plane := make([]float32, s.Rows*s.Cols)
	s.Patches = make([]float32, len(plane)*texts)
	for q := range texts {
		m.Plane(plane, s.Cols, s.Rows, q)
		for i, v := range plane {
			s.Patches[i*texts+q] = v
		}
	}
	return s
}
