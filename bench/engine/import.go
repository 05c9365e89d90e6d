package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ovbench/bench/predictions"
	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// Import says where another program's predictions lie.
type Import struct {
	Dir  string
	Name string // of the program, as a method of the run
	// ReduceZero says that label maps are numbered as truths with reduce_zero_label: 0 is none, k is class k-1.
	ReduceZero bool
	Needs      []string // networks and data beyond an image-text model, of results.Leagues
}

// imported is what a plan has in place of a model.
type imported struct {
	Import
	folder *predictions.Folder
	paths  [][]string // by target and sample; empty where there is no file
}

// NewImport resolves a request whose maps are not computed but read: the data sets, words and protocol of the suite
// hold, its model and methods do not. The error joins every fault found.
func NewImport(r Request, im Import) (*Plan, error) {
	p := &Plan{request: r, suite: r.Suite, task: tasks.All[r.Suite.Task], imported: &imported{Import: im}}
	faults := []error{p.readProtocol(), p.openTargets(), p.openSegmenter()}
	if p.task.Needs().Probe {
		faults = append(faults,
			fmt.Errorf("task %s shows changed pictures to a model, which predictions are not: import for segmentation, "+
				"explain, multilabel or interactive", r.Suite.Task))
	}
	folder, err := predictions.Open(im.Dir)
	if err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return p, err
	}
	p.imported.folder = folder
	p.methods = []runners.Named{{Name: im.Name}}
	p.forms = []methods.FeatureSurgery{methods.NoSurgery}
	p.endings = []methods.Ending{p.endingOf(methods.Traits{})}
	return p, errors.Join(p.matchPredictions(), p.checkOnly())
}

// matchPredictions finds the file of every sample that is to be measured.
func (p *Plan) matchPredictions() error {
	want := predictions.NPY
	if p.task.Needs().Pixels {
		want = predictions.PNG
	}
	found := 0
	for k := range p.targets {
		t := &p.targets[k]
		t.Whole = true // what was seen in windows was stitched elsewhere
		if t.Protocol.HasExperts() {
			return fmt.Errorf("%s: class experts read a model's tokens, which predictions are not: set protocol.experts to "+
				"none", t.Info.Name)
		}
		if t.Protocol.PAMR > 0 || t.Protocol.SAMRefine > 0 {
			return fmt.Errorf("%s: protocol.pamr and protocol.sam_refine refine maps as they are made; set them to 0, or "+
				"refine before saving predictions", t.Info.Name)
		}
		w := predictions.Wanted{Dataset: t.Info.Name, Name: p.imported.Name, Extension: want}
		for _, i := range t.indices {
			w.IDs = append(w.IDs, t.Dataset.ID(i))
		}
		match, err := p.imported.folder.Match(w)
		if err != nil {
			return err
		}
		paths := make([]string, t.Dataset.Len())
		for n, i := range t.indices {
			paths[i] = match.Paths[n]
		}
		p.imported.paths = append(p.imported.paths, paths)
		found += len(w.IDs) - match.Missing
	}
	if found == 0 {
		id := "none"
		if len(p.targets) > 0 && len(p.targets[0].indices) > 0 {
			id = p.targets[0].Dataset.ID(p.targets[0].indices[0])
		}
		return fmt.Errorf("%s: no file is named as a sample: samples are called like %s, files like %s", p.imported.Dir, id,
			p.imported.folder.Some())
	}
	if err := p.readClassScores(); err != nil {
		return err
	}
	return p.checkDecision()
}

// readClassScores lets one query stand for each class if that is how many planes the first array has: another program
// has made classes of its words already.
func (p *Plan) readClassScores() error {
	for k := range p.targets {
		t := &p.targets[k]
		first := slices.IndexFunc(p.imported.paths[k], func(path string) bool { return path != "" })
		if first < 0 {
			continue
		}
		got, err := predictions.Read(p.imported.paths[k][first])
		if err != nil {
			return err
		}
		if key := t.Protocol.Decides(); key != "" && got.Scores.Shape == nil {
			return fmt.Errorf("%s: a label map is decided already: protocol.%s wants scores, .npy [T, rows, cols]",
				p.imported.paths[k][first], key)
		}
		planes := t.Texts
		if got.Scores.Shape != nil {
			planes = make([]string, got.Scores.Shape[0])
		}
		switch len(planes) {
		case len(t.Texts):
		case len(t.Info.Classes):
			t.Texts, t.queries, t.Rule.Classes = slices.Clone(t.Info.Classes), nil, nil
			for c, name := range t.Info.Classes {
				t.queries = append(t.queries, []string{name})
				t.Rule.Classes = append(t.Rule.Classes, c)
			}
		default:
			return fmt.Errorf("%s: %d planes, but %s has %d queries and %d classes; which are meant is in ovbench check, or "+
				"list datasets --json",
				p.imported.paths[k][first], len(planes), t.Info.Name, len(t.Texts), len(t.Info.Classes))
		}
	}
	return nil
}

// describe is the model of a run that had none.
func (m *imported) describe() results.Model {
	return results.Model{Name: m.Name, Path: m.Dir, Format: "predictions"}
}

// fingerprint is of what the predictions are compared with, and of the files by name and content.
func (m *imported) fingerprint(p *Plan) (string, error) {
	type file struct{ Path, Digest string }
	var asked struct {
		Suite string
		Name  string
		Zero  bool
		Lists []string
		Files []file
	}
	asked.Suite, asked.Name, asked.Zero = p.suite.RecordsFingerprint(), m.Name, m.ReduceZero
	for k := range p.targets {
		asked.Lists = append(asked.Lists, p.targets[k].Info.ListSHA256)
		for _, path := range m.paths[k] {
			if path == "" {
				continue
			}
			digest, err := predictions.Digest(path)
			if err != nil { // its sample fails by itself
				digest = err.Error()
			}
			asked.Files = append(asked.Files, file{path, digest})
		}
	}
	raw, err := json.Marshal(asked)
	return fmt.Sprintf("%x", sha256.Sum256(raw)), err
}

// recordImported fills in the record of one sample from the file of its prediction.
func (r *run) recordImported(ctx context.Context, rec *records.Record, at sampleRef, s datasets.Sample) {
	t := &r.plan.targets[at.target]
	path := r.plan.imported.paths[at.target][at.index]
	if path == "" {
		rec.Fail("predictions", fmt.Errorf("there is no prediction of it in %s", r.plan.imported.Dir))
		return
	}
	stop := r.timer.start("read")
	got, err := predictions.Read(path)
	stop()
	if err != nil {
		rec.Fail("predictions", err)
		return
	}
	stop = r.timer.start("score")
	v := tasks.View{Target: &t.Target, Index: at.index, Sample: s, Segment: r.segmented(ctx, s.Image).segment,
		KeepMasks: r.plan.request.Save.Masks,
		Methods:   []tasks.Seen{{Name: r.plan.imported.Name, Form: methods.NoSurgery, Ending: r.plan.endings[0]}}}
	made, err := r.plan.measureImported(&v, got)
	stop()
	if err != nil {
		rec.Fail("score", fmt.Errorf("%s: %w", path, err))
		return
	}
	r.complete(rec, t, &v, made)
}

// measureImported measures a label map by itself, and scores as if a network had made them.
func (p *Plan) measureImported(v *tasks.View, got predictions.Prediction) (tasks.Measured, error) {
	if got.Labels.W > 0 {
		if !p.task.Needs().Pixels {
			return tasks.Measured{},
				fmt.Errorf("a label map says nothing of each class alone: task %s wants scores, .npy [T, rows, cols] or [T]",
					p.suite.Task)
		}
		labels, err := p.imported.labels(got.Labels, v)
		if err != nil {
			return tasks.Measured{}, err
		}
		e, err := tasks.LabelEvidence(v.Target, v.Index, v.Sample.Labels, labels)
		return tasks.Measured{Evidence: []records.Evidence{e}, Labels: [][]uint16{labels}}, err
	}
	if n := got.Scores.Shape[0]; n != len(v.Texts) {
		return tasks.Measured{}, fmt.Errorf("%d planes, but %d texts: those of the first file fit", n, len(v.Texts))
	}
	sim := &v.Methods[0].Similarity
	if len(got.Scores.Shape) == 1 {
		if !p.task.Needs().Global {
			return tasks.Measured{}, fmt.Errorf("scores of the whole picture [%d]: task %s wants [T, rows, cols]",
				got.Scores.Shape[0], p.suite.Task)
		}
		sim.Global = got.Scores.Data
		return p.task.Measure(v)
	}
	if p.task.Needs().Global {
		return tasks.Measured{}, fmt.Errorf("scores of patches %v: task %s wants those of the whole picture [T]",
			got.Scores.Shape, p.suite.Task)
	}
	*sim = similarityOf(got.Scores, v.Sample.Labels)
	return p.task.Measure(v)
}

// similarityOf is planes of scores [texts, rows, cols] as if a network had made them of a picture of the truth's size.
func similarityOf(planes tensor.Dense, truth labelmap.Map) (sim tasks.Similarity) {
	texts, rows, cols := planes.Shape[0], planes.Shape[1], planes.Shape[2]
	sim.Rows, sim.Cols, sim.Patches = rows, cols, make([]float32, len(planes.Data))
	for q := range texts {
		for i, x := range planes.At(q).Data {
			sim.Patches[i*texts+q] = x
		}
	}
	patches := sim.Patches
	sim.Stitched = func() resample.Mosaic { return resample.Whole(patches, cols, rows, texts, truth.W, truth.H) }
	return sim
}

// labels are those of a file in the data set's numbers.
func (m *imported) labels(l labelmap.Map, v *tasks.View) ([]uint16, error) {
	if truth := v.Sample.Labels; l.W != truth.W || l.H != truth.H {
		return nil, fmt.Errorf("%dx%d pixels, its truth has %dx%d: predictions are scored at the size of the truth", l.W, l.H,
			truth.W, truth.H)
	}
	classes, first := len(v.Info.Classes), 0
	if m.ReduceZero {
		first = 1
	}
	for i, x := range l.Pix {
		switch label := int(x) - first; {
		case label >= 0 && label < classes:
			l.Pix[i] = uint16(label)
		case label < 0, x == 255, x == labelmap.Ignore:
			l.Pix[i] = uint16(classes) // none of them
		default:
			return nil, fmt.Errorf("label %d at x %d, y %d, but there are %d classes (%d..%d), and 255 for none%s",
				x, i%l.W, i/l.W, classes, first, first+classes-1, m.hint(int(x), classes))
		}
	}
	return l.Pix, nil
}

// hint is what likely explains a label that no class has.
func (m *imported) hint(label, classes int) string {
	if !m.ReduceZero && label == classes {
		return "; predictions numbered from 1 want --reduce-zero-label"
	}
	return ""
}
