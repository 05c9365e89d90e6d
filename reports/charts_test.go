package reports

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ovbench/reports/draw"
	"ovbench/reports/draw/drawtest"
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
	return results.Cell{Dataset: c.Dataset, Method: c.Method, Task: "explain", Convention: "foreground",
		Images: c.Images, Curves: []results.Curve{curve},
		Scores: []results.Score{{Name: "fg-mIoU", Value: top},
			{Name: "pointing-seen", Value: rng.Float64(), Low: ptr(0), High: ptr(1), Level: 0.95, Resamples: 1000}}}
}

func ranked(c *results.Cell, sets []results.Dataset, rng *rand.Rand) results.Cell {
	curve := results.Curve{Name: "precision over recall", XLabel: "recall", YLabel: "precision, mean over classes"}
	fall := 0.2 + rng.Float64()
	for k := range 101 {
		x := float64(k) / 100
		curve.X, curve.Y = append(curve.X, x), append(curve.Y, 1-fall*x*x/1.2)
	}
	out := results.Cell{Dataset: c.Dataset, Method: c.Method, Task: "multilabel", Convention: "cosine",
		Images: c.Images, Curves: []results.Curve{curve},
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
	all, err := figuresOf(newView(runs, &Layout{}))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range all {
		if f.Name == name {
			return f
		}
		have = append(have, f.Name)
	}
	t.Fatalf("no figure %s among %s", name, strings.Join(have, ", "))
	return figure{}
}

// drawn is what a reader of a figure finds in its SVG form.
type drawn struct {
	texts []drawnText
	fills map[string]int // shapes by colour, or by the colour of their line
}

// drawnText is a text with the box around its letters, in points.
type drawnText struct {
	text           string
	x0, y0, x1, y1 float64
}

func (d *drawn) has(text string) bool {
	return slices.ContainsFunc(d.texts, func(x drawnText) bool { return x.text == text })
}

// look reads a figure as it stands in a file of its own.
func look(t *testing.T, f figure) *drawn {
	t.Helper()
	whole := f.Alone()
	d := &drawn{fills: map[string]int{}}
	decoder := xml.NewDecoder(bytes.NewReader(whole.SVG()))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		at := map[string]string{}
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
		}
		switch e.Name.Local {
		case "path", "circle":
			d.fills[strings.Replace(cmp.Or(at["fill"], at["stroke"]), "none", at["stroke"], 1)]++
		case "text":
			var s string
			if err := decoder.DecodeElement(&s, &e); err != nil {
				t.Fatal(err)
			}
			d.texts = append(d.texts, boxOf(s, at))
		}
	}
}

// boxOf is a text with its box, which is turned a quarter to the left where the text runs upward.
func boxOf(s string, at map[string]string) drawnText {
	number := func(k string) float64 { x, _ := strconv.ParseFloat(at[k], 64); return x }
	x, y, size := number("x"), number("y"), number("font-size")
	wide := float64(draw.NewPen(100).Width(s)) * size / 100
	if strings.HasPrefix(at["transform"], "rotate(-90 ") {
		return drawnText{s, x - 0.72*size, y - wide, x + 0.22*size, y}
	}
	return drawnText{s, x, y - 0.72*size, x + wide, y + 0.22*size}
}

// checkLayout: texts stay inside of a figure and off each other.
func checkLayout(t *testing.T, f figure, d *drawn) {
	t.Helper()
	whole := f.Alone()
	for i, a := range d.texts {
		if a.x0 < -0.1 || a.y0 < -0.1 || a.x1 > float64(whole.W)+0.1 || a.y1 > float64(whole.H)+0.1 {
			t.Errorf("%q stands outside, at %.1f, %.1f to %.1f, %.1f of %.1f x %.1f", a.text, a.x0, a.y0, a.x1, a.y1,
				whole.W, whole.H)
		}
		for _, b := range d.texts[:i] {
			const air = 0.7 // points of a letter's box that are white
			if min(a.x1, b.x1)-max(a.x0, b.x0) > air && min(a.y1, b.y1)-max(a.y0, b.y0) > air {
				t.Errorf("%q and %q stand on each other", a.text, b.text)
			}
		}
	}
}

// spelled is a colour as SVG has it.
func spelled(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// TestFigures: of every figure the texts stay apart and inside, the words that a reader needs are there, and shapes
// have the colours of their series, each as often as there is something to draw.
func TestFigures(t *testing.T) {
	few, many := rich(plan{methods: 2, sets: 2, classes: 5}), rich(plan{methods: 12, sets: 8, classes: 171, long: true})
	matrix := rich(plan{methods: 2, sets: 1, classes: 21, long: true})
	blue, orange := spelled(draw.SeriesColor(0)), spelled(draw.SeriesColor(1))
	for name, tt := range map[string]struct {
		f     figure
		words []string
		fills map[string]int
	}{
		// A bar and a field of the key for each of two methods; whiskers and axes are in ink.
		"scores_2_methods": {figureOf(t, "scores", invent(plan{methods: 2, sets: 1, classes: 3})),
			[]string{"Scores by data set", "mIoU (%)", "PASCAL VOC 21", "clip", "clip_surgery",
				"0"}, map[string]int{blue: 2, orange: 2}},
		"scores_12_methods_8_sets": {figureOf(t, "scores", invent(plan{methods: 12, sets: 8, classes: 3, long: true})),
			[]string{"Cityscapes 19", "mIoU (%)"}, map[string]int{blue: 9, orange: 9}},
		"scores_negative": {figureOf(t, "scores", negative()), []string{"mSC (%)", "0"}, map[string]int{blue: 3}},
		"scores_two_runs": {figureOf(t, "scores-1", two()...), []string{"clip · run 1", "clip_surgery · run 1"},
			map[string]int{blue: 3, orange: 3}},
		"pointing": {figureOf(t, "pointing-explanation", few), []string{"pointing-seen (%)", "clip_surgery"},
			map[string]int{blue: 3, orange: 3}},
		"difference_5_classes": {figureOf(t, "difference-PASCAL-VOC-21-segmentation", few),
			[]string{"difference of IoU (points)", "background", "aeroplane", "0"}, nil},
		"difference_171_classes": {figureOf(t, "difference-PASCAL-VOC-21-segmentation", many),
			[]string{"difference of IoU (points)"}, nil},
		"classes_5": {figureOf(t, "classes-PASCAL-VOC-21-segmentation", few),
			[]string{"IoU (%)", "clip", "clip_surgery", "background"}, nil},
		"classes_171_12_methods": {figureOf(t, "classes-PASCAL-VOC-21-recognition", many), []string{"AP (%)"}, nil},
		// A line in the chart and one in the key.
		"curve_threshold": {figureOf(t, "curve-fg-mIoU-over-threshold-PASCAL-VOC-21-explanation", few),
			[]string{"threshold", "fg-mIoU", "clip", "clip_surgery"}, map[string]int{blue: 2}},
		"curve_recall_12_methods": {figureOf(t, "curve-precision-over-recall-PASCAL-VOC-21-recognition", many),
			[]string{"recall", "precision, mean over classes"}, nil},
		"confusions_5_classes": {figureOf(t, "confusions-PASCAL-VOC-21-segmentation", few),
			[]string{"truth", "prediction", "background", "100", "50"}, nil},
		"confusions_21_classes": {figureOf(t, "confusions-PASCAL-VOC-21-segmentation", matrix),
			[]string{"truth", "prediction"}, nil},
		"confusions_171_classes": {figureOf(t, "confusions-PASCAL-VOC-21-segmentation", many),
			[]string{"share of the class's pixels (%)"}, nil},
		"sweep_size": {figureOf(t, "sweep-size-PASCAL-VOC-21", resized()...),
			[]string{"size", "mIoU (%)", "224x224", "512x512", "clip"}, nil},
		"sweep_depth": {figureOf(t, "sweep-depth-PASCAL-VOC-21", deeper()),
			[]string{"depth", "0", "10", "clip_surgery"}, nil},
		"timing": {figureOf(t, "timing", invent(plan{methods: 2, sets: 1, classes: 3})),
			[]string{"time of all workers (min)", "encode 98 %"}, map[string]int{blue: 2, orange: 2}},
		"timing_two_runs": {figureOf(t, "timing", two()...), []string{"run 1", "run 2"},
			map[string]int{blue: 3, orange: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			whole := tt.f.Alone()
			img := whole.Picture(120)
			if !bytes.Equal(img.(*image.RGBA).Pix, whole.Picture(120).(*image.RGBA).Pix) {
				t.Error("drawn twice, it differs")
			}
			drawtest.MarginIsWhite(t, name, img)
			d := look(t, tt.f)
			checkLayout(t, tt.f, d)
			for _, w := range tt.words {
				if !d.has(w) {
					t.Errorf("no text %q among %v", w, d.texts)
				}
			}
			for c, n := range tt.fills {
				if d.fills[c] != n {
					t.Errorf("%d shapes of the colour %s, want %d", d.fills[c], c, n)
				}
			}
			if name == "scores_2_methods" { // one of three golden pictures, looked at when it was written
				drawtest.Golden(t, "figure_"+name+".png", img)
			}
		})
	}
}

func TestNoFiguresOfNothing(t *testing.T) {
	r := invent(plan{methods: 2, sets: 1, classes: 3})
	r.Cells, r.Timing.Seconds = nil, nil
	if f, err := figuresOf(newView([]*results.Run{r}, &Layout{})); len(f) > 0 || err != nil {
		t.Errorf("figures of nothing: %v, %v", f, err)
	}
}
