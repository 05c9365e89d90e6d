package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"ovbench/reports/results"
)

// classMeasures are what figures draw class by class.
var classMeasures = []measure{
	{"IoU", func(c *results.ClassScore) *float64 { return c.IoU }},
	{"AP", func(c *results.ClassScore) *float64 { return c.AP }},
}

// hasMeasure reports whether a cell has m of any class.
func hasMeasure(m measure) func(*results.Cell) bool {
	return func(x *results.Cell) bool {
		return slices.ContainsFunc(x.Classes, func(c results.ClassScore) bool { return m.of(&c) != nil })
	}
}

// comparableSeries are groups of series whose numbers may be set side by side: all, or those of one run each.
func (v *view) comparableSeries(all []series) [][]series {
	if v.comparable() {
		return [][]series{all}
	}
	out := make([][]series, len(v.runs))
	for _, s := range all {
		out[s.row.run] = append(out[s.row.run], s)
	}
	return out
}

// differenceFigures set the first method of a data set against the one with the highest score of the others, class by
// class, sorted by the difference.
func differenceFigures(v *view) []figure {
	var out []figure
	for _, c := range v.columns {
		for _, m := range classMeasures {
			for _, group := range v.comparableSeries(v.seriesOf(c, hasMeasure(m))) {
				if len(group) < 2 {
					continue
				}
				base, other := group[0], group[1+topOf(c, group[1:])]
				if f, ok := difference(c, m, base, other); ok {
					out = append(out, f.about(c))
				}
			}
		}
	}
	return out
}

// classValues are a measure of the classes of a cell in percent by name; the n-th class of a name is another one than the first.
func classValues(x *results.Cell, m measure) (order []classKey, values map[classKey]float64) {
	values = map[classKey]float64{}
	seen := map[string]int{}
	for i := range x.Classes {
		s := &x.Classes[i]
		seen[s.Class]++
		k := classKey{s.Class, seen[s.Class]}
		order = append(order, k)
		if y := m.of(s); y != nil {
			values[k] = 100 * *y
		}
	}
	return order, values
}

type classKey struct {
	name string
	nth  int
}

func difference(c column, m measure, base, other series) (figure, bool) {
	order, before := classValues(base.cell, m)
	_, after := classValues(other.cell, m)
	g := &rowChart{label: "difference of " + m.name + " (points)"}
	better, worse := 0, 0
	for _, k := range order {
		a, ok := before[k]
		b, both := after[k]
		if !ok || !both {
			continue
		}
		if b > a {
			better++
		} else if b < a {
			worse++
		}
		g.rows = append(g.rows, chartRow{name: k.name, values: []float64{b - a}})
	}
	if len(g.rows) == 0 {
		return figure{}, false
	}
	slices.SortStableFunc(g.rows, func(a, b chartRow) int { return cmp.Compare(b.values[0], a.values[0]) })
	note := fmt.Sprintf("%s is better on %d of %d classes, %s on %d. Of the methods but the first, the one with the highest %s is shown.",
		other.name, better, len(g.rows), base.name, worse, cmp.Or(c.metric, "score"))
	if s := g.shorten(); s != "" {
		note += " " + s
	}
	return g.figure("difference-"+slug(c.title), fmt.Sprintf("%s: %s of %s minus %s, by class", c.title, m.name, other.name, base.name), note), true
}

// maxSeries bounds the methods of a figure with a dot or a line for each.
const maxSeries = 12

// classFigures are all methods class by class, sorted by the first.
func classFigures(v *view) []figure {
	var out []figure
	for _, c := range v.columns {
		for _, m := range classMeasures {
			all := v.seriesOf(c, hasMeasure(m))
			if len(all) == 0 {
				continue
			}
			note := fmt.Sprintf("Sorted by %s. Classes without a value are left out.", all[0].name)
			if n := len(all) - maxSeries; n > 0 {
				all, note = all[:maxSeries], note+fmt.Sprintf(" %d methods more are in the tables.", n)
			}
			g := classRows(m, all)
			if s := g.shorten(); s != "" {
				note += " " + s
			}
			out = append(out, g.figure("classes-"+slug(c.title), c.title+": "+m.name+" by class", note).about(c))
		}
	}
	return out
}

func classRows(m measure, all []series) *rowChart {
	g := &rowChart{label: m.name + " (%)", dots: true}
	at := map[classKey]int{}
	for i, s := range all {
		shade := onPaper(seriesColor(s.index))
		g.colors = append(g.colors, shade)
		g.key = append(g.key, keyEntry{name: s.name, color: shade, dot: dotShapes[i%len(dotShapes)]})
		order, values := classValues(s.cell, m)
		for _, k := range order {
			y, ok := values[k]
			if !ok {
				continue
			}
			if _, ok := at[k]; !ok {
				at[k] = len(g.rows)
				r := chartRow{name: k.name, values: make([]float64, len(all))}
				for j := range r.values {
					r.values[j] = math.NaN()
				}
				g.rows = append(g.rows, r)
			}
			g.rows[at[k]].values[i] = y
		}
	}
	first := func(r chartRow) float64 {
		for _, v := range r.values {
			if !math.IsNaN(v) {
				return v
			}
		}
		return 0
	}
	slices.SortStableFunc(g.rows, func(a, b chartRow) int { return cmp.Compare(first(b), first(a)) })
	return g
}

// confusionFigures show what is taken for what by the method with the highest score: a matrix of few classes, else the
// largest confusions.
func confusionFigures(v *view) []figure {
	var out []figure
	for _, c := range v.columns {
		all := v.seriesOf(c, func(x *results.Cell) bool { return len(x.Confusions) > 0 })
		for _, group := range v.comparableSeries(all) {
			if len(group) == 0 {
				continue
			}
			s := group[topOf(c, group)]
			d := v.dataset(s.row, c)
			title := fmt.Sprintf("%s: confusions of %s", c.title, s.name)
			name := "confusions-" + slug(c.title)
			if m := newMatrix(d, s.cell); m != nil {
				out = append(out, m.figure(name, title).about(c))
			} else {
				out = append(out, confusionRows(d, s.cell).figure(name, title, "The largest of the pooled confusion matrix, in percent of the pixels of the class in the truth, by falling number of pixels.").about(c))
			}
		}
	}
	return out
}

// pairsDrawn is how many confusions a list shows.
const pairsDrawn = 30

func confusionRows(d *results.Dataset, x *results.Cell) *rowChart {
	g := &rowChart{label: "share of the class's pixels (%)", names: 0.62}
	short := func(s string) string { return fitText(lettering(tickSize), s, oneColumn*0.27) }
	pixels := classPixels(d, x)
	for _, k := range x.Confusions[:min(len(x.Confusions), pairsDrawn)] {
		t, p := int(k[0]), int(k[1])
		if pixels[t] == 0 {
			continue
		}
		g.rows = append(g.rows, chartRow{name: short(d.Classes[t]) + " → " + short(d.Classes[p]), values: []float64{100 * float64(k[2]) / float64(pixels[t])}})
	}
	return g
}

// byLabel are the classes of a cell by label, nil where it has none. They are matched by name, those of one name in order.
func byLabel(d *results.Dataset, x *results.Cell) []*results.ClassScore {
	of := map[classKey]*results.ClassScore{}
	seen := map[string]int{}
	for i := range x.Classes {
		s := &x.Classes[i]
		seen[s.Class]++
		of[classKey{s.Class, seen[s.Class]}] = s
	}
	clear(seen)
	out := make([]*results.ClassScore, len(d.Classes))
	for i, name := range d.Classes {
		seen[name]++
		out[i] = of[classKey{name, seen[name]}]
	}
	return out
}

// classPixels are the pixels of the truth by label.
func classPixels(d *results.Dataset, x *results.Cell) []int64 {
	out := make([]int64, len(d.Classes))
	for i, s := range byLabel(d, x) {
		if s != nil {
			out[i] = s.Pixels
		}
	}
	return out
}
