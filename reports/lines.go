package reports

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// curveFigures draw the curves of the cells, one figure for each name and data set.
func curveFigures(v *view) []figure {
	var out []figure
	for _, c := range v.columns {
		var curves []string
		for _, r := range v.rows {
			if x := v.cell(r, c); x != nil {
				for _, k := range x.Curves {
					if !slices.Contains(curves, k.Name) {
						curves = append(curves, k.Name)
					}
				}
			}
		}
		for _, name := range curves {
			out = append(out, about(curve(v, c, name), c))
		}
	}
	return out
}

func curve(v *view, c column, name string) draw.Figure {
	find := func(x *results.Cell) *results.Curve {
		i := slices.IndexFunc(x.Curves, func(k results.Curve) bool { return k.Name == name })
		if i < 0 {
			return nil
		}
		return &x.Curves[i]
	}
	all := seriesOf(v, c, func(x *results.Cell) bool { return find(x) != nil })
	var notes []string
	if n := len(all) - maxSeries; n > 0 {
		all, notes = all[:maxSeries], append(notes, fmt.Sprintf("%d methods more are not drawn.", n))
	}
	if !v.comparable() {
		notes = append(notes, "The runs are not comparable: their protocols or images differ.")
	}
	l := &draw.LineChart{}
	for _, s := range all {
		k := find(s.cell)
		l.X, l.Y = k.XLabel, k.YLabel
		line := draw.Line{Index: s.index, Name: s.name}
		for i := range k.X {
			line.XY = append(line.XY, plotter.XY{X: k.X[i], Y: k.Y[i]})
		}
		l.Lines = append(l.Lines, line)
	}
	return l.Figure("curve-"+slug(name)+"-"+slug(c.title), c.title+": "+name, strings.Join(notes, " "))
}
