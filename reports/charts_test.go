package reports

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ovbench/reports/results"
)

// rich is an invented run with curves, confusions, rankings and the pointing game.
func rich(p plan) *results.Run {
	r := invent(p)
	rng := rand.New(rand.NewPCG(9, 9))
	var more []results.Cell
	for i := range r.Cells {
		c := &r.Cells[i]
		for j := range c.Classes {
			c.Classes[j].Pixels = 1000 + int64(rng.IntN(90000))
		}
		limit := 600
		if p.classes > matrixClasses {
			limit = 100
		}
		for a := range p.classes {
			for b := range p.classes {
				if n := int64(float64(c.Classes[a].Pixels) * rng.Float64() / float64(p.classes)); a != b && n > 0 {
					c.Confusions = append(c.Confusions, [3]int64{int64(a), int64(b), n})
				}
			}
		}
		slices.SortStableFunc(c.Confusions, func(a, b [3]int64) int { return int(b[2] - a[2]) })
		c.Confusions = c.Confusions[:min(limit, len(c.Confusions))]
		more = append(more, explained(c, rng), ranked(c, r.Datasets, rng))
	}
	r.Cells = append(r.Cells, more...)
	return r
}

func explained(c *results.Cell, rng *rand.Rand) results.Cell {
	curve := results.Curve{Name: "fg-mIoU over threshold", XLabel: "threshold", YLabel: "fg-mIoU"}
	peak, top := rng.Float64(), 0.2+rng.Float64()/2
	for k := range 100 {
		x := float64(k) / 100
		curve.X, curve.Y = append(curve.X, x), append(curve.Y, top*math.Exp(-4*(x-peak)*(x-peak)))
	}
	return results.Cell{Dataset: c.Dataset, Method: c.Method, Task: "explain", Convention: "foreground", Images: c.Images, Curves: []results.Curve{curve},
		Scores: []results.Score{{Name: "fg-mIoU", Value: top}, {Name: "pointing-seen", Value: rng.Float64(), Low: ptr(0), High: ptr(1), Level: 0.95, Resamples: 1000}}}
}

func ranked(c *results.Cell, sets []results.Dataset, rng *rand.Rand) results.Cell {
	curve := results.Curve{Name: "precision over recall", XLabel: "recall", YLabel: "precision, mean over classes"}
	fall := 0.2 + rng.Float64()
	for k := range 101 {
		x := float64(k) / 100
		curve.X, curve.Y = append(curve.X, x), append(curve.Y, 1-fall*x*x/1.2)
	}
	out := results.Cell{Dataset: c.Dataset, Method: c.Method, Task: "multilabel", Convention: "cosine", Images: c.Images, Curves: []results.Curve{curve},
		Scores: []results.Score{{Name: "mAP", Value: rng.Float64()}}}
	for _, d := range sets {
		if d.Name == c.Dataset {
			for _, k := range d.Classes {
				out.Classes = append(out.Classes, results.ClassScore{Class: k, AP: ptr(rng.Float64()), Images: 3})
			}
		}
	}
	return out
}

// resized are runs that differ in the size of the input alone.
func resized() []*results.Run {
	var runs []*results.Run
	for i, size := range []string{"224x224", "336x336", "512x512"} {
		r := invent(plan{methods: 3, sets: 1, classes: 3})
		r.Protocol.Fields["size"], r.Protocol.Fingerprint = size, size
		for j := range r.Cells {
			s := &r.Cells[j].Scores[0]
			s.Value += 0.02 * float64(i*(j+1))
			s.Low, s.High = ptr(s.Value-0.01), ptr(s.Value+0.02)
		}
		runs = append(runs, r)
	}
	return runs
}

// deeper is a run of one method at several depths.
func deeper() *results.Run {
	r := invent(plan{methods: 6, sets: 1, classes: 3})
	for i := range r.Methods {
		r.Methods[i].Kind, r.Methods[i].Params = "clip_surgery", map[string]any{"depth": float64(2 * i)}
	}
	return r
}

func negative() *results.Run {
	r := invent(plan{methods: 3, sets: 2, classes: 3})
	for i := range r.Cells {
		s := &r.Cells[i].Scores[0]
		s.Name, s.Value, s.Low, s.High = "mSC", s.Value-0.3, nil, nil
	}
	return r
}

// figureOf is the figure of that name.
func figureOf(t *testing.T, name string, runs ...*results.Run) figure {
	t.Helper()
	for _, r := range runs {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
	}
	all, err := newView(runs).figures()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range all {
		if f.name == name {
			return f
		}
		have = append(have, f.name)
	}
	t.Fatalf("no figure %s among %s", name, strings.Join(have, ", "))
	return figure{}
}

// The golden pictures were looked at when they were written.
func TestFiguresGolden(t *testing.T) {
	few, many := rich(plan{methods: 2, sets: 2, classes: 5}), rich(plan{methods: 12, sets: 8, classes: 171, long: true})
	matrix := rich(plan{methods: 2, sets: 1, classes: 21, long: true})
	for name, f := range map[string]figure{
		"scores_2_methods":         figureOf(t, "scores", invent(plan{methods: 2, sets: 1, classes: 3})),
		"scores_12_methods_8_sets": figureOf(t, "scores", invent(plan{methods: 12, sets: 8, classes: 3, long: true})),
		"scores_negative":          figureOf(t, "scores", negative()),
		"scores_two_runs":          figureOf(t, "scores-1", two()...),
		"pointing":                 figureOf(t, "pointing", few),
		"difference_5_classes":     figureOf(t, "difference-PASCAL-VOC-21-segmentation", few),
		"difference_171_classes":   figureOf(t, "difference-PASCAL-VOC-21-segmentation", many),
		"classes_5":                figureOf(t, "classes-PASCAL-VOC-21-segmentation", few),
		"classes_171_12_methods":   figureOf(t, "classes-PASCAL-VOC-21-multilabel", many),
		"curve_threshold":          figureOf(t, "curve-fg-mIoU-over-threshold-PASCAL-VOC-21-explain", few),
		"curve_recall_12_methods":  figureOf(t, "curve-precision-over-recall-PASCAL-VOC-21-multilabel", many),
		"confusions_5_classes":     figureOf(t, "confusions-PASCAL-VOC-21-segmentation", few),
		"confusions_21_classes":    figureOf(t, "confusions-PASCAL-VOC-21-segmentation", matrix),
		"confusions_171_classes":   figureOf(t, "confusions-PASCAL-VOC-21-segmentation", many),
		"sweep_size":               figureOf(t, "sweep-size-PASCAL-VOC-21", resized()...),
		"sweep_depth":              figureOf(t, "sweep-depth-PASCAL-VOC-21", deeper()),
		"timing":                   figureOf(t, "timing", invent(plan{methods: 2, sets: 1, classes: 3})),
		"timing_two_runs":          figureOf(t, "timing", two()...),
	} {
		t.Run(name, func(t *testing.T) {
			whole := f.alone()
			img := whole.picture(120)
			if !bytes.Equal(img.(*image.RGBA).Pix, whole.picture(120).(*image.RGBA).Pix) {
				t.Error("drawn twice, it differs")
			}
			marginIsWhite(t, name, img)
			checkPicture(t, fmt.Sprintf("figure_%s.png", name), img)
		})
	}
}

func TestNoFiguresOfNothing(t *testing.T) {
	r := invent(plan{methods: 2, sets: 1, classes: 3})
	r.Cells, r.Timing.Seconds = nil, nil
	if f, err := newView([]*results.Run{r}).figures(); len(f) > 0 || err != nil {
		t.Errorf("figures of nothing: %v, %v", f, err)
	}
}
