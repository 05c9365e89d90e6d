package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"ovbench/reports/results"
)

// lineChart draws series over a common axis: curves, or points with intervals where the points are few.
type lineChart struct {
	x, y   string
	lines  []lineSeries
	points bool        // mark the points
	ticks  plot.Ticker // of the x axis, if not round numbers
}

type lineSeries struct {
	index     int // of the colour
	name      string
	xy        plotter.XYs
	low, high []float64 // of the interval at each point, or nil
}

const lineChartHeight = 150

func (l *lineChart) figure(name, title, note string) figure {
	k := l.key()
	w := vg.Length(oneColumn)
	return figure{name: name, title: title, note: note, w: w, h: lineChartHeight + k.height(w), draw: l.draw}
}

func (l *lineChart) key() key {
	var k key
	for _, s := range l.lines {
		style := seriesLine(s.index)
		k = append(k, keyEntry{name: s.name, color: style.Color, line: &style})
	}
	return k
}

func (l *lineChart) draw(c draw.Canvas) {
	c = under(c, l.key())
	p := newChart(l.x, l.y)
	if l.ticks != nil {
		p.X.Tick.Marker = l.ticks
	}
	p.Add(grid{vertical: true}, l)
	p.Draw(draw.Crop(c, 0, -8, 0, -4))
}

// DataRange implements plot.DataRanger.
func (l *lineChart) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin, xmax, ymax = math.Inf(1), 0, math.Inf(-1), math.Inf(-1)
	for _, s := range l.lines {
		for i, p := range s.xy {
			xmin, xmax, ymin, ymax = min(xmin, p.X), max(xmax, p.X), min(ymin, p.Y), max(ymax, p.Y)
			if s.high != nil {
				ymin, ymax = min(ymin, s.low[i]), max(ymax, s.high[i])
			}
		}
	}
	if ymin == ymax {
		ymax++
	}
	if xmin == xmax {
		xmin, xmax = xmin-0.5, xmax+0.5
	}
	if l.points { // not on the axes
		air := 0.04 * (xmax - xmin)
		xmin, xmax = xmin-air, xmax+air
	}
	return xmin, xmax, ymin, ymax + 0.05*(ymax-ymin)
}

// Plot implements plot.Plotter.
func (l *lineChart) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for i, s := range l.lines {
		style := seriesLine(s.index)
		at := make([]vg.Point, len(s.xy))
		for j, q := range s.xy {
			at[j] = vg.Point{X: trX(q.X), Y: trY(q.Y)}
		}
		c.StrokeLines(style, at)
		if !l.points {
			continue
		}
		whisker := draw.LineStyle{Color: style.Color, Width: 0.6}
		for j, q := range at {
			c.DrawGlyph(draw.GlyphStyle{Color: style.Color, Radius: 2, Shape: dotShapes[i%len(dotShapes)]}, q)
			if s.high != nil {
				c.StrokeLine2(whisker, q.X, trY(s.low[j]), q.X, trY(s.high[j]))
			}
		}
	}
}

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
			out = append(out, v.curve(c, name).about(c))
		}
	}
	return out
}

func (v *view) curve(c column, name string) figure {
	find := func(x *results.Cell) *results.Curve {
		i := slices.IndexFunc(x.Curves, func(k results.Curve) bool { return k.Name == name })
		if i < 0 {
			return nil
		}
		return &x.Curves[i]
	}
	all := v.seriesOf(c, func(x *results.Cell) bool { return find(x) != nil })
	var notes []string
	if n := len(all) - maxSeries; n > 0 {
		all, notes = all[:maxSeries], append(notes, fmt.Sprintf("%d methods more are not drawn.", n))
	}
	if !v.comparable() {
		notes = append(notes, "The runs are not comparable: their protocols or images differ.")
	}
	l := &lineChart{}
	for _, s := range all {
		k := find(s.cell)
		l.x, l.y = k.XLabel, k.YLabel
		line := lineSeries{index: s.index, name: s.name}
		for i := range k.X {
			line.xy = append(line.xy, plotter.XY{X: k.X[i], Y: k.Y[i]})
		}
		l.lines = append(l.lines, line)
	}
	return l.figure("curve-"+slug(name)+"-"+slug(c.title), c.title+": "+name, strings.Join(notes, " "))
}
