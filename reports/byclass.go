package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"ovbench/reports/draw"
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
func comparableSeries(v *view, all []series) [][]series {
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
			for _, group := range comparableSeries(v, seriesOf(v, c, hasMeasure(m))) {
				if len(group) < 2 {
					continue
				}
				base, other, why, ok := pairOf(v, c, group)
				if !ok {
					continue
				}
				if f, ok := difference(c, m, base, other, why); ok {
					out = append(out, about(f, c))
				}
			}
		}
	}
	return out
}

// classValues are a measure of the classes of a cell in percent by name; the n-th class of a name is another one than
// the first.
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

// pairOf are the series that are set against each other: those that were asked for, else the first and the best of the
// others, and why it is these.
func pairOf(v *view, c column, group []series) (base, other series, why string, ok bool) {
	pair := v.layout.Pair
	if pair == [2]string{} {
		return group[0], group[1+topOf(c, group[1:])], fmt.Sprintf("Of the methods but the first, the one with the "+
			"highest %s is shown.", cmp.Or(c.metric, "score")), true
	}
	i := slices.IndexFunc(group, func(s series) bool { return s.row.method == pair[0] })
	j := slices.IndexFunc(group, func(s series) bool { return s.row.method == pair[1] })
	if i < 0 || j < 0 {
		return base, other, "", false
	}
	return group[i], group[j], "", true
}

func difference(c column, m measure, base, other series, why string) (draw.Figure, bool) {
	order, before := classValues(base.cell, m)
	_, after := classValues(other.cell, m)
	g := &draw.RowChart{Label: "difference of " + m.name + " (points)"}
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
		g.Rows = append(g.Rows, draw.Row{Name: k.name, Values: []float64{b - a}})
	}
	if len(g.Rows) == 0 {
		return draw.Figure{}, false
	}
	slices.SortStableFunc(g.Rows, func(a, b draw.Row) int { return cmp.Compare(b.Values[0], a.Values[0]) })
	note := fmt.Sprintf("%s is better on %d of %d classes, %s on %d.", other.name, better, len(g.Rows), base.name,
		worse)
	if why != "" {
		note += " " + why
	}
	if s := g.Shorten(); s != "" {
		note += " " + s
	}
	return g.Figure("difference-"+slug(c.title), fmt.Sprintf("%s: %s of %s minus %s, by class", c.title, m.name,
		other.name, base.name), note), true
}

// maxSeries bounds the methods of a figure with a dot or a line for each.
const maxSeries = 12

// classFigures are all methods class by class, sorted by the first.
func classFigures(v *view) []figure {
	var out []figure
	for _, c := range v.columns {
		for _, m := range classMeasures {
			all := seriesOf(v, c, hasMeasure(m))
			if len(all) == 0 {
				continue
			}
			note := fmt.Sprintf("Sorted by %s. Classes without a value are left out.", all[0].name)
			if n := len(all) - maxSeries; n > 0 {
				all, note = all[:maxSeries], note+fmt.Sprintf(" %d methods more are in the tables.", n)
			}
			g := classRows(m, all)
			if s := g.Shorten(); s != "" {
				note += " " + s
			}
			out = append(out, about(g.Figure("classes-"+slug(c.title), c.title+": "+m.name+" by class", note), c))
		}
	}
	return out
}

func classRows(m measure, all []series) *draw.RowChart {
	g := &draw.RowChart{Label: m.name + " (%)", Dots: true}
	at := map[classKey]int{}
	for i, s := range all {
		shade := draw.OnPaper(draw.SeriesColor(s.index))
		g.Colors = append(g.Colors, shade)
		g.Key = append(g.Key, draw.KeyEntry{Name: s.name, Color: shade, Dot: draw.DotShapes[i%len(draw.DotShapes)]})
		order, values := classValues(s.cell, m)
		for _, k := range order {
			y, ok := values[k]
			if !ok {
				continue
			}
			if _, ok := at[k]; !ok {
				at[k] = len(g.Rows)
				r := draw.Row{Name: k.name, Values: make([]float64, len(all))}
				for j := range r.Values {
					r.Values[j] = math.NaN()
				}
				g.Rows = append(g.Rows, r)
			}
			g.Rows[at[k]].Values[i] = y
		}
	}
	first := func(r draw.Row) float64 {
		for _, v := range r.Values {
			if !math.IsNaN(v) {
				return v
			}
		}
		return 0
	}
	slices.SortStableFunc(g.Rows, func(a, b draw.Row) int { return cmp.Compare(first(b), first(a)) })
	return g
}

// confusionFigures show what is taken for what by the method with the highest score: a matrix of few classes, else the
// largest confusions.
func confusionFigures(v *view) []figure {
	var out []figure
	for _, c := range v.columns {
		all := seriesOf(v, c, func(x *results.Cell) bool { return len(x.Confusions) > 0 })
		for _, group := range comparableSeries(v, all) {
			if len(group) == 0 {
				continue
			}
			s := group[topOf(c, group)]
			d := v.dataset(s.row, c)
			title := fmt.Sprintf("%s: confusions of %s", c.title, s.name)
			name := "confusions-" + slug(c.title)
			if m := newMatrix(d, s.cell); m != nil {
				out = append(out, about(m.Figure(name, title), c))
			} else {
				out = append(out, about(confusionRows(d, s.cell).Figure(name, title,
					"The largest of the pooled confusion "+
						"matrix, in percent of the pixels of the class in the truth, by falling number of pixels."), c))
			}
		}
	}
	return out
}

// pairsDrawn is how many confusions a list shows.
const pairsDrawn = 30

func confusionRows(d *results.Dataset, x *results.Cell) *draw.RowChart {
	g := &draw.RowChart{Label: "share of the class's pixels (%)", Names: 0.62}
	short := func(s string) string { return draw.Short(s, draw.OneColumn*0.27) }
	pixels := classPixels(d, x)
	for _, k := range x.Confusions[:min(len(x.Confusions), pairsDrawn)] {
		t, p := int(k[0]), int(k[1])
		if pixels[t] == 0 {
			continue
		}
		g.Rows = append(g.Rows, draw.Row{Name: short(d.Classes[t]) + " → " + short(d.Classes[p]),
			Values: []float64{100 * float64(k[2]) / float64(pixels[t])}})
	}
	return g
}

// byLabel are the classes of a cell by label, nil where it has none. They are matched by name, those of one name in
// order.
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
