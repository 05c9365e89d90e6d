package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
)

// faithfulness asks whether the pixels that a map calls important are: it deletes them, most important first, or inserts them
// into an empty image, and watches what the model says. It needs no truth.
//
// One class is explained in each image: the one to which the class token of the unchanged model gives the highest softmax
// probability on the whole image, as RISE does; the background of a data set is no class here. The probability of a class is
// that of its best query, at the protocol's scale. Pixels are those of the network's input.
type faithfulness struct{}

// prober is a task that shows the model more than the sample itself.
type prober interface {
	// probe measures one sample for each method, whose similarities sims are.
	probe(j *job, forms []methodOf, index int, view view, sims []similarity) ([]Evidence, error)
}

// view is one image as the network sees it, and the unchanged model to show it and others like it to.
type view struct {
	pixels        []float32 // [3, height, width], normalised
	height, width int
	// cosines are those of the class token with every query [texts], of each image; images are as pixels.
	cosines func(images [][]float32) ([][]float32, error)
}

// Faithfulness is what one method left behind of one image.
type Faithfulness struct {
	Class     int    `json:"class"` // that is explained
	RISE      Curves `json:"rise"`
	GradECLIP Curves `json:"grad_eclip"`
	Constant  bool   `json:"constant,omitempty"` // the map has one value: the order of pixels says nothing
}

// Curves are scores after more and more pixels; their seven digits bring a record of a thousand points below 10 kB.
type Curves struct {
	Deletion  []float32 `json:"deletion"`
	Insertion []float32 `json:"insertion"`
}

func (faithfulness) check(datasets.Sample) error { return nil }

func (faithfulness) heat(j *job, m *methodOf, class int, sim similarity) ([]float32, error) {
	return explain{}.heat(j, m, class, sim)
}

func (faithfulness) read(*job, *methodOf, int, datasets.Sample, similarity) (reading, error) {
	return reading{}, nil // all is in probe
}

func (f faithfulness) probe(j *job, forms []methodOf, index int, v view, sims []similarity) ([]Evidence, error) {
	first, err := v.cosines([][]float32{v.pixels})
	if err != nil {
		return nil, err
	}
	class, _ := j.bestClass(first[0])
	out := make([]Evidence, len(sims))
	for m := range sims {
		cells, err := f.heat(j, &forms[m], class, sims[m])
		if err != nil {
			return nil, err
		}
		heat, varied := methods.SimilarityMap(cells, sims[m].Rows, sims[m].Cols, v.height, v.width)
		order, err := metrics.Order(heat)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", forms[m].name, err)
		}
		e := Faithfulness{Class: class, Constant: !varied}
		if e.RISE, err = v.rise(j, class, order); err == nil {
			e.GradECLIP, err = v.gradECLIP(j, class, order, index)
		}
		if err != nil {
			return nil, err
		}
		out[m].Faithfulness = &e
	}
	return out, nil
}

// bestClass is the class of the highest probability, given the cosines of a class token, and that of every class. Equal ones
// take the first.
func (j *job) bestClass(cos []float32) (best int, probabilities []float64) {
	var (
		asked   []float32
		classes []int
	)
	for q, c := range j.rule.Classes {
		if !(c == 0 && j.info.Background) {
			asked, classes = append(asked, cos[q]), append(classes, c)
		}
	}
	probabilities = make([]float64, len(j.info.Classes))
	for q, p := range methods.Softmax(asked, j.rule.Scale) {
		probabilities[classes[q]] = max(probabilities[classes[q]], p)
	}
	for c, p := range probabilities {
		if p > probabilities[best] {
			best = c
		}
	}
	return best, probabilities
}

// riseStep is the number of pixels changed between two points, of RISE's evaluation of inputs of 224 x 224. Larger inputs take
// larger steps, so that a curve has no more than 225 points.
const riseStep = 224

// rise scores the probability of the class: deletion puts the mean colour in, insertion starts from the blurred image.
func (v view) rise(j *job, class int, order []int32) (out Curves, err error) {
	pixels := len(order)
	schedule, err := metrics.RISESchedule(pixels, max(riseStep, (pixels+riseStep-1)/riseStep))
	if err != nil {
		return out, err
	}
	blurred, err := metrics.BlurSubstrate(v.pixels, v.width, v.height)
	if err != nil {
		return out, err
	}
	probability := func(cos []float32) float64 {
		_, p := j.bestClass(cos)
		return p[class]
	}
	grey := make([]float32, len(v.pixels))
	if out.Deletion, err = v.curve(metrics.Perturbation{Start: v.pixels, Finish: grey, Order: order, Schedule: schedule}, probability); err != nil {
		return out, err
	}
	out.Insertion, err = v.curve(metrics.Perturbation{Start: blurred, Finish: v.pixels, Order: order, Schedule: schedule}, probability)
	return out, err
}

// gradECLIP scores whether the class is still the best: deletion puts random colours in, insertion starts from black.
//
// Note: the authors change pixels of the picture before it is resized and cropped, and take ImageNet's label for the truth; here
// it is the network's input, and the class that the model sees in the whole image.
func (v view) gradECLIP(j *job, class int, order []int32, index int) (out Curves, err error) {
	hit := func(cos []float32) float64 {
		best, _ := j.bestClass(cos)
		return count(best == class)
	}
	rng := rand.New(rand.NewPCG(1, uint64(index))) // the same colours for every method and run
	noise, black := make([]float32, len(v.pixels)), make([]float32, len(v.pixels))
	for i := range noise {
		channel := i / len(order)
		noise[i] = (float32(rng.IntN(256))/255 - clip.Mean[channel]) / clip.Std[channel]
		black[i] = -clip.Mean[channel] / clip.Std[channel]
	}
	for _, c := range []struct {
		start, finish []float32
		curve         *[]float32
	}{{v.pixels, noise, &out.Deletion}, {black, v.pixels, &out.Insertion}} {
		schedule, err := metrics.GradECLIPSchedule(len(order), c.curve == &out.Insertion)
		if err != nil {
			return out, err
		}
		if *c.curve, err = v.curve(metrics.Perturbation{Start: c.start, Finish: c.finish, Order: order, Schedule: schedule}, hit); err != nil {
			return out, err
		}
	}
	return out, nil
}

// probeBatch is the number of perturbed images in one forward pass.
const probeBatch = 16

func (v view) curve(p metrics.Perturbation, score func(cos []float32) float64) ([]float32, error) {
	curve, err := p.Curve(probeBatch, func(images [][]float32) ([]float64, error) {
		all, err := v.cosines(images)
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

// loadProbe loads the unchanged model, for tasks that show it more than the samples.
func (r *run) loadProbe() error {
	if _, ok := r.task.(prober); !ok {
		return nil
	}
	plain, err := methods.New("clip", nil)
	if err != nil {
		return err
	}
	r.plain, err = runners.NewImages(r.library, r.model.Model, []runners.Named{{Name: "clip", Method: plain}}, runners.ImageOptions{
		Height: r.size[0], Width: r.size[1], Positions: r.positions, Similarities: true, Session: r.session(),
	})
	return err
}

// probe adds to readings what the task's further looks at an image [1, 3, height, width] say.
func (r *run) probe(ctx context.Context, job, index int, pixels tensor.Dense, sims []similarity, readings []reading) error {
	t, ok := r.task.(prober)
	if !ok {
		return nil
	}
	defer r.watch.start("probe")()
	found, err := t.probe(&r.jobs[job], r.forms, index, view{pixels.Data, pixels.Shape[2], pixels.Shape[3], r.cosines(ctx, job)}, sims)
	for m := range found {
		readings[m].evidence = found[m]
	}
	return err
}

// cosines shows images to the unchanged model.
func (r *run) cosines(ctx context.Context, job int) func(images [][]float32) ([][]float32, error) {
	return func(images [][]float32) ([][]float32, error) {
		in := r.jobs[job].framing.input
		batch := tensor.New(len(images), 3, in.Height, in.Width)
		for i, image := range images {
			copy(batch.At(i).Data, image)
		}
		r.forward <- struct{}{}
		sims, err := r.plain.Similarities(ctx, batch, r.texts[job])
		<-r.forward
		if err != nil {
			return nil, err
		}
		out := make([][]float32, len(images))
		for i := range out {
			out[i] = sims[0].At(i).Global[:len(r.jobs[job].texts)] // without the empty text
		}
		return out, nil
	}
}

// faithfulnessConventions name the two forms, by what a record holds.
var faithfulnessConventions = []struct {
	name string
	of   func(*Faithfulness) Curves
}{
	{"rise", func(f *Faithfulness) Curves { return f.RISE }},
	{"grad-eclip", func(f *Faithfulness) Curves { return f.GradECLIP }},
}

// curves are the records of one form, image by image.
func (c cellContext) curves(recs []Record, of func(*Faithfulness) Curves) ([]metrics.FaithRecord, error) {
	out := make([]metrics.FaithRecord, len(recs))
	for i, r := range recs {
		f := r.Methods[c.method].Faithfulness
		if f == nil {
			return nil, fmt.Errorf("the record of %s has no curves", r.ID)
		}
		out[i] = metrics.FaithRecord{Image: i, Deletion: widen(of(f).Deletion), Insertion: widen(of(f).Insertion)}
	}
	return out, nil
}

func (t faithfulness) score(c cellContext, recs []Record) ([]results.Cell, error) {
	ms, err := t.statistics(c, recs)
	if err != nil {
		return nil, err
	}
	var cells []results.Cell
	for _, form := range faithfulnessConventions {
		list, err := c.curves(recs, form.of)
		if err != nil {
			return nil, err
		}
		var total metrics.Faithfulness
		for i, r := range list {
			if err := total.Add(r); err != nil {
				return nil, fmt.Errorf("the record of %s: %w", recs[i].ID, err)
			}
		}
		cell := results.Cell{Convention: form.name, Images: len(recs), Warnings: c.few(len(recs)), Scores: scoresOf("", total.Scores()), Curves: faithfulnessCurves(&total),
			Counts: map[string]int{"maps": len(recs), "constant_maps": 0}}
		slices.Reverse(cell.Scores) // insertion, of which more is better, is the one that tables show
		for _, r := range recs {
			if r.Methods[c.method].Faithfulness.Constant {
				cell.Counts["constant_maps"]++
			}
		}
		c.intervals(&cell, ms)
		cells = append(cells, cell)
	}
	return cells, nil
}

func (faithfulness) statistics(c cellContext, recs []Record) (out []statistic, err error) {
	for _, form := range faithfulnessConventions {
		list, err := c.curves(recs, form.of)
		if err != nil {
			return nil, err
		}
		for _, score := range []string{"deletion", "insertion"} {
			areas := make([]float64, len(list))
			for i, r := range list {
				curve := r.Deletion
				if score == "insertion" {
					curve = r.Insertion
				}
				var ok bool
				if areas[i], ok = metrics.AUC(curve); !ok {
					areas[i] = math.NaN()
				}
			}
			out = append(out, statistic{convention: form.name, score: score,
				pooled: func() (metrics.Statistic, error) { return meanOfImages(areas), nil },
				each:   func() ([]float64, error) { return areas, nil }})
		}
	}
	return out, nil
}
