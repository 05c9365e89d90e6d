package tasks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"ovbench/bench/records"
	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
)

// faithfulness asks whether the pixels that a map calls important are: it deletes them, most important first, or
// inserts them into an empty image, and watches what the model says. It needs no truth.
//
// One class is explained in each image: the one to which the class token of the unchanged model gives the highest
// softmax probability on the whole image, as RISE does; the background of a data set is no class here. The
// probability of a class is that of its best query, at the protocol's scale. Pixels are those of the network's input.
type faithfulness struct{}

func (faithfulness) Needs() Needs {
	return Needs{Whole: true, Probe: true, Surgery: true, Classes: func(v *View) ([]int, error) {
		class, err := v.explainedClass()
		return []int{class}, err
	}}
}

func (faithfulness) Check(datasets.Sample) error { return nil }

func (faithfulness) Measure(v *View) (Measured, error) {
	class, err := v.explainedClass()
	if err != nil {
		return Measured{}, err
	}
	return v.each(func(s *Seen) (out records.Evidence, err error) {
		cells, err := v.surgical(s, class)
		if err != nil {
			return out, err
		}
		saliency, flaw := s.Map(cells, v.Height, v.Width)
		order, err := metrics.Order(saliency)
		if err != nil {
			return out, fmt.Errorf("%s: %w", s.Name, err)
		}
		e := records.Faithfulness{Class: class, Constant: flaw != "", Flaw: string(flaw)}
		if e.RISE, err = v.rise(class, order); err == nil {
			e.GradECLIP, err = v.gradECLIP(class, order)
		}
		out.Faithfulness = &e
		return out, err
	})
}

// explainedClass is the one that the model sees in the whole image.
func (v *View) explainedClass() (int, error) {
	first, err := v.Cosines([][]float32{v.Pixels})
	if err != nil {
		return 0, err
	}
	class, _ := v.bestClass(first[0])
	return class, nil
}

// bestClass is the class of the highest probability, given the cosines of a class token, and that of every class.
// Equal ones take the first.
func (t *Target) bestClass(cos []float32) (best int, probabilities []float64) {
	var (
		asked   []float32
		classes []int
	)
	for q, c := range t.Rule.Classes {
		if !(c == 0 && t.Info.Background) {
			asked, classes = append(asked, cos[q]), append(classes, c)
		}
	}
	probabilities = make([]float64, len(t.Info.Classes))
	for q, p := range t.score().Of(asked) {
		probabilities[classes[q]] = max(probabilities[classes[q]], p)
	}
	for c, p := range probabilities {
		if p > probabilities[best] {
			best = c
		}
	}
	return best, probabilities
}

// riseStep is the number of pixels changed between two points, of RISE's evaluation of inputs of 224 x 224. Larger
// inputs take larger steps, so that a curve has no more than 225 points.
const riseStep = 224

// rise scores the probability of the class: deletion puts the mean colour in, insertion starts from the blurred image.
func (v *View) rise(class int, order []int32) (out records.Curves, err error) {
	pixels := len(order)
	schedule, err := metrics.RISESchedule(pixels, max(riseStep, (pixels+riseStep-1)/riseStep))
	if err != nil {
		return out, err
	}
	blurred, err := v.blurred()
	if err != nil {
		return out, err
	}
	probability := func(cos []float32) float64 {
		_, p := v.bestClass(cos)
		return p[class]
	}
	grey := v.plus(1, make([]float32, len(v.Pixels)))
	if out.Deletion, err = v.curve(metrics.Perturbation{Start: v.Pixels, Finish: grey, Order: order, Schedule: schedule},
		probability); err != nil {
		return out, err
	}
	out.Insertion, err = v.curve(
		metrics.Perturbation{Start: blurred, Finish: v.Pixels, Order: order, Schedule: schedule}, probability)
	return out, err
}

// blurred is the image behind RISE's blur, outside of which is the mean colour.
func (v *View) blurred() ([]float32, error) {
	out, err := metrics.BlurSubstrate(v.plus(-1, v.Pixels), v.Width, v.Height)
	if err != nil {
		return nil, err
	}
	return v.plus(1, out), nil
}

// plus is an image with the mean colour, times a factor, added.
func (v *View) plus(times float32, image []float32) []float32 {
	out := slices.Clone(image)
	for i := range out {
		out[i] += times * v.Grey[i/(len(out)/3)]
	}
	return out
}

// gradECLIP scores whether the class is still the best: deletion puts random colours in, insertion starts from black.
//
// Note: the authors change pixels of the picture before it is resized and cropped, and take ImageNet's label for the
// truth; here it is the network's input, and the class that the model sees in the whole image.
func (v *View) gradECLIP(class int, order []int32) (out records.Curves, err error) {
	hit := func(cos []float32) float64 {
		best, _ := v.bestClass(cos)
		return count(best == class)
	}
	rng := rand.New(rand.NewPCG(1, uint64(v.Index))) // the same colours for every method and run
	noise, black := make([]float32, len(v.Pixels)), make([]float32, len(v.Pixels))
	for i := range noise {
		noise[i] = float32(rng.IntN(256))
	}
	for _, c := range []struct {
		start, finish []float32
		curve         *[]float32
	}{{v.Pixels, noise, &out.Deletion}, {black, v.Pixels, &out.Insertion}} {
		schedule, err := metrics.GradECLIPSchedule(len(order), c.curve == &out.Insertion)
		if err != nil {
			return out, err
		}
		if *c.curve, err = v.curve(metrics.Perturbation{Start: c.start, Finish: c.finish, Order: order, Schedule: schedule},
			hit); err != nil {
			return out, err
		}
	}
	return out, nil
}

// probeBatch is the number of perturbed images in one forward pass.
const probeBatch = 16

func (v *View) curve(p metrics.Perturbation, score func(cos []float32) float64) ([]float32, error) {
	curve, err := p.Curve(probeBatch, func(images [][]float32) ([]float64, error) {
		all, err := v.Cosines(images)
		if err != nil {
			return nil, err
		}
		out := make([]float64, len(all))
		for i, cos := range all {
			out[i] = score(cos)
		}
		return out, nil
	})
	out := make([]float32, len(curve))
	for i, s := range curve {
		out[i] = float32(s)
	}
	return out, err
}

// areas are the curves of one form on a data set, image by image.
type areas struct{ deletion, insertion [][]float64 }

// faithfulnessMetrics are the scores of task faithfulness. Insertion, of which more is better, is the one that tables
// show.
var faithfulnessMetrics = []metric[*areas]{
	underCurve("insertion", "area under the curve as pixels are inserted; high is good",
		func(a *areas) [][]float64 { return a.insertion }),
	underCurve("deletion", "area under the curve of the explained class as its pixels are deleted; low is good",
		func(a *areas) [][]float64 { return a.deletion }),
}

func underCurve(name, doc string, of func(*areas) [][]float64) metric[*areas] {
	each := func(a *areas) ([]float64, error) {
		var out []float64
		for _, curve := range of(a) {
			area, ok := metrics.AUC(curve)
			if !ok {
				area = math.NaN()
			}
			out = append(out, area)
		}
		return out, metrics.CheckCurves(of(a))
	}
	return metric[*areas]{name: name, doc: doc, each: each, of: func(a *areas) (metrics.Statistic, error) {
		values, err := each(a)
		return metrics.MeanStatistic(values), err
	}}
}

func (faithfulness) Cells(c Context, recs []records.Record) (cells []Cell, err error) {
	constant, flaws := 0, map[methods.Flaw]int{}
	all := make([]*records.Faithfulness, len(recs))
	for i, r := range recs {
		e, err := r.Evidence(c.Method)
		if err != nil {
			return nil, err
		}
		f := e.Faithfulness
		if f == nil {
			return nil, fmt.Errorf("the record of %s has no curves", r.ID)
		}
		all[i] = f
		if f.Constant {
			constant++
		}
		flaws[methods.Flaw(f.Flaw)]++
	}
	for _, form := range []struct {
		name string
		of   func(*records.Faithfulness) records.Curves
	}{
		{"rise", func(f *records.Faithfulness) records.Curves { return f.RISE }},
		{"grad-eclip", func(f *records.Faithfulness) records.Curves { return f.GradECLIP }},
	} {
		a := &areas{}
		for _, f := range all {
			curves := form.of(f)
			a.deletion, a.insertion = append(a.deletion, Widen(curves.Deletion)), append(a.insertion, Widen(curves.Insertion))
		}
		cells = append(
			cells,
			Cell{form.name, statisticsOf(form.name, faithfulnessMetrics, a), func(cell *results.Cell) error {
				cell.Curves = append(
					stepCurve("insertion", metrics.MeanCurve(a.insertion)),
					stepCurve("deletion", metrics.MeanCurve(a.deletion))...)
				cell.Counts["maps"], cell.Counts["constant_maps"] = len(recs), constant
				cell.Warnings = append(cell.Warnings, flawed(flaws, len(recs))...)
				return nil
			}},
		)
	}
	return cells, nil
}
